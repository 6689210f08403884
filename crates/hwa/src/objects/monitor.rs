//! What this release knows, by its own discovery, and how the client gets on with it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use resync_tws::model::{
    Breaker, BreakerState as ShownState, CallCounts, Capabilities, ObjectAbilities, ObjectKind,
};
use resync_tws::ports::{EngineMonitor, GatewayError};
use serde::Deserialize;

use crate::HwaClient;
use crate::body::Json;
use crate::resilience::BreakerState;
use crate::transport::Call;
use crate::wire::{List, Object, Scalar, WirePrompt};

/// `/objects-info`: a map of sorts of object.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct WireInfo(BTreeMap<String, Object<WireAbilities>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireAbilities {
    actions: List<Object<WireKey>>,
    status: List<Object<WireKey>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireKey {
    key: Scalar,
}

const SORTS: [(&str, ObjectKind); 5] = [
    ("JOB_IN_PLAN", ObjectKind::Job),
    ("JOBSTREAM_IN_PLAN", ObjectKind::Stream),
    ("WORKSTATION_IN_PLAN", ObjectKind::Workstation),
    ("RESOURCE_IN_PLAN", ObjectKind::Resource),
    ("PROMPT_IN_PLAN", ObjectKind::Prompt),
];

fn keys(list: List<Object<WireKey>>) -> BTreeSet<String> {
    list.into_items()
        .into_iter()
        .filter_map(|one| one.0?.key.into_text())
        .collect()
}

impl WireInfo {
    fn read_into(self, objects: &mut BTreeMap<ObjectKind, ObjectAbilities>) {
        for (sort, abilities) in self.0 {
            let kind = SORTS.iter().find(|(known, _)| *known == sort);
            if let (Some((_, kind)), Object(Some(abilities))) = (kind, abilities) {
                objects.insert(
                    *kind,
                    ObjectAbilities {
                        actions: keys(abilities.actions),
                        statuses: keys(abilities.status),
                    },
                );
            }
        }
    }
}

impl HwaClient {
    async fn objects_info(&self, sort: Option<&'static str>) -> Result<WireInfo, GatewayError> {
        let mut call = Call::get("/objects-info");
        if let Some(sort) = sort {
            call = call.query("object_type", sort.to_owned());
        }
        self.transport
            .read(call, Json::<WireInfo>::new)
            .await
            .map_err(|failure| failure.into_error(GatewayError::Unsupported))
    }
}

#[async_trait]
impl EngineMonitor for HwaClient {
    async fn capabilities(&self) -> Result<Capabilities, GatewayError> {
        let mut known = Capabilities::default();
        match self.objects_info(None).await {
            Ok(info) => info.read_into(&mut known.objects),
            // The document does not say that a sort must be named, nor that it need not.
            Err(GatewayError::Rejected(_)) => {
                for (sort, _) in SORTS {
                    match self.objects_info(Some(sort)).await {
                        Ok(info) => info.read_into(&mut known.objects),
                        Err(GatewayError::Rejected(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        if self.prompts.list.known().is_none() {
            let probe = self
                .page(Call::get("/plan/prompt"), 0, 1, WirePrompt::read)
                .await;
            match probe {
                Ok(_) => self.prompts.list.learn(true),
                Err(GatewayError::Unsupported) => self.prompts.list.learn(false),
                // Whether there is one stays unknown; what was found out is worth telling.
                Err(_) => {}
            }
        }
        known.prompt_list = self.prompts.list.known();
        Ok(known)
    }

    fn breaker(&self) -> Breaker {
        let health = self.transport.health();
        let (state, remaining) = match health.breaker {
            BreakerState::Closed => (ShownState::Closed, None),
            BreakerState::HalfOpen => (ShownState::HalfOpen, None),
            BreakerState::Open { remaining } => (ShownState::Open, Some(remaining)),
        };
        Breaker {
            state,
            consecutive_failures: health.consecutive_failures,
            last_success_at: health.last_success_at,
            last_failure_at: health.last_failure_at,
            retry_at: remaining.map(|remaining| self.clock.now() + remaining),
        }
    }

    fn calls(&self) -> CallCounts {
        let health = self.transport.health();
        CallCounts {
            attempts: health.attempts_total,
            retries: health.retries_total,
            failures: health.failures_total,
            turned_away: health.turned_away_total,
            rejected: health.rejected_total,
        }
    }
}
