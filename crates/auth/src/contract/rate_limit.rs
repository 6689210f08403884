//! The laws of [`RateLimiter`], with the limits of [`RateLimits::default`].
//!
//! [`RateLimits::default`]: crate::RateLimits

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::UserId;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ports::AddressKey;
use crate::{RateClass, RateDecision, RateKey, RateLimiter};

/// A limiter that has counted nothing, with the default limits, whose clock the laws can move.
#[async_trait]
pub trait RateLimiterHarness: Send + Sync {
    /// The limiter; each call is another client of the same counts, where that makes a difference.
    fn limiter(&self) -> Arc<dyn RateLimiter>;
    /// Lets time pass for the limiter.
    async fn advance(&self, by: Duration);
}

/// Gives an adapter one test for each law; `$make` returns the future of a [`RateLimiterHarness`].
#[macro_export]
macro_rules! rate_limiter_contract {
    ($make:path) => {
        $crate::rate_limiter_contract!(@ $make:
            the_limit_passes_at_once_and_one_more_is_refused,
            the_named_wait_lets_one_pass,
            a_refusal_costs_nothing,
            a_quiet_minute_gives_it_all_back,
            keys_and_classes_share_nothing,
            forty_at_once_are_the_limit,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let harness = $make().await;
                $crate::contract::rate_limit::$law(&harness).await;
            }
        )*
    };
}

fn user(number: u128) -> RateKey {
    RateKey::User(UserId(Uuid::from_u128(number)))
}

async fn take(limiter: &dyn RateLimiter, class: RateClass, key: RateKey) -> RateDecision {
    limiter.take(class, key).await.unwrap()
}

/// `remaining` counts down, `reset_after` grows, and both are zero and a minute at the end.
pub async fn the_limit_passes_at_once_and_one_more_is_refused(harness: &dyn RateLimiterHarness) {
    let limiter = harness.limiter();
    for left in (0..30).rev() {
        let decision = take(&*limiter, RateClass::Chat, user(1)).await;
        assert_eq!((decision.limit, decision.remaining), (30, left));
        assert_eq!(decision.retry_after, None);
        assert_eq!(
            decision.reset_after,
            Duration::from_secs(u64::from(2 * (30 - left)))
        );
    }
    let refused = take(&*limiter, RateClass::Chat, user(1)).await;
    assert_eq!((refused.limit, refused.remaining), (30, 0));
    let wait = refused.retry_after.unwrap();
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_secs(2),
        "{wait:?}"
    );
}

/// The limit is spread over the minute: whoever waits as told passes once.
pub async fn the_named_wait_lets_one_pass(harness: &dyn RateLimiterHarness) {
    let limiter = harness.limiter();
    let login = RateKey::Address(AddressKey::of([192, 0, 2, 7].into()));
    for _ in 0..10 {
        take(&*limiter, RateClass::Login, login).await;
    }
    let wait = take(&*limiter, RateClass::Login, login).await.retry_after;
    harness.advance(wait.unwrap()).await;
    let passed = take(&*limiter, RateClass::Login, login).await;
    assert_eq!(passed.retry_after, None);
    let refused = take(&*limiter, RateClass::Login, login).await;
    assert!(refused.retry_after.is_some());
}

/// Asking in vain does not prolong the wait.
pub async fn a_refusal_costs_nothing(harness: &dyn RateLimiterHarness) {
    let limiter = harness.limiter();
    for _ in 0..20 {
        take(&*limiter, RateClass::Actions, user(1)).await;
    }
    let first = take(&*limiter, RateClass::Actions, user(1))
        .await
        .retry_after;
    for _ in 0..50 {
        let again = take(&*limiter, RateClass::Actions, user(1))
            .await
            .retry_after;
        assert!(again.is_some() && again <= first);
    }
    harness.advance(first.unwrap()).await;
    let passed = take(&*limiter, RateClass::Actions, user(1)).await;
    assert_eq!(passed.retry_after, None);
}

/// After a minute without a request the whole limit is there again, and not more.
pub async fn a_quiet_minute_gives_it_all_back(harness: &dyn RateLimiterHarness) {
    let limiter = harness.limiter();
    for _ in 0..2 {
        for _ in 0..20 {
            let passed = take(&*limiter, RateClass::Uploads, user(1)).await;
            assert_eq!(passed.retry_after, None);
        }
        assert!(
            take(&*limiter, RateClass::Uploads, user(1))
                .await
                .retry_after
                .is_some()
        );
        harness.advance(Duration::from_mins(1)).await;
    }
}

/// A user, another user, a key of the same number and another class each have their own.
pub async fn keys_and_classes_share_nothing(harness: &dyn RateLimiterHarness) {
    let limiter = harness.limiter();
    for _ in 0..30 {
        take(&*limiter, RateClass::Chat, user(1)).await;
    }
    assert!(
        take(&*limiter, RateClass::Chat, user(1))
            .await
            .retry_after
            .is_some()
    );
    for (class, key) in [
        (RateClass::Chat, user(2)),
        (
            RateClass::Chat,
            RateKey::ApiKey(crate::TokenId(Uuid::from_u128(1))),
        ),
        (RateClass::Api, user(1)),
    ] {
        let other = take(&*limiter, class, key).await;
        assert_eq!(other.remaining + 1, other.limit);
    }
}

/// Counting and refusing are one step, through as many clients as there are requests.
pub async fn forty_at_once_are_the_limit(harness: &dyn RateLimiterHarness) {
    let mut requests = JoinSet::new();
    for _ in 0..40 {
        let limiter = harness.limiter();
        requests.spawn(async move { limiter.take(RateClass::Uploads, user(1)).await });
    }
    let mut passed = 0;
    while let Some(answer) = requests.join_next().await {
        passed += u32::from(answer.unwrap().unwrap().retry_after.is_none());
    }
    assert_eq!(passed, 20);
}
