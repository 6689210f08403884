//! Definitions: what the plan is made of, which never changes.

use std::{borrow::Cow, sync::Arc};

use crate::{
    names::{Id, Secs, id},
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
    /// Name and question.
    Prompt(Box<(&'static str, &'static str)>),
    /// A file, and when it comes, in seconds from the plan's start: on the first night, and on
    /// every other one.
    File(Box<(String, Secs, Secs)>),
}

/// The definition of a job inside its stream.
#[derive(Debug, Clone)]
pub(crate) struct JobModel {
    pub(crate) name: Box<str>,
    pub(crate) station: StationKey,
    pub(crate) user: Cow<'static, str>,
    pub(crate) estimated: Secs,
    /// The highest return code that still counts as success.
    pub(crate) ok_to: i32,
    pub(crate) recovery: Recovery,
    pub(crate) critical: bool,
    pub(crate) confirm: bool,
    pub(crate) every: Option<Secs>,
    pub(crate) priority: u32,
    /// How its log looks.
    pub(crate) log: LogStyle,
    pub(crate) needs: Vec<Need>,
    /// Read by [`JobModel::special`].
    pub(crate) special: Option<Box<Special>>,
}

/// What few definitions say.
#[derive(Debug, Clone)]
pub(crate) struct Special {
    /// What is told of it, when that is not made of its name.
    pub(crate) told: Option<Box<str>>,
    /// What it runs, when that is not made of its name.
    pub(crate) runs: Option<Box<str>>,
    /// The definition's folder and name, when the instance has another name.
    pub(crate) defined_as: Option<Box<str>>,
    /// Seconds from the plan's start.
    pub(crate) at: Option<Secs>,
    pub(crate) deadline: Option<Secs>,
    pub(crate) latest: Option<(Secs, LateStart)>,
    pub(crate) longest: Option<Secs>,
    pub(crate) shortest: Option<Secs>,
    /// Killed when its deadline passes.
    pub(crate) late_kill: bool,
    /// How it fails on the first night, whatever chance says.
    pub(crate) first_night: Option<&'static str>,
}

/// What most of them say.
static NOTHING: Special = Special {
    told: None,
    runs: None,
    defined_as: None,
    at: None,
    deadline: None,
    latest: None,
    longest: None,
    shortest: None,
    late_kill: false,
    first_night: None,
};

impl JobModel {
    /// A job that runs so many seconds under this user and says nothing else.
    pub(crate) fn plain(
        name: &str,
        station: StationKey,
        user: impl Into<Cow<'static, str>>,
        estimated: Secs,
    ) -> Self {
        Self {
            name: name.into(),
            station,
            user: user.into(),
            estimated,
            ok_to: 0,
            recovery: Recovery::Stop,
            critical: false,
            confirm: false,
            every: None,
            priority: 10,
            log: LogStyle::Plain,
            needs: Vec::new(),
            special: None,
        }
    }

    pub(crate) fn special(&self) -> &Special {
        self.special.as_deref().unwrap_or(&NOTHING)
    }

    pub(crate) fn special_mut(&mut self) -> &mut Special {
        self.special
            .get_or_insert_with(|| Box::new(NOTHING.clone()))
    }

    /// The definition as the catalogue keeps it, in no more room than it takes.
    pub(crate) fn kept(mut self) -> Arc<Self> {
        self.needs.shrink_to_fit();
        Arc::new(self)
    }

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
        self.special()
            .told
            .as_deref()
            .map_or_else(made, str::to_owned)
    }

    /// The script or command it runs.
    pub(crate) fn script(&self) -> String {
        let (area, verb) = self.parts();
        let made = || format!("/opt/{area}/bin/{verb}.sh");
        self.special()
            .runs
            .as_deref()
            .map_or_else(made, str::to_owned)
    }

    /// The id of its definition, which its folder and name determine.
    pub(crate) fn definition_id(&self, folder: &str) -> Id {
        match &self.special().defined_as {
            Some(name) => id("definition", name),
            None => id("definition", format_args!("{folder}{}", self.name)),
        }
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
