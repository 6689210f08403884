//! The laws of [`SharedEntries`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use super::SOON;
use crate::{
    EntryLease, Heard, INVALIDATED, Look, Notice, NoticeBus, SharedEntries, SharedEntry, SharedKey,
};

/// A store that holds nothing, whose clock the laws can move.
#[async_trait]
pub trait SharedHarness: Send + Sync {
    /// Another replica, which hears already.
    async fn replica(&self) -> (Arc<dyn SharedEntries>, Arc<dyn NoticeBus>);
    /// Lets time pass for the store.
    async fn advance(&self, by: Duration);
}

/// Gives an adapter one test for each law; `$make` returns the future of a [`SharedHarness`].
#[macro_export]
macro_rules! shared_entries_contract {
    ($make:path) => {
        $crate::__sync_laws!(
            shared,
            $make,
            what_one_replica_puts_the_other_finds,
            one_of_many_fetches,
            an_entry_that_is_too_old_is_fetched_anew,
            a_lease_ends_with_its_holder,
            a_lease_that_is_given_back_is_free,
            an_invalidation_makes_entries_and_running_fetches_void,
            the_other_replicas_are_told_what_is_void,
        );
    };
}

const LEASE: Duration = Duration::from_mins(5);
const LIVES: Duration = Duration::from_mins(30);
const YOUNG: Duration = Duration::from_mins(10);
/// What passes between two steps of a test, at most.
const SLACK: Duration = Duration::from_mins(1);

fn key() -> SharedKey {
    SharedKey {
        name: "e1/snapshot".to_owned(),
        scopes: ["all", "e1", "e1/c1"].map(str::to_owned).to_vec(),
    }
}

fn entry() -> SharedEntry {
    SharedEntry {
        // Not text: what is packed is bytes.
        bytes: vec![0, 255, 13, 10, 0].into(),
        age: Duration::from_secs(3),
        lives: LIVES,
    }
}

async fn look(entries: &dyn SharedEntries) -> Look {
    entries.look(&key(), YOUNG, LEASE).await.unwrap()
}

