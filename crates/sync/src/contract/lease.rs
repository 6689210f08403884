//! The laws of [`Leases`]. What happens to a lease of a process that died is a matter of each adapter.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::soon;
use crate::Leases;

/// Leases that nobody holds.
#[async_trait]
pub trait LeasesHarness: Send + Sync {
    /// Those of another replica.
    async fn replica(&self) -> Arc<dyn Leases>;
}

/// Gives an adapter one test for each law; `$make` returns the future of a [`LeasesHarness`].
#[macro_export]
macro_rules! leases_contract {
    ($make:path) => {
        $crate::__sync_laws!(
            lease,
            $make,
            one_holds_a_name,
            a_lease_goes_on_to_the_next,
            a_later_holder_has_a_greater_number,
        );
    };
}

const TTL: Duration = Duration::from_mins(5);

/// Of those who ask at once, one; and another name is another lease.
pub async fn one_holds_a_name(harness: &dyn LeasesHarness) {
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let leases = harness.replica().await;
        asked.spawn(async move { leases.acquire("a", TTL).await.unwrap() });
    }
    let held = asked.join_all().await.into_iter().flatten();
    let held = held.collect::<Vec<_>>();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(!held[0].lost().is_cancelled());
    let other = harness.replica().await.acquire("b", TTL).await.unwrap();
    assert!(other.is_some());
}

/// Once it is dropped, without waiting for its time to live.
pub async fn a_lease_goes_on_to_the_next(harness: &dyn LeasesHarness) {
    let (one, other) = (harness.replica().await, harness.replica().await);
    let held = one.acquire("a", TTL).await.unwrap().unwrap();
    assert!(other.acquire("a", TTL).await.unwrap().is_none());
    drop(held);
    let next = soon(|| async { other.acquire("a", TTL).await.unwrap() }).await;
    assert!(one.acquire("a", TTL).await.unwrap().is_none());
    assert!(!next.lost().is_cancelled());
}

/// From holder to holder.
pub async fn a_later_holder_has_a_greater_number(harness: &dyn LeasesHarness) {
    let replicas = [harness.replica().await, harness.replica().await];
    let mut last = 0;
    for leases in replicas.iter().cycle().take(6) {
        let held = soon(|| async { leases.acquire("a", TTL).await.unwrap() }).await;
        assert!(held.fencing() > last, "{} after {last}", held.fencing());
        last = held.fencing();
    }
}
