//! The store does not do what it should, under a server that runs.
//!
//! What guards never opens, whoever asks is told the truth, and it works again by itself.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use crate::harness::{Options, PASSWORD, Resync, Session, read};

/// Somebody else who works on the file of the store, as a repair that went wrong does.
pub(crate) struct Vandal(SqliteConnection);

impl Vandal {
    pub(crate) async fn at(resync: &Resync) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(resync.store())
            .busy_timeout(Duration::from_secs(10))
            // A renamed table keeps the references to its old name.
            .pragma("legacy_alter_table", "ON")
            .pragma("foreign_keys", "OFF");
        Self(options.connect().await.unwrap())
    }

    async fn run(&mut self, sql: String) {
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    pub(crate) async fn take(&mut self, table: &str) {
        self.run(format!("ALTER TABLE {table} RENAME TO {table}_away"))
            .await;
    }

    async fn give_back(&mut self, table: &str) {
        self.run(format!("ALTER TABLE {table}_away RENAME TO {table}"))
            .await;
    }
}

async fn login(resync: &Resync) -> (u16, Value) {
    let body = json!({"username": "vera", "password": PASSWORD});
    let answer = resync
        .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    assert!(
        answer.status() == 200 || !answer.headers().contains_key("set-cookie"),
        "a session without a store"
    );
    if answer.status() != 200 {
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    read(answer).await
}

async fn verify(session: &Session) -> (u16, Value) {
    session.get("/api/v1/auth/verify").await
}

fn unavailable(what: &str, (status, problem): &(u16, Value)) {
    assert_eq!(
        (*status, &problem["code"]),
        (503, &json!("unavailable")),
        "{what}: {problem}"
    );
    let text = problem.to_string();
    for inner in ["sqlite", "SQL", "table", "no such"] {
        assert!(!text.contains(inner), "{what}: {text}");
    }
}

/// P0-02, F2: without sessions nobody signs in, no change is taken, and signing out says that it did not.
#[tokio::test]
async fn without_its_sessions_it_fails_closed_says_so_and_recovers() {
    let resync = Resync::start(Options::default()).await;
    let (leaves, stays) = (resync.sign_in("olga").await, resync.sign_in("vera").await);
    assert_eq!(verify(&leaves).await.0, 200);
    let mut vandal = Vandal::at(&resync).await;
    vandal.take("sessions").await;

    unavailable("a login", &login(&resync).await);
    let forged = resync.with_key("no-such-key");
    assert_eq!(
        verify(&forged).await.0,
        401,
        "what needs no store is told as ever"
    );
    // What was remembered of a session counts until the change of the file is noticed, 100 ms at most.
    let question = json!({"message": "How is the plan?"});
    let noticed = async {
        loop {
            let answer = leaves.post("/api/v1/chat", question.clone()).await;
            if answer.0 != 200 {
                return answer;
            }
        }
    };
    let change = tokio::time::timeout(Duration::from_secs(5), noticed).await;
    unavailable("a change", &change.unwrap());
    let logout = leaves.send(Method::POST, "/api/v1/auth/logout", None).await;
    let cookies: Vec<_> = logout.headers().get_all("set-cookie").iter().collect();
    assert!(
        cookies.len() == 2
            && cookies
                .iter()
                .all(|cookie| cookie.to_str().unwrap().contains("Max-Age=0"))
    );
    let told = read(logout).await;
    assert_eq!(told, (200, json!({"success": true, "revoked": false})));
    // No other page gets that far.
    let mut foreign = leaves.clone();
    foreign
        .headers
        .insert("origin", "https://evil.example".parse().unwrap());
    let refused = foreign
        .send(Method::POST, "/api/v1/auth/logout", None)
        .await;
    assert!(!refused.headers().contains_key("set-cookie"));

    vandal.give_back("sessions").await;
    assert_eq!(login(&resync).await.0, 200);
    assert_eq!(verify(&stays).await.0, 200);
    let (status, answer) = leaves.post("/api/v1/auth/logout", json!(null)).await;
    assert_eq!(
        (status, &answer["revoked"]),
        (200, &json!(true)),
        "{answer}"
    );
    assert_eq!(verify(&leaves).await.0, 401);
}

/// A2, F2: without accounts a login is no wrong password, and does not use up an attempt.
#[tokio::test]
async fn without_its_accounts_a_login_is_refused_and_counts_for_nothing() {
    let resync = Resync::start(Options::default()).await;
    let mut vandal = Vandal::at(&resync).await;
    vandal.take("users").await;
    for _ in 0..8 {
        unavailable("a login", &login(&resync).await);
    }
    vandal.give_back("users").await;
    assert_eq!(login(&resync).await.0, 200);
}

/// I-09: without an audit log nobody gets in, and no action goes out.
#[tokio::test]
async fn without_its_audit_nobody_signs_in_and_nothing_is_acted_upon() {
    let resync = Resync::start(Options::default()).await;
    let operator = resync.sign_in("olga").await;
    let job = operator.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let (_, proposal) = operator.post(&path, json!({"reason": "test"})).await;
    let token = &proposal["confirmation_token"];
    let mut vandal = Vandal::at(&resync).await;
    vandal.take("audit").await;
    unavailable("a login", &login(&resync).await);
    let confirmed = operator
        .post(&path, json!({"confirmation_token": token}))
        .await;
    assert!(confirmed.0 >= 500, "{}", confirmed.1);
    let written = resync.engine.requests().await;
    assert!(
        written.iter().all(|request| request.method == "GET"),
        "an action without an audit row"
    );
    vandal.give_back("audit").await;
    assert_eq!(login(&resync).await.0, 200);
}

/// F2: a store that others hold is waited for, but not for ever.
#[tokio::test]
async fn a_store_that_others_hold_is_told_as_unavailable_in_time() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    assert_eq!(verify(&session).await.0, 200);
    let mut vandal = Vandal::at(&resync).await;
    vandal.run("BEGIN IMMEDIATE".to_owned()).await;
    let began = Instant::now();
    unavailable("a login", &login(&resync).await);
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    // Readers of a store that is only held go on.
    assert_eq!(verify(&session).await.0, 200);
    vandal.run("ROLLBACK".to_owned()).await;
    assert_eq!(login(&resync).await.0, 200);
}
