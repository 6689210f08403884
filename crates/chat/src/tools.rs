//! What the chat may ask: reads of the plan, and one of the documents.
//!
//! Invariant: **there is no write here (I-08).** The chat holds no `ActionGateway`, no
//! `ActionService` and no token; the most that it can make of a message is a card that a person
//! must take to the actions' own two-step way.

mod jobs;
mod knowledge;
mod plan;
mod window;

use std::sync::Arc;

use async_trait::async_trait;
use resync_kernel::BoxError;
use resync_rag::SearchResults;
use resync_tws::model::{EngineName, JobId};
use resync_tws::{
    Diagnosis, GraphDirection, GraphView, HistoryView, ImpactView, JobView, LogRequest, LogView,
    Meta, Snapshot,
};
use thiserror::Error;

pub use jobs::{JobFilter, JobList};
pub use plan::LivePlan;
pub use window::TimeSpan;

/// An answer of the plan with its age.
#[derive(Debug)]
pub struct Seen<V> {
    /// The answer.
    pub value: Arc<V>,
    /// Its age and origin.
    pub meta: Meta,
}

impl<V> Clone for Seen<V> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            meta: self.meta.clone(),
        }
    }
}

/// An engine, as far as the chat needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its name.
    pub name: EngineName,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// Its data are invented.
    pub demo: bool,
}

/// Why the plan gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanToolError {
    /// The plan has no such job (any more).
    #[error("the plan has no such job")]
    Gone,
    /// The engine has no log of that run.
    #[error("the engine has no log of that run")]
    NoLog,
    /// The engine cannot be reached.
    #[error("the engine cannot be reached")]
    Unreachable,
    /// The engine, or the whole answer, took too long.
    #[error("the engine did not answer in time")]
    TimedOut,
    /// The engine refused Resync's credentials, or they lack the right.
    #[error("the engine refused the credentials")]
    Refused,
    /// The engine answered something that cannot be used.
    #[error("the engine's answer cannot be used")]
    Unusable,
    /// Nobody keeps what was asked for, such as the runs of days before.
    #[error("no history of runs is kept here")]
    NotKept,
    /// The answer has had all the calls or all the evidence that one answer may have.
    #[error("the answer has had all the calls that it may have")]
    Spent,
}

/// Reads of the plan.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait PlanTools: Send + Sync {
    /// The engines; the first answers when nobody names one.
    fn engines(&self) -> Vec<EngineFacts>;

    /// The whole plan at one time.
    async fn snapshot(&self, engine: &EngineName) -> Result<Seen<Snapshot>, PlanToolError>;

    /// A job with its runs, its dependencies and why it does not run.
    async fn job(&self, engine: &EngineName, id: &JobId) -> Result<Seen<JobView>, PlanToolError>;

    /// Why a job failed or does not run.
    async fn diagnosis(
        &self,
        engine: &EngineName,
        id: &JobId,
    ) -> Result<Seen<Diagnosis>, PlanToolError>;

    /// Lines of the log of a run, without secrets.
    async fn log(
        &self,
        engine: &EngineName,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Seen<LogView>, PlanToolError>;

    /// The jobs that a filter lets through.
    async fn job_list(
        &self,
        engine: &EngineName,
        filter: &JobFilter,
    ) -> Result<Seen<JobList>, PlanToolError>;

    /// What a job waits for, or who waits for it, to `depth` steps, 1 to 10.
    async fn graph(
        &self,
        engine: &EngineName,
        id: &JobId,
        direction: GraphDirection,
        depth: u8,
    ) -> Result<Seen<GraphView>, PlanToolError>;

    /// Who is held up by a job, and which deadlines fall with it.
    async fn impact(
        &self,
        engine: &EngineName,
        id: &JobId,
    ) -> Result<Seen<ImpactView>, PlanToolError>;

    /// The last `limit` runs of a job that were seen to end, 1 to 200.
    /// [`PlanToolError::NotKept`] where no history is kept.
    async fn history(
        &self,
        engine: &EngineName,
        id: &JobId,
        limit: u32,
    ) -> Result<Seen<HistoryView>, PlanToolError>;
}

/// The documents cannot be searched.
#[derive(Debug, Error)]
#[error("the documents cannot be searched")]
pub struct KnowledgeToolError(#[source] pub BoxError);

/// Search in the documents.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait KnowledgeTools: Send + Sync {
    /// The best `k` sections for `text`.
    async fn search(&self, text: &str, k: usize) -> Result<SearchResults, KnowledgeToolError>;
}
