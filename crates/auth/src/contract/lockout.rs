//! The laws of [`LockoutStore`], with the limits of [`LockoutLimits::default`]: 5, 20 and 30 in 15
//! minutes.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::ports::{
    AccountKey, Attempt, LockoutLimits, LockoutStore, Outcome, Reservation, ReserveError,
};

/// An empty store with the default limits whose clock the laws can move.
#[async_trait]
pub trait LockoutHarness: Send + Sync {
    /// The store; each call is another client of the same store, where that makes a difference.
    fn store(&self) -> Arc<dyn LockoutStore>;
    /// Lets time pass for the store.
    async fn advance(&self, by: Duration);
}

/// Gives an adapter one test for each law; `$make` returns the future of a [`LockoutHarness`].
#[macro_export]
macro_rules! lockout_store_contract {
    ($make:path) => {
        $crate::lockout_store_contract!(@ $make:
            five_attempts_are_looked_at_and_the_sixth_is_refused,
            forty_attempts_at_once_are_five,
            the_owner_gets_in_from_elsewhere,
            an_account_is_slowed_over_all_addresses,
            an_address_is_slowed_over_all_accounts,
            the_window_slides,
            a_refused_attempt_does_not_prolong_the_lock,
            the_time_to_wait_falls,
            a_right_password_forgets_the_failures_of_its_address,
            a_right_password_frees_neither_the_account_nor_the_address,
            an_attempt_that_was_not_looked_at_is_given_back_alone,
            an_attempt_is_given_back_once,
            asking_does_not_count,
            an_unlocked_account_can_try_again_and_its_addresses_are_as_before,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let harness = $make().await;
                $crate::contract::lockout::$law(&harness).await;
            }
        )*
    };
}

fn from(account: &str, host: u8) -> Attempt {
    Attempt::new(account, IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)))
}

async fn looked_at(store: &dyn LockoutStore, attempt: Attempt) -> Reservation {
    store.reserve(attempt).await.unwrap()
}

async fn refused(store: &dyn LockoutStore, attempt: Attempt) -> Option<Duration> {
    match store.reserve(attempt).await {
        Ok(_) => None,
        Err(ReserveError::Locked { retry_after }) => Some(retry_after),
        Err(ReserveError::Store(error)) => panic!("{error:?}"),
    }
}

const MINUTE: Duration = Duration::from_mins(1);

/// The limit for one account from one address, whatever case the name is written in.
pub async fn five_attempts_are_looked_at_and_the_sixth_is_refused(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for name in ["ana", "Ana", "ANA", "aNA", "ana"] {
        looked_at(&*store, from(name, 1)).await;
    }
    let wait = refused(&*store, from("ana", 1)).await.unwrap();
    assert!(
        wait > Duration::from_secs(14 * 60 + 50) && wait <= 15 * MINUTE,
        "{wait:?}"
    );
}

/// A2: N is N under parallelism, through as many clients of the store as there are attempts.
pub async fn forty_attempts_at_once_are_five(harness: &dyn LockoutHarness) {
    let mut attempts = JoinSet::new();
    for _ in 0..40 {
        let store = harness.store();
        attempts.spawn(async move { store.reserve(from("ana", 1)).await });
    }
    let mut ids = HashSet::new();
    let mut locked = 0;
    while let Some(answer) = attempts.join_next().await {
        match answer.unwrap() {
            Ok(reservation) => assert!(ids.insert(reservation.id), "one name for two attempts"),
            Err(ReserveError::Locked { .. }) => locked += 1,
            Err(ReserveError::Store(error)) => panic!("{error:?}"),
        }
    }
    assert_eq!((ids.len(), locked), (5, 35));
}

/// A3: the lock is no weapon against the owner.
pub async fn the_owner_gets_in_from_elsewhere(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
    for _ in 0..40 {
        assert!(refused(&*store, from("ana", 1)).await.is_some());
    }
    looked_at(&*store, from("ana", 2)).await;
    looked_at(&*store, from("bia", 1)).await;
}

/// Many addresses together get 20 attempts on one account.
pub async fn an_account_is_slowed_over_all_addresses(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for host in 0..20 {
        looked_at(&*store, from("ana", host)).await;
    }
    assert!(refused(&*store, from("ana", 99)).await.is_some());
    looked_at(&*store, from("bia", 99)).await;
}

/// One address gets 30 attempts over all accounts.
pub async fn an_address_is_slowed_over_all_accounts(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for number in 0..30 {
        looked_at(&*store, from(&format!("user{number}"), 1)).await;
    }
    assert!(refused(&*store, from("ana", 1)).await.is_some());
    looked_at(&*store, from("ana", 2)).await;
}

/// Each attempt counts for the window from its own time on.
pub async fn the_window_slides(harness: &dyn LockoutHarness) {
    let store = harness.store();
    looked_at(&*store, from("ana", 1)).await;
    harness.advance(5 * MINUTE).await;
    for _ in 0..4 {
        looked_at(&*store, from("ana", 1)).await;
    }
    assert!(refused(&*store, from("ana", 1)).await.is_some());
    harness.advance(10 * MINUTE).await;
    looked_at(&*store, from("ana", 1)).await;
    assert!(
        refused(&*store, from("ana", 1)).await.is_some(),
        "one came free, not five"
    );
    harness.advance(5 * MINUTE).await;
    for _ in 0..4 {
        looked_at(&*store, from("ana", 1)).await;
    }
    assert!(refused(&*store, from("ana", 1)).await.is_some());
}

