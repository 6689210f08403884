//! Accounts: one's own password and sessions, and what an administrator does with those of others.

use std::path::Path;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};

use crate::harness::{Options, PASSWORD, Resync, read};

const NEW_PASSWORD: &str = "seven otters cross the ferry";

/// ASVS 7.2.4, 7.4.1: another password ends every session but the one that takes this one's place.
#[tokio::test]
async fn another_password_ends_the_other_sessions_and_keeps_this_browser_signed_in() {
    let resync = Resync::start(Options::default()).await;
    let (one, other) = (resync.sign_in("olga").await, resync.sign_in("olga").await);
    let (_, key) = other.make_key(&["plan.read"]).await;
    let path = "/api/v1/auth/password";
    let wrong = json!({"current_password": "not this one at all", "new_password": NEW_PASSWORD});
    let (status, problem) = one.post(path, wrong).await;
    assert_eq!((status, &problem["code"]), (403, &json!("wrong-password")));
    let weak = json!({"current_password": PASSWORD, "new_password": "olga-olga-olga"});
    let (status, problem) = one.post(path, weak).await;
    assert_eq!((status, &problem["code"]), (422, &json!("weak-password")));
    assert_eq!(other.get("/api/v1/auth/verify").await.0, 200);

    let right = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let answer = one.send(Method::POST, path, Some(right)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    for ended in [&one, &other] {
        assert_eq!(ended.get("/api/v1/auth/verify").await.0, 401);
    }
    assert_eq!(
        resync.with_key(&key).get("/api/v1/auth/verify").await.0,
        401
    );
}

#[tokio::test]
async fn a_wrong_current_password_counts_as_a_failed_login_does() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let wrong = json!({"current_password": "not this one at all", "new_password": NEW_PASSWORD});
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let (status, _) = olga.post("/api/v1/auth/password", wrong.clone()).await;
        statuses.push(status);
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 429]);
}

#[tokio::test]
async fn one_sees_and_ends_ones_own_sessions_and_nobody_elses() {
    let resync = Resync::start(Options::default()).await;
    let (one, other) = (resync.sign_in("olga").await, resync.sign_in("olga").await);
    let otto = resync.sign_in("otto").await;
    let (_, listed) = one.get("/api/v1/auth/sessions").await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let id = items.iter().find(|item| item["current"] == false).unwrap()["id"].clone();
    let path = format!("/api/v1/auth/sessions/{}", id.as_str().unwrap());
    assert_eq!(otto.delete(&path).await.0, 404);
    assert_eq!(one.delete(&path).await.0, 200);
    assert_eq!(other.get("/api/v1/auth/verify").await.0, 401);
    assert_eq!(one.get("/api/v1/auth/verify").await.0, 200);
    assert_eq!(one.delete("/api/v1/auth/sessions/x").await.0, 404);
}

/// ASVS 7.4.5: what an administrator does to an account, and that the last one cannot go.
#[tokio::test]
async fn an_administrator_looks_after_accounts_and_the_last_one_cannot_go() {
    let resync = Resync::start(Options::default()).await;
    let adam = resync.sign_in("adam").await;
    let body = json!({"username": "Rita", "role": "viewer", "password": NEW_PASSWORD});
    let (status, rita) = adam.post("/api/v1/admin/users", body.clone()).await;
    assert_eq!((status, &rita["username"]), (201, &json!("rita")));
    assert_eq!(
        adam.post("/api/v1/admin/users", body).await.1["code"],
        "username-taken"
    );
    let (_, found) = adam.get("/api/v1/admin/users?q=RIT").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let (_, page) = adam.get("/api/v1/admin/users?limit=2").await;
    let next = page["next_cursor"].as_str().unwrap();
    let (_, rest) = adam
        .get(&format!("/api/v1/admin/users?limit=500&cursor={next}"))
        .await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);

    let path = format!("/api/v1/admin/users/{}", rita["id"].as_str().unwrap());
    let change = adam
        .send(Method::PATCH, &path, Some(json!({"role": "operator"})))
        .await;
    assert_eq!(read(change).await.1["role"], "operator");
    let nothing = adam.send(Method::PATCH, &path, Some(json!({}))).await;
    assert_eq!(nothing.status(), 400);
    assert_eq!(adam.post(&format!("{path}/unlock"), json!({})).await.0, 200);
    assert_eq!(adam.delete(&path).await.0, 200);
    assert_eq!(adam.get(&path).await.1["code"], "unknown-user");

    let (_, me) = adam.get("/api/v1/auth/verify").await;
    let own = format!("/api/v1/admin/users/{}", me["id"].as_str().unwrap());
    let (status, problem) = adam.delete(&own).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("last-administrator"))
    );
    let demote = adam
        .send(Method::PATCH, &own, Some(json!({"role": "viewer"})))
        .await;
    assert_eq!(demote.status(), 409);
    let olga = resync.sign_in("olga").await;
    assert_eq!(olga.get("/api/v1/admin/users").await.0, 403);
}

