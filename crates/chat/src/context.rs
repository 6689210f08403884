//! What a conversation remembers, so that "and its log?" has a meaning.
//!
//! Invariants:
//! - The context holds names and ids, never text of a log, a document or a message.
//! - A context that was stored by an earlier version is read; what it does not know is absent.

use resync_tws::model::{ActionKind, EngineName, JobId, Phase};
use serde::{Deserialize, Serialize};

use crate::language::Language;
use crate::route::{Entities, Intent};

/// What a session remembers of its last turns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The language of the last question.
    pub language: Option<Language>,
    /// The engine that was asked last.
    pub engine: Option<EngineName>,
    /// The job that was spoken of last.
    pub job: Option<KnownJob>,
    /// A question that waits for the name of a job.
    pub pending: Option<Pending>,
    /// What was asked last, for "and yesterday?".
    #[serde(default)]
    pub asked: Option<Asked>,
    /// The jobs of the last list or choice, in its order, at most ten, for "the second one".
    #[serde(default)]
    pub list: Vec<KnownJob>,
}

/// The last question, as far as the next one may go on from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What it wanted.
    pub intent: Intent,
    /// The streams that it named.
    #[serde(default)]
    pub streams: Vec<String>,
    /// The workstations that it named.
    #[serde(default)]
    pub workstations: Vec<String>,
    /// The names with wildcards.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// The statuses, in normal form.
    #[serde(default)]
    pub statuses: Vec<String>,
    /// The spans of time, in normal form.
    #[serde(default)]
    pub windows: Vec<String>,
}

impl Asked {
    /// What is kept of a question.
    #[must_use]
    pub fn of(intent: Intent, entities: &Entities) -> Self {
        Self {
            intent,
            streams: entities.streams.clone(),
            workstations: entities.workstations.clone(),
            patterns: entities.patterns.clone(),
            statuses: entities.statuses.clone(),
            windows: entities.windows.clone(),
        }
    }
}

/// A job that was spoken of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownJob {
    /// The engine's id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// `WORKSTATION#STREAM.JOB`.
    pub label: String,
    /// How it stood then.
    pub standing: Standing,
}

/// How a job stood, as far as "why?" needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It had failed.
    Failed,
    /// It had not started.
    Waiting,
    /// Anything else.
    Other,
}

impl From<Phase> for Standing {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Failed => Self::Failed,
            Phase::Waiting | Phase::Ready | Phase::Blocked => Self::Waiting,
            Phase::Running
            | Phase::Succeeded
            | Phase::Cancelled
            | Phase::Suppressed
            | Phase::Undecided => Self::Other,
        }
    }
}

/// A question that was answered by "which job?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What was asked.
    pub intent: Intent,
    /// The action, when it was one.
    pub action: Option<ActionKind>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_an_earlier_version_is_read() {
        let stored = r#"{"language":"en","engine":"prod","job":null,"pending":{"intent":"why_failed","action":null}}"#;
        let context: Context = serde_json::from_str(stored).unwrap();
        assert_eq!(context.pending.unwrap().intent, Intent::JobDiagnose);
        assert!(context.asked.is_none() && context.list.is_empty());
    }
}
