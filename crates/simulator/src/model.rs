//! What the plan is made of.
//!
//! Definitions ([`StreamModel`], [`JobModel`]) never change; instances ([`Stream`], [`Job`],
//! [`Run`]) belong to one plan. A job's status is that of its latest run, and there always is one:
//! the first is made with the job and gets its number when it is launched.

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use serde::{Deserialize, Deserializer};

use crate::{
    failure::Failure,
    names::Secs,
    table::{FileKey, JobKey, ModelKey, PromptKey, ResourceKey, StationKey, StreamKey, Table},
};

/// A job's status, as the wire spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Status {
    Hold,
    Ready,
    Fence,
    Intro,
    /// Handed to an access method, not yet running.
    Wait,
    Exec,
    /// Running, and confirmed as good or bad beforehand.
    Succp,
    Abenp,
    Succ,
    Abend,
    Fail,
    Pend,
    Suppr,
}

impl Status {
    pub(crate) const ALL: [Self; 13] = [
        Self::Hold,
        Self::Ready,
        Self::Fence,
        Self::Intro,
        Self::Wait,
        Self::Exec,
        Self::Succp,
        Self::Abenp,
        Self::Succ,
        Self::Abend,
        Self::Fail,
        Self::Pend,
        Self::Suppr,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Hold => "HOLD",
            Self::Ready => "READY",
            Self::Fence => "FENCE",
            Self::Intro => "INTRO",
            Self::Wait => "WAIT",
            Self::Exec => "EXEC",
            Self::Succp => "SUCCP",
            Self::Abenp => "ABENP",
            Self::Succ => "SUCC",
            Self::Abend => "ABEND",
            Self::Fail => "FAIL",
            Self::Pend => "PEND",
            Self::Suppr => "SUPPR",
        }
    }

    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succ | Self::Abend | Self::Fail | Self::Suppr)
    }

    /// Whether it holds a slot of its workstation.
    pub(crate) fn is_active(self) -> bool {
        matches!(
            self,
            Self::Intro | Self::Wait | Self::Exec | Self::Succp | Self::Abenp
        )
    }

    /// Whether it runs, confirmed beforehand or not.
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::Exec | Self::Succp | Self::Abenp)
    }

    /// Whether it has not been launched yet.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Hold | Self::Ready | Self::Fence)
    }

    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Abend | Self::Fail)
    }
}

/// A stream's status, as the wire spells it; cancelling is a flag beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamStatus {
    Hold,
    Ready,
    Exec,
    Succ,
    Abend,
    Stuck,
    Suppr,
}

impl StreamStatus {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Hold => "HOLD",
            Self::Ready => "READY",
            Self::Exec => "EXEC",
            Self::Succ => "SUCC",
            Self::Abend => "ABEND",
            Self::Stuck => "STUCK",
            Self::Suppr => "SUPPR",
        }
    }

    /// Whether the day's edge leaves it behind.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succ | Self::Abend | Self::Suppr)
    }
}

/// Why a run exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunKind {
    Regular,
    Rerun,
    /// Another definition runs in the job's place.
    RerunFrom,
    /// Begins at a step.
    RerunStep,
    Every,
    /// The recovery job's own run.
    Recovery,
    RecoveryRerun,
}

impl RunKind {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Regular => "REGULAR",
            Self::Rerun => "RERUN",
            Self::RerunFrom => "RERUN_FROM",
            Self::RerunStep => "RERUN_STEP",
            Self::Every => "RERUN_EVERY",
            Self::Recovery => "RECOVERY",
            Self::RecoveryRerun => "RECOVERY_RERUN",
        }
    }
}

/// What the definition says about a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    Stop,
    Continue,
    /// Run again by itself, a recovery job first if there is one.
    Rerun {
        interval: Secs,
        occurrences: u32,
        job: Option<&'static str>,
    },
    /// Ask; yes lets the successors go on.
    ContinuePrompt,
    /// Ask; yes runs the job again.
    RerunPrompt,
}

/// What happens to a job that is not started by its latest start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LateStart {
    DoNotRun,
    Continue,
    Cancel,
}

