//! What replicas share, with `redis.url`: limits, answers to requests, entries of the plan cache, and who
//! does what one alone needs to do.
//!
//! Nothing is asked when it is built: a Redis that is away does not keep the server from starting.

use std::sync::Arc;
use std::time::Duration;

use resync_api::state::SideProbe;
use resync_api::tws::idempotency;
use resync_auth::{AuthPorts, InProcessRateLimiter, LockoutStore, RateLimiter, RateLimits};
use resync_kernel::Clock;
use resync_redis::{
    AnswersParts, RedisAnswers, RedisBus, RedisClient, RedisConfig, RedisConfigError, RedisEntries,
    RedisLeases, RedisLockout, RedisRateLimiter, RedisStatus,
};
use resync_sync::{
    AnswerStore, InProcessAnswers, Leases, NoticeBus, SharedCache, SharedParts, SharedSettings,
    lead,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{StartError, auth};
use crate::config::{Config, ConfigError};

/// How often a process that does one thing tries to reach Redis.
const CONNECTING: u32 = 5;
/// How long another replica's read of an engine is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// By how much a lease on a read outlives the timeout of the engine.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The greatest packed answer that replicas share: a plan of some tens of thousands of jobs.
const MOST_SHARED_BYTES: usize = 4 << 20;
/// How soon another replica takes over what one alone does, when that one died.
const LEADER_LEASE: Duration = Duration::from_secs(10);

/// What replicas share.
pub(super) struct Shared {
    pub(super) redis: RedisClient,
    /// Large entries have a connection of their own, out of the way of small calls.
    entries: RedisClient,
    bus: RedisBus,
    prefix: String,
    pub(super) cache: SharedCache,
    pub(super) leases: Arc<dyn Leases>,
    tracker: TaskTracker,
}

/// With `redis.url`, what replicas share, watched until the end.
pub(super) fn share(
    config: &Config,
    tracker: &TaskTracker,
    until: &CancellationToken,
) -> Result<Option<Shared>, StartError> {
    let (Some(redis), Some(entries)) = (client(config)?, client(config)?) else {
        return Ok(None);
    };
    let prefix = config.redis.prefix.clone();
    let bus = RedisBus::new(redis.clone(), format!("{prefix}:notices"));
    // In a cluster a tag in braces keeps what one script touches on one node.
    let store = RedisEntries::new(entries.clone(), format!("{prefix}:{{cache}}"), bus.clone());
    let slowest = config.tws.engine.iter().filter_map(|e| e.timeout_seconds);
    let slowest = slowest
        .chain([config.tws.timeout_seconds])
        .max()
        .unwrap_or(0);
    let cache = SharedCache::new(SharedParts {
        entries: Arc::new(store),
        bus: Arc::new(bus.clone()),
        tracker: tracker.clone(),
        settings: SharedSettings {
            lease: Duration::from_secs(slowest) + LEASE_MARGIN,
            patience: PATIENCE,
            max_bytes: MOST_SHARED_BYTES,
        },
    });
    let leases = RedisLeases::new(
        redis.clone(),
        format!("{prefix}:{{lease}}"),
        tracker.clone(),
    );
    for watched in [&redis, &entries] {
        tracker.spawn(watched.clone().watch(until.clone()));
    }
    tracker.spawn(bus.clone().listen(until.clone()));
    Ok(Some(Shared {
        redis,
        entries,
        bus,
        prefix,
        cache,
        leases: Arc::new(leases),
        tracker: tracker.clone(),
    }))
}

/// Lets all replicas count attempts on passwords together.
pub(super) fn count_together(shared: Option<&Shared>, config: &Config, ports: &mut AuthPorts) {
    if let Some(shared) = shared {
        ports.lockout = lockout_on(shared.redis.clone(), config, ports.clock.clone());
    }
}

impl Shared {
    /// What tells readiness whether Redis answers.
    pub(super) fn probe(&self) -> Arc<dyn SideProbe> {
        Arc::new(Probe {
            clients: [self.redis.clone(), self.entries.clone()],
            bus: self.bus.clone(),
        })
    }
}

/// Who counts requests: all replicas together, or this process alone.
pub(super) fn limiter(
    shared: Option<&Shared>,
    limits: RateLimits,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn RateLimiter> {
    match shared {
        Some(shared) => Arc::new(RedisRateLimiter::new(
            shared.redis.clone(),
            format!("{}:limits", shared.prefix),
            limits,
            clock,
        )),
        None => Arc::new(InProcessRateLimiter::new(&limits, clock)),
    }
}

/// Who knows what was answered under an `Idempotency-Key`; no work takes longer than `longest`.
pub(super) fn answers(
    shared: Option<&Shared>,
    clock: &Arc<dyn Clock>,
    longest: Duration,
) -> Arc<dyn AnswerStore> {
    let own = InProcessAnswers::new(clock.clone(), idempotency::KEEP, idempotency::MOST);
    match shared {
        Some(shared) => Arc::new(RedisAnswers::new(AnswersParts {
            redis: shared.redis.clone(),
            prefix: format!("{}:answers", shared.prefix),
            keep: idempotency::KEEP,
            claim: longest,
            away: own,
            tracker: shared.tracker.clone(),
        })),
        None => Arc::new(own),
    }
}

/// Does work that one replica at a time needs to do, until the end. While it is not known who does it, each
/// does: the work is such that several may.
pub(super) async fn by_one<F, Fut>(
    leases: Option<Arc<dyn Leases>>,
    name: &'static str,
    until: CancellationToken,
    work: F,
) where
    F: Fn(CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    match leases {
        Some(leases) => lead(&*leases, name, LEADER_LEASE, until, work).await,
        None => work(until).await,
    }
}

fn lockout_on(redis: RedisClient, config: &Config, clock: Arc<dyn Clock>) -> Arc<dyn LockoutStore> {
    let (prefix, limits) = (&config.redis.prefix, auth::lockout_limits(config));
    Arc::new(RedisLockout::new(
        redis,
        format!("{prefix}:{{lockout}}"),
        limits,
        clock,
    ))
}

/// The lockout that replicas share, for a process that unlocks and ends; `None` without `redis.url`. A
/// Redis that is away shows in what is asked of it.
pub(super) async fn lockout(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<dyn LockoutStore>>, StartError> {
    let Some(redis) = client(config)? else {
        return Ok(None);
    };
    // Connecting may take as long as one call has time for.
    for _ in 0..CONNECTING {
        if redis.check().await == RedisStatus::Ok {
            break;
        }
    }
    Ok(Some(lockout_on(redis, config, clock)))
}

fn client(config: &Config) -> Result<Option<RedisClient>, StartError> {
    let Some(url) = &config.redis.url else {
        return Ok(None);
    };
    let ca_pem = config.redis.ca_file.as_ref().map(std::fs::read);
    let ca_pem = ca_pem
        .transpose()
        .map_err(|error| ConfigError::new("redis.ca_file", format!("cannot be read: {error}")))?;
    let client = RedisClient::new(&RedisConfig {
        url: url.clone(),
        ca_pem,
        timeout: Duration::from_millis(config.redis.timeout_ms),
    })
    .map_err(|error| {
        let key = match error {
            RedisConfigError::Url => "redis.url",
            RedisConfigError::Ca => "redis.ca_file",
        };
        ConfigError::new(key, error.to_string())
    })?;
    Ok(Some(client))
}

/// Readiness asks through this; without Redis the server goes on with less, and says so.
struct Probe {
    clients: [RedisClient; 2],
    bus: RedisBus,
}

impl SideProbe for Probe {
    fn answers(&self) -> bool {
        let ok = |client: &RedisClient| client.status() == RedisStatus::Ok;
        self.clients.iter().all(ok) && self.bus.hearing().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrong_url_names_its_key_and_keeps_its_password() {
        let mut config = Config::default();
        assert!(client(&config).unwrap().is_none());
        config.redis.url = Some("http://:canary@redis".into());
        let error = client(&config).unwrap_err().to_string();
        assert!(error.starts_with("redis.url: is not a URL"), "{error}");
        assert!(!error.contains("canary"), "{error}");
        config.redis.url = Some("redis://:canary@127.0.0.1:1/".into());
        assert!(client(&config).unwrap().is_some(), "away is no error");
        config.redis.ca_file = Some("/no/such/file".into());
        let error = client(&config).unwrap_err().to_string();
        assert!(
            error.starts_with("redis.ca_file: cannot be read"),
            "{error}"
        );
    }
}
