//! The lockout that all replicas share: attempts in Redis, in the order of their time.
//!
//! 1. Counting and refusing are one step of one script, so N attempts over all replicas are N.
//! 2. The clock is Redis's; no replica's clock has a say.
//! 3. While Redis is away each process counts on its own with half the limits (F1): never open, and
//!    two replicas together look at no more than one did.
//! 4. An attempt is settled where it was counted: the highest bit of its id tells.
//! 5. What is kept is bounded: attempts in all by [`MAX_ATTEMPTS`], each key by its time to live.
//!
//! All keys lie in one slot of a cluster, since the prefix carries a hash tag.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::{Script, ScriptInvocation};
use resync_auth::{
    AccountKey, Attempt, InProcessLockout, LockoutLimits, LockoutStore, LockoutStoreError, Outcome,
    Reservation, ReserveError,
};
use resync_kernel::{Clock, fill_random};

use crate::client::{CallError, Fallback, RedisClient};

/// How many attempts are kept at once over all replicas: some 80 MB of Redis. When full, nobody's
/// attempt is counted and so nobody's is looked at, until the oldest leaves the window.
const MAX_ATTEMPTS: u32 = 262_144;

/// Marks the ids of attempts that Redis counted; the counter of a process never gets there.
const IN_REDIS: u64 = 1 << 63;

static ATTEMPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/attempt.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/settle.lua")));
static UNLOCK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/unlock.lua")));

/// Counts attempts in Redis, or in this process while Redis is away.
pub struct RedisLockout {
    redis: RedisClient,
    prefix: String,
    limits: LockoutLimits,
    away: InProcessLockout,
}

/// Half of a limit, but one at least; none stays none.
const fn half(limit: u32) -> u32 {
    if limit == 1 { 1 } else { limit / 2 }
}

impl RedisLockout {
    /// A lockout whose keys begin with `prefix`, which should carry a hash tag, as in
    /// `resync:{lockout}`. A limit of zero looks at no password at all.
    #[must_use]
    pub fn new(
        redis: RedisClient,
        prefix: impl Into<String>,
        limits: LockoutLimits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let halved = LockoutLimits {
            per_account_and_address: half(limits.per_account_and_address),
            per_account: half(limits.per_account),
            per_address: half(limits.per_address),
            window: limits.window,
        };
        Self {
            redis,
            prefix: prefix.into(),
            limits,
            away: InProcessLockout::new(halved, clock),
        }
    }

    fn account(&self, account: AccountKey) -> String {
        format!("{}:account:{}", self.prefix, hex(account))
    }

    /// A call with the keys and the first arguments that all scripts on an attempt share.
    fn call<'a>(&self, script: &'a Script, id: &str, attempt: Attempt) -> ScriptInvocation<'a> {
        let address = attempt.address.ip().to_string();
        let mut call = script.prepare_invoke();
        call.key(self.account(attempt.account))
            .key(format!("{}:address:{address}", self.prefix))
            .key(format!("{}:all", self.prefix))
            .arg(id)
            .arg(address)
            .arg(hex(attempt.account));
        call
    }

    /// Counts the attempt `id`, or asks where it is empty: how long it would be refused.
    async fn wait(&self, id: &str, attempt: Attempt) -> Result<Option<Duration>, CallError> {
        let LockoutLimits {
            per_account_and_address,
            per_account,
            per_address,
            window,
        } = self.limits;
        if self.limits.forbid_all() {
            return Ok(Some(window));
        }
        let mut call = self.call(&ATTEMPT, id, attempt);
        call.arg(u64::try_from(window.as_micros()).unwrap_or(u64::MAX))
            .arg(per_account_and_address)
            .arg(per_account)
            .arg(per_address)
            .arg(MAX_ATTEMPTS);
        let wait: u64 = self.redis.run(&call).await?;
        Ok((wait > 0).then(|| Duration::from_micros(wait)))
    }
}

/// The key as it stands in Redis: it names an account without keeping its name.
fn hex(account: AccountKey) -> String {
    format!("{:032x}", u128::from_be_bytes(account.0))
}

#[async_trait]
impl LockoutStore for RedisLockout {
    async fn reserve(&self, attempt: Attempt) -> Result<Reservation, ReserveError> {
        // Drawn here, not counted there: after Redis lost everything no old id means a new attempt.
        let mut random = [0; 8];
        fill_random(&mut random).map_err(|error| LockoutStoreError(error.into()))?;
        let id = u64::from_be_bytes(random) | IN_REDIS;
        match self.wait(&id.to_string(), attempt).await {
            Ok(None) => Ok(Reservation { id, attempt }),
            Ok(Some(retry_after)) => Err(ReserveError::Locked { retry_after }),
            Err(_) => {
                self.redis.fell_back(Fallback::Lockout);
                self.away.reserve(attempt).await
            }
        }
    }

    async fn settle(
        &self,
        reservation: Reservation,
        outcome: Outcome,
    ) -> Result<(), LockoutStoreError> {
        if reservation.id & IN_REDIS == 0 {
            return self.away.settle(reservation, outcome).await;
        }
        let id = reservation.id.to_string();
        let mut call = self.call(&SETTLE, &id, reservation.attempt);
        call.arg(u8::from(outcome == Outcome::Succeeded));
        self.redis
            .run(&call)
            .await
            .map_err(|error| LockoutStoreError(Box::new(error)))
    }

    async fn locked_for(&self, attempt: Attempt) -> Result<Option<Duration>, LockoutStoreError> {
        match self.wait("", attempt).await {
            Ok(wait) => Ok(wait),
            Err(_) => self.away.locked_for(attempt).await,
        }
    }

    /// Forgets what Redis and this process count. While Redis is away it is an error, since what it
    /// counts would be back with it.
    async fn unlock(&self, account: AccountKey) -> Result<(), LockoutStoreError> {
        self.away.unlock(account).await?;
        let mut call = UNLOCK.prepare_invoke();
        call.key(self.account(account));
        self.redis
            .run(&call)
            .await
            .map_err(|error| LockoutStoreError(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_limit_is_never_more_and_never_none() {
        assert_eq!([0, 1, 2, 5, 20, 30].map(half), [0, 1, 1, 2, 10, 15]);
    }

    #[test]
    fn an_account_is_named_by_its_digest_with_all_digits() {
        assert_eq!(hex(AccountKey([0; 16])), "0".repeat(32));
        assert_eq!(hex(AccountKey([0xab; 16])), "ab".repeat(16));
    }
}
