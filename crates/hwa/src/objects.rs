//! What is in the plan beside jobs, definitions, submissions and discovery: not spoken to yet.

use async_trait::async_trait;
use resync_tws::model::{
    Breaker, Capabilities, CountBy, Counted, Counts, DefinitionQuery, JobDefinition, JobStream,
    Justification, Prompt, PromptId, Resource, ResourceId, Slice, StreamDefinition, StreamId,
    Submission, Submitted, Workstation, WorkstationId,
};
use resync_tws::ports::{
    ActionError, DefinitionGateway, EngineMonitor, GatewayError, ObjectGateway, SubmitGateway,
    Unsupported,
};

use crate::HwaClient;

#[async_trait]
impl ObjectGateway for HwaClient {
    async fn stream(&self, id: &StreamId) -> Result<Option<JobStream>, GatewayError> {
        Unsupported.stream(id).await
    }
    async fn workstation(&self, id: &WorkstationId) -> Result<Option<Workstation>, GatewayError> {
        Unsupported.workstation(id).await
    }
    async fn resources(&self) -> Result<Vec<Resource>, GatewayError> {
        Unsupported.resources().await
    }
    async fn resource(&self, id: &ResourceId) -> Result<Option<Resource>, GatewayError> {
        Unsupported.resource(id).await
    }
    async fn prompts(&self) -> Result<Vec<Prompt>, GatewayError> {
        Unsupported.prompts().await
    }
    async fn prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        Unsupported.prompt(id).await
    }
    async fn count(&self, what: Counted, by: Option<CountBy>) -> Result<Counts, GatewayError> {
        Unsupported.count(what, by).await
    }
}

#[async_trait]
impl DefinitionGateway for HwaClient {
    async fn stream_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<StreamDefinition>, GatewayError> {
        Unsupported.stream_definitions(query).await
    }
    async fn job_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<JobDefinition>, GatewayError> {
        Unsupported.job_definitions(query).await
    }
}

#[async_trait]
impl SubmitGateway for HwaClient {
    async fn submit(
        &self,
        submission: &Submission,
        why: &Justification,
    ) -> Result<Submitted, ActionError> {
        Unsupported.submit(submission, why).await
    }
}

#[async_trait]
impl EngineMonitor for HwaClient {
    async fn capabilities(&self) -> Result<Capabilities, GatewayError> {
        Unsupported.capabilities().await
    }
    fn breaker(&self) -> Breaker {
        Unsupported.breaker()
    }
}
