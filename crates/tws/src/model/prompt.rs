//! A prompt in the plan: a question to a person that jobs and streams wait for.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PromptId;

/// A prompt in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The engine's id, which a reply is sent to.
    pub id: PromptId,
    /// Its name; a prompt of one job or stream alone may have none.
    pub name: Option<String>,
    /// Its folder, with a slash at the end.
    pub folder: Option<String>,
    /// The question.
    pub text: Option<String>,
    /// Where it stands.
    pub status: PromptStatus,
    /// Its number, by which people answer it on the command line.
    pub number: Option<u32>,
    /// `Ad Hoc Prompt`, `Predefined Prompt` and so on, in the engine's word.
    pub kind: Option<String>,
    /// The jobs and streams that wait for it, as operators write them, at most
    /// [`Prompt::MOST_WAITING`]; empty when the engine did not say.
    pub waiting: Vec<String>,
    /// How many were seen to wait for it; more than `waiting` names when those were too many.
    pub waiting_count: u64,
}

impl Prompt {
    /// How many of those that wait are named.
    pub const MOST_WAITING: usize = 100;

    /// One more waits for it.
    pub fn add_waiting(&mut self, label: String) {
        self.waiting_count += 1;
        if self.waiting.len() < Self::MOST_WAITING {
            self.waiting.push(label);
        }
    }
}

/// The prompts of a plan, as far as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompts {
    /// Each once.
    pub items: Vec<Prompt>,
    /// Whether the reading ended before the plan did: then there may be more, and more that wait for
    /// these.
    pub truncated: bool,
}

/// Where a prompt stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PromptStatus {
    /// Nobody needs the answer yet.
    NotAsked,
    /// It waits for an answer.
    Asked,
    /// Answered yes: what waited for it goes on.
    AnsweredYes,
    /// Answered no: what waits for it stays blocked.
    AnsweredNo,
    /// A word that we do not know, kept as it came.
    Other(Arc<str>),
}

impl PromptStatus {
    /// Reads the engine's word; an unknown one becomes [`PromptStatus::Other`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text {
            "NOT_ASKED" => Self::NotAsked,
            "ASKED" => Self::Asked,
            "ANSWERED_YES" => Self::AnsweredYes,
            "ANSWERED_NO" => Self::AnsweredNo,
            other => Self::Other(other.into()),
        }
    }

    /// The engine's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::NotAsked => "NOT_ASKED",
            Self::Asked => "ASKED",
            Self::AnsweredYes => "ANSWERED_YES",
            Self::AnsweredNo => "ANSWERED_NO",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for PromptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for PromptStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PromptStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::read(&text))
    }
}

/// An answer to a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptAnswer {
    /// What waits for it goes on.
    Yes,
    /// What waits for it stays blocked.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_back_from_its_own_word_and_an_unknown_one_is_kept() {
        for word in ["NOT_ASKED", "ASKED", "ANSWERED_YES", "ANSWERED_NO", "NEW"] {
            assert_eq!(PromptStatus::read(word).as_str(), word);
        }
        assert_eq!(PromptStatus::read("NEW"), PromptStatus::Other("NEW".into()));
    }
}
