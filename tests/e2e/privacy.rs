//! What must never be written down is not: secrets are planted, the whole surface is walked, and then
//! everything that came out is searched for them.
//!
//! 1. The log, in both of its forms, at the most talkative level that is of use.
//! 2. Every answer: its headers, and its body unless handing out that secret is what it is for.
//! 3. The metrics.
//!
//! `secrets_shown` looks at `Debug` and `config show`.
//!
//! The search itself is proved on a secret that is logged on purpose.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::SinkExt;
use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::{Client, Method, Response, Url};
use resync_api::routes::{PAGES, table};
use resync_auth::SetupTicket;
use resync_kernel::ExposeSecret;
use resync_simulator::{Outcome, Role, Simulator, Speed};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Options, PASSWORD, Resync, Session};
use crate::log_lines::Logs;
use crate::oidc::{Browser, Provider, configure, location};
use crate::socket::{connect, event};

/// The planted secrets, each with what it is.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn add(&mut self, what: &'static str, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what} is found by chance");
        self.0.push((what, secret));
    }

    /// Every secret that stands in the text, with what stands around it.
    fn found(&self, place: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (what, secret) in &self.0 {
            if let Some((before, after)) = text.split_once(secret.as_str()) {
                let before: String = before.chars().rev().take(200).collect();
                let before: String = before.chars().rev().collect();
                let after: String = after.chars().take(200).collect();
                found.push(format!("{what} in {place}: {before}<canary>{after}"));
            }
        }
        found
    }
}

/// What came back, but for what is meant to hand a secret out.
#[derive(Default)]
struct Answers(Vec<(String, String)>);

impl Answers {
    /// Keeps headers and body.
    async fn keep(&mut self, asked: &str, answer: Response) -> (u16, Value) {
        let status = answer.status().as_u16();
        self.headers(asked, answer.headers());
        let body = answer.text().await.unwrap();
        let value = serde_json::from_str(&body).unwrap_or(Value::Null);
        self.0.push((format!("body of {asked} ({status})"), body));
        (status, value)
    }

    /// Keeps the headers alone, but for the cookies, which are where a session belongs.
    fn headers(&mut self, asked: &str, headers: &HeaderMap) {
        let mut kept = headers.clone();
        kept.remove(SET_COOKIE);
        self.0
            .push((format!("headers of {asked}"), format!("{kept:?}")));
    }
}

/// Who asks, with what.
struct Asker {
    name: &'static str,
    headers: HeaderMap,
}

fn asker(name: &'static str, pairs: &[(&'static str, &str)]) -> Asker {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, value.parse().unwrap());
    }
    Asker { name, headers }
}

/// The address of a row, with something in the place of each parameter.
fn address(path: &str) -> String {
    path.replace("{action}", "rerun")
        .replace("{name}", "NOWHERE")
        .replace("{agent_id}", "agent")
        .replace("{*path}", "app.js")
        .replace("{sid}", "01890a5d-ac96-774b-bcce-b302099a8057")
        .replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
}

/// Every row of the route table and every page, asked well and badly by everybody.
async fn walk(resync: &Resync, askers: &[Asker], answers: &mut Answers) {
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let pages = PAGES.iter().map(|(_, path)| (Method::GET, *path));
    let rows = table();
    let rows = rows.iter().map(|row| (row.method.clone(), row.path));
    // What ends the walker's session comes last.
    let (ends, rest): (Vec<_>, Vec<_>) = rows.partition(|(_, path)| path.contains("logout"));
    for (method, path) in pages.chain(rest).chain(ends) {
        let url = resync.url(&address(path));
        for asker in askers {
            let asked = format!("{method} {path} by {}", asker.name);
            let request = |url: &str| {
                client
                    .request(method.clone(), url)
                    .headers(asker.headers.clone())
            };
            if method == Method::GET || method == Method::DELETE {
                let url = format!(
                    "{url}?q=x&session_id=x&code=canary-of-a-query&token=canary-of-a-query"
                );
                let answer = request(&url).send().await.unwrap();
                answers.keep(&asked, answer).await;
                continue;
            }
            // What a client gets wrong: a field that is none, half a body, no JSON at all.
            let bodies = [
                r#"{"surplus":"canary-of-a-value"}"#,
                r#"{"username":"vera","password":"canary-of-half-a-body"#,
                r#"{"password":["canary-of-a-wrong-type"],"token":7,"urls":"canary-of-a-url"}"#,
                "password=canary-of-a-form",
            ];
            for body in bodies {
                let request = request(&url).header("content-type", "application/json");
                let answer = request.body(body).send().await.unwrap();
                let (status, _) = answers.keep(&asked, answer).await;
                // Signing out takes no body.
                assert!(
                    status >= 400 || path.contains("logout"),
                    "{asked}: {status}"
                );
            }
        }
    }
}

