//! The link that the first start prints.

use std::path::Path;

use chrono::Duration;
use reqwest::Method;
use resync_auth::SetupTokenStore;
use resync_sqlite::SqliteDatabase;
use resync_sqlite::auth::SqliteSetupTokenStore;
use serde_json::{Value, json};

use crate::server::Server;

/// The link as it is printed, and its token.
async fn link(server: &mut Server) -> (String, String) {
    let line = server.until(|line| line.contains("/setup#token=")).await;
    let (page, token) = line.trim().split_once("#token=").unwrap();
    (page.to_owned(), token.to_owned())
}

/// What a person at the page of the link sends.
async fn complete(server: &Server, token: &str, name: &str) -> (u16, Value) {
    let body = json!({"token": token, "username": name, "password": "correct horse battery"});
    server
        .json(Method::POST, "/api/v1/auth/setup", Some(body))
        .await
}

async fn open(server: &Server) -> Value {
    let (_, methods) = server.json(Method::GET, "/api/v1/auth/methods", None).await;
    methods["setup"].clone()
}

/// ASVS 6.3.2: there is no default account; the first one is made by whoever reads the server's
/// own terminal.
#[tokio::test]
async fn the_link_of_the_first_start_works_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]).await;
    let (page, token) = link(&mut server).await;
    assert_eq!(page, format!("http://{}/setup", server.address));
    let answer = server.ask(Method::GET, "/setup", None).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(open(&server).await, true);

    // A wrong token, and a right one with what cannot be an account, use nothing up.
    let wrong: String = token.chars().rev().collect();
    let (status, problem) = complete(&server, &wrong, "ana").await;
    assert_eq!((status, &problem["code"]), (403, &json!("setup-refused")));
    assert_eq!(complete(&server, &token, "not a name").await.0, 400);
    let (status, made) = complete(&server, &token, "ana").await;
    assert_eq!(
        (status, &made["user"]["role"]),
        (201, &json!("admin")),
        "{made}"
    );

    let body = json!({"username": "ana", "password": "correct horse battery"});
    let (status, user) = server
        .json(Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    assert_eq!(
        (status, &user["user"]["role"]),
        (200, &json!("admin")),
        "{user}"
    );
    let (status, problem) = complete(&server, &token, "eva").await;
    assert_eq!((status, &problem["code"]), (403, &json!("setup-refused")));
    assert_eq!(open(&server).await, false);
    server.terminate();
    let (status, said) = server.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(
        said.matches(&token).count(),
        1,
        "it is printed once and logged never: {said}"
    );

    // With an administrator there is no link any more.
    let server = Server::start(folder.path(), &[]).await;
    assert_eq!(open(&server).await, false);
    server.terminate();
    let (_, said) = server.end().await;
    assert!(!said.contains("#token="), "{said}");
}

/// Lets the time of the token run out, in the store of the running server.
async fn expire(folder: &Path) {
    let database = SqliteDatabase::open(folder.join("data/resync.db"))
        .await
        .unwrap();
    let tokens = SqliteSetupTokenStore::new(database.clone());
    let mut record = tokens.find().await.unwrap().unwrap();
    record.expires_at -= Duration::hours(24);
    tokens.replace(&record).await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn an_expired_link_is_refused_and_the_next_start_prints_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]).await;
    let (_, old) = link(&mut server).await;
    assert_eq!(open(&server).await, true);
    expire(folder.path()).await;
    let (status, problem) = complete(&server, &old, "ana").await;
    assert_eq!((status, &problem["code"]), (403, &json!("setup-refused")));
    assert_eq!(open(&server).await, false);
    server.terminate();
    server.end().await;

    let mut server = Server::start(folder.path(), &[]).await;
    let (_, new) = link(&mut server).await;
    assert_ne!(old, new);
    assert_eq!(complete(&server, &old, "ana").await.0, 403);
    assert_eq!(complete(&server, &new, "ana").await.0, 201);
}
