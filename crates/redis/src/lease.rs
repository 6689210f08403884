//! Leases on names, in Redis.
//!
//! 1. A lease ends in Redis no sooner than its holder is told: its time is counted from before the question.
//! 2. It is renewed at a third of its time, and after a failure ten times a second, for as long as it lasts.
//! 3. What a holder left behind frees the name after its time to live.
//!
//! The keys of one name lie in one slot of a cluster, since the prefix carries a hash tag.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use resync_kernel::{IdGenerator, SystemIds};
use resync_sync::{Lease, LeaseError, Leases};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{RedisClient, millis};
use crate::entries::RELEASE;

/// How long the number of the last holder is kept.
const NUMBER_LIVES: Duration = Duration::from_hours(30 * 24);
/// Pause between two tries to renew after a failure.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// The least time to live.
const LEAST: Duration = Duration::from_secs(1);

static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/acquire.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/renew.lua")));

/// Keeps leases in Redis.
pub struct RedisLeases {
    redis: RedisClient,
    prefix: String,
    tracker: TaskTracker,
}

impl RedisLeases {
    /// Leases whose keys begin with `prefix`, which should carry a hash tag, as in `resync:{lease}`. They
    /// are renewed and given back on `tracker`.
    #[must_use]
    pub fn new(redis: RedisClient, prefix: impl Into<String>, tracker: TaskTracker) -> Self {
        Self {
            redis,
            prefix: prefix.into(),
            tracker,
        }
    }
}

#[async_trait]
impl Leases for RedisLeases {
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LeaseError> {
        let ttl = ttl.max(LEAST);
        let held = Held {
            redis: self.redis.clone(),
            key: format!("{}:{name}", self.prefix),
            token: SystemIds.next().simple().to_string(),
            ttl,
        };
        let asked = Instant::now();
        let mut call = ACQUIRE.prepare_invoke();
        call.key(&held.key)
            .key(format!("{}:number:{name}", self.prefix))
            .arg(&held.token)
            .arg(millis(ttl))
            .arg(millis(NUMBER_LIVES));
        let number: u64 = self
            .redis
            .run(&call)
            .await
            .map_err(|error| LeaseError(error.into()))?;
        if number == 0 {
            return Ok(None);
        }
        let (lost, dropped) = (CancellationToken::new(), CancellationToken::new());
        let lease = Lease::new(number, lost.clone(), dropped.clone());
        drop(self.tracker.spawn(async move {
            tokio::select! {
                () = dropped.cancelled() => held.release().await,
                () = held.keep(asked) => lost.cancel(),
            }
        }));
        Ok(Some(lease))
    }
}

/// A lease, as the one who renews it knows it.
struct Held {
    redis: RedisClient,
    key: String,
    token: String,
    ttl: Duration,
}

impl Held {
    /// Renews the lease that was asked for at `asked`, until it may be over.
    async fn keep(&self, asked: Instant) {
        let mut over = asked + self.ttl;
        let mut next = asked + self.ttl / 3;
        loop {
            sleep_until(next.min(over)).await;
            let asked = Instant::now();
            let mut call = RENEW.prepare_invoke();
            call.key(&self.key).arg(&self.token).arg(millis(self.ttl));
            let renewed = tokio::select! {
                renewed = self.redis.run::<bool>(&call) => renewed,
                () = sleep_until(over) => return,
            };
            match renewed {
                Ok(true) => {
                    over = asked + self.ttl;
                    next = asked + self.ttl / 3;
                }
                Ok(false) => return,
                Err(_) if Instant::now() >= over => return,
                Err(_) => {
                    next = Instant::now() + TRY_AGAIN;
                }
            }
        }
    }

    /// Gives it back; where that fails, it ends by itself.
    async fn release(&self) {
        let mut call = RELEASE.prepare_invoke();
        call.key(&self.key).arg(&self.token);
        if self.redis.run::<()>(&call).await.is_err() {
            sleep(TRY_AGAIN).await;
            let (Ok(()) | Err(_)) = self.redis.run::<()>(&call).await;
        }
    }
}
