//! `resync check`: whether the configuration is whole, the store opens, and what each engine can do.
//!
//! Invariant: it asks an engine to read and nothing else.

use std::fmt::Write as _;

use resync_kernel::SystemClock;
use resync_tws::model::EngineName;
use resync_tws::{Exam, Seen, TestReason, UnknownEngine, examine};
use serde::Serialize;
use thiserror::Error;

use crate::config::Config;
use crate::wiring::{self, StartError};

/// What `resync check` found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Each engine that was asked for, in the order of the configuration.
    pub engines: Vec<EngineReport>,
}

/// What was found of one engine.
#[derive(Debug, Serialize)]
pub struct EngineReport {
    /// Its name.
    pub engine: EngineName,
    /// Why it cannot be used at all, if so.
    pub unusable: Option<TestReason>,
    /// What it can do.
    #[serde(flatten)]
    pub exam: Exam,
}

/// Why nothing was checked.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The parts could not be built.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No engine of that name.
    #[error(transparent)]
    UnknownEngine(#[from] UnknownEngine),
}

/// Opens the store as `serve` does, and asks every engine, or the one of that name.
///
/// # Errors
/// [`CheckError`].
pub async fn run(config: &Config, only: Option<&EngineName>) -> Result<Report, CheckError> {
    let parts = wiring::for_check(config).await?;
    let all = parts.plan.engines().list();
    let asked: Vec<_> = match only {
        Some(name) => vec![parts.plan.engines().get(Some(name))?],
        None => all.iter().cloned().collect(),
    };
    let clock = SystemClock::default();
    let mut engines = Vec::with_capacity(asked.len());
    for engine in asked {
        let exam = examine(&engine, &clock).await;
        engines.push(EngineReport {
            engine: engine.name.clone(),
            unusable: exam.unusable(),
            exam,
        });
    }
    parts.close().await;
    Ok(Report { engines })
}

impl Report {
    /// The worst that was found, as the exit code of the command: 0 when every engine can be used, 5
    /// when one refuses our credentials, 6 when one cannot be reached, 1 for other trouble.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let code = |reason: TestReason| match reason {
            TestReason::Unreachable | TestReason::TimedOut | TestReason::Busy => 6,
            TestReason::CredentialsRefused | TestReason::Forbidden => 5,
            TestReason::Rejected | TestReason::Unsupported | TestReason::Unreadable => 1,
        };
        let codes = self.engines.iter().filter_map(|engine| engine.unusable);
        codes.map(code).max().unwrap_or(0)
    }

    /// The report as a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from("configuration and store: ok\n");
        if self.engines.is_empty() {
            text.push_str("no engine is configured\n");
        }
        for report in &self.engines {
            let exam = &report.exam;
            // Writing to a text does not fail.
            let _written = writeln!(
                text,
                "\n{}  version {}, time zone {}",
                report.engine,
                exam.version.as_deref().unwrap_or("unknown"),
                exam.timezone.as_deref().unwrap_or("unknown"),
            );
            for row in &exam.rows {
                let seen = match row.seen {
                    Seen::Ok => "ok".to_owned(),
                    Seen::Untried => "not tried".to_owned(),
                    Seen::Failed(reason) => word(reason).to_owned(),
                };
                let took = match row.seen {
                    Seen::Untried => String::new(),
                    _ => format!("{} ms", row.took_ms),
                };
                let _written = writeln!(
                    text,
                    "  {:<18} {seen:<20} {took:>8}  {}",
                    row.ability.as_str(),
                    row.detail,
                );
                if let Some(instead) = &row.instead {
                    let _written = writeln!(text, "  {:<18} instead: {}", "", instead.en);
                }
            }
        }
        text
    }
}

fn word(reason: TestReason) -> &'static str {
    match reason {
        TestReason::Unreachable => "unreachable",
        TestReason::TimedOut => "timed out",
        TestReason::CredentialsRefused => "credentials refused",
        TestReason::Forbidden => "forbidden",
        TestReason::Busy => "busy",
        TestReason::Rejected => "rejected",
        TestReason::Unsupported => "missing",
        TestReason::Unreadable => "unreadable",
    }
}