#[tokio::test]
async fn an_administrator_ends_the_sessions_of_others() {
    let resync = Resync::start(Options::default()).await;
    let (adam, olga) = (resync.sign_in("adam").await, resync.sign_in("olga").await);
    let (_, found) = adam.get("/api/v1/admin/users?q=olga").await;
    let path = format!(
        "/api/v1/admin/users/{}/sessions",
        found["items"][0]["id"].as_str().unwrap()
    );
    let (_, sessions) = adam.get(&path).await;
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    assert_eq!(adam.delete(&path).await, (200, json!({"revoked": 1})));
    assert_eq!(olga.get("/api/v1/auth/verify").await.0, 401);
}

/// ASVS 7.2.4: a login ends the session that came with it; one that fails ends nothing.
#[tokio::test]
async fn a_login_ends_the_session_that_came_with_it() {
    let resync = Resync::start(Options::default()).await;
    let old = resync.sign_in("olga").await;
    let path = "/api/v1/auth/login";
    let wrong = json!({"username": "olga", "password": "not this one at all"});
    assert_eq!(old.post(path, wrong).await.0, 401);
    assert_eq!(old.get("/api/v1/auth/verify").await.0, 200);
    let right = json!({"username": "otto", "password": PASSWORD});
    assert_eq!(old.post(path, right).await.0, 200);
    assert_eq!(old.get("/api/v1/auth/verify").await.0, 401);
}

#[tokio::test]
async fn the_strength_of_a_password_is_told_in_both_languages_and_without_it() {
    let resync = Resync::start(Options::default()).await;
    let path = "/api/v1/auth/password/strength";
    let ask = async |password: &str| {
        let body = json!({"password": password, "username": "olga"});
        read(resync.anonymous(Method::POST, path, Some(body)).await).await
    };
    let (status, weak) = ask("qwertyuiop12").await;
    assert_eq!((status, &weak["acceptable"]), (200, &json!(false)));
    assert!(
        weak["warning"]["en"].is_string() && weak["warning"]["pt"].is_string(),
        "{weak}"
    );
    assert!(!weak.to_string().contains("qwerty"));
    assert_eq!(ask(NEW_PASSWORD).await.1["acceptable"], true);
    assert_eq!(ask(&"x".repeat(1025)).await.0, 400);
}

/// Role and password are one change: what is refused of it leaves the other as it was.
#[tokio::test]
async fn a_role_and_a_password_are_changed_together_or_not_at_all() {
    let resync = Resync::start(Options::default()).await;
    let adam = resync.sign_in("adam").await;
    let (_, me) = adam.get("/api/v1/auth/verify").await;
    let own = format!("/api/v1/admin/users/{}", me["id"].as_str().unwrap());
    let both = json!({"role": "viewer", "password": NEW_PASSWORD});
    let refused = read(adam.send(Method::PATCH, &own, Some(both)).await).await;
    assert_eq!(
        (refused.0, &refused.1["code"]),
        (409, &json!("last-administrator"))
    );
    let weak = json!({"role": "admin", "password": "adam-adam-adam"});
    let refused = read(adam.send(Method::PATCH, &own, Some(weak)).await).await;
    assert_eq!(
        (refused.0, &refused.1["code"]),
        (422, &json!("weak-password"))
    );
    assert_eq!(adam.get("/api/v1/auth/verify").await.0, 200);
    resync.sign_in("adam").await;
}

