//! What a conversation remembers, so that "and its log?" has a meaning.
//!
//! Invariant: the context holds names and ids, never text of a log, a document or a message.

use resync_tws::model::{ActionKind, EngineName, JobId, Phase};
use serde::{Deserialize, Serialize};

use crate::language::Language;
use crate::route::Intent;

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
