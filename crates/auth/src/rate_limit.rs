//! How often a principal may ask, by class of request: the port, and its adapter in one process.
//!
//! The algorithm is GCRA: a key that has been quiet may send its limit at once, and earns one more
//! request each `60 s / limit`. The adapter is `governor` on our clock.
//!
//! 1. `keys_and_classes_share_nothing`.
//! 2. `a_refusal_costs_nothing`: asking in vain does not prolong the wait.
//! 3. `quiet_keys_leave`: a key that has earned its whole limit again is forgotten.
//! 4. `a_full_table_is_one_key`: past its capacity the table counts everybody together until quiet
//!    keys have left; it neither grows on nor lets anybody in uncounted.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock as GovernorClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter as Governor};
use resync_kernel::{BoxError, Clock, UserId};
use thiserror::Error;

use crate::model::{Principal, TokenId};
use crate::ports::AddressKey;

/// What kind of request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Signing in, by address.
    Login,
    /// Questions.
    Chat,
    /// Everything else.
    Api,
    /// Proposing and confirming actions.
    Actions,
    /// Uploading documents.
    Uploads,
}

impl RateClass {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 5] = [
        Self::Login,
        Self::Chat,
        Self::Api,
        Self::Actions,
        Self::Uploads,
    ];

    /// The word in headers, metrics and the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Chat => "chat",
            Self::Api => "api",
            Self::Actions => "actions",
            Self::Uploads => "uploads",
        }
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// Whoever asks from there.
    Address(AddressKey),
    /// A user, over all sessions.
    User(UserId),
    /// An API key, apart from its owner.
    ApiKey(TokenId),
    /// Everybody, while a table is full.
    Overflow,
}

impl RateKey {
    /// The key of whoever is proven to ask.
    #[must_use]
    pub fn of(principal: &Principal) -> Self {
        // Only an API key stands for both.
        if principal.session_id.0 == principal.token_id.0 {
            Self::ApiKey(principal.token_id)
        } else {
            Self::User(principal.user_id)
        }
    }
}

/// Requests a minute, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// [`RateClass::Login`].
    pub login: NonZeroU32,
    /// [`RateClass::Chat`].
    pub chat: NonZeroU32,
    /// [`RateClass::Api`].
    pub api: NonZeroU32,
    /// [`RateClass::Actions`].
    pub actions: NonZeroU32,
    /// [`RateClass::Uploads`].
    pub uploads: NonZeroU32,
}

impl RateLimits {
    /// The limit of a class.
    #[must_use]
    pub const fn of(&self, class: RateClass) -> NonZeroU32 {
        match class {
            RateClass::Login => self.login,
            RateClass::Chat => self.chat,
            RateClass::Api => self.api,
            RateClass::Actions => self.actions,
            RateClass::Uploads => self.uploads,
        }
    }

    /// Half of each, at least one: for a process that counts alone while the store it shares with
    /// others is away.
    #[must_use]
    pub fn halved(&self) -> Self {
        let half = |limit: NonZeroU32| NonZeroU32::new(limit.get() / 2).unwrap_or(NonZeroU32::MIN);
        Self {
            login: half(self.login),
            chat: half(self.chat),
            api: half(self.api),
            actions: half(self.actions),
            uploads: half(self.uploads),
        }
    }
}

impl Default for RateLimits {
    /// 10 logins, 30 questions, 600 other requests, 20 actions and 20 uploads.
    fn default() -> Self {
        let limit = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            login: limit(10),
            chat: limit(30),
            api: limit(600),
            actions: limit(20),
            uploads: limit(20),
        }
    }
}

/// How a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Requests a minute of this class.
    pub limit: u32,
    /// Requests that would pass now, at once.
    pub remaining: u32,
    /// Until `remaining` is `limit` again.
    pub reset_after: Duration,
    /// `None` when the request may pass; else how long until one may.
    pub retry_after: Option<Duration>,
}

/// The store did not answer; the request must not pass uncounted.
#[derive(Debug, Error)]
#[error("the rate limiter is unavailable")]
pub struct RateLimiterError(#[source] pub BoxError);

/// Counts requests. The laws are in `contract::rate_limit`.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one request of `key`, or refuses it, in one step.
    ///
    /// Cancel safe: a dropped call has counted once or not at all.
    async fn take(&self, class: RateClass, key: RateKey) -> Result<RateDecision, RateLimiterError>;
}

/// Keys of one class at most: some 8 MB.
const MAX_KEYS: usize = 65_536;
/// How many requests of a class pass between two looks at its table's size.
const LOOK_EVERY: u32 = 256;

/// Counts requests in this process.
pub struct InProcessRateLimiter {
    classes: [Class; RateClass::ALL.len()],
}

struct Class {
    limit: NonZeroU32,
    keys: Governor<RateKey, DashMapStateStore<RateKey>, OurClock, StateInformationMiddleware>,
    capacity: usize,
    // Only paces the looks; that two threads may look at once harms nobody.
    since_look: AtomicU32,
    full: AtomicBool,
}

impl InProcessRateLimiter {
    /// A limiter that has counted nothing, on the monotonic side of `clock`.
    #[must_use]
    pub fn new(limits: &RateLimits, clock: &Arc<dyn Clock>) -> Self {
        Self::with_capacity(limits, clock, MAX_KEYS)
    }

