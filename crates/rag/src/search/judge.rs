//! Whether what was found can answer the question.
//!
//! Invariant: the rule is a share of weights, so it needs no model and explains itself: the words of
//! the question weigh as much as they are rare in the index, and one document among the best hits
//! must have [`ANSWERABLE_SHARE`] of that weight. A part of a job's name does not count as the job.

use std::collections::{BTreeMap, HashSet};

use crate::model::DocumentId;
use crate::search::analysis::words;
use crate::search::hit::{Explanation, SearchHit};
use crate::search::plan::Concept;

/// Hits that are looked at to decide whether there is an answer.
const JUDGED_HITS: usize = 5;
/// The share of the question's weight that the best document must have. Calibrated on the golden
/// set of `tests/golden.rs`: from 0.42 down more questions without an answer pass than questions
/// with one are saved, from 0.55 up it is the other way round.
const ANSWERABLE_SHARE: f32 = 0.45;

/// What a section is headed by, for words: title, headings and file name.
pub(super) fn above(title: &str, source: &str, path: &[String]) -> String {
    let mut above = path.join("\n");
    if !path.iter().any(|heading| heading == title) {
        above = format!("{title}\n{above}");
    }
    format!("{above}\n{source}")
}

pub(super) fn terms_of(hit: &SearchHit) -> HashSet<String> {
    let above = above(&hit.title, &hit.source, &hit.heading_path);
    let mut found = HashSet::new();
    for word in words(&hit.text).iter().chain(&words(&above)) {
        found.extend(word.terms().cloned());
    }
    found
}

/// `ln(1 + (n - df + ½) / (df + ½))`, as BM25 has it.
pub(super) fn inverse_frequency(chunks: u64, having: u64) -> f32 {
    let exact = |n: u64| f32::from(u16::try_from(n).unwrap_or(u16::MAX));
    let (chunks, having) = (exact(chunks), exact(having.min(chunks)));
    ((chunks - having + 0.5) / (having + 0.5)).ln_1p()
}

fn says(concept: &Concept, terms: &HashSet<String>) -> bool {
    concept.ways.iter().filter(|way| way.counts).any(|way| {
        way.words
            .iter()
            .all(|forms| forms.iter().any(|form| terms.contains(form)))
    })
}

pub(super) fn explanation(
    concepts: &[Concept],
    weights: &[f32],
    terms: &HashSet<String>,
) -> Explanation {
    let (mut matched, mut missing) = (Vec::new(), Vec::new());
    let (mut has, mut all) = (0.0, 0.0);
    for (concept, weight) in concepts.iter().zip(weights) {
        all += weight;
        if says(concept, terms) {
            has += weight;
            matched.push(concept.surface.clone());
        } else {
            missing.push(concept.surface.clone());
        }
    }
    Explanation {
        matched,
        missing,
        coverage: if all > 0.0 { has / all } else { 0.0 },
    }
}

/// Whether one of the documents of the best hits has enough of the question's weight. The hits of
/// a document are taken together, as an answer may stand in two of its sections.
pub(super) fn is_answerable(hits: &[SearchHit], concepts: &[Concept], weights: &[f32]) -> bool {
    let mut by_document: BTreeMap<DocumentId, HashSet<String>> = BTreeMap::new();
    for hit in hits.iter().take(JUDGED_HITS) {
        by_document
            .entry(hit.document_id)
            .or_default()
            .extend(terms_of(hit));
    }
    by_document
        .values()
        .any(|terms| explanation(concepts, weights, terms).coverage >= ANSWERABLE_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::lexicon::Lexicon;
    use crate::search::plan::plan;

    fn judged(question: &str, text: &str) -> Explanation {
        let concepts = plan(question, &Lexicon::operations());
        let terms = words(text)
            .iter()
            .flat_map(|word| word.terms().cloned().collect::<Vec<_>>())
            .collect();
        explanation(&concepts, &vec![1.0; concepts.len()], &terms)
    }

    #[test]
    fn a_word_of_the_same_meaning_counts_and_a_part_of_a_name_does_not() {
        let found = judged("restart FIN_GL_POST", "Reexecutar FIN_GL_EXTRACT depois");
        assert_eq!(found.matched, ["restart"]);
        assert_eq!(found.missing, ["FIN_GL_POST"]);
        assert!((found.coverage - 0.5).abs() < f32::EPSILON);
    }

    #[test]
    fn a_phrase_counts_only_whole() {
        assert_eq!(judged("crisis", "incidente grave").matched, ["crisis"]);
        assert_eq!(judged("crisis", "um incidente").missing, ["crisis"]);
    }

    #[test]
    fn rare_words_weigh_more_and_no_index_is_too_small() {
        assert!(inverse_frequency(100, 1) > inverse_frequency(100, 50));
        assert!(inverse_frequency(100, 100) > 0.0);
        assert!(inverse_frequency(0, 1) > 0.0);
    }
}
