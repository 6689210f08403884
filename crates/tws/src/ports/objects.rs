//! The rest of an engine: what is in the plan beside jobs, definitions, and the engine itself.
//!
//! An engine client that lacks one of these is joined with [`Unsupported`].

use async_trait::async_trait;

use super::{ActionError, GatewayError};
use crate::model::{
    Breaker, CallCounts, Capabilities, CountBy, Counted, Counts, DefinitionQuery, JobDefinition,
    JobStream, Justification, Prompt, PromptId, Prompts, Resource, ResourceId, Slice,
    StreamDefinition, StreamId, Submission, Submitted, Workstation, WorkstationId,
};

/// Reads of what is in the plan beside jobs.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ObjectGateway: Send + Sync {
    /// A stream, or `None` when the plan has no such stream.
    async fn stream(&self, id: &StreamId) -> Result<Option<JobStream>, GatewayError>;

    /// A workstation, or `None` when the plan has no such workstation.
    async fn workstation(&self, id: &WorkstationId) -> Result<Option<Workstation>, GatewayError>;

    /// Every resource of the plan, each once.
    async fn resources(&self) -> Result<Vec<Resource>, GatewayError>;

    /// A resource, or `None` when the plan has no such resource.
    async fn resource(&self, id: &ResourceId) -> Result<Option<Resource>, GatewayError>;

    /// The prompts of the plan, each once. An engine without such a list gives those that a job or a
    /// stream waits for. It is bounded, and says when it was cut.
    async fn prompts(&self) -> Result<Prompts, GatewayError>;

    /// A prompt as it stands now, or `None` when the plan has no such prompt. One that may lie behind
    /// the end of what can be read is an error, and not said to be missing.
    async fn prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError>;

    /// How many jobs or streams the plan has, by the engine's own count.
    async fn count(&self, what: Counted, by: Option<CountBy>) -> Result<Counts, GatewayError>;
}

/// Reads of definitions.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait DefinitionGateway: Send + Sync {
    /// One page of the defined streams that match.
    async fn stream_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<StreamDefinition>, GatewayError>;

    /// One page of the defined jobs that match.
    async fn job_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<JobDefinition>, GatewayError>;
}

/// Puts streams and jobs into the plan. Never retried by anyone.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait SubmitGateway: Send + Sync {
    /// Submits once. [`ActionError::UnknownTarget`] when there is no such definition;
    /// [`ActionError::Refused`] when the plan holds one of that name already, and an alias is needed.
    ///
    /// Not cancel safe: a caller that drops the future does not know whether it was sent.
    async fn submit(
        &self,
        submission: &Submission,
        why: &Justification,
    ) -> Result<Submitted, ActionError>;
}

/// What the release of an engine knows, and how its client gets on with it.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait EngineMonitor: Send + Sync {
    /// What this release knows, by its own discovery.
    async fn capabilities(&self) -> Result<Capabilities, GatewayError>;

    /// How the client gets on, from memory: no call is made.
    fn breaker(&self) -> Breaker;

    /// What the client has sent so far, from memory: no call is made.
    fn calls(&self) -> CallCounts;
}

/// A client that lacks these ports: each call is [`GatewayError::Unsupported`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsupported;

#[async_trait]
impl ObjectGateway for Unsupported {
    async fn stream(&self, _: &StreamId) -> Result<Option<JobStream>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn workstation(&self, _: &WorkstationId) -> Result<Option<Workstation>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn resources(&self) -> Result<Vec<Resource>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn resource(&self, _: &ResourceId) -> Result<Option<Resource>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn prompts(&self) -> Result<Prompts, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn prompt(&self, _: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn count(&self, _: Counted, _: Option<CountBy>) -> Result<Counts, GatewayError> {
        Err(GatewayError::Unsupported)
    }
}

#[async_trait]
impl DefinitionGateway for Unsupported {
    async fn stream_definitions(
        &self,
        _: &DefinitionQuery,
    ) -> Result<Slice<StreamDefinition>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    async fn job_definitions(
        &self,
        _: &DefinitionQuery,
    ) -> Result<Slice<JobDefinition>, GatewayError> {
        Err(GatewayError::Unsupported)
    }
}

#[async_trait]
impl SubmitGateway for Unsupported {
    async fn submit(&self, _: &Submission, _: &Justification) -> Result<Submitted, ActionError> {
        Err(ActionError::NotDone(GatewayError::Unsupported))
    }
}

#[async_trait]
impl EngineMonitor for Unsupported {
    async fn capabilities(&self) -> Result<Capabilities, GatewayError> {
        Err(GatewayError::Unsupported)
    }
    fn breaker(&self) -> Breaker {
        Breaker::default()
    }
    fn calls(&self) -> CallCounts {
        CallCounts::default()
    }
}