impl LateStart {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::DoNotRun => "doNotRun",
            Self::Continue => "continue",
            Self::Cancel => "cancel",
        }
    }
}

/// What becomes of a value that may be absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Change<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Change<T> {
    /// The value after the change.
    pub(crate) fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }

    /// The same change of something made of the value.
    pub(crate) fn map<U, E>(self, make: impl FnOnce(T) -> Result<U, E>) -> Result<Change<U>, E> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(make(value)?),
        })
    }
}

impl<T> From<Option<T>> for Change<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    /// `null` clears; with a default of its own, an absent field keeps.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

/// What a job's log looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LogStyle {
    /// Some lines of UTF-8.
    #[default]
    Plain,
    /// Five lines.
    Short,
    /// 200,000 lines.
    Huge,
    /// Bytes of Latin-1.
    Latin1,
    /// Lines end with CR and LF.
    Crlf,
    /// Escape sequences for colours.
    Ansi,
    /// One line of a megabyte.
    LongLine,
    /// The last line is not ended.
    Unended,
    /// Things that look like passwords and tokens.
    Secrets,
    /// Sentences that try to command their reader.
    Steering,
}

impl LogStyle {
    /// Every style with its name.
    const ALL: [(&'static str, Self); 10] = [
        ("plain", Self::Plain),
        ("short", Self::Short),
        ("huge", Self::Huge),
        ("latin1", Self::Latin1),
        ("crlf", Self::Crlf),
        ("ansi", Self::Ansi),
        ("long_line", Self::LongLine),
        ("unended", Self::Unended),
        ("secrets", Self::Secrets),
        ("steering", Self::Steering),
    ];

    /// The style of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, style)| *style)
    }
}

/// Something a definition waits for.
#[derive(Debug, Clone)]
pub(crate) enum Need {
    /// The job at this place of the same stream.
    Internal(usize),
    /// The job at this place of another stream.
    Job(ModelKey, usize),
    Stream(ModelKey),
    Resource(ResourceKey, u32),
    Prompt(&'static str, &'static str),
    /// A file, and when it comes, in seconds from the plan's start: on the first night, and on
    /// every other one.
    File(String, Secs, Secs),
}

/// The definition of a job inside its stream.
#[derive(Debug, Clone)]
pub(crate) struct JobModel {
    pub(crate) name: String,
    pub(crate) station: StationKey,
    /// What is told of it, when that is not made of its name.
    pub(crate) told: Option<Box<str>>,
    /// What it runs, when that is not made of its name.
    pub(crate) runs: Option<Box<str>>,
    pub(crate) user: Cow<'static, str>,
    pub(crate) estimated: Secs,
    /// The highest return code that still counts as success.
    pub(crate) ok_to: i32,
    pub(crate) recovery: Recovery,
    pub(crate) critical: bool,
    pub(crate) confirm: bool,
    pub(crate) every: Option<Secs>,
    /// Seconds from the plan's start.
    pub(crate) at: Option<Secs>,
    pub(crate) deadline: Option<Secs>,
    pub(crate) latest: Option<(Secs, LateStart)>,
    pub(crate) longest: Option<Secs>,
    pub(crate) shortest: Option<Secs>,
    /// Killed when its deadline passes.
    pub(crate) late_kill: bool,
    pub(crate) priority: u32,
    /// How its log looks.
    pub(crate) log: LogStyle,
    /// The definition's folder and name, when the instance has another name.
    pub(crate) defined_as: Option<String>,
    pub(crate) needs: Vec<Need>,
    /// How it fails on the first night, whatever chance says.
    pub(crate) first_night: Option<&'static str>,
}

impl JobModel {
    /// Area and rest of its name, in lower case: `FIN_GL_POST` is `fin` and `gl_post`.
    fn parts(&self) -> (String, String) {
        let (area, verb) = self
            .name
            .split_once('_')
            .unwrap_or((&self.name, &self.name));
        (area.to_lowercase(), verb.to_lowercase())
    }

    /// A sentence about it.
    pub(crate) fn description(&self) -> String {
        let (area, verb) = self.parts();
        let made = || format!("{} of area {}", verb.replace('_', " "), area.to_uppercase());
        self.told.as_deref().map_or_else(made, str::to_owned)
    }

