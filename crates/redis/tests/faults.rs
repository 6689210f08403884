//! What happens to the lockout when something happens to Redis (F1).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, cmd};
use resync_auth::{Attempt, LockoutStore, Outcome, ReserveError};
use resync_redis::{RedisClient, RedisLockout, RedisStatus};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::server::{OwnRedis, TIMEOUT, ask, client, from_environment, lockout, prefix};

/// What a call may take beside its timeout, on a machine that does other things too.
const SLACK: Duration = Duration::from_millis(400);
/// How soon Redis must be in use again.
const BACK: Duration = Duration::from_secs(2);

fn from(account: &str, host: u8) -> Attempt {
    Attempt::new(account, IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)))
}

/// How many of `count` attempts at once are looked at, over these replicas in turn; and the longest
/// that one of them took.
async fn storm(
    replicas: &[Arc<RedisLockout>],
    attempt: Attempt,
    count: usize,
) -> (usize, Duration) {
    let mut calls = JoinSet::new();
    for lockout in replicas.iter().cycle().take(count) {
        let lockout = lockout.clone();
        calls.spawn(async move {
            let began = Instant::now();
            let looked_at = match lockout.reserve(attempt).await {
                Ok(_) => 1,
                Err(ReserveError::Locked { .. }) => 0,
                Err(ReserveError::Store(error)) => panic!("{error:?}"),
            };
            (looked_at, began.elapsed())
        });
    }
    let answers = calls.join_all().await;
    (
        answers.iter().map(|(looked_at, _)| looked_at).sum(),
        answers.iter().map(|(_, took)| *took).max().unwrap(),
    )
}

/// A replica whose watch runs as long as the guard lives.
struct Watched {
    redis: RedisClient,
    lockout: Arc<RedisLockout>,
    _watch: JoinSet<()>,
}

fn watched(url: &str, prefix: &str) -> Watched {
    let redis = client(url, TIMEOUT);
    let mut watch = JoinSet::new();
    watch.spawn(redis.clone().watch(CancellationToken::new()));
    Watched {
        lockout: lockout(&redis, prefix),
        redis,
        _watch: watch,
    }
}

impl Watched {
    async fn comes_back(&self) {
        timeout(BACK, self.redis.reaches(RedisStatus::Ok))
            .await
            .unwrap();
    }
}

/// A2 over two replicas: each has its own connection and process state, both count in one place.
#[tokio::test]
async fn forty_attempts_over_two_replicas_are_five() {
    let (url, prefix) = (from_environment("RESYNC_TEST_REDIS_URL"), prefix());
    let patient = Duration::from_secs(10);
    let replicas = [0, 1].map(|_| lockout(&client(&url, patient), &prefix));
    let (looked_at, _) = storm(&replicas, from("ana", 1), 40).await;
    assert_eq!(looked_at, 5);
    assert!(
        replicas[0]
            .locked_for(from("ana", 1))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        replicas[1]
            .locked_for(from("ana", 1))
            .await
            .unwrap()
            .is_some()
    );
}

/// A success on one replica clears what the other counted.
#[tokio::test]
async fn what_one_replica_settles_counts_for_the_other() {
    let (url, prefix) = (from_environment("RESYNC_TEST_REDIS_URL"), prefix());
    let patient = Duration::from_secs(10);
    let [one, other] = [0, 1].map(|_| lockout(&client(&url, patient), &prefix));
    for _ in 0..4 {
        one.reserve(from("ana", 1)).await.unwrap();
    }
    let right = other.reserve(from("ana", 1)).await.unwrap();
    other.settle(right, Outcome::Succeeded).await.unwrap();
    let (looked_at, _) = storm(&[one], from("ana", 1), 40).await;
    assert_eq!(looked_at, 5);
}

/// Nothing that an attempt leaves behind outlives the window by itself.
#[tokio::test]
async fn every_key_has_a_time_to_live_within_the_window() {
    let (url, prefix) = (from_environment("RESYNC_TEST_REDIS_URL"), prefix());
    let store = lockout(&client(&url, Duration::from_secs(10)), &prefix);
    store.reserve(from("ana", 1)).await.unwrap();
    let keys: Vec<String> = ask(&url, cmd("KEYS").arg(format!("{prefix}:*"))).await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    for key in keys {
        let lives: i64 = ask(&url, cmd("PTTL").arg(&key)).await;
        assert!(lives > 0 && lives <= 15 * 60 * 1000, "{key}: {lives}");
        assert!(!key.contains("ana"), "{key} keeps a name");
    }
}

