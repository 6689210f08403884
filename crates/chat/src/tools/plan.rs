//! The plan's own service as the chat's tool.

use async_trait::async_trait;
use resync_tws::model::{EngineName, JobId};
use resync_tws::ports::GatewayError;
use resync_tws::{
    Diagnosis, GraphDirection, GraphView, HistoryReadError, HistoryService, HistoryView,
    ImpactView, JobView, Live, LogRequest, LogView, PlanService, ReadError, Snapshot,
};

use std::sync::Arc;

use super::{EngineFacts, JobFilter, JobList, PlanToolError, PlanTools, Seen};

/// The plan's services together. Cheap to clone.
#[derive(Clone)]
pub struct LivePlan {
    plan: PlanService,
    history: Option<HistoryService>,
}

impl LivePlan {
    /// The plan without a history of runs.
    #[must_use]
    pub fn new(plan: PlanService) -> Self {
        Self {
            plan,
            history: None,
        }
    }

    /// With the history of runs.
    #[must_use]
    pub fn with_history(self, history: HistoryService) -> Self {
        Self {
            history: Some(history),
            ..self
        }
    }
}

impl From<HistoryReadError> for PlanToolError {
    fn from(error: HistoryReadError) -> Self {
        match error {
            HistoryReadError::Read(cause) => cause.into(),
            HistoryReadError::Store(_) => Self::Unusable,
        }
    }
}

impl<V> From<Live<V>> for Seen<V> {
    fn from(live: Live<V>) -> Self {
        Self {
            value: live.value,
            meta: live.meta,
        }
    }
}

impl From<ReadError> for PlanToolError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownJob(_) | ReadError::UnknownObject(_) => Self::Gone,
            ReadError::NoLog => Self::NoLog,
            ReadError::Gateway(cause) => match cause {
                GatewayError::Unreachable(_)
                | GatewayError::Busy { .. }
                | GatewayError::CircuitOpen { .. } => Self::Unreachable,
                GatewayError::TimedOut(_) => Self::TimedOut,
                GatewayError::CredentialsRefused | GatewayError::Forbidden => Self::Refused,
                GatewayError::Rejected(_)
                | GatewayError::Unsupported
                | GatewayError::Unreadable(_) => Self::Unusable,
            },
            ReadError::UnknownEngine(_)
            | ReadError::UnknownWorkstation
            | ReadError::Lost(_)
            | ReadError::Unwritable => Self::Unusable,
        }
    }
}

#[async_trait]
impl PlanTools for LivePlan {
    fn engines(&self) -> Vec<EngineFacts> {
        let facts = |engine: &resync_tws::Engine| EngineFacts {
            name: engine.name.clone(),
            read_only: engine.read_only,
            demo: engine.demo,
        };
        self.plan
            .engines()
            .list()
            .iter()
            .map(|engine| facts(engine))
            .collect()
    }

    async fn snapshot(&self, engine: &EngineName) -> Result<Seen<Snapshot>, PlanToolError> {
        Ok(self.plan.snapshot(Some(engine)).await?.into())
    }

    async fn job(&self, engine: &EngineName, id: &JobId) -> Result<Seen<JobView>, PlanToolError> {
        Ok(self.plan.job(Some(engine), id).await?.into())
    }

    async fn diagnosis(
        &self,
        engine: &EngineName,
        id: &JobId,
    ) -> Result<Seen<Diagnosis>, PlanToolError> {
        Ok(self.plan.diagnosis(Some(engine), id).await?.into())
    }

    async fn log(
        &self,
        engine: &EngineName,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Seen<LogView>, PlanToolError> {
        Ok(self.plan.log(Some(engine), id, request).await?.into())
    }

    async fn job_list(
        &self,
        engine: &EngineName,
        filter: &JobFilter,
    ) -> Result<Seen<JobList>, PlanToolError> {
        let live = self.plan.snapshot(Some(engine)).await?;
        Ok(Seen {
            value: Arc::new(filter.of(&live.value)),
            meta: live.meta,
        })
    }

    async fn graph(
        &self,
        engine: &EngineName,
        id: &JobId,
        direction: GraphDirection,
        depth: u8,
    ) -> Result<Seen<GraphView>, PlanToolError> {
        let graph = self.plan.graph(Some(engine), id, direction, depth);
        Ok(graph.await?.into())
    }

    async fn impact(
        &self,
        engine: &EngineName,
        id: &JobId,
    ) -> Result<Seen<ImpactView>, PlanToolError> {
        Ok(self.plan.impact(Some(engine), id).await?.into())
    }

    async fn history(
        &self,
        engine: &EngineName,
        id: &JobId,
        limit: u32,
    ) -> Result<Seen<HistoryView>, PlanToolError> {
        let history = self.history.as_ref().ok_or(PlanToolError::NotKept)?;
        Ok(history.history(Some(engine), id, limit).await?.into())
    }
}
