//! What a search gives.

use crate::model::{DocumentId, Span};

/// Why a hit was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The question's words that the section has, by themselves or by a word of the same meaning.
    pub matched: Vec<String>,
    /// The question's words that it lacks.
    pub missing: Vec<String>,
    /// The share of the question's weight that the section has, 0 to 1; rare words weigh more.
    pub coverage: f32,
}

/// A section that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchHit {
    /// Its document.
    pub document_id: DocumentId,
    /// The chunk's place in the document, from 0.
    pub ordinal: u32,
    /// The document's file name.
    pub source: String,
    /// The document's title.
    pub title: String,
    /// The headings above the section, outermost first.
    pub heading_path: Vec<String>,
    /// The section's text.
    pub text: String,
    /// Where the text stands in the document.
    pub span: Span,
    /// BM25 score, to four decimals; only comparable within one search.
    pub score: f32,
    /// Why it was found, when asked for.
    pub explanation: Option<Explanation>,
}
