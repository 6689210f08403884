//! What a person may ask the engine to do, and to what.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    JobId, ObjectKind, PromptAnswer, PromptId, ResourceId, RunId, StreamId, WorkstationId,
};

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

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Target {
    /// A job.
    Job(JobId),
    /// A job stream.
    Stream(StreamId),
    /// A workstation.
    Workstation(WorkstationId),
    /// A resource.
    Resource(ResourceId),
    /// A prompt.
    Prompt(PromptId),
}

impl Target {
    /// The sort of object.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Job(_) => ObjectKind::Job,
            Self::Stream(_) => ObjectKind::Stream,
            Self::Workstation(_) => ObjectKind::Workstation,
            Self::Resource(_) => ObjectKind::Resource,
            Self::Prompt(_) => ObjectKind::Prompt,
        }
    }

    /// The engine's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Job(id) => id.as_str(),
            Self::Stream(id) => id.as_str(),
            Self::Workstation(id) => id.as_str(),
            Self::Resource(id) => id.as_str(),
            Self::Prompt(id) => id.as_str(),
        }
    }

    /// The job, when it is one.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Job(id) => Some(id),
            _ => None,
        }
    }
}

impl From<JobId> for Target {
    fn from(id: JobId) -> Self {
        Self::Job(id)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// How a job is run again. What is not set is as in its last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RerunOptions {
    /// Its priority; the engine takes 10 when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Not before this; at once when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_at: Option<DateTime<Utc>>,
    /// On the workstation that it ran on, and no other of its pool.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub same_workstation: bool,
}

/// An action with its parameters. Not each one goes with each [`Target`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Run a job again.
    Rerun(RerunOptions),
    /// Keep a job or a stream from starting (priority 0).
    Hold,
    /// Undo a hold.
    Release,
    /// Take a job or a stream out of the plan.
    Cancel,
    /// End a job now.
    Kill,
    /// Say how a job ended.
    Confirm {
        /// Well or badly.
        status: ConfirmOutcome,
    },
    /// Change the priority of a job.
    Priority {
        /// The new one.
        priority: Priority,
    },
    /// Let a job or a stream wait for nothing any more.
    ReleaseDependencies,
    /// Answer a prompt.
    Reply {
        /// Yes or no.
        answer: PromptAnswer,
    },
    /// Let the master reach a workstation.
    Link,
    /// Cut a workstation from the master.
    Unlink,
    /// Start the processes of a workstation.
    Start,
    /// Stop the processes of a workstation.
    Stop,
    /// Change how many jobs run at once on a workstation.
    Limit {
        /// 0 to 1024.
        limit: u16,
    },
    /// Change the priority that jobs of a workstation need to exceed.
    Fence {
        /// 0 to 101.
        fence: Priority,
    },
    /// Change how many units a resource has.
    Quantity {
        /// The new number.
        quantity: u32,
    },
}

impl Action {
    /// A rerun as the last run was.
    pub const RERUN: Self = Self::Rerun(RerunOptions {
        priority: None,
        start_at: None,
        same_workstation: false,
    });

    /// The greatest limit of a workstation.
    pub const MAX_LIMIT: u16 = 1_024;

    /// The kind, without parameters.
    #[must_use]
    pub fn kind(self) -> ActionKind {
        match self {
            Self::Rerun(_) => ActionKind::Rerun,
            Self::Hold => ActionKind::Hold,
            Self::Release => ActionKind::Release,
            Self::Cancel => ActionKind::Cancel,
            Self::Kill => ActionKind::Kill,
            Self::Confirm { .. } => ActionKind::Confirm,
            Self::Priority { .. } => ActionKind::Priority,
            Self::ReleaseDependencies => ActionKind::ReleaseDependencies,
            Self::Reply { .. } => ActionKind::Reply,
            Self::Link => ActionKind::Link,
            Self::Unlink => ActionKind::Unlink,
            Self::Start => ActionKind::Start,
            Self::Stop => ActionKind::Stop,
            Self::Limit { .. } => ActionKind::Limit,
            Self::Fence { .. } => ActionKind::Fence,
            Self::Quantity { .. } => ActionKind::Quantity,
        }
    }
}

