//! `resync migrate`: the schema of the store, and the move from SQLite to PostgreSQL.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use resync_kernel::{IdGenerator as _, SystemClock, SystemIds, error_chain};
use resync_rag::WorkerId;

use super::not_started;
use super::output::{CONFLICT, FAILURE, Failure, OK, USAGE, end, json, note, table};
use super::settings::load;
use crate::config::{Config, DatabaseUrl};
use crate::moving::{Move, MoveError, Moved, MovedRows, Step};
use crate::wiring::{self, StartError};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Change nothing; exit with 1 when something is to be done.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    check: bool,
    /// Move everything from here, `sqlite://PATH`, while no server runs on it.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Move it to here, `postgres://…`; without it to `database.url`, so that no password is typed.
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: Option<PathBuf>, args: MigrateArgs) -> ExitCode {
    let mut loaded = match load(config, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if let Some(to) = &args.to {
        loaded.config.database.url = Some(to.as_str().into());
    }
    let done = match &args.from {
        Some(from) => move_all(from, &loaded.config, args.json).await,
        None if args.check => check(&loaded.config, args.json).await,
        None => migrate(&loaded.config, args.json).await,
    };
    match done {
        Ok(printed) => end(Ok(printed)),
        Err(Stopped::Start(error)) => not_started(&error),
        Err(Stopped::Failed(failure)) => end(Err(failure)),
    }
}

/// Why there is nothing to print.
enum Stopped {
    Start(StartError),
    Failed(Failure),
}

impl From<StartError> for Stopped {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn check(config: &Config, as_json: bool) -> Result<(u8, String), Stopped> {
    let missing = wiring::missing_migrations(config).await?;
    let text = if as_json {
        json(&serde_json::json!({"missing": missing}))?
    } else if missing.is_empty() {
        "the schema is this version's".to_owned()
    } else {
        format!(
            "missing migrations: {}; run `resync migrate`",
            list(&missing)
        )
    };
    let code = if missing.is_empty() { OK } else { FAILURE };
    Ok((code, text))
}

async fn migrate(config: &Config, as_json: bool) -> Result<(u8, String), Stopped> {
    let applied = wiring::migrate(config).await?;
    let text = if as_json {
        json(&serde_json::json!({"applied": applied}))?
    } else if applied.is_empty() {
        "the schema is this version's; nothing was to be done".to_owned()
    } else {
        format!("applied migrations: {}", list(&applied))
    };
    Ok((OK, text))
}

fn list(migrations: &[i64]) -> String {
    let texts: Vec<_> = migrations.iter().map(|n| format!("{n:04}")).collect();
    texts.join(", ")
}

async fn move_all(from: &str, config: &Config, as_json: bool) -> Result<(u8, String), Stopped> {
    let wrong = |text: &str| Failure::new(USAGE, text);
    let Some(DatabaseUrl::Sqlite(file)) = DatabaseUrl::of(from) else {
        return Err(wrong("--from takes sqlite://PATH").into());
    };
    let file = Path::new(file)
        .canonicalize()
        .map_err(|error| wrong(&format!("--from: {file} cannot be read: {error}")))?;
    if !config.database.is_postgres() {
        return Err(wrong("--to, or database.url, must be postgres://…").into());
    }
    wiring::migrate(config).await?;
    let (from, to) = wiring::open_both(&file, config).await?;
    let moving = Move {
        from: &from,
        file: &file,
        to: &to,
        clock: Arc::new(SystemClock::default()),
        worker: WorkerId(SystemIds.next()),
    };
    let mut bar = Bar::new();
    let moved = moving.run(&mut |moved| bar.show(moved)).await;
    bar.end();
    from.close().await;
    to.close().await;
    let moved = moved.map_err(|error| {
        let code = match &error {
            MoveError::NotEmpty { .. } | MoveError::Another => CONFLICT,
            MoveError::Schema { .. }
            | MoveError::Different { .. }
            | MoveError::Source(_)
            | MoveError::Target(_)
            | MoveError::Documents(_) => FAILURE,
        };
        Failure::new(code, error_chain(&error))
    })?;
    let text = if as_json {
        json(&moved)?
    } else {
        let rows: Vec<_> = moved.iter().map(row).collect();
        table(["table", "rows", "sha256 of both sides"], &rows)
    };
    Ok((OK, text))
}

fn row(moved: &MovedRows) -> [String; 3] {
    let hash = moved.sha256.as_deref().unwrap_or("-");
    [moved.table.clone(), moved.rows.to_string(), hash.to_owned()]
}

/// How far it is: a bar on a terminal, elsewhere a line for each table and step.
struct Bar {
    bar: Option<ProgressBar>,
    told: Option<(String, Step)>,
}

impl Bar {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg:30} {bar:40} {pos}/{len} {elapsed}");
            let bar = ProgressBar::new(0);
            // The template is ours; without it the bar has its usual form.
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { bar, told: None }
    }

    fn show(&mut self, moved: Moved<'_>) {
        let step = match moved.step {
            Step::Copy => "copying",
            Step::Check => "comparing",
        };
        let now = (moved.what.to_owned(), moved.step);
        if let Some(bar) = &self.bar {
            bar.set_length(moved.of);
            bar.set_position(moved.done);
            bar.set_message(format!("{step} {}", moved.what));
        } else if self.told.as_ref() != Some(&now) {
            note(&format!("{step} {}: {} rows", moved.what, moved.of));
        }
        self.told = Some(now);
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
