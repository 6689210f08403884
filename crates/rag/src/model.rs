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
/// The order is `received`, `text`, `chunks`, `vectors`, `ready`. A stage is set when what it names
/// is stored, so a process that dies leaves a stage from which another one can go on. `vectors` is
/// set with the first vectors and passed over without an embedder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The uploaded file is stored.
    Received,
    /// The text is stored, and the file no longer.
    Text,
    /// The chunks are stored.
    Chunks,
    /// Some or all vectors are stored.
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

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    En,
    /// Portuguese.
    Pt,
}

impl Language {
    /// The word that stores keep and callers give: `en` or `pt`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Pt => "pt",
        }
    }

    /// Reads [`Language::as_str`] back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "en" => Some(Self::En),
            "pt" => Some(Self::Pt),
            _ => None,
        }
    }
}

/// Names a process that works on documents; a new one at each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub Uuid);

/// A document of the knowledge base, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id. A new version of a document is a document with an id of its own.
    pub id: DocumentId,
    /// The uploaded file's name as a label: no path, no control characters, 1 to 255 characters.
    pub source: String,
    /// Where the file comes from, for example `runbooks/disk.md`, as a label: it opens no file of
    /// ours. With the collection it names what the versions are versions of.
    pub path: Option<String>,
    /// The file's own title, its first top heading, or the file name without its extension.
    pub title: String,
    /// The collection it was uploaded to, if one was named.
    pub collection: Option<String>,
    /// Labels given at upload, in order, each once.
    pub tags: Vec<String>,
    /// The language, if it was named.
    pub language: Option<Language>,
    /// Which version at its path it is, from 1; always 1 without a path.
    pub version: u32,
    /// SHA-256 of the uploaded bytes, in lower-case hex.
    pub bytes_sha256: String,
    /// Size of the uploaded file.
    pub bytes: u64,
    /// What kind of file it was, for people; known from the stage `text` on.
    pub format: Option<String>,
    /// The character encoding that the file was read with, where it is a text file.
    pub encoding: Option<String>,
    /// How the text is read; [`Media::Text`] before the stage `text`.
    pub media: Media,
    /// Unicode code points of the stored text, 0 before the stage `text`.
    pub chars: u64,
    /// Number of stored chunks, 0 before the stage `chunks`.
    pub chunks: u32,
    /// Number of stored vectors of the model that was last used; at most `chunks`.
    pub vectors: u32,
    /// How far it has come.
    pub stage: Stage,
    /// Why it waits for another try, when it does.
    pub waiting: Option<String>,
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
    /// What a reader needs to know before the text and the text does not say: the headings above it,
    /// one a line, and the head of a table whose rows it continues. Searched and embedded with the
    /// text, never shown as part of it.
    pub context: String,
    /// The whole section that the chunk is part of, for a reader who wants more; it holds `span`.
    pub section: Span,
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
