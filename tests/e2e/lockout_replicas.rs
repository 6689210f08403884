//! Two servers with stores of their own and one Redis count attempts on passwords together.

use reqwest::Method;
use resync_auth::{Actor, LocalUser, NewUser, Origin, Role, Username};
use resync_server::config::Config;
use resync_server::wiring::for_accounts;
use serde_json::json;

use crate::harness::{Options, PASSWORD, Resync, read, redis_url};

fn on_redis(config: &mut Config) {
    config.redis.url = Some(redis_url().into());
    // The machine runs other tests; a late answer is not what is looked at here.
    config.redis.timeout_ms = 10_000;
    // Each test is a process of its own, and an installation of its own.
    config.redis.prefix = format!("test-lockout-{}", std::process::id());
}

async fn replica(adjust: fn(&mut Config)) -> Resync {
    Resync::start(Options {
        jobs: 10,
        adjust,
        ..Options::default()
    })
    .await
}

async fn attempt(on: &Resync, name: &str, password: &str) -> u16 {
    let body = json!({"username": name, "password": password});
    let answer = on
        .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    if answer.status() == 429 {
        assert!(answer.headers().contains_key("retry-after"));
    }
    answer.status().as_u16()
}

/// A2 over replicas: what is counted on one is seen by the other, even for the right password.
#[tokio::test]
async fn failures_on_one_replica_lock_the_other() {
    let (one, other) = tokio::join!(replica(on_redis), replica(on_redis));
    // A name that no other test uses, since they share this Redis and the address.
    let name = format!("nobody-{}", std::process::id());
    for on in [&one, &other, &one, &other, &one] {
        assert_eq!(attempt(on, &name, "wrong").await, 401);
    }
    assert_eq!(attempt(&one, &name, "wrong").await, 429);
    assert_eq!(attempt(&other, &name, "wrong").await, 429);
    let (status, ready) = read(one.anonymous(Method::GET, "/readyz", None).await).await;
    assert_eq!(status, 200);
    assert_eq!(ready["checks"]["redis"]["status"], "ok", "{ready}");
    one.stop().await;
    other.stop().await;
}

/// F1: a server whose Redis is away starts, serves with half the limits, and says so.
#[tokio::test]
async fn a_replica_without_its_redis_has_half_the_limits_and_is_degraded() {
    let alone = replica(|config| {
        // Port 1 of the loopback: nobody listens there.
        config.redis.url = Some("redis://127.0.0.1:1/".into());
    })
    .await;
    for expected in [401, 401, 429, 429] {
        assert_eq!(attempt(&alone, "nobody", "wrong").await, expected);
    }
    let (status, ready) = read(alone.anonymous(Method::GET, "/readyz", None).await).await;
    assert_eq!(status, 200);
    assert_eq!(ready["status"], "degraded");
    assert_eq!(ready["checks"]["redis"]["status"], "degraded", "{ready}");
    alone.stop().await;
}

/// What Redis counts is forgotten for all replicas at once, from the command line too.
#[tokio::test]
async fn an_account_is_unlocked_from_the_command_line_where_redis_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    let resync = Resync::start_with(
        Options {
            jobs: 10,
            adjust: on_redis,
            ..Options::default()
        },
        |own| {
            own.server.data_dir = folder.path().to_path_buf();
            config = own.clone();
        },
    )
    .await;
    let accounts = for_accounts(&config).await.unwrap();
    assert_eq!(accounts.counted_in_the_server, None);
    // A name that no other test uses, since they share this Redis and the address.
    let name = format!("locked-{}", std::process::id());
    let new = NewUser {
        username: Username::parse(&name).unwrap(),
        password: PASSWORD.into(),
        role: Role::Viewer,
    };
    let by = || Origin::of(Actor::Local(LocalUser::of("root")));
    let user = accounts.users.create(new, by()).await.unwrap();
    for expected in [401, 401, 401, 401, 401, 429] {
        assert_eq!(attempt(&resync, &name, "wrong").await, expected);
    }
    assert_eq!(attempt(&resync, &name, PASSWORD).await, 429);
    accounts.users.unlock(user.id, by()).await.unwrap();
    assert_eq!(attempt(&resync, &name, PASSWORD).await, 200);
    accounts.close().await;
    resync.stop().await;
}
