//! What a person may ask the engine to do to a job.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{JobId, RunId};

/// A priority of 0 (held) to 101 (go).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

/// A number outside 0 to 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a priority is 0 to 101")]
pub struct PriorityError;

impl Priority {
    /// The only way in.
    ///
    /// # Errors
    /// [`PriorityError`] above 101.
    pub fn new(value: u8) -> Result<Self, PriorityError> {
        if value <= 101 {
            Ok(Self(value))
        } else {
            Err(PriorityError)
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Priority {
    type Error = PriorityError;
    fn try_from(value: u8) -> Result<Self, PriorityError> {
        Self::new(value)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

/// How a job is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmOutcome {
    /// As ended well.
    Succ,
    /// As ended badly.
    Abend,
}

/// An action on a job, with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Run it again.
    Rerun,
    /// Keep it from starting (priority 0).
    Hold,
    /// Undo a hold.
    Release,
    /// Take it out of the plan.
    Cancel,
    /// End it now.
    Kill,
    /// Say how it ended.
    Confirm {
        /// Well or badly.
        status: ConfirmOutcome,
    },
    /// Change its priority.
    Priority {
        /// The new one.
        priority: Priority,
    },
}

impl Action {
    /// The kind, without parameters.
    #[must_use]
    pub fn kind(self) -> ActionKind {
        match self {
            Self::Rerun => ActionKind::Rerun,
            Self::Hold => ActionKind::Hold,
            Self::Release => ActionKind::Release,
            Self::Cancel => ActionKind::Cancel,
            Self::Kill => ActionKind::Kill,
            Self::Confirm { .. } => ActionKind::Confirm,
            Self::Priority { .. } => ActionKind::Priority,
        }
    }
}

/// The kinds of action, as they stand in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Run again.
    Rerun,
    /// Keep from starting.
    Hold,
    /// Undo a hold.
    Release,
    /// Take out of the plan.
    Cancel,
    /// End now.
    Kill,
    /// Say how it ended.
    Confirm,
    /// Change the priority.
    Priority,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Rerun,
        Self::Hold,
        Self::Release,
        Self::Cancel,
        Self::Kill,
        Self::Confirm,
        Self::Priority,
    ];

    /// The word in a path.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rerun => "rerun",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Confirm => "confirm",
            Self::Priority => "priority",
        }
    }

    /// The kind of a word in a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What goes to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The job.
    pub job: JobId,
    /// Its latest run; a rerun needs it.
    pub run: Option<RunId>,
    /// What to do.
    pub action: Action,
}

/// Why, for the engine's own audit (its justification headers).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Justification {
    /// The person's reason, 1 to 500 characters, no control characters.
    pub reason: String,
    /// A ticket number, when there is one.
    pub ticket: Option<String>,
    /// The category: always `resync` at present.
    pub category: String,
}
