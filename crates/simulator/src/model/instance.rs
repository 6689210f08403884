//! Jobs and streams of one plan, and their runs.

use std::{cmp::Reverse, fmt, sync::Arc};

use serde::{Serialize, Serializer};

use super::{
    JobModel, LateStart, Link, LogStyle, Recovery, RunKind, Status, StreamModel, StreamStatus,
    Waiter,
};
use crate::{
    failure::Failure,
    names::{Id, Secs},
    table::{JobKey, ModelKey, PromptKey, StationKey, StreamKey},
};

/// What a run will come to, decided when it is launched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    /// `None` for an ordinary good end.
    pub(crate) failure: Option<&'static Failure>,
    pub(crate) duration: Secs,
    pub(crate) code: i32,
    /// How its log looks, when not as the definition says.
    pub(crate) log: Option<LogStyle>,
}

/// One execution of a job.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// From 1, growing.
    pub(crate) number: u32,
    pub(crate) id: Id,
    pub(crate) status: Status,
    pub(crate) kind: RunKind,
    /// The `#J` number, given at launch.
    pub(crate) job_number: Option<u32>,
    pub(crate) station: StationKey,
    pub(crate) submitted: Option<Secs>,
    pub(crate) started: Option<Secs>,
    pub(crate) ended: Option<Secs>,
    pub(crate) code: Option<i32>,
    pub(crate) fate: Option<Fate>,
    pub(crate) killed: bool,
    pub(crate) confirmed: bool,
    /// Somebody has mended what made it fail.
    pub(crate) fixed: bool,
    /// The step it began at.
    pub(crate) step: Option<Box<str>>,
}

/// A place in a workstation's queue: the stream's priority, the job's, then time, then key.
pub(crate) type Place = (Reverse<u32>, Reverse<u32>, Secs, JobKey);

/// A job of the plan.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the wire, each free of the others"
)]
pub(crate) struct Job {
    pub(crate) model: Arc<JobModel>,
    pub(crate) stream: StreamKey,
    /// From 1, within the stream.
    pub(crate) position: u32,
    pub(crate) id: Id,
    /// Survives the day's edge.
    pub(crate) persistent_id: Id,
    /// The path of its stream.
    pub(crate) home: Arc<str>,
    pub(crate) priority: u32,
    pub(crate) orig_priority: u32,
    pub(crate) links: Vec<Link>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) start: Option<Secs>,
    pub(crate) deadline: Option<Secs>,
    pub(crate) latest: Option<(Secs, LateStart)>,
    pub(crate) canceled: bool,
    pub(crate) cancel_pending: bool,
    pub(crate) until_gone: bool,
    /// All dependencies were set aside for the latest run.
    pub(crate) released: bool,
    pub(crate) recoveries: u32,
    /// A further repetition is scheduled.
    pub(crate) repeats: bool,
    /// Waits for somebody to confirm its end.
    pub(crate) confirm: bool,
    /// Asked after a failure.
    pub(crate) recovery_prompt: Option<PromptKey>,
    /// Its successors go on although it failed.
    pub(crate) waived: bool,
    /// While READY: the stream's priority and its own by which it stands in its workstation's queue.
    pub(crate) queued: Option<(u32, u32)>,
    /// Oldest first.
    pub(crate) earlier: Vec<Run>,
    pub(crate) run: Run,
}

/// The path of a job: `/FINDB01#/FIN/EOD/FIN_EOD.FIN_GL_POST`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobPath<'a> {
    home: &'a str,
    name: &'a str,
}

impl<'a> JobPath<'a> {
    pub(crate) fn new(home: &'a str, name: &'a str) -> Self {
        Self { home, name }
    }

    /// Whether it reads like this.
    pub(crate) fn is(self, text: &str) -> bool {
        let rest = text.strip_prefix(self.home);
        rest.and_then(|rest| rest.strip_prefix('.')) == Some(self.name)
    }
}

impl From<JobPath<'_>> for String {
    /// At one go: filters ask for the path of every job.
    fn from(path: JobPath<'_>) -> Self {
        [path.home, ".", path.name].concat()
    }
}

impl fmt::Display for JobPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.home, self.name)
    }
}

impl Serialize for JobPath<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Job {
    pub(crate) fn path(&self) -> JobPath<'_> {
        JobPath::new(&self.home, &self.model.name)
    }

    pub(crate) fn status(&self) -> Status {
        self.run.status
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.earlier.iter().chain([&self.run])
    }

    /// Nothing more will happen by itself.
    pub(crate) fn is_over(&self) -> bool {
        (self.status().has_ended() && !self.repeats)
            || (self.canceled && !self.status().is_active())
    }

    /// What a successor asks: did it end well, or was it taken out of the way?
    pub(crate) fn frees(&self) -> bool {
        self.canceled
            || self.status() == Status::Succ
            || (self.status().is_bad()
                && (self.waived || self.model.recovery == Recovery::Continue))
    }
}

/// A job stream of the plan.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the wire, each free of the others"
)]
pub(crate) struct Stream {
    pub(crate) model: Arc<StreamModel>,
    /// Its definition, when it has one.
    pub(crate) model_key: Option<ModelKey>,
    /// The name it was submitted under.
    pub(crate) alias: Option<String>,
    /// How many of its jobs may run at once.
    pub(crate) limit: Option<u32>,
    /// Earliest start; the definition's is the position in the plan.
    pub(crate) start: Option<Secs>,
    pub(crate) deadline: Option<Secs>,
    /// Who submitted it by hand.
    pub(crate) submitter: Option<String>,
    pub(crate) cancel_pending: bool,
    /// All its dependencies were set aside.
    pub(crate) released: bool,
    pub(crate) id: Id,
    pub(crate) persistent_id: Id,
    /// Sixteen characters, as the command line shows it.
    pub(crate) internal_id: String,
    /// `/FINDB01#/FIN/EOD/FIN_EOD`.
    pub(crate) path: Arc<str>,
    pub(crate) sched: Secs,
    pub(crate) priority: u32,
    pub(crate) orig_priority: u32,
    pub(crate) links: Vec<Link>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) jobs: Vec<JobKey>,
    pub(crate) status: StreamStatus,
    pub(crate) canceled: bool,
    pub(crate) started: Option<Secs>,
    pub(crate) ended: Option<Secs>,
    /// How many day's edges it has crossed.
    pub(crate) carried: u32,
    /// Whether it belongs to the scripted night.
    pub(crate) first_night: bool,
}

impl Stream {
    /// The name of the instance.
    pub(crate) fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.model.name)
    }
}
