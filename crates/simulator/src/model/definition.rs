//! Definitions: what the plan is made of, which never changes.

use std::{borrow::Cow, sync::Arc};

use crate::{
    names::Secs,
    table::{ModelKey, ResourceKey, StationKey},
};

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
