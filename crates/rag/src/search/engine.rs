//! From a question to hits: the lexical part, and what makes hits of both parts.
//!
//! Invariants:
//! - A search reads one committed state from beginning to end; a neighbour by meaning that the state
//!   lacks, because its document has just changed, is passed over.
//! - Of chunks with nearly the same words the best one is given; of one section, the best
//!   [`MAX_OF_SECTION`] before all else, so that ten hits are more than one page.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use crate::ports::Neighbour;
use crate::search::fuse::{Candidate, Fusion, order};
use crate::search::glossary::Glossary;
use crate::search::hit::{Scores, SearchHit};
use crate::search::index::{IndexError, Place, State};
use crate::search::judge::{explanation, is_answerable};
use crate::search::plan::{Concept, Dictionary, plan};
use crate::search::rows::{Row, Rows};
use crate::search::score::Scorer;
use crate::search::snippet::{matches, snippet};

/// Chunks that the words propose.
const LEXICAL_CANDIDATES: usize = 200;
/// Chunks that the meaning proposes.
pub(crate) const DENSE_CANDIDATES: usize = 100;
/// Hits of one section before those of others.
const MAX_OF_SECTION: usize = 2;
/// From which share of common words on two chunks say the same.
const SAME_WORDS: f32 = 0.9;
/// How many of the best are looked through for such.
const COMPARED: usize = 64;

/// Which parts of a search run; all of them unless something is being compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// Words.
    pub lexical: bool,
    /// Words of the same meaning, in both languages.
    pub glossary: bool,
    /// Meaning, where there is a model.
    pub dense: bool,
    /// How both become one order.
    pub fusion: Fusion,
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            lexical: true,
            glossary: true,
            dense: true,
            fusion: Fusion::Weighted,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) k: usize,
    pub(crate) collection: Option<String>,
    pub(crate) explain: bool,
    pub(crate) strategy: Strategy,
}

/// The hits, and whether they can answer.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) hits: Vec<SearchHit>,
    pub(crate) answerable: bool,
}

/// What the words of a question propose.
pub(crate) struct Proposed {
    concepts: Vec<Concept>,
    places: Vec<Place>,
}

impl Dictionary for State {
    fn has(&self, term: &str) -> bool {
        self.frequency(term).is_ok_and(|chunks| chunks > 0)
    }

    fn near(&self, term: &str) -> Vec<String> {
        self.corrections(term).unwrap_or_else(|error| {
            tracing::warn!(%error, "a misspelt word is searched as it stands");
            Vec::new()
        })
    }
}

/// The candidates by words. Blocks for the time of the search.
pub(crate) fn propose(
    state: &State,
    question: &Question,
    glossary: &Glossary,
) -> Result<Proposed, IndexError> {
    let empty = Glossary::empty();
    let glossary = if question.strategy.glossary {
        glossary
    } else {
        &empty
    };
    let concepts = plan(&question.text, glossary, state);
    let places = if question.strategy.lexical {
        let only = question.collection.as_deref();
        state.candidates(&concepts, LEXICAL_CANDIDATES, only)?
    } else {
        Vec::new()
    };
    Ok(Proposed {
        concepts,
        places: places.into_iter().map(|(place, _)| place).collect(),
    })
}

/// The hits out of the candidates of both parts. Blocks for the time of it.
pub(crate) fn conclude(
    state: &State,
    question: &Question,
    proposed: &Proposed,
    neighbours: &[Neighbour],
) -> Result<Found, IndexError> {
    let Proposed { concepts, places } = proposed;
    let scorer = Scorer::new(concepts, state)?;
    let cosines: HashMap<Place, f32> = neighbours
        .iter()
        .map(|near| {
            let place = Place {
                document: near.document,
                ordinal: near.ordinal,
            };
            (place, near.cosine)
        })
        .collect();
    let mut all: Vec<Place> = places.clone();
    all.extend(cosines.keys());
    all.sort_unstable();
    all.dedup();
    let mut candidates = Vec::with_capacity(all.len());
    for place in all {
        let Some((entry, row)) = state.row(place) else {
            continue;
        };
        let only = question.collection.as_deref();
        if only.is_some() && entry.collection.as_deref() != only {
            continue;
        }
        let mut matched = scorer.score(row);
        if !question.strategy.lexical {
            matched.score = 0.0;
        }
        candidates.push(Candidate {
            place,
            matched,
            cosine: cosines.get(&place).copied(),
            scores: Scores::default(),
        });
    }
    order(&mut candidates, question.strategy.fusion);
    let best = without_repeats(state, candidates, question.k);
    let answerable = is_answerable(&best, &scorer);
    let hits = best.iter().filter_map(|candidate| {
        let (entry, row) = state.row(candidate.place)?;
        Some(hit(entry, row, candidate, concepts, question.explain))
    });
    Ok(Found {
        hits: hits.collect::<Result<_, _>>()?,
        answerable,
    })
}