    fn with_capacity(limits: &RateLimits, clock: &Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            classes: RateClass::ALL.map(|class| Class::new(limits.of(class), clock, capacity)),
        }
    }

    fn class(&self, class: RateClass) -> &Class {
        let [login, chat, api, actions, uploads] = &self.classes;
        match class {
            RateClass::Login => login,
            RateClass::Chat => chat,
            RateClass::Api => api,
            RateClass::Actions => actions,
            RateClass::Uploads => uploads,
        }
    }

    /// Counts as [`RateLimiter::take`] does, without a future: nothing here waits.
    pub fn take_now(&self, class: RateClass, key: RateKey) -> RateDecision {
        self.class(class).take(key)
    }
}

#[async_trait]
impl RateLimiter for InProcessRateLimiter {
    async fn take(&self, class: RateClass, key: RateKey) -> Result<RateDecision, RateLimiterError> {
        Ok(self.take_now(class, key))
    }
}

impl Class {
    fn new(limit: NonZeroU32, clock: &Arc<dyn Clock>, capacity: usize) -> Self {
        let quota = Quota::per_minute(limit);
        let clock = OurClock(Arc::clone(clock));
        Self {
            limit,
            keys: Governor::new(quota, DashMapStateStore::default(), clock),
            capacity,
            since_look: AtomicU32::new(0),
            full: AtomicBool::new(false),
        }
    }

    fn take(&self, key: RateKey) -> RateDecision {
        if self
            .since_look
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(LOOK_EVERY)
        {
            self.look();
        }
        // Between two looks the table grows by as many keys as there are requests at most.
        let full = self.full.load(Ordering::Relaxed);
        self.count(if full { RateKey::Overflow } else { key })
    }

    /// Lets quiet keys leave once half of the room is taken.
    fn look(&self) {
        if self.keys.len() > self.capacity / 2 {
            self.keys.retain_recent();
        }
        let full = self.keys.len() >= self.capacity;
        if full && !self.full.load(Ordering::Relaxed) {
            tracing::warn!(
                keys = self.capacity,
                "a table of rate limits is full; everybody is counted together for a while"
            );
        }
        self.full.store(full, Ordering::Relaxed);
    }

    fn count(&self, key: RateKey) -> RateDecision {
        let limit = self.limit.get();
        let each = Duration::from_mins(1) / limit;
        match self.keys.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                RateDecision {
                    limit,
                    remaining,
                    reset_after: each.saturating_mul(limit.saturating_sub(remaining)),
                    retry_after: None,
                }
            }
            Err(refused) => RateDecision {
                limit,
                remaining: 0,
                reset_after: each.saturating_mul(limit),
                retry_after: Some(refused.wait_time_from(self.keys.clock().now())),
            },
        }
    }
}

/// The monotonic side of a [`Clock`], as `governor` wants it.
struct OurClock(Arc<dyn Clock>);

impl GovernorClock for OurClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic().since_start()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use resync_kernel::ManualClock;
    use uuid::Uuid;

    use super::*;

    fn limiter(capacity: usize) -> (Arc<ManualClock>, InProcessRateLimiter) {
        let clock = Arc::new(ManualClock::default());
        let ours: Arc<dyn Clock> = clock.clone();
        let limiter = InProcessRateLimiter::with_capacity(&RateLimits::default(), &ours, capacity);
        (clock, limiter)
    }

    fn from(host: u32) -> RateKey {
        RateKey::Address(AddressKey::of(IpAddr::V4(Ipv4Addr::from_bits(host))))
    }

    #[test]
    fn quiet_keys_leave() {
        let (clock, limiter) = limiter(1000);
        for host in 0..900 {
            limiter.take_now(RateClass::Login, from(host));
        }
        // A login earns its one request again within 6 s, and is forgotten after as many more.
        clock.advance(Duration::from_secs(13));
        for _ in 0..LOOK_EVERY {
            limiter.take_now(RateClass::Login, from(0));
        }
        assert_eq!(limiter.class(RateClass::Login).keys.len(), 1);
    }

    #[test]
    fn a_full_table_is_one_key() {
        let (clock, limiter) = limiter(300);
        let passed = |hosts: std::ops::Range<u32>| {
            hosts
                .filter(|host| {
                    limiter
                        .take_now(RateClass::Login, from(*host))
                        .retry_after
                        .is_none()
                })
                .count()
        };
        assert_eq!(passed(0..2 * LOOK_EVERY), 512);
        assert_eq!(passed(1000..100_000), 10);
        assert!(limiter.class(RateClass::Login).keys.len() <= 600);
        clock.advance(Duration::from_mins(1));
        assert!(passed(0..2 * LOOK_EVERY) >= 250);
        assert_eq!(limiter.take_now(RateClass::Api, from(1)).retry_after, None);
    }

    #[test]
    fn a_key_is_a_principal_of_its_own() {
        use crate::model::{Role, SessionId, Username};
        let mut principal = Principal {
            user_id: UserId(Uuid::from_u128(1)),
            username: Username::parse("ana").unwrap(),
            role: Role::Service,
            scopes: None,
            session_id: SessionId(Uuid::from_u128(2)),
            token_id: TokenId(Uuid::from_u128(3)),
            expires_at: chrono::DateTime::UNIX_EPOCH,
        };
        assert_eq!(RateKey::of(&principal), RateKey::User(principal.user_id));
        principal.session_id = SessionId(Uuid::from_u128(3));
        assert_eq!(RateKey::of(&principal), RateKey::ApiKey(principal.token_id));
    }

    #[test]
    fn half_of_a_limit_is_never_none() {
        let one = RateLimits {
            login: NonZeroU32::MIN,
            ..RateLimits::default()
        };
        assert_eq!(one.halved().login.get(), 1);
        assert_eq!(one.halved().chat.get(), 15);
    }
}
