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
    /// The parts of its score.
    pub scores: Scores,
}

/// The parts of a hit's score, to four decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    /// What the words say: BM25 over text and headings, 0 upwards.
    pub lexical: f32,
    /// Its place by words, from 1; `None` when it was not among those looked at.
    pub lexical_rank: Option<u32>,
    /// What the meaning says: the cosine to the question, −1 to 1; `None` when it was not near
    /// enough, or when there is no model.
    pub dense: Option<f32>,
    /// Its place by meaning, from 1.
    pub dense_rank: Option<u32>,
    /// The share of the words in the sum, 0 to 1; the meaning has the rest.
    pub lexical_weight: f32,
    /// What a name of the question adds.
    pub boost: f32,
    /// What the re-ranker says; hits that have it are in its order. `None` without one.
    pub reranked: Option<f32>,
    /// The sum that hits are ordered by; the same as the hit's score.
    pub total: f32,
}

/// A part of a hit's text, in Unicode code points from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First code point.
    pub start: u32,
    /// The code point after the last one.
    pub end: u32,
}

/// A hit's text with what stands before and after it in its section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wide {
    /// The text: that of the document at `span`, where blanks between chunks may differ.
    pub text: String,
    /// Where it stands; it holds the hit's span and is held by its section.
    pub span: Span,
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
    /// What the text goes on with and does not say itself: the head of a table, the first line of an
    /// entry; mostly empty.
    pub context: String,
    /// Where the whole section stands that the text is part of; it holds `span`.
    pub section: Span,
    /// The text with its neighbours, when the query asks for it and there are some.
    pub wide: Option<Wide>,
    /// The part of the text that says most about the question, at most some 240 code points.
    pub snippet: Range,
    /// The words of the text that the question asks for, in order, at most 64.
    pub matches: Vec<Range>,
    /// What words and meaning say, 0 upwards, to four decimals; only comparable within one search. Hits
    /// are ordered by it where no re-ranker gave another order.
    pub score: f32,
    /// Why it was found, when asked for.
    pub explanation: Option<Explanation>,
}