fn hit(
    entry: &Arc<Rows>,
    row: &Row,
    candidate: &Candidate,
    concepts: &[Concept],
    explain: bool,
) -> Result<SearchHit, IndexError> {
    let text = row.text.text()?;
    let matches = matches(&text, concepts);
    let mut why = explain.then(|| explanation(concepts, &candidate.matched));
    if let Some(why) = &mut why {
        why.scores = candidate.scores;
    }
    Ok(SearchHit {
        document_id: entry.id,
        ordinal: row.ordinal,
        source: entry.source.clone(),
        title: entry.title.clone(),
        heading_path: row.heading_path.clone(),
        snippet: snippet(&text, &matches),
        text,
        span: row.span,
        context: row.lead.clone(),
        section: row.section,
        wide: None,
        matches,
        score: candidate.scores.total,
        explanation: why,
    })
}

/// The `k` best of `candidates`, which are in order: none that says what a better one says, and of
/// one section no more than two while there are others.
fn without_repeats(state: &State, candidates: Vec<Candidate>, k: usize) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::with_capacity(k);
    let mut kept_rows: Vec<(&Rows, &Row, Vec<u32>)> = Vec::with_capacity(k);
    let mut later = Vec::new();
    for (at, candidate) in candidates.into_iter().enumerate() {
        if kept.len() >= k {
            break;
        }
        let Some((entry, row)) = state.row(candidate.place) else {
            continue;
        };
        // A chunk is compared with all that are kept, so its words are put in order once.
        let words = row.body.sorted();
        let mut better = kept_rows.iter();
        if at < COMPARED && better.any(|(_, other, of)| says_the_same((row, &words), (other, of))) {
            continue;
        }
        let of_section = kept_rows
            .iter()
            .filter(|(e, r, _)| e.id == entry.id && r.heading_path == row.heading_path)
            .count();
        if of_section >= MAX_OF_SECTION && !row.heading_path.is_empty() {
            later.push(candidate);
            continue;
        }
        kept_rows.push((entry, row, words));
        kept.push(candidate);
    }
    let room = k.saturating_sub(kept.len());
    kept.extend(later.into_iter().take(room));
    kept
}

/// Whether two chunks, each with its [`sorted`](Terms::sorted) words, say the same.
fn says_the_same((a, a_words): (&Row, &[u32]), (b, b_words): (&Row, &[u32])) -> bool {
    let (long, short) = (
        a.body.len().max(b.body.len()),
        a.body.len().min(b.body.len()),
    );
    if short < 8 || part(short, long) < SAME_WORDS {
        return a.text == b.text;
    }
    let common = common(a_words, b_words);
    part(common, a_words.len() + b_words.len() - common) >= SAME_WORDS
}

/// How many numbers two ascending lists share.
fn common(mut a: &[u32], mut b: &[u32]) -> usize {
    let mut shared = 0;
    while let ([first, rest @ ..], [other, others @ ..]) = (a, b) {
        match first.cmp(other) {
            Ordering::Less => a = rest,
            Ordering::Greater => b = others,
            Ordering::Equal => {
                shared += 1;
                (a, b) = (rest, others);
            }
        }
    }
    shared
}

fn part(of: usize, all: usize) -> f32 {
    let float = |n: usize| f32::from(u16::try_from(n).unwrap_or(u16::MAX));
    float(of) / float(all.max(1))
}
