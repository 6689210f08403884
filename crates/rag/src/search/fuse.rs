//! One order out of what words say and what meaning says.
//!
//! The weight of either depends on the question. A name of a job or a message that a chunk has whole
//! is decided by words. The more of the question's weight a chunk has, translations counted, the more
//! words count; where no chunk has much of it, those that share a word by chance must not push out
//! those that share the sense.
//!
//! Invariants: the order is total (equal sums by document, then ordinal) and depends on the inputs
//! alone; without neighbours by meaning it is the order by words.

use crate::search::hit::Scores;
use crate::search::index::Place;
use crate::search::score::Match;

/// How the two orders become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fusion {
    /// Weights by question.
    #[default]
    Weighted,
    /// Reciprocal ranks with the usual constant of 60, equal weights: what is often done, to compare.
    ReciprocalRanks,
}

/// The weight of words beside meaning when no chunk has a word of the question, and when one has all.
const LEAST: f32 = 0.15;
const MOST: f32 = 0.65;
/// The weight of words when a chunk has the name (of a job, of a message) that is asked for.
const NAMED: f32 = 0.9;
/// The share of reciprocal ranks in a score; they keep a good second of both above the first of one.
const BY_RANK: f32 = 0.35;
/// The constant of reciprocal ranks.
const RANK_OFFSET: f32 = 10.0;
/// What a name of the question adds to a chunk that has it whole.
const HAS_NAME: f32 = 0.25;

/// A chunk that was proposed by words, by meaning, or by both.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) place: Place,
    pub(crate) matched: Match,
    pub(crate) cosine: Option<f32>,
    pub(crate) scores: Scores,
}

/// Sets the scores of `candidates` and puts the best first.
pub(crate) fn order(candidates: &mut [Candidate], fusion: Fusion) {
    rank(
        candidates,
        |candidate| Some(candidate.matched.score).filter(|score| *score > 0.0),
        |scores, rank| scores.lexical_rank = Some(rank),
    );
    rank(
        candidates,
        |candidate| candidate.cosine,
        |scores, rank| scores.dense_rank = Some(rank),
    );
    let weight = lexical_weight(candidates);
    let best = greatest(candidates.iter().map(|c| c.matched.score));
    let cosines = || candidates.iter().filter_map(|c| c.cosine);
    let (near, far) = (greatest(cosines()), cosines().fold(f32::INFINITY, f32::min));
    for candidate in candidates.iter_mut() {
        let scores = &mut candidate.scores;
        scores.lexical = candidate.matched.score;
        scores.dense = candidate.cosine;
        scores.lexical_weight = weight;
        let by_words = share(candidate.matched.score, 0.0, best);
        let by_meaning = candidate.cosine.map_or(0.0, |c| share(c, far, near));
        scores.total = match fusion {
            Fusion::ReciprocalRanks => {
                reciprocal(scores.lexical_rank, 60.0) + reciprocal(scores.dense_rank, 60.0)
            }
            Fusion::Weighted => {
                let value = weight * by_words + (1.0 - weight) * by_meaning;
                let ranks = weight * reciprocal(scores.lexical_rank, RANK_OFFSET)
                    + (1.0 - weight) * reciprocal(scores.dense_rank, RANK_OFFSET);
                scores.boost = if candidate.matched.names {
                    HAS_NAME
                } else {
                    0.0
                };
                (1.0 - BY_RANK) * value + BY_RANK * ranks + scores.boost
            }
        };
    }
    for candidate in candidates.iter_mut() {
        let scores = &mut candidate.scores;
        for value in [
            &mut scores.lexical,
            &mut scores.lexical_weight,
            &mut scores.boost,
            &mut scores.total,
        ] {
            *value = (*value * 1e4).round() / 1e4;
        }
        scores.dense = scores.dense.map(|cosine| (cosine * 1e4).round() / 1e4);
    }
    candidates.sort_by(|a, b| {
        let by_total = b.scores.total.total_cmp(&a.scores.total);
        by_total.then_with(|| a.place.cmp(&b.place))
    });
}

