//! What a chunk has of a question, counted word by word.
//!
//! The library's BM25 proposes candidates; this scores them, and those that were found by meaning,
//! alike: BM25 over body, heading and what stands above it with all ways of a concept counted as one
//! word, words of the question that stand close together, and a heading that is the question.
//!
//! Invariant: a score depends on the question, the chunk and the index's statistics alone, so equal
//! indexes score equally, and a chunk's score does not depend on how it was proposed.

use std::collections::HashMap;

use crate::search::index::{IndexError, State};
use crate::search::plan::Concept;
use crate::search::rows::{Row, Terms, term_hash};

/// Saturation of repeated words, as in BM25.
const K1: f32 = 1.2;
/// How much a long chunk is made to pay, as in BM25.
const B: f32 = 0.6;
/// What a word of the section's own heading counts against one of the text.
const HEADING: f32 = 2.5;
/// The same for a word of an outer heading, the title or the file name.
const ABOVE: f32 = 0.7;
/// What neighbouring words of a question are worth when they stand side by side in the text.
const CLOSE: f32 = 0.35;
/// Words further apart than this are not close.
const MAX_GAP: u32 = 6;
/// What a heading that has nothing but words of the question is worth, in shares of its own weight.
const HEADED: f32 = 0.5;
/// What a word of any text weighs against one of the subject.
const EVERYDAY: f32 = 0.5;
/// How much of a concept's weight stays when a phrase of it stands in pieces.
const SCATTERED: f32 = 0.3;

/// What a chunk has of a question.
#[derive(Debug, Clone, Default)]
pub(crate) struct Match {
    /// BM25 with what is worth more, 0 upwards.
    pub(crate) score: f32,
    /// The share of the question's weight that the chunk has, 0 to 1.
    pub(crate) coverage: f32,
    /// For each concept, the weight of the best way in which the chunk has it; 0 when it has none
    /// that counts.
    pub(crate) has: Vec<f32>,
    /// Whether it has a name of the question (a job, a message) whole.
    pub(crate) names: bool,
}

/// Where a way's word is met.
#[derive(Debug, Clone, Copy)]
struct Met {
    way: usize,
    word: usize,
}

struct WayPlan {
    concept: usize,
    weight: f32,
    counts: bool,
    words: usize,
    /// Whether it is the concept's own word.
    own: bool,
}

/// Scores chunks for one question.
pub(crate) struct Scorer<'a> {
    concepts: &'a [Concept],
    weights: Vec<f32>,
    ways: Vec<WayPlan>,
    by_hash: HashMap<u32, Vec<Met>>,
    /// Nearly all words of a chunk are not of the question; most of these are told apart by this.
    sieve: Sieve,
    mean_words: f32,
    total: f32,
}

/// Which hashes may be of the question, by their lower bits.
struct Sieve([u64; Self::BITS / 64]);

impl Sieve {
    const BITS: usize = 4096;

    fn of(hashes: impl Iterator<Item = u32>) -> Self {
        let mut sieve = Self([0; Self::BITS / 64]);
        for hash in hashes {
            let (word, bit) = Self::place(hash);
            if let Some(word) = sieve.0.get_mut(word) {
                *word |= bit;
            }
        }
        sieve
    }

    fn place(hash: u32) -> (usize, u64) {
        let low = usize::try_from(hash).unwrap_or(0) % Self::BITS;
        (low / 64, 1 << (low % 64))
    }

