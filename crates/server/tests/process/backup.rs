//! A backup beside a running server, and a server on what was restored from it.

use reqwest::header::COOKIE;
use serde_json::json;

use crate::command::{PASSWORD, add, log_in, run, run_with};
use crate::server::Server;
use crate::site::{Database, Person, Site};

#[tokio::test]
async fn a_restored_backup_has_everybody_and_a_whole_audit() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let server = Server::start(here, &[]).await;
    add(here, "ana", "operator").await.ok();
    let (status, cookie) = log_in(&server, "ana", PASSWORD).await;
    assert_eq!(status, 200);

    let made = run(here, None, &["backup", "copy.db"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(made.stdout.trim_end(), "copy.db");
    assert!(made.stderr.contains("is copied and checked"), "{made:?}");
    let again = run(here, None, &["backup", "copy.db"]).await;
    assert_eq!(again.code, 1, "what is there is not replaced: {again:?}");

    // What comes after the backup is not in it.
    add(here, "late", "viewer").await.ok();
    server.terminate();
    server.end().await;

    let place = tempfile::tempdir().unwrap();
    let restored = place.path();
    std::fs::create_dir(restored.join("data")).unwrap();
    std::fs::copy(here.join("copy.db"), restored.join("data/resync.db")).unwrap();
    let server = Server::start(restored, &[]).await;
    assert_eq!(log_in(&server, "ana", PASSWORD).await.0, 200);
    assert_eq!(log_in(&server, "late", PASSWORD).await.0, 401);
    let url = format!("http://{}/api/v1/auth/verify", server.address);
    let session = server.client.get(url).header(COOKIE, cookie);
    let status = session.send().await.unwrap().status();
    assert_eq!(status, 200, "a session of before the backup goes on");
    let whole = run(restored, None, &["audit", "verify", "--json"]).await;
    let verdict = whole.json();
    assert_eq!(verdict["valid"], json!(true));
    assert!(verdict["rows"].as_u64() >= Some(4), "{verdict}");
}

#[tokio::test]
async fn an_audit_that_was_changed_is_told_with_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for name in ["ana", "bia", "caio"] {
        add(here, name, "viewer").await.ok();
    }
    let whole = run(here, None, &["audit", "verify"]).await.ok();
    assert_eq!(whole, "the audit log is whole: 3 rows");

    // Somebody with the file in an editor: another name in a row of the audit.
    let file = here.join("data/resync.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let told = br#""target":"bia "#;
    let places = bytes.windows(told.len()).enumerate();
    let places: Vec<usize> = places
        .filter(|(_, window)| window == told)
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty(), "the row names whom it made");
    for place in places {
        bytes[place + told.len() - 2] = b'z';
    }
    std::fs::write(&file, bytes).unwrap();
    let broken = run(here, None, &["audit", "verify"]).await;
    assert_eq!(broken.code, 1, "{broken:?}");
    assert_eq!(
        broken.stdout.trim_end(),
        "the audit log is broken at row 2; the 1 rows before it are whole"
    );
}

/// PostgreSQL's own tools: dumped beside a running replica, restored into another database.
#[tokio::test]
async fn a_dump_of_postgresql_is_restored_with_a_whole_audit() {
    let (folder, site) = (tempfile::tempdir().unwrap(), Site::start().await);
    let here = folder.path();
    let server = site.replica(here).await;
    let olga = Person::sign_in(&server, "olga").await;
    let question = json!({"message": "status of FIN_GL_POST"});
    assert_eq!(olga.post(&server, "/api/v1/chat", question).await.0, 200);
    let file = here.join("resync.dump").display().to_string();
    let dump = ["--format=custom", "--file", &file, &site.database.url];
    site.database.tool("pg_dump", &dump).await;

    let restored = Database::create().await;
    let restore = ["--exit-on-error", "--dbname", &restored.url, &file];
    restored.tool("pg_restore", &restore).await;
    let settings: Vec<_> = site
        .settings()
        .into_iter()
        .filter(|(key, _)| *key != "RESYNC_DATABASE_URL")
        .chain([("RESYNC_DATABASE_URL", restored.url.as_str())])
        .collect();
    let whole = run_with(here, None, &["audit", "verify", "--json"], &settings).await;
    let verdict = whole.json();
    assert_eq!(verdict["valid"], json!(true));
    assert!(verdict["rows"].as_u64() >= Some(4), "{verdict}");
    let again = Server::start(here, &settings).await;
    let (_, list) = olga.get(&again, "/api/v1/chat/sessions").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
}
