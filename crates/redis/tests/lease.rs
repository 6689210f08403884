//! What happens to a lease when something happens to its holder or to Redis.

use std::time::Duration;

use redis::cmd;
use resync_redis::RedisLeases;
use resync_sync::contract::soon;
use resync_sync::{Lease, Leases, TaskTracker};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};

use crate::server::{OwnRedis, TIMEOUT, ask, client, from_environment, prefix};

const TTL: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_millis(400);

fn leases(url: &str, prefix: &str) -> RedisLeases {
    RedisLeases::new(client(url, TIMEOUT), prefix, TaskTracker::new())
}

async fn held(leases: &RedisLeases) -> Lease {
    soon(|| async { leases.acquire("a", TTL).await.ok().flatten() }).await
}

/// It lasts longer than its time, as long as its holder lives.
#[tokio::test]
async fn a_lease_is_kept_as_long_as_it_is_held() {
    let (url, prefix) = (from_environment("RESYNC_TEST_REDIS_URL"), prefix());
    let (one, other) = (leases(&url, &prefix), leases(&url, &prefix));
    let lease = held(&one).await;
    let began = Instant::now();
    let key = format!("{prefix}:a");
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    while began.elapsed() < 3 * TTL {
        tick.tick().await;
        let lives: i64 = ask(&url, cmd("PTTL").arg(&key)).await;
        assert!(lives > 0, "it ended: {lives}");
    }
    assert!(!lease.lost().is_cancelled());
    assert!(other.acquire("a", TTL).await.unwrap().is_none());
}

/// A process that died renews nothing: another has the name after its time, and a greater number.
#[test]
fn a_lease_ends_with_its_holder() {
    let (url, prefix) = (from_environment("RESYNC_TEST_REDIS_URL"), prefix());
    let died = Runtime::new().unwrap();
    let lease = died.block_on(async { held(&leases(&url, &prefix)).await });
    // All its tasks end with it, and none gives anything back.
    died.shutdown_background();
    Runtime::new().unwrap().block_on(async {
        let other = leases(&url, &prefix);
        assert!(other.acquire("a", TTL).await.unwrap().is_none());
        let next = timeout(TTL + 2 * SLACK, held(&other)).await.unwrap();
        assert!(next.fencing() > lease.fencing());
    });
    drop(lease);
}

/// F1: a holder that cannot renew knows that it lost before another can hold.
#[tokio::test]
async fn a_holder_learns_within_the_time_to_live_that_it_lost() {
    let own = OwnRedis::start().await;
    let (one, other) = (leases(&own.url, "p"), leases(&own.url, "p"));
    let lease = held(&one).await;
    own.pause();
    let began = Instant::now();
    timeout(TTL + SLACK, lease.lost().cancelled())
        .await
        .unwrap();
    assert!(began.elapsed() < TTL + SLACK, "{:?}", began.elapsed());
    assert!(other.acquire("b", TTL).await.is_err());
    own.resume();
    let next = held(&leases(&own.url, "p")).await;
    assert!(next.fencing() > lease.fencing());
}

/// F1: killed and flushed. Who loses it so is told, too; the numbers go on growing.
#[tokio::test]
async fn a_lease_that_redis_forgot_is_lost() {
    let mut own = OwnRedis::start().await;
    let one = leases(&own.url, "p");
    let lease = held(&one).await;
    let _: String = ask(&own.url, &cmd("FLUSHALL")).await;
    timeout(TTL + SLACK, lease.lost().cancelled())
        .await
        .unwrap();
    let next = held(&one).await;
    assert!(next.fencing() > lease.fencing());
    own.kill();
    timeout(TTL + SLACK, next.lost().cancelled()).await.unwrap();
}
