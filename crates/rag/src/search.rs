//! Retrieval: words, the lexicon across languages, the query plan and the index.
//!
//! Invariant: documents and queries pass through the same [`words`], so a word that stands in a
//! document is found by itself.

mod analysis;
mod hit;
mod index;
mod judge;
mod lexicon;
mod plan;

pub use hit::{Explanation, SearchHit};
pub(crate) use index::{Index, IndexError, IndexWriter};
pub(crate) use lexicon::Lexicon;
pub(crate) use plan::plan;