    /// The script or command it runs.
    pub(crate) fn script(&self) -> String {
        let (area, verb) = self.parts();
        let made = || format!("/opt/{area}/bin/{verb}.sh");
        self.runs.as_deref().map_or_else(made, str::to_owned)
    }

    /// The id of its definition, which its folder and name determine.
    pub(crate) fn definition_id(&self, folder: &str) -> String {
        let named = || format!("{folder}{}", self.name);
        let name = self.defined_as.clone().unwrap_or_else(named);
        crate::names::id("definition", &name)
    }
}

/// On which plan days a stream runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cycle {
    Daily,
    Weekdays,
    MonthStart,
}

/// The definition of a job stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamModel {
    pub(crate) name: String,
    pub(crate) folder: String,
    pub(crate) station: StationKey,
    pub(crate) cycle: Cycle,
    /// Position in the plan, and the earliest start, in seconds from the plan's start.
    pub(crate) at: Secs,
    pub(crate) priority: u32,
    pub(crate) limit: Option<u32>,
    pub(crate) needs: Vec<Need>,
    pub(crate) jobs: Vec<Arc<JobModel>>,
}

/// A workstation and its state.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) os: &'static str,
    pub(crate) limit: u32,
    pub(crate) fence: u32,
    pub(crate) linked: bool,
    pub(crate) running: bool,
    /// Members of a pool.
    pub(crate) members: Vec<StationKey>,
    /// Slots in use.
    pub(crate) busy: u32,
}

impl Stream {
    /// The name of the instance.
    pub(crate) fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.model.name)
    }
}

impl Station {
    pub(crate) fn is_master(&self) -> bool {
        self.kind == "MANAGER" && self.name == "MDM"
    }

    /// Absolute path, as the wire names it.
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.name)
    }

    pub(crate) fn id(&self) -> String {
        crate::names::id("workstation", &self.name)
    }
}

/// A resource and what is held of it.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) station: StationKey,
    pub(crate) quantity: u32,
    pub(crate) used: u32,
    /// Who holds how much, in the order of taking.
    pub(crate) holders: Vec<(JobKey, u32)>,
}

impl Resource {
    pub(crate) fn available(&self) -> u32 {
        self.quantity.saturating_sub(self.used)
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

/// A question that a job waits on.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) id: String,
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

/// A file that a job waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) path: String,
    pub(crate) station: StationKey,
    /// When it comes.
    pub(crate) from: Secs,
    pub(crate) owner: Waiter,
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

/// A job or a stream, as an end of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Waiter {
    Job(JobKey),
    Stream(StreamKey),
}

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
    pub(crate) id: String,
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
    pub(crate) id: String,
    /// Survives the day's edge.
    pub(crate) persistent_id: String,
    /// `/FINDB01#/FIN/EOD/FIN_EOD.FIN_GL_POST`.
    pub(crate) path: String,
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
    /// Its place in the queue of its workstation, while READY.
    pub(crate) queued: Option<Place>,
    /// Oldest first.
    pub(crate) earlier: Vec<Run>,
    pub(crate) run: Run,
}

impl Job {
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
    pub(crate) id: String,
    pub(crate) persistent_id: String,
    /// Sixteen characters, as the command line shows it.
    pub(crate) internal_id: String,
    /// `/FINDB01#/FIN/EOD/FIN_EOD`.
    pub(crate) path: String,
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

/// One plan: from start of day to start of day.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) run_number: u32,
    pub(crate) start: Secs,
    pub(crate) end: Secs,
    pub(crate) streams: Table<StreamKey, Stream>,
    pub(crate) jobs: Table<JobKey, Job>,
    pub(crate) prompts: Table<PromptKey, Prompt>,
    pub(crate) files: Table<FileKey, Awaited>,
}

/// Everything that outlives a plan.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) streams: Table<ModelKey, Arc<StreamModel>>,
    pub(crate) stations: Table<StationKey, Station>,
    pub(crate) resources: Table<ResourceKey, Resource>,
}
