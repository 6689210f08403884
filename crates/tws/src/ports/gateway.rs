//! The engine, as far as nearly everyone needs it: three narrow ports and their errors.
//!
//! Errors are `Clone`, since a coalesced fetch hands one error to every caller that waited.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::model::{
    Command, EngineInfo, Job, JobId, JobQuery, JobStream, Justification, LineRange, LogText,
    Neighbour, NeighbourDirection, RunId, Slice, Workstation,
};

/// Why the engine gave no answer that we can use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GatewayError {
    /// It cannot be reached, or closed the connection.
    #[error("the engine cannot be reached: {0}")]
    Unreachable(Arc<str>),
    /// It did not answer in time.
    #[error("the engine did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// It refused our credentials.
    #[error("the engine refused Resync's credentials")]
    CredentialsRefused,
    /// The credentials are good, but do not allow this.
    #[error("the engine's user of Resync lacks the right for this")]
    Forbidden,
    /// It is busy or being switched; try again, after this long when it said so.
    #[error("the engine is busy")]
    Busy {
        /// What it asked for.
        retry_after: Option<Duration>,
    },
    /// It failed again and again and is not asked for a while, so nothing was sent.
    #[error("the engine is not asked for now, since it failed again and again")]
    CircuitOpen {
        /// When it will be asked again.
        retry_after: Duration,
    },
    /// It did not accept the request.
    #[error("the engine did not accept the request: {0}")]
    Rejected(Arc<str>),
    /// It lacks what was asked for in this release.
    #[error("this release of the engine does not support that")]
    Unsupported,
    /// The answer is not what the interface promises: garbage, half a body, a login page.
    #[error("the engine's answer cannot be read: {0}")]
    Unreadable(Arc<str>),
}

/// Why an action was not carried out, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ActionError {
    /// Nothing was done: the request did not reach the engine, or it refused before acting.
    #[error("the action was not carried out: {0}")]
    NotDone(#[source] GatewayError),
    /// What it is about does not exist (any more).
    #[error("the engine has no such object")]
    UnknownTarget,
    /// The state of the target does not allow it, in the engine's words.
    #[error("the engine refused the action: {0}")]
    Refused(Arc<str>),
    /// The request went out and no answer came: it may have been carried out.
    #[error("the outcome of the action is unknown: {0}")]
    OutcomeUnknown(#[source] GatewayError),
}

/// Reads of the plan.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait PlanGateway: Send + Sync {
    /// What the engine says of itself; also the probe of its health.
    async fn engine_info(&self) -> Result<EngineInfo, GatewayError>;

    /// One page of the jobs that match.
    async fn jobs(&self, query: &JobQuery) -> Result<Slice<Job>, GatewayError>;

    /// A job with its runs and dependencies, or `None` when the plan has no such job.
    async fn job(&self, id: &JobId) -> Result<Option<Job>, GatewayError>;

    /// What is around a job, breadth first, each once, without the job itself.
    /// `depth` is 1 to 10. `None` when the plan has no such job.
    async fn neighbours(
        &self,
        id: &JobId,
        direction: NeighbourDirection,
        depth: u8,
    ) -> Result<Option<Vec<Neighbour>>, GatewayError>;

    /// One page of the streams of the plan, in the engine's order. `limit` is 1 to 1000.
    async fn streams(&self, offset: u64, limit: u32) -> Result<Slice<JobStream>, GatewayError>;

    /// Every workstation of the plan.
    async fn workstations(&self) -> Result<Vec<Workstation>, GatewayError>;
}

/// Reads of job logs.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait LogGateway: Send + Sync {
    /// Some lines of a run's log, unredacted, or `None` when the engine has none (not started yet,
    /// or kept no longer).
    async fn job_log(&self, run: &RunId, range: LineRange)
    -> Result<Option<LogText>, GatewayError>;
}

/// Writes. Never retried by anyone.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ActionGateway: Send + Sync {
    /// Sends one action once. `Ok` means accepted, not yet visible: the engine acts a little later.
    ///
    /// Not cancel safe: a caller that drops the future does not know whether it was sent.
    async fn act(&self, command: &Command, why: &Justification) -> Result<(), ActionError>;
}
