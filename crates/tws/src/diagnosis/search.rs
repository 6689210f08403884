//! What to look for in the runbooks: the job, the ids in the lines that name the cause, its words.
//!
//! Invariant: the words come from the table of causes. Of a log only what has the form of an id is taken,
//! so that nothing it says becomes a question of ours.

use std::sync::LazyLock;

use regex::Regex;

use super::causes::Causes;
use super::{Diagnosis, EvidenceKind};

/// How many ids are taken from a log.
const MAX_IDS: usize = 6;

/// Ids as products print them. Constant data, no state; `ids_are_taken_from_a_log` proves it.
static ID: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(?:[A-Z][A-Z0-9]{1,4}-[0-9]{3,5}\b",
        r"|[A-Z]{3,8}[0-9]{3,5}[A-Z]?\b",
        r"|Msg [0-9]{3,5}\b",
        r"|MQRC_[A-Z_]+\b",
        r"|SQLCODE ?=? ?-[0-9]{3,5}\b",
        r"|S(?:0C[0-9A-F]|[0-9]{3}|[A-E]37)\b)",
    ))
    .ok()
});

pub(super) fn fill(found: &mut Diagnosis, causes: &Causes) {
    let mut keys = vec![found.job.name.clone()];
    let logs = found.evidence.iter();
    for evidence in logs.filter(|evidence| evidence.kind == EvidenceKind::Log) {
        for id in ids(&evidence.text) {
            if keys.len() <= MAX_IDS && !keys.contains(&id) {
                keys.push(id);
            }
        }
    }
    found.search.keys = keys;
    let known = found.cause.as_ref().map(|cause| &*cause.code);
    if let Some(known) = known.and_then(|code| causes.named(code)) {
        found.search.en.clone_from(&known.search.en);
        found.search.pt.clone_from(&known.search.pt);
    }
}

fn ids(text: &str) -> Vec<String> {
    let found = ID.as_ref().map(|id| id.find_iter(text));
    let found = found.into_iter().flatten();
    found.map(|id| id.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_from_a_log() {
        let ids = |text: &str| ids(text).join(" ");
        assert_eq!(ids("ERROR ORA-00060: deadlock"), "ORA-00060");
        assert_eq!(
            ids("AWSBDW099E job, SQL0911N and AMQ9202E:"),
            "AWSBDW099E SQL0911N AMQ9202E"
        );
        assert_eq!(
            ids("Msg 1205, Level 13 (MQRC_Q_FULL) ABEND=S0C7"),
            "Msg 1205 MQRC_Q_FULL S0C7"
        );
        assert_eq!(ids("confirm the job and raise the limit to 1024"), "");
    }
}
