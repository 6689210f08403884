//! The plan's own service as the chat's tool.

use async_trait::async_trait;
use resync_tws::model::{EngineName, JobId};
use resync_tws::ports::GatewayError;
use resync_tws::{Diagnosis, JobView, Live, LogRequest, LogView, PlanService, ReadError, Snapshot};

use super::{EngineFacts, PlanToolError, PlanTools, Seen};

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
impl PlanTools for PlanService {
    fn engines(&self) -> Vec<EngineFacts> {
        let facts = |engine: &resync_tws::Engine| EngineFacts {
            name: engine.name.clone(),
            read_only: engine.read_only,
            demo: engine.demo,
        };
        Self::engines(self)
            .list()
            .iter()
            .map(|engine| facts(engine))
            .collect()
    }

    async fn snapshot(&self, engine: &EngineName) -> Result<Seen<Snapshot>, PlanToolError> {
        Ok(Self::snapshot(self, Some(engine)).await?.into())
    }

    async fn job(&self, engine: &EngineName, id: &JobId) -> Result<Seen<JobView>, PlanToolError> {
        Ok(Self::job(self, Some(engine), id).await?.into())
    }

    async fn diagnosis(
        &self,
        engine: &EngineName,
        id: &JobId,
    ) -> Result<Seen<Diagnosis>, PlanToolError> {
        Ok(Self::diagnosis(self, Some(engine), id).await?.into())
    }

    async fn log(
        &self,
        engine: &EngineName,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Seen<LogView>, PlanToolError> {
        Ok(Self::log(self, Some(engine), id, request).await?.into())
    }
}