/// P3: who, from where, in which request, and what was refused.
#[tokio::test]
async fn each_row_of_an_account_names_its_request_and_where_it_came_from() {
    let resync = Resync::start(Options::default()).await;
    let adam = resync.sign_in("adam").await;
    let (_, me) = adam.get("/api/v1/auth/verify").await;
    let path = format!("/api/v1/admin/users/{}", me["id"].as_str().unwrap());
    let mut named = adam.clone();
    let mut as_request = async |id: &str, method: Method, path: &str, body| {
        named.headers.insert("x-request-id", id.parse().unwrap());
        named.send(method, path, body).await.status().as_u16()
    };
    let last = json!({"role": "viewer"});
    assert_eq!(
        as_request("demotion", Method::PATCH, &path, Some(last)).await,
        409
    );
    assert_eq!(
        as_request("deletion", Method::DELETE, &path, None).await,
        409
    );
    let unlock = format!("{path}/unlock");
    assert_eq!(
        as_request("unlocking", Method::POST, &unlock, None).await,
        200
    );
    let key = json!({"name": "a robot", "scopes": ["plan.read"], "expires_in_days": 1});
    let keys = "/api/v1/auth/api-keys";
    assert_eq!(
        as_request("robot-key", Method::POST, keys, Some(key)).await,
        201
    );
    let wrong = json!({"current_password": "not this one at all", "new_password": NEW_PASSWORD});
    let password = "/api/v1/auth/password";
    assert_eq!(
        as_request("guessing", Method::POST, password, Some(wrong)).await,
        403
    );
    let right = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    assert_eq!(
        as_request("password", Method::POST, password, Some(right)).await,
        200
    );

    let body = json!({"username": "adam", "password": NEW_PASSWORD});
    let login = resync.anonymous(Method::POST, "/api/v1/auth/login", Some(body));
    assert_eq!(login.await.status(), 200);
    let page = resync.app.audit.list(None, 100).await.unwrap();
    let page = serde_json::to_value(page.items).unwrap();
    let page = page.as_array().unwrap();
    for (request, action, outcome) in [
        ("demotion", "user.changed", "refused"),
        ("deletion", "user.deleted", "refused"),
        ("unlocking", "user.unlocked", "succeeded"),
        ("robot-key", "api_key.created", "succeeded"),
        ("guessing", "auth.login", "refused"),
        ("password", "user.password", "succeeded"),
    ] {
        let mut rows = page.iter().filter(|row| row["request_id"] == request);
        let row = rows.find(|row| row["action"] == action);
        let row = row.unwrap_or_else(|| panic!("no row of {request} in {page:?}"));
        assert_eq!(
            (&row["outcome"], &row["actor"]),
            (&json!(outcome), &json!("adam"))
        );
        assert_eq!(row["user_id"], me["id"], "{row}");
        let detail = row["detail"].as_str().unwrap();
        assert!(detail.starts_with("from 127.0.0.1"), "{row}");
        let why = detail.contains("the last administrator cannot go");
        assert_eq!(
            why,
            row["target"] == me["id"] && outcome == "refused",
            "{row}"
        );
    }
    let logins: Vec<_> = page
        .iter()
        .filter(|row| row["action"] == "auth.login")
        .collect();
    assert!(
        logins.iter().all(|row| row["request_id"].is_string()),
        "{logins:?}"
    );
}

/// P3: what an API key did names the key, beside what any row says.
#[tokio::test]
async fn a_change_of_knowledge_and_cache_names_its_request_where_it_came_from_and_the_key() {
    let resync = Resync::start(Options::default()).await;
    let adam = resync.sign_in("adam").await;
    let (id, text) = adam.make_key(&["knowledge.manage", "cache.manage"]).await;
    let mut robot = resync.with_key(&text);
    robot
        .headers
        .insert("x-request-id", "nightly-1".parse().unwrap());
    let part = Part::bytes(b"# Disk full\n\nRemove old files.\n".as_slice()).file_name("disk.md");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(resync.url("/api/v1/rag/documents"))
        .headers(robot.headers.clone())
        .multipart(Form::new().part("file", part));
    let (status, uploaded) = read(request.send().await.unwrap()).await;
    assert_eq!(status, 202, "{uploaded}");
    let document = uploaded["id"].as_str().unwrap();
    let document = format!("/api/v1/rag/documents/{document}");
    assert_eq!(robot.delete(&document).await.0, 200);
    let (status, _) = robot.post("/api/v1/cache/invalidate", json!({})).await;
    assert_eq!(status, 200);
    let page = resync.app.audit.list(None, 3).await.unwrap();
    let page = serde_json::to_value(page.items).unwrap();
    for (row, action) in page.as_array().unwrap().iter().rev().zip([
        "knowledge.added",
        "knowledge.deleted",
        "cache.invalidated",
    ]) {
        assert_eq!(
            (&row["action"], &row["actor"]),
            (&json!(action), &json!("adam"))
        );
        assert_eq!(row["request_id"], "nightly-1", "{row}");
        assert_eq!(
            row["detail"],
            format!("from 127.0.0.1, by API key {id}"),
            "{row}"
        );
    }
}