/// An engine whose job logs secrets, and what they are.
const IN_JOB_LOG: [&str; 4] = [
    "Tr0ub4dor-and-3",
    "S3cr3t-Pa55",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiYXRjaCJ9.c2lnbmF0dXJl",
    "hunter2-hunter2",
];

/// A job that logs passwords is looked at in every way there is.
async fn job_with_secrets(
    resync: &Resync,
    session: &Session,
    answers: &mut Answers,
    canaries: &mut Canaries,
) {
    let outcome = Outcome {
        failure: Some("F01".to_owned()),
        log: Some("secrets".to_owned()),
        ..Outcome::default()
    };
    resync.engine.script("FIN_EOD.FIN_GL_POST", outcome).await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let body = json!({"reason": "spoken-in-a-reason"});
    let (status, proposal) = session.post(&path, body).await;
    assert_eq!(status, 202, "{proposal}");
    let token = proposal["confirmation_token"].as_str().unwrap().to_owned();
    canaries.add("a confirmation token", token.clone());
    let body = json!({"confirmation_token": token});
    let answer = session.send(Method::POST, &path, Some(body)).await;
    assert_eq!(answers.keep("the confirmation", answer).await.0, 200);
    let ended = resync
        .engine
        .advance_until("FIN_GL_POST", "ABEND", Duration::from_hours(6))
        .await;
    assert!(ended, "the job did not fail again");
    let (status, _) = resync
        .sign_in("adam")
        .await
        .post("/api/v1/cache/invalidate", json!({}))
        .await;
    assert_eq!(status, 200);
    let mut log = Value::Null;
    for read in ["log", "diagnosis", "history", "impact"] {
        let path = format!("/api/v1/tws/jobs/{job}/{read}");
        let answer = session.send(Method::GET, &path, None).await;
        let (status, body) = answers.keep(&path, answer).await;
        assert_eq!(status, 200, "{body}");
        if read == "log" {
            log = body;
        }
    }
    assert!(log.to_string().contains("[redacted]"), "{log}");
    for question in ["Why did FIN_GL_POST fail?", "Show the log of FIN_GL_POST"] {
        let body = json!({"message": question});
        let answer = session.send(Method::POST, "/api/v1/chat", Some(body)).await;
        assert_eq!(answers.keep(question, answer).await.0, 200);
    }
    for secret in IN_JOB_LOG {
        canaries.add("a secret in a job's log", secret);
    }
}

/// A question over the two ways that stay open: events and a socket; and frames that are none of ours.
async fn streams(resync: &Resync, session: &Session, answers: &mut Answers) {
    let client = Client::builder().no_proxy().build().unwrap();
    let question = "spoken-in-a-question: why did FIN_GL_POST fail?";
    let events = client
        .post(resync.url("/api/v1/chat"))
        .headers(session.headers.clone())
        .header("accept", "text/event-stream")
        .json(&json!({"message": question}))
        .send()
        .await
        .unwrap();
    assert_eq!(answers.keep("a question by events", events).await.0, 200);
    let mut socket = connect(resync, Some(session), Some(&resync.origin()))
        .await
        .unwrap();
    let said = [
        json!({"type": "canary-of-a-type", "content": "canary-of-a-frame"}).to_string(),
        "{\"type\": \"chat_message\", \"canary-of-half-a-frame".to_owned(),
        json!({"type": "chat_message", "content": question}).to_string(),
    ];
    for text in said {
        socket.send(Message::text(text)).await.unwrap();
    }
    loop {
        let event = event(&mut socket).await;
        answers.0.push(("a socket".to_owned(), event.to_string()));
        if event["is_final"] == true {
            return;
        }
    }
}

