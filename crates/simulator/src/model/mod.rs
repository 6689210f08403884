//! What the plan is made of.
//!
//! Definitions ([`StreamModel`], [`JobModel`]) never change; instances ([`Stream`], [`Job`],
//! [`Run`]) belong to one plan. A job's status is that of its latest run, and there always is one:
//! the first is made with the job and gets its number when it is launched.

mod change;
mod definition;
mod dependency;
mod instance;
mod place;
mod status;

pub(crate) use change::Change;
pub(crate) use definition::{Cycle, JobModel, LateStart, LogStyle, Need, Recovery, StreamModel};
pub(crate) use dependency::{Answer, Awaited, Link, Prompt, PromptKind, Target, Waiter};
pub(crate) use instance::{Fate, Job, JobPath, Place, Run, Stream};
pub(crate) use place::{Resource, Station};
pub(crate) use status::{RunKind, Status, StreamStatus};

use std::sync::Arc;

use crate::{
    names::{Id, Secs},
    table::{FileKey, JobKey, ModelKey, PromptKey, ResourceKey, StationKey, StreamKey, Table},
};

/// One plan: from start of day to start of day.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) id: Id,
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