/// The store of a running server, for a test that spoils it.
async fn beside(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("resync.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// P2-01, ASVS 16.5.2: what fails after the password was changed does not make it look unchanged.
#[tokio::test]
async fn a_password_that_was_changed_is_said_to_be_although_what_follows_fails() {
    for (table, code) in [("sessions", "sign-in-again"), ("audit", "not-audited")] {
        let folder = tempfile::tempdir().unwrap();
        let resync = Resync::start_with(Options::default(), |config| {
            config.server.data_dir = folder.path().to_path_buf();
        })
        .await;
        let olga = resync.sign_in("olga").await;
        let mut store = beside(folder.path()).await;
        let full = format!(
            "CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT raise(ABORT, 'full'); END"
        );
        store.execute(AssertSqlSafe(full)).await.unwrap();
        let right = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
        let answer = olga
            .send(Method::POST, "/api/v1/auth/password", Some(right))
            .await;
        let gone = answer.headers().get_all("set-cookie").iter();
        let gone = gone.filter(|cookie| cookie.to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(gone.count(), 2);
        let (status, problem) = read(answer).await;
        assert_eq!((status, &problem["code"]), (500, &json!(code)), "{problem}");
        assert_eq!(problem["executed"], true);
        assert_eq!(olga.get("/api/v1/auth/verify").await.0, 401);

        store.execute("DROP TRIGGER full").await.unwrap();
        for (password, expected) in [(PASSWORD, 401), (NEW_PASSWORD, 200)] {
            let body = json!({"username": "olga", "password": password});
            let login = resync.anonymous(Method::POST, "/api/v1/auth/login", Some(body));
            assert_eq!(login.await.status(), expected);
        }
    }
}

/// ASVS 7.2.4, 16.5.3: while the store cannot look at the session that came with a login, nobody signs in,
/// for that session would stay open behind the new one.
#[tokio::test]
async fn a_login_beside_a_session_that_cannot_be_looked_at_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let resync = Resync::start_with(Options::default(), |config| {
        config.server.data_dir = folder.path().to_path_buf();
    })
    .await;
    let old = resync.sign_in("olga").await;
    // A time that is none makes this one row unreadable and no other.
    let mut store = beside(folder.path()).await;
    let spoiled = sqlx::query("UPDATE sessions SET created_at_ms = ?")
        .bind(i64::MAX)
        .execute(&mut store)
        .await
        .unwrap();
    assert_eq!(spoiled.rows_affected(), 1);
    let right = json!({"username": "olga", "password": PASSWORD});
    let (status, problem) = old.post("/api/v1/auth/login", right).await;
    assert_eq!((status, &problem["code"]), (503, &json!("unavailable")));
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
        .fetch_one(&mut store)
        .await
        .unwrap();
    assert_eq!(count, 1, "no session was opened");
    resync.sign_in("otto").await;
}

/// RFC 9110, 11.6.1: a 401 names a scheme that would do, and none at which a browser asks for a password.
#[tokio::test]
async fn a_401_names_bearer_and_never_basic() {
    let resync = Resync::start(Options::default()).await;
    let wrong = json!({"username": "olga", "password": "not this one at all"});
    let login = resync.anonymous(Method::POST, "/api/v1/auth/login", Some(wrong));
    let nobody = resync.anonymous(Method::GET, "/api/v1/tws/jobs", None);
    let page = resync.anonymous(Method::GET, "/metrics/none", None);
    for answer in [login.await, nobody.await] {
        assert_eq!(answer.status(), 401);
        let schemes: Vec<_> = answer
            .headers()
            .get_all("www-authenticate")
            .iter()
            .collect();
        assert_eq!(schemes, ["Bearer realm=\"resync\""]);
    }
    assert!(!page.await.headers().contains_key("www-authenticate"));
}

/// With an administrator in place no token makes another one.
#[tokio::test]
async fn the_setup_link_is_dead_once_there_is_an_administrator() {
    let resync = Resync::start(Options::default()).await;
    assert!(resync.app.setup.open().await.unwrap().is_none());
    let body = json!({"token": "x".repeat(43), "username": "eve", "password": NEW_PASSWORD});
    let answer = resync
        .anonymous(Method::POST, "/api/v1/auth/setup", Some(body))
        .await;
    assert_eq!(read(answer).await.1["code"], "setup-refused");
}
