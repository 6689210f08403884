//! Two servers with stores of their own before one engine and one Redis: what is done on one shows on the
//! other.

use std::time::Duration;

use reqwest::Method;
use resync_server::config::Config;
use resync_simulator::{Control, Role, Simulator, Speed};
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session, read, redis_url};

fn on_redis(config: &mut Config) {
    config.redis.url = Some(redis_url().into());
    // The machine runs other tests; a late answer is not what is looked at here.
    config.redis.timeout_ms = 2_000;
    // Each test is a process of its own, and an installation of its own.
    config.redis.prefix = format!("test-replicas-{}", std::process::id());
}

/// Two replicas, and the engine `b` that both read.
struct Pair {
    one: Resync,
    other: Resync,
    engine: Simulator,
}

impl Pair {
    async fn start() -> Self {
        let engine = Simulator::builder()
            .jobs(300)
            .speed(Speed::Times(60))
            .user("resync", "secret-of-b", Role::Operator)
            .start()
            .await
            .unwrap();
        let replica = || {
            Resync::start(Options {
                jobs: 10,
                adjust: on_redis,
                ..Options::default()
            })
        };
        let (one, other) = tokio::join!(replica(), replica());
        for replica in [&one, &other] {
            let draft = json!({
                "name": "b",
                "urls": [engine.base_url()],
                "username": "resync",
                "password": "secret-of-b",
            });
            let admin = replica.sign_in("adam").await;
            let (status, made) = admin.post("/api/v1/admin/engines", draft).await;
            assert_eq!(status, 201, "{made}");
            until(|| async { ready(replica).await["checks"]["redis"]["status"] == "ok" }).await;
        }
        Self { one, other, engine }
    }

    async fn stop(self) {
        self.one.stop().await;
        self.other.stop().await;
    }
}

async fn until<Fut: Future<Output = bool>>(mut holds: impl FnMut() -> Fut) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let held = async {
        while !holds().await {
            tick.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), held)
        .await
        .unwrap();
}

async fn ready(replica: &Resync) -> Value {
    let answer = replica.anonymous(Method::GET, "/readyz", None).await;
    read(answer).await.1
}

async fn calls(engine: &Control) -> usize {
    engine.requests().await.len()
}

async fn metric(replica: &Resync, name: &str) -> u64 {
    let answer = replica.anonymous(Method::GET, "/metrics", None).await;
    let text = answer.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim()
        .parse()
        .unwrap()
}

async fn runs(session: &Session, path: &str) -> usize {
    let (status, job) = session.get(path).await;
    assert_eq!(status, 200, "{job}");
    job["job"]["runs"].as_array().unwrap().len()
}

/// C1, I-10 over replicas: one reads the engine for both, and an action on one is on the other at once.
#[tokio::test]
async fn one_replica_reads_for_both_and_an_action_on_one_shows_on_the_other() {
    let pair = Box::pin(Pair::start()).await;
    let engine = pair.engine.control();
    let (one, other) = (
        pair.one.sign_in("olga").await,
        pair.other.sign_in("olga").await,
    );
    let (_, page) = one
        .get("/api/v1/tws/jobs?engine=b&stream=FIN_EOD&job=FIN_GL_POST")
        .await;
    let id = page["items"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/tws/jobs/{id}?engine=b");

    let before = runs(&one, &path).await;
    let written = "resync_shared_cache_total{kind=\"written\"}";
    until(|| async { metric(&pair.one, written).await >= 2 }).await;
    let asked = calls(&engine).await;
    let (status, seen) = other.get(&path).await;
    assert_eq!(status, 200, "{seen}");
    assert_eq!(
        calls(&engine).await,
        asked,
        "the other asked the engine, too"
    );
    assert!(seen["meta"]["age_ms"].as_u64().is_some(), "{seen}");
    assert!(metric(&pair.other, "resync_shared_cache_total{kind=\"hit\"}").await >= 1);

    let action = format!("/api/v1/tws/jobs/{id}/actions/rerun?engine=b");
    let (status, proposal) = one.post(&action, json!({"reason": "test"})).await;
    assert_eq!(status, 202, "{proposal}");
    let confirmation = json!({"confirmation_token": proposal["confirmation_token"]});
    let (status, done) = one.post(&action, confirmation).await;
    assert_eq!((status, &done["executed"]), (200, &json!(true)), "{done}");
    // What the other held would be fresh for ten seconds.
    let shows = until(|| async { runs(&other, &path).await == before + 1 });
    tokio::time::timeout(Duration::from_secs(2), shows)
        .await
        .unwrap();
    pair.stop().await;
}

/// What an administrator invalidates on one is fetched anew on the other.
#[tokio::test]
async fn an_invalidation_by_hand_reaches_the_other() {
    let pair = Box::pin(Pair::start()).await;
    let (one, other) = (
        pair.one.sign_in("adam").await,
        pair.other.sign_in("adam").await,
    );
    let path = "/api/v1/tws/workstations?engine=b";
    assert_eq!(other.get(path).await.0, 200);
    let held = other.send(Method::GET, path, None).await;
    assert_eq!(held.headers()["x-cache"], "hit");
    let (status, _) = one
        .post("/api/v1/cache/invalidate", json!({"engine": "b"}))
        .await;
    assert_eq!(status, 200);
    let fetched = until(|| async {
        let answer = other.send(Method::GET, path, None).await;
        answer.headers()["x-cache"] == "miss"
    });
    tokio::time::timeout(Duration::from_secs(2), fetched)
        .await
        .unwrap();
    pair.stop().await;
}

/// L2 over replicas: what one counts the other refuses.
#[tokio::test]
async fn requests_are_counted_for_both() {
    let limited = |config: &mut Config| {
        on_redis(config);
        config.limits.login = 6;
    };
    let replica = || {
        Resync::start(Options {
            jobs: 10,
            adjust: limited,
            ..Options::default()
        })
    };
    let (one, other) = tokio::join!(replica(), replica());
    let mut statuses = Vec::new();
    for on in [&one, &other].into_iter().cycle().take(8) {
        let body = json!({"username": "vera", "password": crate::harness::PASSWORD});
        let answer = on
            .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
            .await;
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
    one.stop().await;
    other.stop().await;
}
