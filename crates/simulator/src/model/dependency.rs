//! What jobs and streams of the plan wait for.

use std::borrow::Cow;

use crate::{
    names::{Id, Secs},
    table::{FileKey, JobKey, PromptKey, ResourceKey, StationKey, StreamKey},
};

/// A job or a stream, as an end of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Waiter {
    Job(JobKey),
    Stream(StreamKey),
}

/// The other end of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Internal(JobKey),
    Job(JobKey),
    Stream(StreamKey),
    Resource(ResourceKey, u32),
    Prompt(PromptKey),
    File(FileKey),
}

/// A dependency of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) target: Target,
    /// Its number among its owner's, from 1; names it for good.
    pub(crate) number: u32,
    pub(crate) satisfied: bool,
    /// Set aside by an operator, for this run.
    pub(crate) released: bool,
}

impl Link {
    /// Whether it holds its job back from READY; resources are asked for later.
    pub(crate) fn blocks(&self) -> bool {
        !self.satisfied && !self.released && !matches!(self.target, Target::Resource(..))
    }
}

/// A question that a job waits on.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) id: Id,
    pub(crate) name: Cow<'static, str>,
    pub(crate) text: Cow<'static, str>,
    pub(crate) number: u32,
    pub(crate) state: Answer,
    pub(crate) kind: PromptKind,
    pub(crate) owner: Waiter,
    pub(crate) asked: Option<Secs>,
    pub(crate) replied: Option<Secs>,
}

/// Where a prompt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    Predefined,
    AdHoc,
    /// Asked because its job has failed.
    Restart,
}

impl PromptKind {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Predefined => "Predefined Prompt",
            Self::AdHoc => "Ad Hoc Prompt",
            Self::Restart => "Restart Prompt",
        }
    }
}

/// A prompt's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    NotAsked,
    Asked,
    Yes,
    No,
}

impl Answer {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NotAsked => "NOT_ASKED",
            Self::Asked => "ASKED",
            Self::Yes => "ANSWERED_YES",
            Self::No => "ANSWERED_NO",
        }
    }
}

/// A file that a job waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) path: String,
    pub(crate) station: StationKey,
    /// When it comes.
    pub(crate) from: Secs,
    pub(crate) owner: Waiter,
}
