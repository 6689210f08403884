//! What the tools of a turn told: the ground that its answer stands on.
//!
//! Invariants:
//! - Each tool result is one piece with an id, a source and an age, in the order of gathering; a tool
//!   that gave no answer is one, too, so that "I looked here" is on record.
//! - The pieces are stored with the turn, so the answer can be checked against them at any later time
//!   ([`crate::recheck`]); they hold no secret that the engine's log held.
//! - A turn's evidence is bounded: [`MAX_CALLS`] pieces and [`MAX_BYTES`] bytes as JSON.

use chrono::{DateTime, Utc};
use resync_rag::DocumentId;
use resync_tws::model::EngineName;
use serde::{Deserialize, Serialize};

use crate::answer::{FigureValue, Place};

/// The most tool calls of a turn.
pub const MAX_CALLS: usize = 20;
/// The most bytes of a turn's evidence, as JSON.
pub const MAX_BYTES: usize = 32 * 1024;

/// What a tool told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `e1`, `e2` and so on, in the order of gathering.
    pub id: String,
    /// What it is about.
    pub kind: EvidenceKind,
    /// Who told it.
    pub source: EvidenceSource,
    /// When it was told.
    pub fetched_at: DateTime<Utc>,
    /// How old that was when the answer was made, in milliseconds.
    pub age_ms: u64,
    /// Older than it should be.
    pub stale: bool,
    /// Where the words of `text` stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Place>,
    /// What was told, as single facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<EvidenceFact>,
    /// Words of a log or a document, as data: without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Something of it was left out for its size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// The sorts of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The plan as a whole.
    Summary,
    /// A list of jobs.
    Jobs,
    /// One job.
    Job,
    /// Why a job failed or does not run.
    Diagnosis,
    /// Lines of a log.
    Log,
    /// What is around a job.
    Dependencies,
    /// Who is held up by a job.
    Impact,
    /// Past runs of a job.
    History,
    /// Workstations.
    Workstations,
    /// A name that was looked for in the plan.
    Names,
    /// A section of a document.
    Document,
    /// A tool that gave no answer, or found nothing.
    Nothing,
}

/// Who told something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum EvidenceSource {
    /// An engine.
    Engine {
        /// Its name.
        engine: EngineName,
        /// The question to it: `snapshot`, `job`, `log` and so on.
        question: String,
    },
    /// A document.
    Document {
        /// Its id.
        document_id: DocumentId,
        /// Its file name.
        source: String,
    },
    /// All documents, or that there is no engine to ask.
    Search {
        /// What was looked through: `documents` or `engines`.
        through: String,
    },
}

/// A single fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFact {
    /// What it is, in English: `state`, `return code`.
    pub name: String,
    /// What it is a fact of, when not of the whole: a job's label, a workstation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The number or the words; a time is in RFC 3339.
    pub value: FigureValue,
    /// The unit: `jobs`, `s`, `%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl EvidenceFact {
    /// A number.
    #[must_use]
    pub fn number(name: &str, value: i64) -> Self {
        Self {
            name: name.to_owned(),
            of: None,
            value: FigureValue::Number(value),
            unit: None,
        }
    }

    /// A count; beyond the range of the type it is the largest.
    #[must_use]
    pub fn count(name: &str, value: usize, unit: &str) -> Self {
        Self::number(name, i64::try_from(value).unwrap_or(i64::MAX)).in_unit(unit)
    }

    /// Words.
    #[must_use]
    pub fn words(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            of: None,
            value: FigureValue::Text(value.to_owned()),
            unit: None,
        }
    }

    /// A time, in whole seconds.
    #[must_use]
    pub fn time(name: &str, at: DateTime<Utc>) -> Self {
        Self::words(name, &at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    }

    /// The same, of that thing.
    #[must_use]
    pub fn of(self, of: &str) -> Self {
        Self {
            of: Some(of.to_owned()),
            ..self
        }
    }

    /// The same, in that unit.
    #[must_use]
    pub fn in_unit(self, unit: &str) -> Self {
        Self {
            unit: Some(unit.to_owned()),
            ..self
        }
    }
}

impl Evidence {
    /// How many bytes it has as JSON.
    #[must_use]
    pub fn size(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |bytes| bytes.len())
    }

    /// Leaves out what makes it larger than `bytes` as JSON: the end of its words, then its last
    /// facts; says so in `cut`.
    pub fn fit(&mut self, bytes: usize) {
        let mut size = self.size();
        if size <= bytes {
            return;
        }
        self.cut = true;
        size += ",\"cut\":true".len();
        if let Some(text) = &mut self.text {
            // A character may be six bytes of JSON; what is too much leaves by halves.
            while size > bytes && !text.is_empty() {
                let keep = text.chars().count() / 2;
                let at = text.char_indices().nth(keep).map_or(0, |(at, _)| at);
                size -=
                    serde_json::to_string(text.get(at..).unwrap_or("")).map_or(0, |s| s.len() - 2);
                text.truncate(at);
            }
        }
        while size > bytes && self.facts.pop().is_some() {
            size = self.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence {
            id: "e1".to_owned(),
            kind: EvidenceKind::Log,
            source: EvidenceSource::Engine {
                engine: EngineName::parse("prod").unwrap(),
                question: "log".to_owned(),
            },
            fetched_at: DateTime::UNIX_EPOCH,
            age_ms: 0,
            stale: false,
            span: None,
            facts: (0..50).map(|n| EvidenceFact::number("n", n)).collect(),
            text: Some("\"é\n".repeat(2_000)),
            cut: false,
        }
    }

    #[test]
    fn what_is_too_large_is_cut_and_says_so() {
        for bytes in [300, 1_000, 5_000, 12_000] {
            let mut evidence = evidence();
            evidence.fit(bytes);
            assert!(evidence.size() <= bytes, "{} of {bytes}", evidence.size());
            assert!(evidence.cut);
        }
        let mut whole = evidence();
        whole.fit(1 << 20);
        assert_eq!(whole, evidence());
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        let json = serde_json::to_string(&evidence()).unwrap();
        assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence());
    }
}
