//! The nearest vectors by an exact scan in memory.
//!
//! Every row is looked at as bytes, which is little memory to read; the best ones are then measured by
//! their numbers, which are kept in half precision, as pgvector keeps them. There is nothing to build, and a row is found as soon as it is put.
//!
//! Invariants:
//! - A document is found with all its vectors or none: a change is published at once.
//! - A search reads one state from beginning to end, whatever is changed meanwhile; a change waits
//!   for no search.
//! - Equal states answer equally, in whatever order documents came: by cosine, then by document and
//!   ordinal. The cosine that is answered is that of the numbers, not of the bytes.

mod block;

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use simsimd::SpatialSimilarity;

use self::block::{Block, Code, Owner, ROWS};
use crate::model::DocumentId;
use crate::ports::{
    DocumentRepositoryError, EmbeddingModel, NearestQuery, Neighbour, VectorSearch,
};

/// How many more rows than asked for are measured by their numbers: so many, and half as many as asked for.
const MORE_MEASURED: usize = 30;

/// Finds the nearest chunks by looking at all of them. Holds the vectors of one model; a question of
/// another one finds nothing. Clones are one.
#[derive(Debug, Clone)]
pub struct ExactVectorSearch {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    model: EmbeddingModel,
    dimensions: usize,
    /// Where documents' rows are, and which rows are free. Guards changes against each other.
    ledger: Mutex<Ledger>,
    /// What searches read. Guards a clone, and the short time of a change.
    state: RwLock<Arc<State>>,
}

#[derive(Debug, Default)]
struct Ledger {
    rows: HashMap<DocumentId, Vec<Place>>,
    free: Vec<Place>,
}

#[derive(Debug, Clone, Default)]
struct State {
    blocks: Vec<Arc<Block>>,
    /// From 1; 0 is no collection.
    collections: HashMap<String, u32>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    block: usize,
    row: usize,
}

impl ExactVectorSearch {
    /// No vectors yet, of `model`.
    #[must_use]
    pub fn new(model: EmbeddingModel) -> Self {
        let dimensions = usize::try_from(model.dimensions).unwrap_or(0);
        Self {
            inner: Arc::new(Inner {
                model,
                dimensions,
                ledger: Mutex::default(),
                state: RwLock::default(),
            }),
        }
    }

    /// The model whose vectors it holds.
    #[must_use]
    pub fn model(&self) -> &EmbeddingModel {
        &self.inner.model
    }

    /// Puts the document's vectors, one for each chunk by ordinal, in place of those that it has.
    /// Vectors of another length are left out, and vectors of zeros, which are near to nothing.
    /// Blocks for the time of a copy.
    pub fn put(&self, document: DocumentId, collection: Option<&str>, vectors: &[Vec<f32>]) {
        let coded: Vec<(u32, &Vec<f32>, Code)> = (0..)
            .zip(vectors)
            .filter(|(_, vector)| vector.len() == self.inner.dimensions)
            .filter(|(_, vector)| vector.iter().any(|x| *x != 0.0))
            .map(|(ordinal, vector)| (ordinal, vector, Code::of(vector)))
            .collect();
        self.change(|ledger, state| {
            ledger.take_away(document, state);
            let collection = collection.map_or(0, |name| state.number(name));
            for (ordinal, vector, code) in &coded {
                let place = ledger.room(state, self.inner.dimensions);
                let owner = Owner {
                    document,
                    ordinal: *ordinal,
                    collection,
                };
                if let Some(block) = state.blocks.get_mut(place.block) {
                    Arc::make_mut(block).set(place.row, owner, vector, code);
                }
                ledger.rows.entry(document).or_default().push(place);
            }
        });
    }

    /// Takes the document's vectors away. Blocks for a moment.
    pub fn remove(&self, document: DocumentId) {
        self.change(|ledger, state| ledger.take_away(document, state));
    }

    /// Takes all vectors away.
    pub fn clear(&self) {
        self.change(|ledger, state| {
            *ledger = Ledger::default();
            *state = State::default();
        });
    }

