//! The store as a whole: a backup of it, and whether its audit is whole.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use resync_kernel::error_chain;

use super::not_started;
use super::output::{Done, FAILURE, Failure, OK, USAGE, end, json, note};
use super::settings::load;
use crate::wiring::{BackupError, Keeping, for_keeping};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// A new file for the copy; one that is there is not replaced.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Prove the chain of the audit log from its first row to its last; exits with 1 when it is broken.
    Verify {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `resync backup`.
pub(super) async fn back_up(config: Option<PathBuf>, args: BackupArgs) -> ExitCode {
    with_store(config, async |store| {
        store.back_up(&args.file).await.map_err(|error| {
            let code = match &error {
                BackupError::NotAFile => USAGE,
                BackupError::Sqlite(_) => FAILURE,
            };
            Failure::new(code, error_chain(&error))
        })?;
        note(&format!("{} is copied and checked", store.place));
        Ok((OK, args.file.display().to_string()))
    })
    .await
}

/// `resync audit …`.
pub(super) async fn audit(config: Option<PathBuf>, command: AuditCommand) -> ExitCode {
    let AuditCommand::Verify { json: as_json } = command;
    with_store(config, async |store| {
        let verdict = store
            .audit
            .verify()
            .await
            .map_err(|error| Failure::new(FAILURE, error_chain(&error)))?;
        let code = if verdict.valid { OK } else { FAILURE };
        let text = if as_json {
            json(&verdict)?
        } else {
            match verdict.first_broken {
                None => format!("the audit log is whole: {} rows", verdict.rows),
                Some(seq) => format!(
                    "the audit log is broken at row {seq}; the {} rows before it are whole",
                    verdict.rows
                ),
            }
        };
        Ok((code, text))
    })
    .await
}

/// Opens the store of the configuration, does `work`, closes it, and prints what came of it.
async fn with_store(config: Option<PathBuf>, work: impl AsyncFnOnce(&Keeping) -> Done) -> ExitCode {
    let loaded = match load(config, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let store = match for_keeping(&loaded.config).await {
        Ok(store) => store,
        Err(error) => return not_started(&error),
    };
    let done = work(&store).await;
    store.close().await;
    end(done)
}
