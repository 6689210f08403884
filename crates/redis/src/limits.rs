//! How often a principal may ask, over all replicas.
//!
//! 1. Counting and refusing are one step of one script (GCRA), by Redis's clock.
//! 2. While Redis is away each process counts on its own with half of each limit (F1): never open, and two
//!    replicas together let no more through than one did.
//! 3. A key that has been quiet is gone once it has earned its whole limit again.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use resync_auth::{
    InProcessRateLimiter, RateClass, RateDecision, RateKey, RateLimiter, RateLimiterError,
    RateLimits,
};
use resync_kernel::Clock;

use crate::client::{Fallback, RedisClient};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/take.lua")));

/// Counts requests in Redis, or in this process while Redis is away.
pub struct RedisRateLimiter {
    redis: RedisClient,
    prefix: String,
    limits: RateLimits,
    away: InProcessRateLimiter,
}

impl RedisRateLimiter {
    /// A limiter whose keys begin with `prefix`. Each call touches one key, so it needs no hash tag.
    #[must_use]
    pub fn new(
        redis: RedisClient,
        prefix: impl Into<String>,
        limits: RateLimits,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            redis,
            prefix: prefix.into(),
            limits,
            away: InProcessRateLimiter::new(&limits.halved(), clock),
        }
    }

    fn key(&self, class: RateClass, key: RateKey) -> String {
        let (prefix, class) = (&self.prefix, class.as_str());
        match key {
            RateKey::Address(address) => format!("{prefix}:{class}:address:{}", address.ip()),
            RateKey::User(user) => format!("{prefix}:{class}:user:{}", user.0),
            RateKey::ApiKey(key) => format!("{prefix}:{class}:key:{}", key.0),
            RateKey::Overflow => format!("{prefix}:{class}:overflow"),
        }
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn take(&self, class: RateClass, key: RateKey) -> Result<RateDecision, RateLimiterError> {
        let limit = self.limits.of(class).get();
        let each = Duration::from_mins(1) / limit;
        let mut call = TAKE.prepare_invoke();
        call.key(self.key(class, key))
            .arg(u64::try_from(each.as_micros()).unwrap_or(u64::MAX).max(1))
            .arg(limit);
        let Ok((remaining, wait)) = self.redis.run::<(u32, u64)>(&call).await else {
            self.redis.fell_back(Fallback::Limits);
            return Ok(self.away.take_now(class, key));
        };
        Ok(RateDecision {
            limit,
            remaining,
            reset_after: each.saturating_mul(limit.saturating_sub(remaining)),
            retry_after: (wait > 0).then(|| Duration::from_micros(wait)),
        })
    }
}
