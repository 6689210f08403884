//! The section around a place of a document, for a reader who wants more than a hit.
//!
//! Invariants:
//! - What is shown is the stored text's slice at the span that goes with it, and holds the place asked
//!   for, as far as the document has it.
//! - It is bounded: of a section longer than [`MAX_SECTION_CHARS`] the part around the place is shown,
//!   from the beginning of one chunk to the end of another one. What stands before and after it is
//!   named, so that a reader can go on either way to the ends of the document.
//! - Only a ready document is shown.

use super::{KnowledgeError, KnowledgeService, unavailable};
use crate::model::{Chunk, Document, DocumentId, Span, Stage};

/// Most code points of a section that are shown at a time; one chunk is always shown.
pub const MAX_SECTION_CHARS: u64 = 20_000;

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionView {
    /// The document.
    pub document: Document,
    /// The headings above it, outermost first; the last one is the section's own.
    pub heading_path: Vec<String>,
    /// The text.
    pub text: String,
    /// Where the text stands.
    pub span: Span,
    /// The whole section; greater than `span` where the section is too long to be shown at once.
    pub section: Span,
    /// What stands right before it.
    pub before: Option<SectionLink>,
    /// What stands right after it.
    pub after: Option<SectionLink>,
}

/// A place to go on at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionLink {
    /// The headings above it, outermost first.
    pub heading_path: Vec<String>,
    /// Where it stands.
    pub span: Span,
}

impl From<&Chunk> for SectionLink {
    fn from(chunk: &Chunk) -> Self {
        Self {
            heading_path: chunk.heading_path.clone(),
            span: chunk.span,
        }
    }
}

impl KnowledgeService {
    /// The section around the code points from `start` to before `end` of the document's text, or the
    /// nearest section after `start` where nothing can be seen there. `None` when there is no such
    /// document, it is not ready, or `start` is beyond its end.
    ///
    /// Cancel safe: dropping it changes nothing.
    ///
    /// # Errors
    /// [`KnowledgeError::Unavailable`].
    pub async fn section(
        &self,
        id: DocumentId,
        start: u64,
        end: u64,
    ) -> Result<Option<SectionView>, KnowledgeError> {
        let ready = self.get(id).await?;
        let Some(document) = ready.filter(|document| document.stage == Stage::Ready) else {
            return Ok(None);
        };
        if start >= document.chars {
            return Ok(None);
        }
        let chunks = self.documents().chunks(id).await?;
        let Some(text) = self.documents().text(id).await? else {
            return Ok(None);
        };
        let cut = move || around(document, &chunks, &text, start, end);
        tokio::task::spawn_blocking(cut).await.map_err(unavailable)
    }
}

fn around(
    document: Document,
    chunks: &[Chunk],
    text: &str,
    start: u64,
    end: u64,
) -> Option<SectionView> {
    let at = chunks
        .iter()
        .position(|chunk| chunk.span.end_char > start)
        .or_else(|| chunks.len().checked_sub(1))?;
    let place = chunks.get(at)?;
    // What goes beyond a section is shown with the one that holds both.
    let holds = |span: &Span| span.start_char <= place.span.start_char && span.end_char >= end;
    let section = chunks
        .iter()
        .map(|chunk| chunk.section)
        .filter(holds)
        .min_by_key(|span| span.end_char - span.start_char)
        .unwrap_or(place.section);
    let (first, last) = window(chunks, at, section);
    let (head, tail) = (chunks.get(first)?, chunks.get(last)?);
    let span = Span {
        start_char: head.span.start_char,
        start_line: head.span.start_line,
        end_char: tail.span.end_char,
        end_line: tail.span.end_line,
    };
    Some(SectionView {
        document,
        heading_path: place.heading_path.clone(),
        text: span.slice(text)?.to_owned(),
        span,
        section,
        before: first
            .checked_sub(1)
            .and_then(|before| chunks.get(before))
            .map(SectionLink::from),
        after: chunks.get(last + 1).map(SectionLink::from),
    })
}

/// The first and the last chunk to show around the one at `at`: all of the section where they fit,
/// else more of what follows than of what goes before.
fn window(chunks: &[Chunk], at: usize, section: Span) -> (usize, usize) {
    let inside = |chunk: &Chunk| {
        chunk.span.start_char >= section.start_char && chunk.span.end_char <= section.end_char
    };
    let length = |first: usize, last: usize| {
        let (first, last) = (chunks.get(first)?, chunks.get(last)?);
        Some(last.span.end_char.saturating_sub(first.span.start_char))
    };
    let (mut first, mut last) = (at, at);
    let after = |first: usize, mut last: usize, most: u64| {
        while chunks.get(last + 1).is_some_and(inside)
            && length(first, last + 1).is_some_and(|chars| chars <= most)
        {
            last += 1;
        }
        last
    };
    last = after(first, last, MAX_SECTION_CHARS / 4 * 3);
    while let Some(before) = first.checked_sub(1)
        && chunks.get(before).is_some_and(inside)
        && length(before, last).is_some_and(|chars| chars <= MAX_SECTION_CHARS)
    {
        first = before;
    }
    last = after(first, last, MAX_SECTION_CHARS);
    (first, last)
}
