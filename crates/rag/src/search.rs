//! Retrieval: words, the glossary across languages, the query plan, the index, and the one order out
//! of words and meaning.
//!
//! Invariant: documents and queries pass through the same [`words`](analysis::words), so a word that
//! stands in a document is found by itself.

mod analysis;
mod dense;
mod engine;
mod fuse;
mod glossary;
mod hit;
mod index;
mod judge;
mod plan;
mod rows;
mod score;
mod snippet;
mod widen;

pub use dense::ExactVectorSearch;
pub use engine::Strategy;
pub(crate) use engine::{DENSE_CANDIDATES, Question, conclude, propose};
pub use fuse::Fusion;
pub use glossary::{Glossary, GlossaryError};
pub use hit::{Explanation, Range, Scores, SearchHit, Wide};
pub(crate) use index::{Index, IndexError, IndexWriter};
pub(crate) use widen::widen;
