//! API keys: what they open, what they never open, and how they end.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderValue, ORIGIN};
use resync_api::edge::guard::Guard;
use resync_api::routes::table;
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{Options, Resync, Session};

const EVERYTHING_A_VIEWER_MAY: [&str; 3] = ["plan.read", "chat.use", "knowledge.read"];

/// A key works without cookie, CSRF token and `Origin`, and is narrowed by its scopes.
#[tokio::test]
async fn a_key_reads_and_changes_what_its_scopes_allow_and_no_more() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let (_, text) = olga.make_key(&["plan.read", "actions.propose"]).await;
    let key = resync.with_key(&text);
    let (status, verified) = key.get("/api/v1/auth/verify").await;
    assert_eq!((status, &verified["username"]), (200, &json!("olga")));
    assert_eq!(
        verified["permissions"],
        json!(["plan.read", "actions.propose"])
    );
    let job = key.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let (status, proposal) = key.post(&path, json!({"reason": "asked by a robot"})).await;
    assert_eq!(status, 202, "{proposal}");
    let (status, problem) = key.get("/api/v1/chat/sessions").await;
    assert_eq!((status, &problem["code"]), (403, &json!("not-permitted")));
}

/// I-08: a key cannot be given the right to confirm, and confirms nothing.
#[tokio::test]
async fn no_key_confirms_an_action() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let body = json!({"name": "a robot", "scopes": ["actions.confirm"], "expires_in_days": 1});
    let (status, problem) = olga.post("/api/v1/auth/api-keys", body).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/scopes"))
    );

    let (_, text) = olga.make_key(&["plan.read", "actions.propose"]).await;
    let key = resync.with_key(&text);
    let job = key.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let (_, proposal) = key.post(&path, json!({"reason": "asked by a robot"})).await;
    let token = json!({"confirmation_token": proposal["confirmation_token"]});
    let (status, problem) = key.post(&path, token).await;
    assert_eq!((status, &problem["code"]), (403, &json!("not-permitted")));
}

/// Whoever finds a key cannot outlive it: accounts, sessions, passwords and keys take a session.
#[tokio::test]
async fn a_key_reaches_nothing_that_outlives_it() {
    let resync = Resync::start(Options::default()).await;
    let adam = resync.sign_in("adam").await;
    let (_, text) = adam
        .make_key(&["plan.read", "users.manage", "audit.read"])
        .await;
    let key = resync.with_key(&text);
    let parameter = regex::Regex::new(r"\{[^}]*\}").unwrap();
    let mut tried = 0;
    for route in table() {
        if !matches!(route.guard, Guard::Session | Guard::SessionWith(_)) {
            continue;
        }
        let path = parameter.replace_all(route.path, "x").into_owned();
        let answer = key.send(route.method.clone(), &path, Some(json!({}))).await;
        assert_eq!(answer.status(), 403, "{} {path}", route.method);
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(
            problem["code"], "session-required",
            "{} {path}",
            route.method
        );
        tried += 1;
    }
    assert!(tried >= 7, "{tried}");
    assert_eq!(key.get("/api/v1/audit").await.0, 200);
}

/// A key beside a cookie is the one that counts, and a bad one never falls back to the cookie.
#[tokio::test]
async fn a_key_beside_a_cookie_is_the_one_that_counts() {
    let resync = Resync::start(Options::default()).await;
    let (vera, adam) = (resync.sign_in("vera").await, resync.sign_in("adam").await);
    let (_, text) = vera.make_key(&EVERYTHING_A_VIEWER_MAY).await;
    let mut both = adam.clone();
    let bearer = |text: &str| HeaderValue::try_from(format!("Bearer {text}")).unwrap();
    both.headers.insert(AUTHORIZATION, bearer(&text));
    assert_eq!(both.get("/api/v1/auth/verify").await.1["username"], "vera");
    assert_eq!(both.get("/api/v1/audit").await.0, 403);
    for bad in ["rsk_nothing", &text.replace("rsk_", "rsk-"), &text[..46]] {
        both.headers.insert(AUTHORIZATION, bearer(bad));
        assert_eq!(both.get("/api/v1/auth/verify").await.0, 401, "{bad}");
    }
    // The token of a session is no key.
    let cookie = adam.headers[COOKIE].to_str().unwrap().to_owned();
    let token = cookie
        .split("; ")
        .find_map(|pair| pair.strip_prefix("resync_session="))
        .unwrap();
    assert_eq!(
        resync.with_key(token).get("/api/v1/auth/verify").await.0,
        401
    );
}

