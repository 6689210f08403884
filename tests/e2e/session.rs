//! Signing in and out, and what a session may reach.

use reqwest::Method;
use reqwest::header::{HeaderValue, ORIGIN};
use resync_api::edge::guard::Guard;
use resync_api::routes::table;
use serde_json::json;

use crate::harness::{Options, PASSWORD, Resync, read};

/// P1-09: the audit's journey, over real TCP.
#[tokio::test]
async fn cookie_only_journey() {
    let resync = Resync::start(Options::default()).await;
    let body = json!({"username": "olga", "password": PASSWORD});
    let answer = resync
        .anonymous(Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    let cookies: Vec<_> = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap().to_owned())
        .collect();
    assert!(
        cookies[0].starts_with("resync_session=") && cookies[0].contains("HttpOnly; SameSite=Lax")
    );
    let text = answer.text().await.unwrap();
    let token = regex::Regex::new(r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}").unwrap();
    assert!(!token.is_match(&text), "{text}");

    let session = resync.sign_in("olga").await;
    let (status, verified) = session.get("/api/v1/auth/verify").await;
    assert_eq!((status, &verified["username"]), (200, &json!("olga")));
    let (status, gone) = session.post("/api/v1/auth/logout", json!({})).await;
    assert_eq!(
        (status, gone),
        (200, json!({"success": true, "revoked": true}))
    );
    assert_eq!(session.get("/api/v1/auth/verify").await.0, 401);
}

#[tokio::test]
async fn logging_out_everywhere_ends_the_other_sessions() {
    let resync = Resync::start(Options::default()).await;
    let (one, other) = (resync.sign_in("olga").await, resync.sign_in("olga").await);
    let stranger = resync.sign_in("otto").await;
    assert_eq!(one.post("/api/v1/auth/logout-all", json!({})).await.0, 200);
    assert_eq!(other.get("/api/v1/auth/verify").await.0, 401);
    assert_eq!(stranger.get("/api/v1/auth/verify").await.0, 200);
}

/// I-01: an anonymous call to anything that is not public is a 401.
#[tokio::test]
async fn nothing_but_the_public_routes_answers_a_stranger() {
    let resync = Resync::start(Options::default()).await;
    let parameter = regex::Regex::new(r"\{[^}]*\}").unwrap();
    for route in table() {
        let path = parameter.replace_all(route.path, "x").into_owned();
        let answer = resync.anonymous(route.method.clone(), &path, None).await;
        let status = answer.status().as_u16();
        if route.guard == Guard::Public {
            assert_ne!(status, 401, "{} {path}", route.method);
        } else {
            assert_eq!(status, 401, "{} {path}", route.method);
            // OpenAI's libraries read errors of their own shape.
            let kind = if path.starts_with("/v1/") {
                "application/json"
            } else {
                "application/problem+json"
            };
            assert_eq!(answer.headers()["content-type"], kind, "{path}");
        }
    }
}

#[tokio::test]
async fn a_change_needs_our_page_and_its_token() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("olga").await;
    let mut tossed = session.clone();
    tossed
        .headers
        .insert("x-csrf-token", HeaderValue::from_static("tossed"));
    assert_eq!(
        tossed.post("/api/v1/auth/logout", json!({})).await.1["code"],
        "csrf"
    );
    let mut bare = session.clone();
    bare.headers.remove("x-csrf-token");
    assert_eq!(
        bare.post("/api/v1/auth/logout", json!({})).await.1["code"],
        "csrf"
    );
    let other = resync.sign_in("otto").await;
    let mut foreign = session.clone();
    foreign
        .headers
        .insert("x-csrf-token", other.headers["x-csrf-token"].clone());
    assert_eq!(
        foreign.post("/api/v1/auth/logout", json!({})).await.1["code"],
        "csrf"
    );
    let mut elsewhere = session.clone();
    elsewhere
        .headers
        .insert(ORIGIN, HeaderValue::from_static("http://evil.example"));
    assert_eq!(
        elsewhere.post("/api/v1/auth/logout", json!({})).await.1["code"],
        "foreign-origin"
    );
    assert_eq!(session.get("/api/v1/auth/verify").await.0, 200);
}

#[tokio::test]
async fn five_wrong_passwords_lock_even_the_right_one_and_only_from_there() {
    let resync = Resync::start(Options::default()).await;
    let wrong = json!({"username": "olga", "password": "not this one at all"});
    for _ in 0..5 {
        let (status, problem) = read(
            resync
                .anonymous(Method::POST, "/api/v1/auth/login", Some(wrong.clone()))
                .await,
        )
        .await;
        assert_eq!((status, &problem["code"]), (401, &json!("bad-credentials")));
    }
    let right = json!({"username": "olga", "password": PASSWORD});
    let answer = resync
        .anonymous(Method::POST, "/api/v1/auth/login", Some(right))
        .await;
    assert_eq!(answer.status(), 429);
    assert!(
        answer.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    resync.sign_in("otto").await;
}

#[tokio::test]
async fn a_role_reaches_what_it_may_and_no_more() {
    let resync = Resync::start(Options::default()).await;
    let viewer = resync.sign_in("vera").await;
    let job = viewer.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    assert_eq!(
        viewer.post(&path, json!({"reason": "please"})).await.1["code"],
        "not-permitted"
    );
    assert_eq!(viewer.get("/api/v1/audit").await.0, 403);
    let admin = resync.sign_in("adam").await;
    let (status, audit) = admin.get("/api/v1/audit?limit=2").await;
    assert_eq!((status, audit["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(audit["items"][0]["action"], "auth.login");
    assert_eq!(admin.get("/api/v1/audit/verify").await.1["valid"], true);
}

/// I-02: the page asks for nothing that is not there.
#[test]
fn every_call_of_the_page_is_a_route() {
    let table = table();
    let known: Vec<_> = table
        .iter()
        .map(|route| (route.method.as_str(), route.path))
        .collect();
    for call in resync_web::API_CALLS {
        assert!(known.contains(call), "{call:?}");
    }
    assert_eq!(resync_web::ROUTES, resync_api::routes::PAGES);
}

/// P0-04: one of each, for whoever asks, at the same time.
#[tokio::test]
async fn app_state_singletons_are_shared() {
    let resync = Resync::start(Options::default()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let app = resync.app.clone();
        tasks.spawn(async move { app });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|app| app.is(&resync.app)));
}