/// Engines that are added by hand, one by password and one by key.
async fn engines(admin: &Session, answers: &mut Answers, canaries: &mut Canaries) -> Simulator {
    let (password, key) = (
        "canary-of-an-engine-password",
        "canary-of-an-engine-api-key",
    );
    canaries.add("an engine's password", password);
    canaries.add("an engine's API key", key);
    canaries.add("the first engine's password", "engine-secret");
    // As they stand in the header: `resync:` and the password.
    canaries.add(
        "an engine's password, encoded",
        "cmVzeW5jOmVuZ2luZS1zZWNyZXQ",
    );
    let second = Simulator::builder()
        .jobs(100)
        .user("resync", password, Role::Operator)
        .api_key("robot", key, Role::Operator, None)
        .start()
        .await
        .unwrap();
    let url = second.base_url();
    let drafts = [
        json!({"name": "BYWORD", "urls": [url], "username": "resync", "password": password}),
        json!({"name": "BYKEY", "urls": [url], "api_key": key}),
        json!({"name": "REFUSED", "urls": [url], "api_key": "canary-of-an-engine-api-key-refused"}),
        json!({"name": "BROKEN", "urls": ["http://u:canary-of-a-url@x/"], "api_key": key}),
    ];
    for draft in drafts {
        let name = draft["name"].as_str().unwrap().to_owned();
        for path in ["/api/v1/admin/engines/test", "/api/v1/admin/engines"] {
            let answer = admin.send(Method::POST, path, Some(draft.clone())).await;
            answers.keep(&format!("{path} {name}"), answer).await;
        }
        let path = format!("/api/v1/tws/summary?engine={name}");
        let answer = admin.send(Method::GET, &path, None).await;
        answers.keep(&path, answer).await;
    }
    second
}

/// Somebody signs in at the company's provider.
async fn single_sign_on(
    provider: &mut Provider,
    resync: &Resync,
    answers: &mut Answers,
    canaries: &mut Canaries,
) {
    canaries.add("the OIDC client secret", "a secret: with / signs");
    provider.person("4711", "ana", &["ops"]).await;
    let mut browser = Browser::new();
    let back = browser.until_back(resync, "4711").await;
    for (name, value) in back.query_pairs() {
        match &*name {
            "code" => canaries.add("an OIDC code", value),
            "state" => canaries.add("an OIDC state", value),
            _ => {}
        }
    }
    // A used code, a changed one, and one that nobody began.
    for _ in 0..2 {
        let answer = browser.get(&back).await;
        answers.headers("the OIDC callback", answer.headers());
        location(&answer);
    }
    for (at, value) in &browser.cookies {
        if at.0 == resync.address.port() && at.1.contains("session") {
            canaries.add("a session of OIDC", value.clone());
        }
    }
    let path = "/api/v1/auth/oidc/callback?state=canary-of-a-query&code=canary-of-a-query";
    let forged = Browser::new()
        .get(&Url::parse(&resync.url(path)).unwrap())
        .await;
    answers.keep("a forged OIDC callback", forged).await;
}

/// The link of a first start is made, tried wrongly, and used.
async fn first_start(answers: &mut Answers, canaries: &mut Canaries) -> Resync {
    let resync = Resync::start(Options {
        nobody: true,
        ..Options::default()
    })
    .await;
    let SetupTicket { token, .. } = resync.app.setup.open().await.unwrap().unwrap();
    let token = token.expose_secret().to_owned();
    canaries.add("a setup token", token.clone());
    let wrong = "canary-of-a-wrong-token-canary-of-a-wrong-t";
    for (token, username) in [
        (wrong, "ana"),
        (&token, "not a name"),
        (&token, "ana"),
        (&token, "eva"),
    ] {
        let body =
            json!({"token": token, "username": username, "password": "canary of a first password"});
        let answer = resync
            .anonymous(Method::POST, "/api/v1/auth/setup", Some(body))
            .await;
        answers.keep("the setup", answer).await;
    }
    resync
}

