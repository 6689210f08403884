//! What reads and changes the plan.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use resync_auth::AuthKeys;
use resync_kernel::{Clock, IdGenerator};
use resync_sync::SharedCache;
use resync_tws::ports::AuditLog;
use resync_tws::{
    ActionParts, ActionService, AttentionParts, AttentionService, AuditService, CacheLimits,
    CachePolicy, Causes, ConfiguredEngine, ConfirmationKey, EngineAdminParts, EngineAdminService,
    HistoryService, PlanParts, PlanService, Windows,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::store::Stores;
use super::{DemoEngine, StartError, engines, sealer};
use crate::config::{CacheConfig, Config};

/// How soon the engines are read again after that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the services are made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) demo: Option<DemoEngine>,
    pub(super) keys: &'a AuthKeys,
    pub(super) stores: &'a Stores,
    pub(super) audit: &'a AuditService,
    pub(super) audit_log: Arc<dyn AuditLog>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) ids: &'a Arc<dyn IdGenerator>,
    pub(super) tracker: &'a TaskTracker,
    /// Entries that replicas share, where there are several.
    pub(super) shared: Option<SharedCache>,
}

/// The services of the plan.
pub(super) struct Services {
    pub(super) plan: PlanService,
    pub(super) actions: ActionService,
    pub(super) history: HistoryService,
    pub(super) attention: AttentionService,
    pub(super) engines: EngineAdminService,
}

/// Makes them, with the engines that were added.
pub(super) async fn services(parts: Parts<'_>) -> Result<Services, StartError> {
    let Parts {
        config,
        demo,
        keys,
        stores,
        audit,
        audit_log,
        clock,
        ids,
        tracker,
        shared,
    } = parts;
    let configured = engines::configured(&config.tws, demo.as_ref())?;
    let plan = PlanService::new(PlanParts {
        engines: engines::build(&config.tws, demo.as_ref())?,
        clock: clock.clone(),
        tracker: tracker.clone(),
        policy: policy(&config.cache),
        limits: CacheLimits {
            max_entries: config.cache.max_entries,
            max_bytes: config.cache.max_bytes,
        },
    });
    let plan = match shared {
        Some(shared) => plan.sharing(shared),
        None => plan,
    };
    let plan = plan.remembering(stores.runs.clone());
    let plan = match &config.tws.causes_file {
        Some(path) => plan.knowing(Arc::new(causes(path).await?)),
        None => plan,
    };
    let actions = ActionService::new(ActionParts {
        plan: plan.clone(),
        proposals: stores.proposals.clone(),
        audit: audit_log,
        key: confirmation_key(keys),
        clock: clock.clone(),
        ids: ids.clone(),
        tracker: tracker.clone(),
        verify: Duration::from_secs(config.tws.verify_seconds),
    });
    let engines = administration(keys, configured, &plan, audit, stores, clock)?;
    take_in(&engines).await?;
    let history = HistoryService::new(plan.clone(), stores.runs.clone(), clock.clone());
    let attention = AttentionService::new(AttentionParts {
        plan: plan.clone(),
        history: history.clone(),
        thresholds: stores.thresholds.clone(),
        audit: audit.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
    });
    Ok(Services {
        plan,
        actions,
        history,
        attention,
        engines,
    })
}

/// The causes that ship, with those of a site's own file.
async fn causes(path: &Path) -> Result<Causes, StartError> {
    let what = || format!("could not read the causes of {}", path.display());
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| StartError::failed(what(), error))?;
    Causes::with(&text).map_err(|error| StartError::failed(what(), error))
}

/// What adds, changes and removes engines.
fn administration(
    keys: &AuthKeys,
    configured: Vec<ConfiguredEngine>,
    plan: &PlanService,
    audit: &AuditService,
    stores: &Stores,
    clock: &Arc<dyn Clock>,
) -> Result<EngineAdminService, StartError> {
    let sealer = sealer::AesGcmSealer::new(keys)
        .map_err(|error| StartError::failed("the secrets of engines cannot be sealed", error))?;
    Ok(EngineAdminService::new(EngineAdminParts {
        plan: plan.clone(),
        configured,
        repository: stores.engines.clone(),
        sealer: Arc::new(sealer),
        connector: Arc::new(engines::HwaConnector),
        audit: audit.clone(),
        clock: clock.clone(),
    }))
}

/// Takes in the engines that an administrator added; one that cannot be used is named and left out.
async fn take_in(engines: &EngineAdminService) -> Result<(), StartError> {
    let loaded = engines
        .load()
        .await
        .map_err(|error| StartError::failed("the engines that were added cannot be read", error))?;
    for (name, why) in loaded.broken {
        tracing::error!(engine.name = %name, why, "an engine that was added cannot be used");
    }
    Ok(())
}

/// Takes over what other replicas change of the engines that were added, until the end.
pub(super) async fn follow_engines(
    engines: EngineAdminService,
    mut changed: watch::Receiver<u64>,
    until: CancellationToken,
) {
    let mut wait = None;
    loop {
        let due = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = until.cancelled() => return,
            seen = changed.changed() => if seen.is_err() { return },
            () = due => {}
        }
        wait = match take_in(&engines).await {
            Ok(()) => None,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the engines are as they were; another try follows");
                Some(LOOK_AGAIN)
            }
        };
    }
}

/// A proposal that was open before the secret changed can be confirmed after it.
fn confirmation_key(keys: &AuthKeys) -> ConfirmationKey {
    let previous = keys.previous().iter();
    ConfirmationKey::new(*keys.confirmation().expose())
        .with_previous(previous.map(|keys| *keys.confirmation().expose()))
}

fn policy(cache: &CacheConfig) -> CachePolicy {
    let windows = |fresh, stale| Windows {
        fresh: Duration::from_secs(fresh),
        stale: Duration::from_secs(stale),
    };
    CachePolicy {
        job_status: windows(
            cache.job_status_fresh_seconds,
            cache.job_status_stale_seconds,
        ),
        job_logs: windows(cache.job_logs_fresh_seconds, cache.job_logs_stale_seconds),
        graph: windows(cache.graph_fresh_seconds, cache.graph_stale_seconds),
        statics: windows(cache.static_fresh_seconds, cache.static_stale_seconds),
        default: windows(cache.default_fresh_seconds, cache.default_stale_seconds),
    }
}
