//! `resync kb eval`: how well the knowledge base finds.

use std::path::Path;

use resync_kernel::error_chain;
use resync_rag::Strategy;
use resync_rag::eval::{Thresholds, golden};

use super::Done;
use crate::cli::output::{self, FAILURE, Failure, NOT_FOUND, OK, USAGE, note};
use crate::wiring::Knowledge;

/// `kb eval`.
pub(super) async fn evaluate(
    knowledge: &Knowledge,
    set: &Path,
    thresholds: Option<&Path>,
    json: bool,
) -> Done {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path);
        text.map_err(|error| Failure::new(NOT_FOUND, format!("{}: {error}", path.display())))
    };
    let questions = golden(&read(set)?).map_err(|error| wrong(set, &error_chain(&error)))?;
    let least = match thresholds {
        Some(path) => Some(
            Thresholds::parse(&read(path)?).map_err(|error| wrong(path, &error_chain(&error)))?,
        ),
        None => None,
    };
    let report = resync_rag::eval::evaluate(&knowledge.service, &questions, Strategy::default());
    let report = report
        .await
        .map_err(|error| Failure::new(FAILURE, error_chain(&error)))?;
    let failures = least
        .map(|least| least.failures(&report))
        .unwrap_or_default();
    for failure in &failures {
        note(failure);
    }
    let code = if failures.is_empty() { OK } else { FAILURE };
    let text = if json {
        output::json(&report)?
    } else {
        report.to_string().trim_end().to_owned()
    };
    Ok((code, text))
}

fn wrong(path: &Path, why: &str) -> Failure {
    Failure::new(USAGE, format!("{}: {why}", path.display()))
}