/// P1-08: for a session and a key alike, another's conversation is one that does not exist.
#[tokio::test]
async fn history_takes_its_owner_by_cookie_and_by_key() {
    let resync = Resync::start(Options::default()).await;
    let (olga, otto) = (resync.sign_in("olga").await, resync.sign_in("otto").await);
    let (_, text) = olga.make_key(&EVERYTHING_A_VIEWER_MAY).await;
    let olgas_key = resync.with_key(&text);
    let (_, text) = otto.make_key(&EVERYTHING_A_VIEWER_MAY).await;
    let ottos_key = resync.with_key(&text);
    let answer = olgas_key.ask("How is the plan doing?").await;
    let path = format!(
        "/api/v1/chat/history?session_id={}",
        answer["session_id"].as_str().unwrap()
    );
    for stranger in [&otto, &ottos_key] {
        for method in [Method::GET, Method::DELETE] {
            let answer = stranger.send(method, &path, None).await;
            assert_eq!(answer.status(), 404);
        }
    }
    assert_eq!(
        resync.anonymous(Method::GET, &path, None).await.status(),
        401
    );
    assert_eq!(
        resync.anonymous(Method::DELETE, &path, None).await.status(),
        401
    );
    let owners: [&Session; 2] = [&olga, &olgas_key];
    for owner in owners {
        let (status, history) = owner.get(&path).await;
        assert_eq!(
            (status, history["items"].as_array().unwrap().len()),
            (200, 2)
        );
    }
    assert_eq!(olgas_key.delete(&path).await.0, 200);
    assert_eq!(olga.get(&path).await.0, 404);
}

/// A key is listed without its text, ends at once, and leaves two rows in the audit.
#[tokio::test]
async fn a_revoked_key_is_dead_at_the_next_request() {
    let resync = Resync::start(Options::default()).await;
    let (olga, otto) = (resync.sign_in("olga").await, resync.sign_in("otto").await);
    let (id, text) = olga.make_key(&EVERYTHING_A_VIEWER_MAY).await;
    let key = resync.with_key(&text);
    assert_eq!(key.get("/api/v1/tws/engines").await.0, 200);
    let (_, listed) = olga.get("/api/v1/auth/api-keys").await;
    assert_eq!(listed["items"][0]["id"], json!(id));
    assert!(!listed.to_string().contains(&text[4..]));
    let path = format!("/api/v1/auth/api-keys/{id}");
    assert_eq!(otto.delete(&path).await.1["code"], "unknown-api-key");
    assert_eq!(key.get("/api/v1/tws/engines").await.0, 200);
    assert_eq!(olga.delete(&path).await.0, 200);
    assert_eq!(key.get("/api/v1/tws/engines").await.0, 401);
    assert_eq!(olga.delete(&path).await.0, 404);
    let adam = resync.sign_in("adam").await;
    let (_, audit) = adam.get("/api/v1/audit").await;
    let actions: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .filter(|action| action.starts_with("api_key."))
        .collect();
    assert_eq!(actions, ["api_key.revoked", "api_key.created"]);
}

/// A key opens a WebSocket without an `Origin`, but not for a foreign page, and not without its scope.
#[tokio::test]
async fn a_socket_opens_for_a_key_without_an_origin() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let (_, chats) = olga.make_key(&["chat.use"]).await;
    let (_, reads) = olga.make_key(&["plan.read"]).await;
    let open = async |key: &str, origin: Option<&str>| {
        let url = format!("ws://{}/api/v1/ws/chat", resync.address);
        let mut request = url.into_client_request().unwrap();
        let bearer = HeaderValue::try_from(format!("Bearer {key}")).unwrap();
        request.headers_mut().insert(AUTHORIZATION, bearer);
        if let Some(origin) = origin {
            let origin = HeaderValue::try_from(origin).unwrap();
            request.headers_mut().insert(ORIGIN, origin);
        }
        match connect_async(request).await {
            Ok(_) => 101,
            Err(Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(open(&chats, None).await, 101);
    assert_eq!(open(&chats, Some(&resync.origin())).await, 101);
    assert_eq!(open(&chats, Some("http://evil.example")).await, 403);
    assert_eq!(open(&reads, None).await, 403);
    assert_eq!(open("rsk_nothing", None).await, 401);
}
