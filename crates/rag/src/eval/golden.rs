//! Questions with known answers.
//!
//! Invariant: a set's ids differ, and a question has expected places exactly when its kind has
//! answers; a file that breaks it is refused with the number of its line.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::search::SearchHit;

/// The language of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionLanguage {
    /// English.
    En,
    /// Portuguese.
    Pt,
}

impl fmt::Display for QuestionLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::En => "en",
            Self::Pt => "pt",
        })
    }
}

/// What a question is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It names a message by its id.
    MessageId,
    /// It names a job, an option, a command or a file.
    Identifier,
    /// It asks how something is done, in the words of the documents.
    Howto,
    /// It asks what is wrong, by what is seen.
    Symptom,
    /// It shares no telling word with its answer.
    Paraphrase,
    /// Its answer is in another language.
    CrossLanguage,
    /// The documents do not answer it.
    NoAnswer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MessageId => "message_id",
            Self::Identifier => "identifier",
            Self::Howto => "howto",
            Self::Symptom => "symptom",
            Self::Paraphrase => "paraphrase",
            Self::CrossLanguage => "cross_language",
            Self::NoAnswer => "no_answer",
        })
    }
}

/// A place that answers a question: a document, and a section or lines of it when given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The document's file name, or the end of its path.
    pub source: String,
    /// A heading of the path above the answer, without regard to case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// First and last line of the answer, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<(u64, u64)>,
}

impl Expected {
    /// Whether `hit` is the place or holds a line of it.
    #[must_use]
    pub fn is_met_by(&self, hit: &SearchHit) -> bool {
        let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        if file(&self.source) != file(&hit.source) {
            return false;
        }
        let same = |a: &str, b: &str| {
            let plain = |text: &str| text.replace(['`', '*'], "").trim().to_lowercase();
            plain(a) == plain(b)
        };
        let heading = self.heading.as_ref().is_none_or(|wanted| {
            let path = hit.heading_path.iter();
            path.chain([&hit.title])
                .any(|heading| same(heading, wanted))
        });
        let lines = self
            .lines
            .is_none_or(|(first, last)| hit.span.start_line <= last && hit.span.end_line >= first);
        heading && lines
    }
}

/// A question and what answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenQuestion {
    /// Its name in reports; differs from all others.
    pub id: String,
    /// The question.
    pub question: String,
    /// Its language.
    pub language: QuestionLanguage,
    /// What it is like.
    pub kind: Kind,
    /// Places each of which answers it; none for a question without an answer.
    #[serde(default)]
    pub expected: Vec<Expected>,
    /// What a good answer says; retrieval does not look at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
}

/// A golden set cannot be used.
#[derive(Debug, Error)]
pub enum GoldenError {
    /// A line is not a question.
    #[error("line {line} is not a question")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Two questions have one id.
    #[error("line {line}: there is another question {id}")]
    Twice {
        /// The line, from 1.
        line: usize,
        /// The id.
        id: String,
    },
    /// A question has no place and should have one, or the other way round.
    #[error("line {line}: {id} must have expected places unless its kind is no_answer")]
    Places {
        /// The line, from 1.
        line: usize,
        /// The question's id.
        id: String,
    },
}

/// The questions of a golden set; empty lines and lines that begin with `//` or `#` are passed over.
///
/// # Errors
/// [`GoldenError`] for the first line that cannot be used.
pub fn golden(text: &str) -> Result<Vec<GoldenQuestion>, GoldenError> {
    let mut ids = HashSet::new();
    let mut questions = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with("//") || content.starts_with('#') {
            continue;
        }
        let question: GoldenQuestion =
            serde_json::from_str(content).map_err(|source| GoldenError::Line { line, source })?;
        let id = question.id.clone();
        if (question.kind == Kind::NoAnswer) != question.expected.is_empty() {
            return Err(GoldenError::Places { line, id });
        }
        if !ids.insert(id.clone()) {
            return Err(GoldenError::Twice { line, id });
        }
        questions.push(question);
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"id":"a","question":"q","language":"pt","kind":"howto","expected":[{"source":"x.md"}]}"#;

    #[test]
    fn a_set_is_read_and_its_mistakes_are_named_by_line() {
        assert_eq!(golden(&format!("# set\n\n{LINE}")).unwrap().len(), 1);
        let twice = golden(&format!("{LINE}\n{LINE}")).unwrap_err();
        assert!(
            matches!(twice, GoldenError::Twice { line: 2, .. }),
            "{twice}"
        );
        let none = golden(&LINE.replace("howto", "no_answer")).unwrap_err();
        assert!(
            matches!(none, GoldenError::Places { line: 1, .. }),
            "{none}"
        );
        let broken = golden(&format!("{LINE}\n{{")).unwrap_err();
        assert!(
            matches!(broken, GoldenError::Line { line: 2, .. }),
            "{broken}"
        );
        let unknown = golden(&LINE.replace("\"id\"", "\"extra\":1,\"id\"")).unwrap_err();
        assert!(
            matches!(unknown, GoldenError::Line { line: 1, .. }),
            "{unknown}"
        );
    }
}
