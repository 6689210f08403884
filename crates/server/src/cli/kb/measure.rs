//! `resync kb reembed`, `reindex` and `eval`: how well the knowledge base finds, and by which model.

use std::path::Path;
use std::time::Duration;

use resync_kernel::error_chain;
use resync_rag::eval::{Thresholds, golden};
use resync_rag::{Reindexed, Strategy};
use serde_json::json;

use crate::cli::output::{self, Done, FAILURE, Failure, NOT_FOUND, OK, USAGE, note};
use crate::wiring::Knowledge;

/// How often it is looked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// `kb reembed`.
pub(super) async fn reembed(knowledge: &Knowledge, json: bool) -> Done {
    let Some(model) = knowledge.service.stats().await?.model else {
        return Err(Failure::new(
            FAILURE,
            "there is no embedding model; search goes by words alone",
        ));
    };
    knowledge.service.reembed();
    let mut said = None;
    while let Some(progress) = knowledge.service.stats().await?.reembedding {
        if said != Some(progress.done) {
            note(&format!(
                "{} of {} documents",
                progress.done, progress.total
            ));
            said = Some(progress.done);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = tokio::signal::ctrl_c() => {
                return Err(Failure::new(FAILURE, "interrupted; it goes on from there in the server"));
            }
        }
    }
    let vectors = knowledge.service.stats().await?.vectors;
    let of_model = vectors
        .iter()
        .find(|count| count.model == model)
        .map_or(0, |count| count.vectors);
    let text = if json {
        output::json(&json!({"model": model.id, "vectors": of_model}))?
    } else {
        format!("{of_model} vectors of {}", model.id)
    };
    Ok((OK, text))
}

/// `kb reindex`.
pub(super) async fn reindex(knowledge: &Knowledge, json: bool) -> Done {
    let (mut cut, mut same, mut left) = (0_u64, 0_u64, 0_u64);
    let cutting = knowledge.service.reindex(|document, outcome, progress| {
        let name = document.path.as_ref().unwrap_or(&document.source);
        let what = match outcome {
            Reindexed::Cut => {
                cut += 1;
                "cut anew".to_owned()
            }
            Reindexed::Same => {
                same += 1;
                "as it was".to_owned()
            }
            Reindexed::Left(why) => {
                left += 1;
                let why = why.as_deref().unwrap_or("another process works on it");
                format!("left as it was: {why}")
            }
        };
        note(&format!(
            "{} of {}: {name}: {what}",
            progress.done, progress.total
        ));
    });
    let outcome = tokio::select! {
        outcome = cutting => outcome,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::new(FAILURE, "interrupted; what was done stays done"));
        }
    };
    outcome?;
    let text = if json {
        output::json(&json!({"cut": cut, "same": same, "left": left}))?
    } else {
        format!("{cut} cut anew, {same} as they were, {left} left")
    };
    Ok((if left > 0 { FAILURE } else { OK }, text))
}

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
