//! What must never be written down is not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use resync_simulator::Speed;
use serde_json::json;

use crate::harness::{Options, PASSWORD, Resync};

/// Where the log of this test goes.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// I-18, P1-09: at the most talkative level, over sign-in, chat and an action.
#[tokio::test]
async fn the_log_holds_no_secret_and_no_body() {
    let captured = Captured::default();
    let writer = captured.clone();
    let filter = "resync_api=trace,resync_auth=trace,resync_chat=trace,resync_hwa=trace,resync_rag=trace,\
                  resync_server=trace,resync_sqlite=trace,resync_sync=trace,resync_tws=trace,sqlx=debug,hyper=debug,reqwest=debug";
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        .finish();
    // The server works on many threads, so this must hold for the whole process; each test is one.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let resync = Resync::start(Options {
        speed: Speed::Times(60),
        ..Options::default()
    })
    .await;
    let wrong =
        json!({"username": "canary-in-the-wrong-field", "password": "canary-wrong-password"});
    resync
        .anonymous(Method::POST, "/api/v1/auth/login", Some(wrong))
        .await;
    let session = resync.sign_in("olga").await;
    session.ask("canary-question about the plan").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let (_, proposal) = session
        .post(&path, json!({"reason": "canary-reason"}))
        .await;
    let token = proposal["confirmation_token"].as_str().unwrap().to_owned();
    let (status, _) = session
        .post(&path, json!({"confirmation_token": token}))
        .await;
    assert_eq!(status, 200);
    session
        .post("/api/v1/chat", json!({"canary-field": "canary-value"}))
        .await;

    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("tws.propose") && log.contains("auth.log_in"),
        "the log was not captured"
    );
    let cookie = session.headers["cookie"].to_str().unwrap();
    let held = cookie
        .split("; ")
        .map(|pair| pair.split_once('=').unwrap().1.to_owned());
    let canaries = [
        PASSWORD,
        "canary",
        "engine-secret",
        "a secret of more than thirty-two bytes",
        &token,
    ];
    for secret in canaries.iter().map(|text| (*text).to_owned()).chain(held) {
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(
            line.is_none(),
            "{} characters of a secret stand in: {}",
            secret.len(),
            line.unwrap()
        );
    }
}