async fn leased(entries: &dyn SharedEntries) -> EntryLease {
    match look(entries).await {
        Look::Leased(lease) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

/// Its bytes and its age, which goes on.
pub async fn what_one_replica_puts_the_other_finds(harness: &dyn SharedHarness) {
    let ((one, _a), (other, _b)) = (harness.replica().await, harness.replica().await);
    let lease = leased(&*one).await;
    assert_eq!(look(&*other).await, Look::Busy);
    assert!(one.put(&key(), &lease, entry()).await.unwrap());
    for entries in [&one, &other] {
        let Look::Found { bytes, age } = look(&**entries).await else {
            panic!("nothing is found");
        };
        assert_eq!(bytes, entry().bytes);
        assert!(age >= entry().age && age < SLACK, "{age:?}");
    }
    let elsewhere = SharedKey {
        name: "e2/snapshot".to_owned(),
        ..key()
    };
    let found = other.look(&elsewhere, YOUNG, LEASE).await.unwrap();
    assert!(matches!(found, Look::Leased(_)), "{found:?}");
}

/// However many replicas ask at once.
pub async fn one_of_many_fetches(harness: &dyn SharedHarness) {
    let mut looks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (entries, bus) = harness.replica().await;
        looks.spawn(async move {
            let found = look(&*entries).await;
            drop(bus);
            found
        });
    }
    let looks = looks.join_all().await;
    let leases = looks
        .iter()
        .filter(|found| matches!(found, Look::Leased(_)));
    assert_eq!(leases.count(), 1, "{looks:?}");
    assert!(
        !looks
            .iter()
            .any(|found| matches!(found, Look::Found { .. }))
    );
}

/// By the age that the asker names; and it is gone after its life.
pub async fn an_entry_that_is_too_old_is_fetched_anew(harness: &dyn SharedHarness) {
    let (entries, _bus) = harness.replica().await;
    let lease = leased(&*entries).await;
    assert!(entries.put(&key(), &lease, entry()).await.unwrap());
    harness.advance(YOUNG / 2).await;
    let Look::Found { age, .. } = look(&*entries).await else {
        panic!("it is young enough");
    };
    assert!(age >= YOUNG / 2 && age < YOUNG / 2 + SLACK, "{age:?}");
    harness.advance(YOUNG / 2).await;
    let old = leased(&*entries).await;
    entries.release(&key(), &old).await.unwrap();
    harness.advance(LIVES).await;
    let found = entries.look(&key(), Duration::MAX, LEASE).await.unwrap();
    assert!(matches!(found, Look::Leased(_)), "{found:?}");
}

/// A holder that says nothing more holds nobody up for longer, and does not write over its successor.
pub async fn a_lease_ends_with_its_holder(harness: &dyn SharedHarness) {
    let ((one, _a), (other, _b)) = (harness.replica().await, harness.replica().await);
    let died = leased(&*one).await;
    assert_eq!(look(&*other).await, Look::Busy);
    harness.advance(LEASE).await;
    let next = leased(&*other).await;
    assert!(!one.put(&key(), &died, entry()).await.unwrap());
    one.release(&key(), &died).await.unwrap();
    assert_eq!(
        look(&*one).await,
        Look::Busy,
        "the successor holds it still"
    );
    assert!(other.put(&key(), &next, entry()).await.unwrap());
}

/// As after a fetch that failed.
pub async fn a_lease_that_is_given_back_is_free(harness: &dyn SharedHarness) {
    let ((one, _a), (other, _b)) = (harness.replica().await, harness.replica().await);
    let lease = leased(&*one).await;
    one.release(&key(), &lease).await.unwrap();
    let next = leased(&*other).await;
    assert!(other.put(&key(), &next, entry()).await.unwrap());
}

/// Each scope that an entry is within, and no other.
pub async fn an_invalidation_makes_entries_and_running_fetches_void(harness: &dyn SharedHarness) {
    let ((one, _a), (other, _b)) = (harness.replica().await, harness.replica().await);
    for scope in key().scopes {
        let lease = leased(&*one).await;
        assert!(one.put(&key(), &lease, entry()).await.unwrap());
        other.invalidate("e2").await.unwrap();
        let found = look(&*one).await;
        assert!(matches!(found, Look::Found { .. }), "{found:?}");
        other.invalidate(&scope).await.unwrap();
        let running = leased(&*one).await;
        other.invalidate(&scope).await.unwrap();
        assert!(
            !one.put(&key(), &running, entry()).await.unwrap(),
            "{scope}"
        );
        one.release(&key(), &running).await.unwrap();
    }
    let lease = leased(&*other).await;
    assert!(other.put(&key(), &lease, entry()).await.unwrap());
}

/// Once each, with the scope; who did it is not told.
pub async fn the_other_replicas_are_told_what_is_void(harness: &dyn SharedHarness) {
    let ((one, own), (_entries, bus)) = (harness.replica().await, harness.replica().await);
    let (mut own, mut others) = (own.subscribe(), bus.subscribe());
    for scope in ["e1", r#"{"engine":"é"}"#] {
        one.invalidate(scope).await.unwrap();
        let heard = timeout(SOON, others.next()).await.unwrap().unwrap();
        let told = Notice {
            topic: INVALIDATED.to_owned(),
            body: scope.to_owned(),
        };
        assert_eq!(heard, Heard::Notice(told));
    }
    // What the other says next is the first thing that the first one hears.
    let last = Notice {
        topic: "test".to_owned(),
        body: String::new(),
    };
    bus.publish(&last).await.unwrap();
    let heard = timeout(SOON, own.next()).await.unwrap();
    assert_eq!(heard, Some(Heard::Notice(last)));
}
