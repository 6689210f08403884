//! Whether what was found can answer the question.
//!
//! Invariant: the rule is a share of weights and a cosine, so it explains itself: the words of the
//! question weigh as much as they are rare in the index, and one document among the best hits must
//! have [`ENOUGH`] of that weight, or [`ENOUGH_WITH_SENSE`] of it where a hit is as near in meaning as
//! [`NEAR`]. A part of a job's name does not count as the job.

use std::collections::BTreeMap;

use crate::model::DocumentId;
use crate::search::fuse::Candidate;
use crate::search::hit::Explanation;
use crate::search::plan::Concept;
use crate::search::score::{Match, Scorer};

/// Hits that are looked at to decide whether there is an answer.
const JUDGED_HITS: usize = 5;
/// The share of the question's weight that the best document must have. Calibrated on the tuned halves
/// of the golden sets: below it more questions without an answer pass than questions with one are
/// saved.
const ENOUGH: f32 = 0.45;
/// The share that is enough when a hit is near in meaning.
const ENOUGH_WITH_SENSE: f32 = 0.38;
/// The cosine from which on a hit is near in meaning.
const NEAR: f32 = 0.28;

pub(super) fn explanation(concepts: &[Concept], matched: &Match) -> Explanation {
    let (mut has, mut missing) = (Vec::new(), Vec::new());
    for (at, concept) in concepts.iter().enumerate() {
        let list = if matched.has.get(at).is_some_and(|weight| *weight > 0.0) {
            &mut has
        } else {
            &mut missing
        };
        list.push(concept.surface.clone());
    }
    Explanation {
        matched: has,
        missing,
        coverage: matched.coverage,
        scores: crate::search::hit::Scores::default(),
    }
}

/// Whether one of the documents of the best hits has enough of the question's weight. The hits of
/// a document are taken together, as an answer may stand in two of its sections.
pub(super) fn is_answerable(best: &[Candidate], scorer: &Scorer<'_>) -> bool {
    let mut by_document: BTreeMap<DocumentId, (Vec<f32>, f32)> = BTreeMap::new();
    for candidate in best.iter().take(JUDGED_HITS) {
        let (has, cosine) = by_document.entry(candidate.place.document).or_default();
        has.resize(candidate.matched.has.len().max(has.len()), 0.0);
        for (slot, more) in has.iter_mut().zip(&candidate.matched.has) {
            *slot = slot.max(*more);
        }
        *cosine = cosine.max(candidate.cosine.unwrap_or(0.0));
    }
    by_document.values().any(|(has, cosine)| {
        let covered: f32 = scorer
            .weights()
            .iter()
            .zip(has)
            .map(|(w, has)| w * has)
            .sum();
        let share = covered / scorer.total().max(f32::EPSILON);
        share >= ENOUGH || (share >= ENOUGH_WITH_SENSE && *cosine >= NEAR)
    })
}
