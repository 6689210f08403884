//! The shapes of the answers. They serialise to the bodies of the HTTP interface, without `meta`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::Meta;
use crate::model::{
    Breaker, EngineName, Job, JobDefinition, JobId, JobStatus, JobStream, Prompt, Resource, RunId,
    StreamDefinition, Workstation,
};
use crate::text::Text;

/// How an engine stands, as far as the last probe knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineHealth {
    /// Its name.
    pub name: EngineName,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// Its data are invented.
    pub demo: bool,
    /// How it answered the probe.
    pub state: EngineState,
    /// Its version, when it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its time zone, when it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When it was probed; absent while no probe has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<DateTime<Utc>>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How the client gets on with it at this moment.
    pub breaker: Breaker,
}

/// The states of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// It answers.
    Ok,
    /// It does not answer, or not in time.
    Unreachable,
    /// It refuses the credentials of Resync, or they lack the right.
    CredentialsRefused,
    /// It answers with something that is not the interface.
    Unreadable,
    /// It answers, but not this question.
    Unknown,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPage {
    /// The jobs, in the order asked for.
    pub items: Vec<Arc<Job>>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<String>,
    /// How many match in all, when the engine counted.
    pub total: Option<u64>,
}

/// A job, and why it does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// The job with its runs and dependencies.
    pub job: Arc<Job>,
    /// The state to show, in which a flag beats the status.
    pub state: JobStatus,
    /// Why it is not running, in one sentence; `None` when it ended or runs, or the engine's facts do
    /// not tell.
    pub why_waiting: Option<Text>,
}

/// What to read of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogRequest {
    /// Which run; the latest when `None`.
    pub run: Option<RunId>,
    /// The first line, from 1.
    pub from: Option<u32>,
    /// How many lines, 500 when `None`, at most 2,000.
    pub lines: Option<u32>,
    /// A text to find, without regard to case.
    pub search: Option<String>,
}

/// Some lines of a run's log, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    /// The job.
    pub job_id: JobId,
    /// The run.
    pub run: RunId,
    /// The number of the first line, from 1.
    pub from_line: u32,
    /// The lines.
    pub lines: Vec<String>,
    /// Whether the log goes on after them.
    pub truncated: bool,
    /// How many secrets were taken out of these lines.
    pub redacted: usize,
    /// The numbers of the lines that hold the text searched for, of the whole log; at most 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<u32>>,
    /// How many lines were searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searched_lines: Option<u32>,
    /// Whether the search got to the end of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_complete: Option<bool>,
}

/// A page of streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPage {
    /// The streams, in the engine's order.
    pub items: Vec<JobStream>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<String>,
    /// How many there are, when the engine counted.
    pub total: Option<u64>,
}

/// Every workstation of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkstationList {
    /// The workstations, in the engine's order.
    pub items: Vec<Workstation>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamView {
    /// The stream.
    pub stream: JobStream,
}

/// Every resource of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceList {
    /// The resources, in the engine's order.
    pub items: Vec<Resource>,
}

/// The prompts of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptList {
    /// The prompts: those that wait for an answer first, else in the engine's order; at most 500.
    pub items: Vec<Prompt>,
    /// How many there are; absent when they could not be read to the end.
    pub total: Option<u64>,
    /// Whether there are more than `items`, or may be.
    pub truncated: bool,
    /// Whether the engine lists prompts; else these are the ones that a job of the plan waits for.
    pub complete: bool,
}

/// A page of defined streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDefinitionPage {
    /// The definitions, in the engine's order.
    pub items: Vec<StreamDefinition>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<String>,
    /// How many match in all, when the engine counted.
    pub total: Option<u64>,
}

/// A page of defined jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDefinitionPage {
    /// The definitions, in the engine's order.
    pub items: Vec<JobDefinition>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<String>,
    /// How many match in all, when the engine counted.
    pub total: Option<u64>,
}

/// One workstation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkstationView {
    /// The workstation.
    pub workstation: Workstation,
}

/// Jobs of a name; several when more than one stream has such a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundJobs {
    /// The jobs, in the plan's order.
    pub jobs: Vec<Arc<Job>>,
    /// The age of the snapshot that they come from.
    pub meta: Meta,
}
