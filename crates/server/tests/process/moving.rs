//! From one machine to several: everything of a store in SQLite goes to PostgreSQL.

use std::path::Path;

use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::command::{PASSWORD, Ran, add, log_in, run, run_with};
use crate::server::Server;
use crate::site::{Database, Person, until};

/// A store with somebody in it who asked, and a document with vectors. Gives the session's cookie.
async fn filled(here: &Path) -> String {
    let server = Server::start(here, &[]).await;
    for (name, role) in [("olga", "operator"), ("adam", "admin")] {
        add(here, name, role).await.ok();
    }
    let olga = Person::sign_in(&server, "olga").await;
    let question = json!({"message": "what can you do?"});
    let (status, answer) = olga.post(&server, "/api/v1/chat", question).await;
    assert_eq!((status, &answer["saved"]), (200, &json!(true)), "{answer}");
    std::fs::write(
        here.join("zebra.md"),
        "# Zebra\n\nThe queue of zebras is full: drain it.\n",
    )
    .unwrap();
    run(here, None, &["kb", "add", "zebra.md"]).await.ok();
    let (_, cookie) = log_in(&server, "olga", PASSWORD).await;
    server.terminate();
    server.end().await;
    cookie
}

async fn move_to(here: &Path, database: &Database) -> Ran {
    let from = format!("sqlite://{}", here.join("data/resync.db").display());
    let settings = [("RESYNC_DATABASE_URL", database.url.as_str())];
    run_with(
        here,
        None,
        &["migrate", "--from", &from, "--json"],
        &settings,
    )
    .await
}

#[tokio::test]
async fn everything_is_moved_and_proved_and_goes_on_in_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let cookie = filled(here).await;
    let database = Database::create().await;

    let moved = move_to(here, &database).await.json();
    let rows = |table: &str| {
        let tables = moved.as_array().unwrap();
        let row = tables.iter().find(|row| row["table"] == table).unwrap();
        row["rows"].as_u64().unwrap()
    };
    assert_eq!(
        (rows("users"), rows("documents"), rows("chat_messages")),
        (2, 1, 2)
    );
    assert!(rows("audit") >= 5 && rows("vectors") >= 1, "{moved}");

    let again = move_to(here, &database).await;
    assert_eq!(
        again.code, 7,
        "a database that is not empty is refused: {again:?}"
    );

    let settings = [("RESYNC_DATABASE_URL", database.url.as_str())];
    let server = Server::start(here, &settings).await;
    let url = format!("http://{}/api/v1/auth/verify", server.address);
    let session = server.client.get(url).header(COOKIE, cookie);
    assert_eq!(
        session.send().await.unwrap().status(),
        200,
        "a session goes on"
    );
    let olga = Person::sign_in(&server, "olga").await;
    let (_, list) = olga.get(&server, "/api/v1/chat/sessions").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let found = async || {
        olga.get(&server, "/api/v1/rag/search?q=zebra%20queue")
            .await
            .1
    };
    let is_found = |page: &Value| page["items"][0]["source"] == "zebra.md";
    until(found, is_found).await;
    let whole = run_with(here, None, &["audit", "verify", "--json"], &settings).await;
    assert_eq!(whole.json()["valid"], json!(true));
}

/// Broken off after some tables, the move leaves a database that no server uses; the next run ends it.
#[tokio::test]
async fn a_move_that_was_broken_off_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    filled(here).await;
    let database = Database::create().await;
    let settings = [("RESYNC_DATABASE_URL", database.url.as_str())];
    run_with(here, None, &["migrate"], &settings).await.ok();
    // What a run that was killed leaves: its note, and the first table of several.
    let source = here.join("data/resync.db").canonicalize().unwrap();
    let note = format!(
        "INSERT INTO transfer (only_row, source, began_at_ms) VALUES (1, '{}', 0)",
        source.display()
    );
    database
        .tool("psql", &["-XAtqc", &note, &database.url])
        .await;
    let refused = run_with(here, None, &["audit", "verify"], &settings).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("is not finished"), "{refused:?}");

    // Two users and their sessions are there already, as after the first pages.
    let half = move_users(here, &database).await;
    assert_eq!(half, 1);
    let moved = move_to(here, &database).await.json();
    assert_eq!(moved[0]["table"], "users");
    assert_eq!(moved[0]["rows"], 2, "{moved}");
    let whole = run_with(here, None, &["audit", "verify", "--json"], &settings).await;
    assert_eq!(whole.json()["valid"], json!(true));
}

/// Copies the first user alone, by our own code; gives how many there are then.
async fn move_users(here: &Path, database: &Database) -> u64 {
    use resync_postgres::{PgConfig, PgDatabase};
    use resync_sqlite::{MOVED_TABLES, SqliteDatabase};

    let from = SqliteDatabase::open(here.join("data/resync.db"))
        .await
        .unwrap();
    let to = PgDatabase::open(&PgConfig::new(database.url.as_str().into()))
        .await
        .unwrap();
    let users = &MOVED_TABLES[0];
    let columns = from.column_names(users).await.unwrap();
    let key = from.key_names(users).await.unwrap();
    let table = to.text_table(users.name, columns, key, users.left);
    let table = table.await.unwrap().unwrap();
    let mut rows = from.text_rows(users, None).await.unwrap();
    rows.truncate(1);
    to.put_text_rows(&table, rows).await.unwrap();
    let count = to.count(&table).await.unwrap();
    from.close().await;
    to.close().await;
    count
}

#[tokio::test]
async fn a_check_changes_nothing_and_a_later_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let check = ["migrate", "--check"];
    let missing = run(here, None, &check).await;
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(!here.join("data/resync.db").exists(), "no file is made");

    let database = Database::create().await;
    let settings = [("RESYNC_DATABASE_URL", database.url.as_str())];
    let missing = run_with(here, None, &check, &settings).await;
    assert_eq!(missing.code, 1, "{missing:?}");
    let early = run_with(here, None, &["audit", "verify"], &settings).await;
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.stderr.contains("run `resync migrate`"), "{early:?}");
    run_with(here, None, &["migrate"], &settings).await.ok();
    run_with(here, None, &check, &settings).await.ok();
    let later =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', true, '', 0)";
    database
        .tool("psql", &["-XAtqc", later, &database.url])
        .await;
    let refused = run_with(here, None, &["audit", "verify"], &settings).await;
    assert!(refused.stderr.contains("later version"), "{refused:?}");
    let refused = run_with(here, None, &["migrate"], &settings).await;
    assert_eq!(refused.code, 1, "{refused:?}");
}
