//! An engine that misbehaves, and requests that do.
//!
//! The answer says so, nothing is made up, and the rest of Resync stays up (I-03, I-11).

use std::time::{Duration, Instant};

use reqwest::Method;
use resync_simulator::{Effect, Rule};
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session, read};

/// Asks the board and the chat, and checks that both say what is wrong and show no figure.
async fn says_so(resync: &Resync, session: &Session, status: u16, code: &str) {
    let started = Instant::now();
    let (got, problem) = session.get("/api/v1/tws/summary").await;
    assert_eq!((got, &problem["code"]), (status, &json!(code)), "{problem}");
    assert!(problem.get("total").is_none() && problem.get("by_status").is_none());
    let answer = session.ask("How is the plan doing?").await;
    assert_eq!(answer["incomplete"], true, "{answer}");
    assert_eq!(answer["figures"], json!([]), "{answer}");
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "the request outlived its timeout"
    );
    assert_eq!(
        resync
            .anonymous(Method::GET, "/healthz", None)
            .await
            .status(),
        200
    );
}

async fn readiness(resync: &Resync) -> (u16, Value) {
    read(resync.anonymous(Method::GET, "/readyz", None).await).await
}

#[tokio::test]
async fn refused_credentials_are_a_502_and_never_a_401() {
    let resync = Resync::start(Options {
        engine_password: "wrong",
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    says_so(&resync, &session, 502, "upstream-auth").await;
    let (status, ready) = readiness(&resync).await;
    assert_eq!((status, &ready["status"]), (200, &json!("degraded")));
    assert_eq!(
        ready["checks"]["engines"][0]["status"],
        "credentials_refused"
    );
    assert_eq!(ready["checks"]["database"]["status"], "ok");
}

#[tokio::test]
async fn an_engine_that_is_down_is_said_to_be_down() {
    let mut resync = Resync::start(Options::default()).await;
    resync.kill_engine().await;
    let session = resync.sign_in("olga").await;
    says_so(&resync, &session, 502, "upstream-unreachable").await;
    assert_eq!(
        readiness(&resync).await.1["checks"]["engines"][0]["status"],
        "unreachable"
    );
}

#[tokio::test]
async fn an_engine_that_never_answers_is_a_504_within_the_timeout() {
    let resync = Resync::start(Options::default()).await;
    resync.engine.add_fault(Rule::new(Effect::Never)).await;
    let session = resync.sign_in("olga").await;
    says_so(&resync, &session, 504, "upstream-timeout").await;
}

#[tokio::test]
async fn garbage_half_a_body_and_a_web_page_are_unreadable() {
    for effect in [
        Effect::MalformedJson,
        Effect::Cut { bytes: 200 },
        Effect::Html,
        Effect::InvalidUtf8,
        Effect::Filler { bytes: 33 << 20 },
    ] {
        let resync = Resync::start(Options::default()).await;
        resync.engine.add_fault(Rule::new(effect)).await;
        let session = resync.sign_in("olga").await;
        says_so(&resync, &session, 502, "upstream-unreadable").await;
    }
}

#[tokio::test]
async fn an_outage_shows_the_last_known_plan_as_stale_and_says_so() {
    let adjust = |config: &mut resync_server::config::Config| {
        config.cache.job_status_fresh_seconds = 0;
        config.cache.job_status_stale_seconds = 600;
    };
    let resync = Resync::start(Options {
        adjust,
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    let (_, before) = session.get("/api/v1/tws/summary").await;
    assert_eq!(before["meta"]["stale"], false);
    resync
        .engine
        .add_fault(Rule::new(Effect::MalformedJson))
        .await;
    // The first look starts the refresh that fails; one of the next ones says so.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, after) = session.get("/api/v1/tws/summary").await;
        assert_eq!((status, &after["total"]), (200, &before["total"]));
        assert_eq!(after["meta"]["stale"], true);
        if after["meta"]["refresh_failed"] == true {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the failed refresh was never shown: {after}"
        );
        tokio::task::yield_now().await;
    }
}

/// I-03
#[tokio::test]
async fn without_an_engine_nothing_stands_in_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = resync_server::config::Config::default();
    config.server.data_dir = folder.path().to_path_buf();
    config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
    config.auth.bcrypt_cost = 4;
    let built = resync_server::wiring::build(&config, None).await.unwrap();
    assert!(built.app.plan.engines_status().await.is_empty());
    assert!(built.app.plan.summary(None).await.is_err());
    built.close(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_malformed_request_is_a_4xx_that_names_the_place() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("olga").await;
    let raw = |body: Vec<u8>| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .post(resync.url("/api/v1/chat"))
            .headers(session.headers.clone())
            .header("content-type", "application/json")
            .body(body)
    };
    let send = async |body: &[u8]| read(raw(body.to_vec()).send().await.unwrap()).await;
    let (status, problem) = send(b"{\"message\": }").await;
    assert_eq!(
        (status, problem["detail"].as_str().unwrap()),
        (400, "the body is not JSON: malformed at line 1, column 13")
    );
    let (status, problem) = send(b"{\"message\":\"\xff\"}").await;
    assert_eq!(
        (status, problem["detail"].as_str().unwrap()),
        (400, "the body is not UTF-8 at byte 12")
    );
    let (status, problem) = send(br#"{"message":"x","hunter2":1}"#).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/hunter2"))
    );
    let (status, problem) = send(br#"{"message":7}"#).await;
    assert_eq!(
        (status, &problem["errors"][0]),
        (
            400,
            &json!({"pointer": "/message", "detail": "expected a string"})
        )
    );
    let (status, problem) = send(&vec![b' '; 2 << 20]).await;
    assert_eq!((status, &problem["code"]), (413, &json!("too-large")));
    let (status, problem) = send(br#"{"message":""}"#).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/message")),
        "{problem}"
    );
    let (status, problem) = session.get("/api/v1/tws/jobs?colour=red").await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("?colour"))
    );
    let (status, problem) = session.get("/api/v1/tws/jobs?status=PURPLE").await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("?status"))
    );
    for path in ["/api/v1/tws/jobs/..%2f..%2fmodel", "/api/v1/tws/jobs/a'b"] {
        assert_eq!(session.get(path).await.0, 400, "{path}");
    }
    assert_eq!(
        session.get("/api/v1/nothing/here").await.1["code"],
        "no-such-route"
    );
}