/// Knocking on a closed door does not keep it closed.
pub async fn a_refused_attempt_does_not_prolong_the_lock(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
    harness.advance(14 * MINUTE).await;
    for _ in 0..40 {
        assert!(refused(&*store, from("ana", 1)).await.is_some());
    }
    harness.advance(MINUTE).await;
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
}

/// Who waits as told gets in.
pub async fn the_time_to_wait_falls(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
    let first = refused(&*store, from("ana", 1)).await.unwrap();
    harness.advance(5 * MINUTE).await;
    let later = refused(&*store, from("ana", 1)).await.unwrap();
    let fell = first.checked_sub(later).unwrap();
    assert!(
        fell >= 5 * MINUTE && fell < 6 * MINUTE,
        "{first:?} then {later:?}"
    );
    harness.advance(later).await;
    looked_at(&*store, from("ana", 1)).await;
}

/// Success before the lock clears what was counted for this account from this address.
pub async fn a_right_password_forgets_the_failures_of_its_address(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for _ in 0..4 {
        looked_at(&*store, from("ana", 1)).await;
    }
    let right = looked_at(&*store, from("ana", 1)).await;
    assert!(
        refused(&*store, from("ana", 1)).await.is_some(),
        "even with the right password"
    );
    store.settle(right, Outcome::Succeeded).await.unwrap();
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
    assert!(refused(&*store, from("ana", 1)).await.is_some());
}

/// A guesser cannot clear the counts with an account of its own, nor by the owner's logins.
pub async fn a_right_password_frees_neither_the_account_nor_the_address(
    harness: &dyn LockoutHarness,
) {
    let store = harness.store();
    for number in 0..29 {
        looked_at(&*store, from(&format!("user{number}"), 1)).await;
    }
    let own = looked_at(&*store, from("own", 1)).await;
    store.settle(own, Outcome::Succeeded).await.unwrap();
    looked_at(&*store, from("user0", 1)).await;
    assert!(refused(&*store, from("user1", 1)).await.is_some());

    for host in 10..29 {
        looked_at(&*store, from("ana", host)).await;
    }
    let owner = looked_at(&*store, from("ana", 50)).await;
    store.settle(owner, Outcome::Succeeded).await.unwrap();
    looked_at(&*store, from("ana", 51)).await;
    assert!(refused(&*store, from("ana", 52)).await.is_some());
}

/// A hasher that is overloaded costs nobody an attempt.
pub async fn an_attempt_that_was_not_looked_at_is_given_back_alone(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for _ in 0..4 {
        looked_at(&*store, from("ana", 1)).await;
    }
    let unread = looked_at(&*store, from("ana", 1)).await;
    store.settle(unread, Outcome::NotLooked).await.unwrap();
    looked_at(&*store, from("ana", 1)).await;
    assert!(refused(&*store, from("ana", 1)).await.is_some());
}

/// A reservation is worth one attempt, also when it is shown again.
pub async fn an_attempt_is_given_back_once(harness: &dyn LockoutHarness) {
    let store = harness.store();
    let unread = looked_at(&*store, from("ana", 1)).await;
    for _ in 0..4 {
        looked_at(&*store, from("ana", 1)).await;
    }
    store
        .settle(unread.clone(), Outcome::NotLooked)
        .await
        .unwrap();
    store.settle(unread, Outcome::NotLooked).await.unwrap();
    looked_at(&*store, from("ana", 1)).await;
    assert!(refused(&*store, from("ana", 1)).await.is_some());
}

/// The state can be shown without changing it.
pub async fn asking_does_not_count(harness: &dyn LockoutHarness) {
    let store = harness.store();
    for _ in 0..40 {
        assert_eq!(store.locked_for(from("ana", 1)).await.unwrap(), None);
    }
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
    let wait = store.locked_for(from("ana", 1)).await.unwrap().unwrap();
    assert!(wait <= LockoutLimits::default().window, "{wait:?}");
    assert_eq!(store.locked_for(from("ana", 2)).await.unwrap(), None);
}

/// An admin lets a user in again, and not the address that guesses.
pub async fn an_unlocked_account_can_try_again_and_its_addresses_are_as_before(
    harness: &dyn LockoutHarness,
) {
    let store = harness.store();
    for number in 0..25 {
        looked_at(&*store, from(&format!("user{number}"), 1)).await;
    }
    for _ in 0..5 {
        looked_at(&*store, from("ana", 1)).await;
    }
    for host in 2..17 {
        looked_at(&*store, from("ana", host)).await;
    }
    assert!(refused(&*store, from("ana", 40)).await.is_some());
    store.unlock(AccountKey::of("Ana")).await.unwrap();
    looked_at(&*store, from("ana", 40)).await;
    assert!(
        refused(&*store, from("ana", 1)).await.is_some(),
        "the address has used up its 30"
    );
    assert!(refused(&*store, from("bia", 1)).await.is_some());
}
