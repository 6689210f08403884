//! Slips of the pen.
//!
//! Invariant: a name of the plan, and a word that is one of its own, are never corrected.

use std::collections::BTreeSet;

use crate::vocabulary::Vocabulary;

/// Corrects slips of the pen towards the words of the tables.
pub(super) fn correct(
    words: &mut [String],
    tables: &BTreeSet<&str>,
    names: Option<&Vocabulary>,
    evidence: &mut Vec<String>,
) {
    for word in words {
        let length = word.len();
        let plain = word.bytes().all(|b| b.is_ascii_lowercase());
        if length < 5 || !plain || tables.contains(word.as_str()) || KEPT.contains(&word.as_str()) {
            continue;
        }
        if names.is_some_and(|names| names.has(word)) {
            continue;
        }
        let allowed = if length < 8 { 1 } else { 2 };
        let near = tables
            .iter()
            .filter(|known| known.len() >= 5 && known.as_bytes().first() == word.as_bytes().first())
            .map(|known| (strsim::damerau_levenshtein(known, word), *known))
            .filter(|(edits, _)| *edits <= allowed)
            .min();
        if let Some((_, known)) = near {
            evidence.push(format!("typo:{word}>{known}"));
            known.clone_into(word);
        }
    }
}

/// Words near one of the tables that are words of their own.
const KEPT: &[&str] = &[
    "house",
    "plans",
    "state",
    "staff",
    "store",
    "stock",
    "right",
    "light",
    "night",
    "weight",
    "tell",
    "table",
    "while",
    "where",
    "there",
    "these",
    "those",
    "three",
    "other",
    "write",
    "written",
    "message",
    "messages",
    "changed",
    "since",
    "until",
    "again",
    "about",
    "quase",
    "passa",
    "passou",
    "serve",
    "service",
    "caused",
    "tarde",
    "cancelou",
    "liberou",
    "segurou",
    "reiniciou",
    "cancelled",
    "canceled",
    "released",
    "restarted",
    "matou",
    "pausou",
    "soltou",
    "rodou",
    "executou",
    "confirmou",
    "notes",
    "scheduler",
    "report",
    "reports",
    "relatorio",
    "paused",
    "killed",
];
