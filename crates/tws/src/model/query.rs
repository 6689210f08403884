//! What can be asked of the list of jobs.

use serde::{Deserialize, Serialize};

use super::{Job, JobId, JobStatus, JobStream, NamePattern};

/// A question to the list of jobs. Every field that is set must match; nothing set is every job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JobQuery {
    /// Any of these; empty is any status.
    pub status: Vec<JobStatus>,
    /// The job's name.
    pub name: Option<NamePattern>,
    /// The stream's name.
    pub stream: Option<NamePattern>,
    /// The workstation's name, without folder.
    pub workstation: Option<NamePattern>,
    /// The folder, with or without the slash at its end.
    pub folder: Option<NamePattern>,
    /// The order.
    pub sort: JobSort,
    /// Whether to bring the dependencies along, which makes a page a third larger.
    pub with_dependencies: bool,
    /// Only what comes behind this job by name, then id. Goes with [`JobSort::Name`] and an `offset`
    /// of 0; an engine that cannot compare names answers [`crate::ports::GatewayError::Unsupported`].
    pub after: Option<JobKey>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most, 1 to 1000.
    pub limit: u32,
}

/// The place of a job in the order by name, then id. It stays while the job is in the plan, whatever
/// comes and goes around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// The job's name.
    pub name: String,
    /// Its id, between jobs of one name.
    pub id: JobId,
}

impl JobKey {
    /// The place of `job`.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        Self {
            name: job.name.clone(),
            id: job.id.clone(),
        }
    }
}

/// The orders of a list of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobSort {
    /// The engine's own order.
    #[default]
    Plan,
    /// By name, A first, then by id.
    Name,
    /// By priority, highest first.
    Priority,
}

/// Which way to walk from a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeighbourDirection {
    /// What it waits for.
    Predecessors,
    /// What waits for it.
    Successors,
}

/// A job or a stream met on that walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "node", rename_all = "lowercase")]
pub enum Neighbour {
    /// A job, boxed since it is so much larger.
    Job(Box<Job>),
    /// A stream.
    Stream(JobStream),
}
