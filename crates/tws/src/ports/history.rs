//! Runs that were seen to have ended, kept beyond the plan that they belong to.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::BoxError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{EngineName, Job, RunId};

/// What makes a job the same job in another plan: its names, not its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobIdentity {
    /// The engine.
    pub engine: EngineName,
    /// The workstation; empty when the engine did not say.
    pub workstation: String,
    /// The folder, with a slash at its end; empty when the engine did not say.
    pub folder: String,
    /// The stream; empty when the engine did not say.
    pub stream: String,
    /// The job.
    pub job: String,
}

impl JobIdentity {
    /// Of a job of that engine.
    #[must_use]
    pub fn of(engine: &EngineName, job: &Job) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            engine: engine.clone(),
            workstation: text(&job.workstation),
            folder: text(&job.folder),
            stream: text(&job.stream.name),
            job: job.name.clone(),
        }
    }
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    /// The job.
    pub job: JobIdentity,
    /// The run.
    pub run: RunId,
    /// How it ended, in the engine's word.
    pub status: String,
    /// Whether it ended well.
    pub good: bool,
    /// Its return code.
    pub return_code: Option<i32>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, in whole milliseconds.
    pub ended_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
}

/// Why the history did not do it.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The store failed.
    #[error("the history of runs is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Keeps the runs that were seen to have ended.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait RunHistory: Send + Sync {
    /// Keeps those that are not kept yet, each run of an engine once; how many were new. From the first
    /// call for an engine on it counts as observed, at `now`; also with no run.
    async fn record(
        &self,
        engine: &EngineName,
        runs: &[EndedRun],
        now: DateTime<Utc>,
    ) -> Result<u64, HistoryError>;

    /// The runs of a job, the one that ended last first, at most `limit`.
    async fn of_job(&self, job: &JobIdentity, limit: u32) -> Result<Vec<EndedRun>, HistoryError>;

    /// How long the good runs of each of these jobs took, in seconds: those among its newest `limit` runs
    /// whose duration is known, in no order. A job without any is left out. One read, however many jobs.
    async fn good_seconds(
        &self,
        jobs: &[JobIdentity],
        limit: u32,
    ) -> Result<HashMap<JobIdentity, Vec<u64>>, HistoryError>;

    /// Since when the engine is observed; `None` when it is not.
    async fn observed_since(
        &self,
        engine: &EngineName,
    ) -> Result<Option<DateTime<Utc>>, HistoryError>;

    /// Forgets the runs that ended before `before`, and of each job those behind the newest `keep`; how
    /// many went.
    async fn purge(&self, before: DateTime<Utc>, keep: u32) -> Result<u64, HistoryError>;
}