/// F1: down. Half the limits, at once, and in use again within 2 s.
#[tokio::test]
async fn a_killed_redis_leaves_half_the_limits_and_comes_back_by_itself() {
    let mut own = OwnRedis::start().await;
    let replica = watched(&own.url, &prefix());
    replica.lockout.reserve(from("ana", 1)).await.unwrap();

    own.kill();
    let stores = [replica.lockout.clone()];
    let (looked_at, longest) = storm(&stores, from("bia", 2), 40).await;
    assert_eq!(looked_at, 2, "half of five");
    assert!(longest < TIMEOUT + SLACK, "{longest:?}");
    assert_eq!(replica.redis.status(), RedisStatus::Degraded);
    let reservation = replica.lockout.reserve(from("caio", 3)).await.unwrap();
    replica
        .lockout
        .settle(reservation, Outcome::Succeeded)
        .await
        .unwrap();

    own.restart().await;
    replica.comes_back().await;
    let (looked_at, _) = storm(&stores, from("dora", 4), 40).await;
    assert_eq!(looked_at, 5, "the whole limit again");
}

/// F1: killed while forty are asking. Whatever each of them met, no more than one limit and a half of
/// the other were looked at.
#[tokio::test]
async fn a_redis_that_dies_during_attempts_opens_nothing() {
    let mut own = OwnRedis::start().await;
    let replica = watched(&own.url, &prefix());
    let stores = [replica.lockout.clone()];
    let ((looked_at, longest), ()) =
        tokio::join!(storm(&stores, from("ana", 1), 40), async { own.kill() });
    assert!((2..=7).contains(&looked_at), "{looked_at}");
    assert!(longest < TIMEOUT + SLACK, "{longest:?}");
}

/// F1: slow. A Redis that stands still costs one timeout, not one for each.
#[tokio::test]
async fn a_paused_redis_costs_each_caller_one_timeout_at_most() {
    let own = OwnRedis::start().await;
    let replica = watched(&own.url, &prefix());
    replica.lockout.reserve(from("ana", 1)).await.unwrap();

    own.pause();
    let stores = [replica.lockout.clone()];
    let (looked_at, longest) = storm(&stores, from("bia", 2), 500).await;
    assert_eq!(looked_at, 2);
    assert!(longest < TIMEOUT + SLACK, "{longest:?}");
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(replica.lockout.reserve(from("bia", 2)).await.is_err());
    }
    assert!(began.elapsed() < SLACK, "known to be away, nobody waits");
    assert!(
        replica
            .lockout
            .unlock(from("ana", 1).account)
            .await
            .is_err()
    );

    own.resume();
    replica.comes_back().await;
    for _ in 0..4 {
        replica.lockout.reserve(from("ana", 1)).await.unwrap();
    }
    assert!(
        replica.lockout.reserve(from("ana", 1)).await.is_err(),
        "what was counted before still counts"
    );
}

/// F1: flushed, with its scripts. The counts are gone, as they must be; nothing else is.
#[tokio::test]
async fn a_flushed_redis_gets_its_scripts_anew() {
    let own = OwnRedis::start().await;
    let replica = watched(&own.url, &prefix());
    let stores = [replica.lockout.clone()];
    assert_eq!(storm(&stores, from("ana", 1), 40).await.0, 5);
    let flush = |command: &str, what: &str| -> Cmd {
        let mut flush = cmd(command);
        if !what.is_empty() {
            flush.arg(what);
        }
        flush
    };
    let _: String = ask(&own.url, &flush("FLUSHALL", "")).await;
    let _: String = ask(&own.url, &flush("SCRIPT", "FLUSH")).await;
    assert_eq!(storm(&stores, from("ana", 1), 40).await.0, 5);
    assert_eq!(replica.redis.outages(), 0);
}

/// F1: full. What cannot be counted there is counted here, and what frees memory still works.
#[tokio::test]
async fn a_full_redis_counts_as_away_until_it_has_room() {
    let own = OwnRedis::start().await;
    // Nobody watches, so that the first to find out is an attempt.
    let redis = client(&own.url, TIMEOUT);
    let stores = [lockout(&redis, &prefix())];
    let counted = stores[0].reserve(from("ana", 1)).await.unwrap();

    let limit = |bytes: &str| {
        let mut set = cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(bytes);
        set
    };
    let _: String = ask(&own.url, &limit("1")).await;
    stores[0].settle(counted, Outcome::NotLooked).await.unwrap();
    assert_eq!(redis.status(), RedisStatus::Ok);
    assert_eq!(storm(&stores, from("bia", 2), 40).await.0, 2);
    assert_eq!(redis.status(), RedisStatus::Degraded);
    assert_eq!(redis.check().await, RedisStatus::Degraded);

    let _: String = ask(&own.url, &limit("0")).await;
    assert_eq!(redis.check().await, RedisStatus::Ok);
    assert_eq!(storm(&stores, from("caio", 3), 40).await.0, 5);
}

/// A replica that starts before its Redis does not wait for it.
#[tokio::test]
async fn a_redis_that_comes_later_is_found() {
    let mut own = OwnRedis::start().await;
    own.kill();
    let replica = watched(&own.url, &prefix());
    let stores = [replica.lockout.clone()];
    assert_eq!(storm(&stores, from("ana", 1), 40).await.0, 2);
    own.restart().await;
    replica.comes_back().await;
}
