//! What happened, and who asked for it: the truth that tests compare with.
//!
//! Lines are kept as what they are about and written as sentences when somebody reads them, since a
//! large plan has fifty thousand of them.

use std::{collections::VecDeque, fmt, sync::Arc};

use super::By;
use crate::{
    model::{Job, JobModel, JobPath, RunKind, Status, Stream, StreamStatus},
    names::Secs,
};

/// The journal forgets its oldest lines beyond this.
const KEPT: usize = 50_000;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    pub(crate) at: Secs,
    pub(crate) object: Object,
    pub(crate) deed: Deed,
    pub(crate) by: Option<Box<By>>,
}

/// What a line is about.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    /// A job, by its stream's path and its definition.
    Job(Arc<str>, Arc<JobModel>),
    Stream(Arc<str>),
    /// Anything else, by its name.
    Named(Box<str>),
}

impl PartialEq for Object {
    /// A definition of the same name in the same stream is the same job's.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Job(home, model), Self::Job(there, other)) => {
                home == there && model.name == other.name
            }
            (Self::Stream(path), Self::Stream(other)) => path == other,
            (Self::Named(name), Self::Named(other)) => name == other,
            _ => false,
        }
    }
}

impl From<&Job> for Object {
    fn from(job: &Job) -> Self {
        Self::Job(Arc::clone(&job.home), Arc::clone(&job.model))
    }
}

impl From<&Stream> for Object {
    fn from(stream: &Stream) -> Self {
        Self::Stream(Arc::clone(&stream.path))
    }
}

impl From<&str> for Object {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl From<String> for Object {
    fn from(name: String) -> Self {
        Self::Named(name.into())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(home, model) => JobPath::new(home, &model.name).fmt(f),
            Self::Stream(path) => f.write_str(path),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Moved(Status, Status),
    StreamMoved(StreamStatus, StreamStatus),
    /// A further run of a job.
    Run(u32, RunKind),
    /// A new plan, by its run number.
    Plan(u32),
    Accepted(&'static str),
    Done(&'static str),
    TooLate(&'static str),
    /// A word of its own: `asked`, `canceled`, `linked`.
    Plain(&'static str),
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved(before, after) => write!(f, "{} to {}", before.text(), after.text()),
            Self::StreamMoved(before, after) => write!(f, "{} to {}", before.text(), after.text()),
            Self::Run(number, kind) => write!(f, "run {number}, {}", kind.text()),
            Self::Plan(number) => write!(f, "run number {number}"),
            Self::Accepted(action) => write!(f, "accepted {action}"),
            Self::Done(action) => write!(f, "done {action}"),
            Self::TooLate(action) => write!(f, "{action} came too late"),
            Self::Plain(word) => f.write_str(word),
        }
    }
}

/// The latest lines, oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal(VecDeque<Entry>);

impl Journal {
    pub(super) fn push(&mut self, entry: Entry) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}