macro_rules! action_kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        /// The kinds of action, as they stand in a path.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum ActionKind {
            $($(#[$doc])* $kind,)*
        }

        impl ActionKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The word in a path.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }
    };
}

action_kinds! {
    /// Run again.
    Rerun = "rerun",
    /// Keep from starting.
    Hold = "hold",
    /// Undo a hold.
    Release = "release",
    /// Take out of the plan.
    Cancel = "cancel",
    /// End now.
    Kill = "kill",
    /// Say how it ended.
    Confirm = "confirm",
    /// Change the priority.
    Priority = "priority",
    /// Wait for nothing any more.
    ReleaseDependencies = "release-dependencies",
    /// Answer a prompt.
    Reply = "reply",
    /// Let the master reach a workstation.
    Link = "link",
    /// Cut a workstation from the master.
    Unlink = "unlink",
    /// Start a workstation.
    Start = "start",
    /// Stop a workstation.
    Stop = "stop",
    /// Change a workstation's limit.
    Limit = "limit",
    /// Change a workstation's fence.
    Fence = "fence",
    /// Change the units of a resource.
    Quantity = "quantity",
}

impl ActionKind {
    /// The kind of a word in a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// The kinds that go with a sort of object.
    #[must_use]
    pub fn of(object: ObjectKind) -> &'static [Self] {
        match object {
            ObjectKind::Job => &[
                Self::Rerun,
                Self::Hold,
                Self::Release,
                Self::Cancel,
                Self::Kill,
                Self::Confirm,
                Self::Priority,
                Self::ReleaseDependencies,
            ],
            ObjectKind::Stream => &[
                Self::Hold,
                Self::Release,
                Self::Cancel,
                Self::ReleaseDependencies,
            ],
            ObjectKind::Workstation => &[
                Self::Link,
                Self::Unlink,
                Self::Start,
                Self::Stop,
                Self::Limit,
                Self::Fence,
            ],
            ObjectKind::Resource => &[Self::Quantity],
            ObjectKind::Prompt => &[Self::Reply],
        }
    }

    /// Whether it goes with that sort of object.
    #[must_use]
    pub fn goes_with(self, object: ObjectKind) -> bool {
        Self::of(object).contains(&self)
    }
}

/// What goes to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// To what.
    pub target: Target,
    /// The latest run of a job; a rerun needs it.
    pub run: Option<RunId>,
    /// What to do; it goes with the target.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_from_its_own_word_and_from_json() {
        for &kind in ActionKind::ALL {
            assert_eq!(ActionKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(ActionKind::parse("submit"), None);
    }

    #[test]
    fn each_kind_goes_with_something() {
        let objects = [
            ObjectKind::Job,
            ObjectKind::Stream,
            ObjectKind::Workstation,
            ObjectKind::Resource,
            ObjectKind::Prompt,
        ];
        for &kind in ActionKind::ALL {
            assert!(objects.into_iter().any(|object| kind.goes_with(object)));
        }
        assert!(!ActionKind::Kill.goes_with(ObjectKind::Stream));
    }

    /// A proposal that an earlier release stored still reads.
    #[test]
    fn a_rerun_without_options_reads_from_its_word_alone() {
        let plain: Action = serde_json::from_str(r#"{"action":"rerun"}"#).unwrap();
        assert_eq!(plain, Action::RERUN);
        assert_eq!(
            serde_json::to_string(&Action::RERUN).unwrap(),
            r#"{"action":"rerun"}"#
        );
        let at = r#"{"action":"rerun","priority":50,"same_workstation":true}"#;
        let action: Action = serde_json::from_str(at).unwrap();
        assert_eq!(serde_json::to_string(&action).unwrap(), at);
    }
}