/// How much words count against meaning for this question.
fn lexical_weight(candidates: &[Candidate]) -> f32 {
    if candidates
        .iter()
        .all(|candidate| candidate.cosine.is_none())
    {
        return 1.0;
    }
    if candidates.iter().any(|candidate| candidate.matched.names) {
        return NAMED;
    }
    // The share of the question's weight that the best chunk has, translations counted: words that
    // the index cannot match at all should not speak.
    let covered = greatest(candidates.iter().map(|c| c.matched.coverage));
    LEAST + (MOST - LEAST) * covered
}

fn rank(
    candidates: &mut [Candidate],
    value: impl Fn(&Candidate) -> Option<f32>,
    set: impl Fn(&mut Scores, u32),
) {
    let mut order: Vec<(f32, Place, usize)> = candidates
        .iter()
        .enumerate()
        .filter_map(|(at, candidate)| Some((value(candidate)?, candidate.place, at)))
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    for (rank, (_, _, at)) in (1..).zip(order) {
        if let Some(candidate) = candidates.get_mut(at) {
            set(&mut candidate.scores, rank);
        }
    }
}

/// 1 for the first, falling with `offset`; 0 for what has no rank.
fn reciprocal(rank: Option<u32>, offset: f32) -> f32 {
    rank.map_or(0.0, |rank| {
        let rank = f32::from(u16::try_from(rank).unwrap_or(u16::MAX));
        (offset + 1.0) / (offset + rank)
    })
}

fn share(value: f32, least: f32, most: f32) -> f32 {
    if most - least > f32::EPSILON {
        ((value - least) / (most - least)).clamp(0.0, 1.0)
    } else if value >= most && most > 0.0 {
        1.0
    } else {
        0.0
    }
}

fn greatest(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DocumentId;
    use uuid::Uuid;

    fn candidate(document: u128, score: f32, cosine: Option<f32>, names: bool) -> Candidate {
        Candidate {
            place: Place {
                document: DocumentId(Uuid::from_u128(document)),
                ordinal: 0,
            },
            matched: Match {
                score,
                coverage: 0.3,
                names,
                ..Match::default()
            },
            cosine,
            scores: Scores::default(),
        }
    }

    fn ordered(mut candidates: Vec<Candidate>) -> Vec<u128> {
        order(&mut candidates, Fusion::Weighted);
        candidates
            .iter()
            .map(|c| c.place.document.0.as_u128())
            .collect()
    }

    #[test]
    fn without_meaning_the_order_is_that_of_the_words() {
        let candidates = vec![
            candidate(3, 1.0, None, false),
            candidate(2, 4.0, None, false),
            candidate(1, 1.0, None, false),
        ];
        assert_eq!(ordered(candidates), [2, 1, 3]);
    }

    #[test]
    fn a_name_is_decided_by_words() {
        let candidates = vec![
            candidate(1, 2.0, Some(0.9), false),
            candidate(2, 5.0, Some(0.3), true),
            candidate(3, 1.0, Some(0.2), false),
        ];
        assert_eq!(ordered(candidates)[0], 2);
    }

    /// What plain reciprocal ranks lose: a question in the other language.
    #[test]
    fn a_word_shared_by_chance_does_not_beat_the_sense() {
        let mut candidates = vec![
            candidate(1, 0.0, Some(0.8), false),
            candidate(2, 1.0, Some(0.31), false),
        ];
        candidates.extend((10..20).map(|n| candidate(n, 0.0, Some(0.3), false)));
        assert_eq!(ordered(candidates)[0], 1);
    }

    #[test]
    fn what_both_find_is_before_what_one_finds() {
        let candidates = vec![
            candidate(1, 5.0, None, false),
            candidate(2, 4.5, Some(0.75), false),
            candidate(3, 0.0, Some(0.8), false),
            candidate(4, 0.0, Some(0.1), false),
        ];
        assert_eq!(ordered(candidates)[0], 2);
    }
}