/// What every session holds.
fn held(session: &Session) -> BTreeMap<String, String> {
    let cookies = session.headers["cookie"].to_str().unwrap();
    cookies
        .split("; ")
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

const PREVIOUS_KEY: &str = "canary of a previous secret key, of some length";
const REDIS_PASSWORD: &str = "canary-of-redis-password";
const METRICS_TOKEN: &str = "canary-of-the-metrics-token";
const FIRST_PASSWORD: &str = "canary of the first administrator";

/// A server whose every secret is a canary.
async fn planted(canaries: &mut Canaries) -> (Provider, Resync) {
    let secrets = [
        ("the secret key", "a secret of more than thirty-two bytes"),
        ("a previous secret key", PREVIOUS_KEY),
        ("the password of Redis", REDIS_PASSWORD),
        ("the metrics token", METRICS_TOKEN),
        ("the first administrator's password", FIRST_PASSWORD),
        ("the password of everybody", PASSWORD),
        // Whatever a client sends that is none of our fields, and what it sends in the wrong place.
        ("what a client sent", "canary-of-"),
        ("a name that may be a password", "canary-in-the-wrong-field"),
    ];
    for (what, secret) in secrets {
        canaries.add(what, secret);
    }
    let mut provider = Provider::start().await;
    let issuer = provider.issuer.clone();
    let options = Options {
        speed: Speed::Times(60),
        ..Options::default()
    };
    let resync = Resync::start_with(options, |config| {
        configure(config, issuer);
        config.auth.previous_secret_keys = vec![PREVIOUS_KEY.into()];
        config.redis.url = Some(format!("redis://:{REDIS_PASSWORD}@127.0.0.1:1/").into());
        config.telemetry.metrics_token = Some(METRICS_TOKEN.into());
        config.auth.admin_username = Some("first".to_owned());
        config.auth.admin_password = Some(FIRST_PASSWORD.into());
    })
    .await;
    let redirect_uri = resync.url("/api/v1/auth/oidc/callback");
    provider.order(json!({"redirect_uri": redirect_uri})).await;
    (provider, resync)
}

/// Everybody who may ask, and some who may not.
fn askers(origin: &str, admin: &Session, key: &str) -> [Asker; 7] {
    let bearer = format!("Bearer {key}");
    let of = |name: &str| admin.headers[name].to_str().unwrap();
    let (cookie, csrf) = (of("cookie"), of("x-csrf-token"));
    let from = ("origin", origin);
    [
        asker("nobody", &[from]),
        asker(
            "a bad key",
            &[("authorization", "Bearer rsk_canary-of-a-bad-key")],
        ),
        asker(
            "a bad login",
            &[("authorization", "Basic Y2FuYXJ5LW9mLTpiYXNpYw==")],
        ),
        asker(
            "a bad cookie",
            &[("cookie", "resync_session=canary-of-a.bad.cookie"), from],
        ),
        asker(
            "a bad page",
            &[
                ("cookie", cookie),
                ("x-csrf-token", "canary-of-a-csrf-token"),
                from,
            ],
        ),
        asker("a key", &[("authorization", &bearer)]),
        asker(
            "an administrator",
            &[("cookie", cookie), ("x-csrf-token", csrf), from],
        ),
    ]
}

/// P2, I-18, P1-09, A4: nothing that is secret leaves by the log, an answer or the metrics.
#[tokio::test]
async fn no_secret_leaves_by_the_log_the_answers_or_the_metrics() {
    let logs = Logs::capture();
    let (mut canaries, mut answers) = (Canaries::default(), Answers::default());
    let (mut provider, resync) = planted(&mut canaries).await;
    let wrong =
        json!({"username": "canary-in-the-wrong-field", "password": "canary-of-a-wrong-password"});
    let answer = resync
        .anonymous(Method::POST, "/api/v1/auth/login", Some(wrong))
        .await;
    assert_eq!(answers.keep("a wrong login", answer).await.0, 401);
    let (admin, operator) = (resync.sign_in("adam").await, resync.sign_in("olga").await);
    let scopes = ["plan.read", "users.manage", "chat.use"];
    let (_, key) = admin.make_key(&scopes).await;
    canaries.add("an API key", key.clone());
    for (name, value) in held(&admin).into_iter().chain(held(&operator)) {
        let csrf = name.contains("csrf");
        canaries.add(if csrf { "a CSRF token" } else { "a session" }, value);
    }
    operator.ask("spoken-in-a-question about the plan").await;
    let _second = engines(&admin, &mut answers, &mut canaries).await;
    job_with_secrets(&resync, &operator, &mut answers, &mut canaries).await;
    streams(&resync, &operator, &mut answers).await;
    single_sign_on(&mut provider, &resync, &mut answers, &mut canaries).await;
    let _first = first_start(&mut answers, &mut canaries).await;
    let askers = askers(&resync.origin(), &admin, &key);
    walk(&resync, &askers, &mut answers).await;
    let metrics = resync.with_key(METRICS_TOKEN);
    let answer = metrics.send(Method::GET, "/metrics", None).await;
    assert_eq!(answers.keep("the metrics", answer).await.0, 200);

    let (json, text) = (logs.json.text(), logs.text.text());
    for log in [&json, &text] {
        for span in ["tws.propose", "auth.log_in", "redis is away"] {
            assert!(log.contains(span), "{span}: the log was not captured");
        }
        // These come back in the history and the audit, to whom they belong; a log is for others.
        for said in ["spoken-in-a-question", "spoken-in-a-reason"] {
            assert!(!log.contains(said), "{said}");
        }
    }
    let mut found = canaries.found("the JSON log", &json);
    found.extend(canaries.found("the text log", &text));
    for (place, text) in &answers.0 {
        found.extend(canaries.found(place, text));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));

    // What is logged on purpose is found by the same search, in both forms.
    tracing::info!(target: "resync_server", value = METRICS_TOKEN, "a planted mistake");
    for log in [logs.json.text(), logs.text.text()] {
        let found = canaries.found("the log", &log);
        let planted = "the metrics token in the log";
        assert!(
            found.iter().any(|line| line.starts_with(planted)),
            "{found:?}"
        );
    }
}
