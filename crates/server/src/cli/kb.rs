//! `resync kb`: the knowledge base, on the store of the configuration.
//!
//! A running server follows the store: what is added or removed here is found or gone there within a
//! second.

mod add;
mod files;
mod look;
mod measure;
mod progress;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use resync_kernel::error_chain;
use resync_rag::{DocumentId, KnowledgeError};

use self::add::AddArgs;
use self::look::{ListArgs, RemoveArgs, SearchArgs};
use super::not_started;
use super::output::{Done, FAILURE, Failure, end};
use super::settings::load;
use crate::wiring::{Knowledge, for_knowledge};

/// What to do with the knowledge base.
#[derive(Debug, Args)]
pub(super) struct KbArgs {
    /// As JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: KbCommand,
}

#[derive(Debug, Subcommand)]
enum KbCommand {
    /// Take in files, folders, patterns or stdin, and wait until they can be found.
    Add(AddArgs),
    /// The documents, the newest first.
    Ls(ListArgs),
    /// One document.
    Show {
        /// Its id.
        id: DocumentId,
        /// Its text instead.
        #[arg(long)]
        text: bool,
    },
    /// Remove documents for good.
    Rm(RemoveArgs),
    /// Sections that answer a question.
    Search(SearchArgs),
    /// Make vectors for documents that lack those of the present model.
    Reembed,
    /// Cut all documents anew, as after an update, and have every index read them again; search goes on
    /// meanwhile.
    Reindex,
    /// Ask the questions of a golden set and measure what is found.
    Eval {
        /// Questions with where their answers stand, a line each, as JSON.
        golden: PathBuf,
        /// Least values, as TOML; below them it exits with 1.
        #[arg(long, value_name = "FILE")]
        thresholds: Option<PathBuf>,
    },
}

/// Runs the command.
pub(super) async fn run(file: Option<PathBuf>, args: KbArgs) -> ExitCode {
    let loaded = match load(file, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let knowledge = match for_knowledge(&loaded.config).await {
        Ok(knowledge) => knowledge,
        Err(error) => return not_started(&error),
    };
    let done = done(&knowledge, args.command, args.json).await;
    knowledge.close().await;
    end(done)
}

async fn done(knowledge: &Knowledge, command: KbCommand, json: bool) -> Done {
    match command {
        KbCommand::Add(args) => add::run(knowledge, args, json).await,
        KbCommand::Ls(args) => look::list(knowledge, args, json).await,
        KbCommand::Show { id, text } => look::show(knowledge, id, text, json).await,
        KbCommand::Rm(args) => look::remove(knowledge, args, json).await,
        KbCommand::Search(args) => look::search(knowledge, args, json).await,
        KbCommand::Reembed => measure::reembed(knowledge, json).await,
        KbCommand::Reindex => measure::reindex(knowledge, json).await,
        KbCommand::Eval { golden, thresholds } => {
            measure::evaluate(knowledge, &golden, thresholds.as_deref(), json).await
        }
    }
}

impl From<KnowledgeError> for Failure {
    fn from(error: KnowledgeError) -> Self {
        Self::new(FAILURE, error_chain(&error))
    }
}