    /// How many vectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let ledger = self.inner.ledger.lock();
        let ledger = ledger.unwrap_or_else(PoisonError::into_inner);
        ledger.rows.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the vectors take, with what belongs to them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.state().blocks.iter().map(|block| block.size()).sum()
    }

    /// The same as [`VectorSearch::nearest`], on the caller's thread.
    #[must_use]
    pub fn scan(&self, query: &NearestQuery) -> Vec<Neighbour> {
        let state = self.state();
        if query.model != self.inner.model || query.vector.len() != self.inner.dimensions {
            return Vec::new();
        }
        if query.vector.iter().all(|x| *x == 0.0) {
            return Vec::new();
        }
        let only = match &query.collection {
            None => None,
            Some(name) => match state.collections.get(name) {
                Some(number) => Some(*number),
                None => return Vec::new(),
            },
        };
        let limit = query.limit.clamp(1, 200);
        let code = Code::of(&query.vector);
        let keep = limit + limit / 2 + MORE_MEASURED;
        let mut best: BinaryHeap<Reverse<Near>> = BinaryHeap::with_capacity(keep + 1);
        for (at, block) in state.blocks.iter().enumerate() {
            for (row, owner, bytes, scale) in block.rows() {
                if only.is_some_and(|only| only != owner.collection) {
                    continue;
                }
                let likeness = narrow(i8::dot(bytes, &code.bytes).unwrap_or(0.0)) * scale;
                let full = best.len() >= keep;
                if full
                    && best
                        .peek()
                        .is_some_and(|Reverse(least)| likeness < least.likeness)
                {
                    continue;
                }
                best.push(Reverse(Near {
                    likeness,
                    document: owner.document,
                    ordinal: owner.ordinal,
                    place: Place { block: at, row },
                }));
                if full {
                    best.pop();
                }
            }
        }
        let mut room = Vec::new();
        let mut found: Vec<Neighbour> = best
            .into_iter()
            .map(|Reverse(near)| Neighbour {
                document: near.document,
                ordinal: near.ordinal,
                cosine: state.cosine(near.place, &query.vector, &mut room),
            })
            .collect();
        found.sort_by(|a, b| {
            let by_cosine = b.cosine.total_cmp(&a.cosine);
            by_cosine.then_with(|| (a.document, a.ordinal).cmp(&(b.document, b.ordinal)))
        });
        found.truncate(limit);
        found
    }

    fn state(&self) -> Arc<State> {
        let state = self.inner.state.read();
        Arc::clone(&state.unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Ledger, &mut State)) {
        let ledger = self.inner.ledger.lock();
        let mut ledger = ledger.unwrap_or_else(PoisonError::into_inner);
        let state = self.inner.state.write();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        // What a search still reads is copied, block by block, and left to it.
        change(&mut ledger, Arc::make_mut(&mut state));
    }
}

impl Ledger {
    fn take_away(&mut self, document: DocumentId, state: &mut State) {
        for place in self.rows.remove(&document).unwrap_or_default() {
            if let Some(block) = state.blocks.get_mut(place.block) {
                Arc::make_mut(block).clear(place.row);
            }
            self.free.push(place);
        }
    }

    /// A free row, in a new block when there is none.
    fn room(&mut self, state: &mut State, dimensions: usize) -> Place {
        if let Some(place) = self.free.pop() {
            return place;
        }
        let block = state.blocks.len();
        state.blocks.push(Arc::new(Block::new(dimensions)));
        self.free
            .extend((1..ROWS).rev().map(|row| Place { block, row }));
        Place { block, row: 0 }
    }
}

impl State {
    fn number(&mut self, collection: &str) -> u32 {
        let next = u32::try_from(self.collections.len() + 1).unwrap_or(u32::MAX);
        *self
            .collections
            .entry(collection.to_owned())
            .or_insert(next)
    }

    fn cosine(&self, place: Place, vector: &[f32], room: &mut Vec<f32>) -> f32 {
        let block = self.blocks.get(place.block);
        let dot = block.map_or(0.0, |block| block.dot(place.row, vector, room));
        dot.clamp(-1.0, 1.0)
    }
}

/// A row by its bytes; greater is nearer, equal ones by document and ordinal.
#[derive(Debug, Clone, Copy)]
struct Near {
    likeness: f32,
    document: DocumentId,
    ordinal: u32,
    place: Place,
}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |near: &Self| (near.document, near.ordinal);
        self.likeness
            .total_cmp(&other.likeness)
            .then_with(|| place(other).cmp(&place(self)))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Near {}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a sum of products of bytes, far below what is exact"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[async_trait]
impl VectorSearch for ExactVectorSearch {
    async fn nearest(
        &self,
        query: NearestQuery,
    ) -> Result<Vec<Neighbour>, DocumentRepositoryError> {
        if query.model == self.inner.model && query.vector.len() != self.inner.dimensions {
            let error = "the question's vector is not as long as the model says";
            return Err(DocumentRepositoryError::Unavailable(error.into()));
        }
        let search = self.clone();
        tokio::task::spawn_blocking(move || search.scan(&query))
            .await
            .map_err(|error| DocumentRepositoryError::Unavailable(Box::new(error)))
    }
}

#[cfg(test)]
mod tests;
