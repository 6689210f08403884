//! Documents, their stages and their chunks.
//!
//! Invariant: a [`Span`] counts Unicode code points of the *stored* text (after
//! [`normalise`](crate::text::normalise)), so that a citation can be shown by slicing that text.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use resync_kernel::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names a document; UUID version 7, so ids sort by time of upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(pub Uuid);

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DocumentId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// How the stored text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Media {
    /// Markdown: headings, code fences and tables shape the chunks.
    Markdown,
    /// Plain text: paragraphs shape the chunks.
    Text,
}

impl Media {
    /// The media of a file name's extension (`md`, `markdown`, `txt`, `text`), in any case.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "txt" | "text" => Some(Self::Text),
            _ => None,
        }
    }

    /// The word that stores keep.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Text => "text",
        }
    }

    /// Reads [`Media::as_str`] back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "markdown" => Some(Self::Markdown),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// How far a document has come.
///
/// The order is `received`, `text`, `chunks`, `vectors`, `ready`. The `vectors` stage is passed
/// over at present: retrieval is lexical and there is no embedder yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The text is stored; nothing else has happened.
    Received,
    /// The text is being cut into chunks.
    Text,
    /// The chunks are stored.
    Chunks,
    /// The vectors are stored. Not reached without an embedder.
    Vectors,
    /// Searchable.
    Ready,
    /// Given up; the same bytes may be uploaded again to retry.
    Failed {
        /// Why, for the person who uploaded it.
        reason: String,
    },
}

impl Stage {
    /// The word for stores and answers; `failed` without its reason.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Text => "text",
            Self::Chunks => "chunks",
            Self::Vectors => "vectors",
            Self::Ready => "ready",
            Self::Failed { .. } => "failed",
        }
    }

    /// Reads [`Stage::as_str`] back; `reason` is used by `failed` alone.
    #[must_use]
    pub fn parse(word: &str, reason: Option<&str>) -> Option<Self> {
        Some(match word {
            "received" => Self::Received,
            "text" => Self::Text,
            "chunks" => Self::Chunks,
            "vectors" => Self::Vectors,
            "ready" => Self::Ready,
            "failed" => Self::Failed {
                reason: reason?.to_owned(),
            },
            _ => return None,
        })
    }

    /// The reason of a failure.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } => Some(reason),
            _ => None,
        }
    }

    /// Whether work on the document has ended, well or not.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Ready | Self::Failed { .. })
    }
}

/// A document of the knowledge base, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: DocumentId,
    /// The uploaded file's name as a label: no path, no control characters, 1 to 255 characters.
    pub source: String,
    /// The first top heading, or the file name without its extension.
    pub title: String,
    /// The collection it was uploaded to, if one was named.
    pub collection: Option<String>,
    /// Labels given at upload, in order, each once.
    pub tags: Vec<String>,
    /// SHA-256 of the uploaded bytes, in lower-case hex; at most one document has it.
    pub bytes_sha256: String,
    /// How the text is read.
    pub media: Media,
    /// Unicode code points of the stored text.
    pub chars: u64,
    /// Number of stored chunks, 0 before the stage `chunks`.
    pub chunks: u32,
    /// How far it has come.
    pub stage: Stage,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// Who uploaded it.
    pub created_by: UserId,
}

/// Where a chunk stands in its document's stored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First Unicode code point, from 0.
    pub start_char: u64,
    /// The code point after the last one.
    pub end_char: u64,
    /// First line, from 1.
    pub start_line: u64,
    /// Last line, inclusive.
    pub end_line: u64,
}

impl Span {
    /// The part of `text` that the span names, or `None` when the text is too short for it.
    #[must_use]
    pub fn slice<'a>(&self, text: &'a str) -> Option<&'a str> {
        let start = usize::try_from(self.start_char).ok()?;
        let length = usize::try_from(self.end_char.checked_sub(self.start_char)?).ok()?;
        let mut bounds = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let from = bounds.nth(start)?;
        let to = if length == 0 {
            from
        } else {
            bounds.nth(length - 1)?
        };
        text.get(from..to)
    }
}

/// A part of a document that search finds and answers cite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its document.
    pub document: DocumentId,
    /// Its place among the document's chunks, from 0.
    pub ordinal: u32,
    /// The headings above it, outermost first; empty for plain text.
    pub heading_path: Vec<String>,
    /// The text, equal to the stored text's slice at `span`.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_code_points() {
        let text = "não há espaço";
        let span = Span {
            start_char: 4,
            end_char: 6,
            start_line: 1,
            end_line: 1,
        };
        assert_eq!(span.slice(text), Some("há"));
        let beyond = Span {
            start_char: 4,
            end_char: 60,
            start_line: 1,
            end_line: 1,
        };
        assert_eq!(beyond.slice(text), None);
        let all = Span {
            start_char: 0,
            end_char: 13,
            start_line: 1,
            end_line: 1,
        };
        assert_eq!(all.slice(text), Some(text));
    }

    #[test]
    fn every_stage_reads_back() {
        let failed = Stage::Failed {
            reason: "no text".to_owned(),
        };
        for stage in [
            Stage::Received,
            Stage::Text,
            Stage::Chunks,
            Stage::Vectors,
            Stage::Ready,
            failed,
        ] {
            assert_eq!(Stage::parse(stage.as_str(), stage.reason()), Some(stage));
        }
        assert_eq!(Stage::parse("failed", None), None);
    }
}
