//! How the engines stand.
//!
//! Invariant: a dead engine is an answer, and one that is never served stale.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tracing::instrument;

use super::{PlanService, fetched};
use crate::engines::Engine;
use crate::model::EngineInfo;
use crate::plan::{EngineHealth, EngineState, Question};
use crate::ports::GatewayError;

/// How long a probe may take before the engine counts as unreachable.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

impl PlanService {
    /// How every engine stands, in the configuration's order. Never an error: an engine that is dead
    /// is reported as such. An answer is at most as old as the fresh window of `job_status`.
    ///
    /// Cancel safe.
    #[instrument(name = "tws.engines", level = "debug", skip_all)]
    pub async fn engines_status(&self) -> Vec<EngineHealth> {
        let engines = self.engines.list();
        join_all(engines.iter().map(|engine| self.health(engine))).await
    }

    async fn health(&self, engine: &Arc<Engine>) -> EngineHealth {
        let (probed, clock) = (Arc::clone(engine), Arc::clone(&self.clock));
        let read =
            self.read_own::<EngineHealth, _, _>(engine, Question::Health, move || async move {
                let info = tokio::time::timeout(PROBE_TIMEOUT, probed.plan.engine_info())
                    .await
                    .unwrap_or(Err(GatewayError::TimedOut(PROBE_TIMEOUT)));
                fetched(health_of(&probed, clock.now(), info))
            });
        match read.await {
            Ok(live) => EngineHealth {
                breaker: engine.monitor.breaker(),
                ..EngineHealth::clone(&live.value)
            },
            Err(error) => EngineHealth {
                name: engine.name.clone(),
                read_only: engine.read_only,
                demo: engine.demo,
                state: EngineState::Unknown,
                version: None,
                timezone: None,
                checked_at: None,
                detail: Some(error.to_string()),
                breaker: engine.monitor.breaker(),
            },
        }
    }
}

fn health_of(
    engine: &Engine,
    now: DateTime<Utc>,
    info: Result<EngineInfo, GatewayError>,
) -> EngineHealth {
    let (state, info, detail) = match info {
        Ok(info) => (EngineState::Ok, Some(info), None),
        Err(error) => (state_of(&error), None, Some(error.to_string())),
    };
    let simulated = info.as_ref().is_some_and(|info| info.simulated);
    let (version, timezone) = info.map_or((None, None), |info| (info.version, info.timezone));
    EngineHealth {
        name: engine.name.clone(),
        read_only: engine.read_only,
        demo: engine.demo || simulated,
        state,
        version,
        timezone,
        checked_at: Some(now),
        detail,
        breaker: engine.monitor.breaker(),
    }
}

fn state_of(error: &GatewayError) -> EngineState {
    match error {
        GatewayError::Unreachable(_)
        | GatewayError::TimedOut(_)
        | GatewayError::Busy { .. }
        | GatewayError::CircuitOpen { .. } => EngineState::Unreachable,
        GatewayError::CredentialsRefused | GatewayError::Forbidden => {
            EngineState::CredentialsRefused
        }
        GatewayError::Unreadable(_) => EngineState::Unreadable,
        GatewayError::Rejected(_) | GatewayError::Unsupported => EngineState::Unknown,
    }
}