    fn lets_pass(&self, hash: u32) -> bool {
        let (word, bit) = Self::place(hash);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl<'a> Scorer<'a> {
    pub(crate) fn new(concepts: &'a [Concept], state: &State) -> Result<Self, IndexError> {
        let mut weights = Vec::with_capacity(concepts.len());
        for concept in concepts {
            weights.push(weight(state, concept)?);
        }
        let mut ways = Vec::new();
        let mut by_hash: HashMap<u32, Vec<Met>> = HashMap::new();
        for (at, concept) in concepts.iter().enumerate() {
            for (rank, way) in concept.ways.iter().enumerate() {
                for (word, forms) in way.words.iter().enumerate() {
                    for form in forms {
                        let met = Met {
                            way: ways.len(),
                            word,
                        };
                        by_hash.entry(term_hash(form)).or_default().push(met);
                    }
                }
                ways.push(WayPlan {
                    concept: at,
                    weight: way.weight.min(1.0),
                    counts: way.counts,
                    words: way.words.len(),
                    own: rank == 0,
                });
            }
        }
        Ok(Self {
            concepts,
            total: weights.iter().sum(),
            weights,
            ways,
            sieve: Sieve::of(by_hash.keys().copied()),
            by_hash,
            mean_words: state.mean_words(),
        })
    }

    /// The weight of all concepts.
    pub(crate) fn total(&self) -> f32 {
        self.total
    }

    /// The weight of each concept: rare ones weigh more.
    pub(crate) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// What `row` has of the question.
    pub(crate) fn score(&self, row: &Row) -> Match {
        let body = self.count(&row.body);
        let heading = self.count(&row.heading);
        let above = self.count(&row.above);
        let length = 1.0 - B + B * float(row.body.len()) / self.mean_words;
        let mut found = Match {
            has: vec![0.0; self.concepts.len()],
            ..Match::default()
        };
        let mut has = 0.0;
        for (at, (weight, concept)) in self.weights.iter().zip(self.concepts).enumerate() {
            let of = |counts: &Counts| counts.concepts.get(at).copied().unwrap_or_default();
            let (body, heading, above) = (of(&body), of(&heading), of(&above));
            let times = body.times / length + HEADING * heading.times + ABOVE * above.times;
            if times > 0.0 {
                let best = body.best.max(heading.best).max(above.best);
                found.score += weight * best * times * (K1 + 1.0) / (times + K1);
            }
            let sure = body.sure.max(heading.sure).max(above.sure);
            has += weight * sure;
            if let Some(slot) = found.has.get_mut(at) {
                *slot = sure;
            }
            found.names |= concept.technical && (body.own || heading.own);
        }
        found.score += CLOSE * (self.close(&body) + self.close(&heading));
        let headed = float(row.heading.len());
        if headed > 0.0 {
            let share = (heading.matched / headed).min(1.0);
            let weight: f32 = (0..self.concepts.len())
                .filter(|at| heading.concepts.get(*at).is_some_and(|c| c.sure > 0.0))
                .filter_map(|at| self.weights.get(at))
                .sum();
            found.score += HEADED * share * weight;
        }
        found.coverage = if self.total > 0.0 {
            has / self.total
        } else {
            0.0
        };
        found
    }

    /// The weight of neighbouring concepts that stand close together.
    fn close(&self, counts: &Counts) -> f32 {
        let pairs = counts.gaps.iter().zip(self.weights.windows(2));
        pairs
            .filter_map(|(gap, weights)| {
                let gap = gap.filter(|gap| *gap <= MAX_GAP)?;
                let weight = weights.iter().copied().fold(f32::INFINITY, f32::min);
                Some(weight / float(usize::try_from(gap.max(1)).unwrap_or(1)))
            })
            .sum()
    }

    fn count(&self, terms: &Terms) -> Counts {
        let concepts = self.concepts.len();
        let mut counts = Counts {
            concepts: vec![Count::default(); concepts],
            gaps: vec![None; concepts.saturating_sub(1)],
            matched: 0.0,
        };
        let mut seen = Seen {
            last: vec![None; concepts],
            phrases: HashMap::new(),
            matched: None,
        };
        for (place, hash) in terms.iter().filter(|(_, hash)| self.sieve.lets_pass(*hash)) {
            for met in self.by_hash.get(&hash).into_iter().flatten() {
                self.meet(*met, place, &mut counts, &mut seen);
            }
        }
        for (way, words) in seen.phrases {
            let Some(plan) = self.ways.get(way) else {
                continue;
            };
            let all = words.places.iter().all(Option::is_some);
            if let Some(count) = counts.concepts.get_mut(plan.concept)
                && all
                && !words.whole
            {
                count.times += plan.weight * SCATTERED;
                count.best = count.best.max(plan.weight * SCATTERED);
                if plan.counts {
                    count.sure = count.sure.max(plan.weight * SCATTERED);
                }
            }
        }
        counts
    }

    fn meet(&self, met: Met, place: u32, counts: &mut Counts, seen: &mut Seen) {
        let Some(plan) = self.ways.get(met.way) else {
            return;
        };
        if plan.words > 1 {
            let words = seen.phrases.entry(met.way).or_insert_with(|| Phrase {
                places: vec![None; plan.words],
                whole: false,
            });
            if let Some(slot) = words.places.get_mut(met.word) {
                *slot = Some(place);
            }
            let reach = u32::try_from(plan.words)
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            let oldest = words.places.iter().min().copied().flatten();
            if oldest.is_none_or(|oldest| place - oldest > reach) {
                return;
            }
            words.whole = true;
            words.places.fill(None);
        }
        let Some(count) = counts.concepts.get_mut(plan.concept) else {
            return;
        };
        count.best = count.best.max(plan.weight);
        if plan.counts {
            count.sure = count.sure.max(plan.weight);
        }
        count.own |= plan.own;
        let Some(last) = seen.last.get_mut(plan.concept) else {
            return;
        };
        if *last == Some(place) {
            return;
        }
        *last = Some(place);
        count.times += plan.weight;
        if seen.matched != Some(place) && plan.counts {
            seen.matched = Some(place);
            counts.matched += float(plan.words);
        }
        if !plan.counts {
            return;
        }
        // How near the concepts are that stand before and after it in the question.
        for (neighbour, pair) in [
            (plan.concept.checked_sub(1), plan.concept.checked_sub(1)),
            (Some(plan.concept + 1), Some(plan.concept)),
        ] {
            let before = neighbour.and_then(|at| seen.last.get(at).copied().flatten());
            if let (Some(before), Some(gap)) = (before, pair.and_then(|at| counts.gaps.get_mut(at)))
            {
                let now = place.abs_diff(before);
                *gap = Some(gap.map_or(now, |least| least.min(now)));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// How often the concept is said, each time by the weight of the way.
    times: f32,
    /// The weight of its best way.
    best: f32,
    /// The weight of its best way that counts.
    sure: f32,
    /// Whether the word itself was met.
    own: bool,
}

struct Counts {
    concepts: Vec<Count>,
    /// The least distance between each concept and the next one of the question, in words.
    gaps: Vec<Option<u32>>,
    /// How many words say something of the question.
    matched: f32,
}

struct Seen {
    /// Where each concept was met last.
    last: Vec<Option<u32>>,
    phrases: HashMap<usize, Phrase>,
    matched: Option<u32>,
}

/// A way of several words, as far as it has been met.
struct Phrase {
    places: Vec<Option<u32>>,
    /// Whether it stood together once.
    whole: bool,
}

/// How much a concept says: the inverse document frequency of its most frequent way. A word that no
/// chunk has weighs as much as one that a single chunk has.
fn weight(state: &State, concept: &Concept) -> Result<f32, IndexError> {
    let mut most = 0;
    for way in concept.ways.iter().filter(|way| way.counts) {
        let mut least = u64::MAX;
        for forms in &way.words {
            let mut found = 0;
            for form in forms {
                found = found.max(state.frequency(form)?);
            }
            least = least.min(found);
        }
        most = most.max(least);
    }
    let share = if concept.everyday { EVERYDAY } else { 1.0 };
    Ok(share * inverse_frequency(state.chunks(), most.max(1)))
}

/// `ln(1 + (n - df + ½) / (df + ½))`, as BM25 has it.
fn inverse_frequency(chunks: u64, having: u64) -> f32 {
    let exact = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let (chunks, having) = (exact(chunks), exact(having.min(chunks)));
    narrow(((chunks - having + 0.5) / (having + 0.5)).ln_1p())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a weight needs no more digits"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

fn float(n: usize) -> f32 {
    f32::from(u16::try_from(n).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_weigh_more_and_no_index_is_too_small() {
        assert!(inverse_frequency(100, 1) > inverse_frequency(100, 50));
        assert!(inverse_frequency(100_000, 1) > inverse_frequency(100_000, 70_000));
        assert!(inverse_frequency(100, 100) > 0.0);
        assert!(inverse_frequency(0, 1) > 0.0);
    }
}
