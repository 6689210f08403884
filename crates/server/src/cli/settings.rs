//! The configuration as the commands find it, and `resync config`.
//!
//! Only here are the environment's values read (P1-05).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use resync_kernel::SecretString;

use super::output::{CONFIGURATION, FAILURE, fail, print};
use super::reader::reader;
use crate::config::{Loaded, Sources, rows};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print each value and where it came from; secrets are not shown.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The configuration of this run, or the code of what is wrong with it.
pub(super) fn load(
    file: Option<PathBuf>,
    flags: Vec<(String, String)>,
) -> Result<Loaded, ExitCode> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let sources = Sources {
        file,
        default_file: Some("resync.toml".into()),
        environment,
        flags,
    };
    let mut loaded =
        Loaded::from(&sources).map_err(|error| fail(CONFIGURATION, &error.to_string()))?;
    loaded.config.rag.reader = reader();
    Ok(loaded)
}

/// What the commands that ask a running server read from the environment.
#[derive(Default)]
pub(super) struct OfClients {
    pub(super) url: Option<String>,
    pub(super) key: Option<SecretString>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
}

/// Reads the variables of [`CLIENT_VARIABLES`].
pub(super) fn of_clients() -> OfClients {
    let mut found = OfClients::default();
    for (name, value) in std::env::vars_os() {
        let text = || {
            value
                .clone()
                .into_string()
                .ok()
                .filter(|text| !text.is_empty())
        };
        match name.to_str() {
            Some("RESYNC_URL") => found.url = text(),
            Some("RESYNC_API_KEY") => found.key = text().map(|text| text.trim().into()),
            Some("RESYNC_API_KEY_FILE") => found.key_file = Some(PathBuf::from(&value)),
            Some("RESYNC_CA_FILE") => found.ca_file = Some(PathBuf::from(&value)),
            _ => {}
        }
    }
    found
}

/// Prints each value and where it came from.
pub(super) fn show(file: Option<PathBuf>, json: bool) -> ExitCode {
    let loaded = match load(file, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let rows = rows(&loaded);
    if json {
        return match serde_json::to_string_pretty(&rows) {
            Ok(text) => print(&text),
            Err(error) => fail(FAILURE, &error.to_string()),
        };
    }
    let width = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        let value = row.value.as_deref().unwrap_or("(not set)");
        if let Err(error) = writeln!(text, "{:width$}  {value}  [{}]", row.key, row.origin) {
            return fail(FAILURE, &error.to_string());
        }
    }
    for engine in &loaded.config.tws.engine {
        if let Err(error) = writeln!(
            text,
            "{:width$}  {} {}",
            "tws.engine", engine.name, engine.url
        ) {
            return fail(FAILURE, &error.to_string());
        }
    }
    print(text.trim_end())
}
