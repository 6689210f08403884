//! `resync user` and `resync key` beside a running server, as an operator types them.

use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::command::{PASSWORD, add, log_in, run, run_with};
use crate::server::{PATIENCE, Server};

const OTHER: &str = "seven otters cross the ferry";

async fn verify(server: &Server, header: &str, value: &str) -> u16 {
    let url = format!("http://{}/api/v1/auth/verify", server.address);
    let request = server.client.get(url).header(header, value);
    request.send().await.unwrap().status().as_u16()
}

/// Waits until the running server has heard of what the command changed.
async fn is_over(server: &Server, header: &str, value: &str) -> bool {
    let over = async {
        while verify(server, header, value).await != 401 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, over).await.is_ok()
}

/// The rows of the audit that the command line wrote: action, outcome and target.
async fn audited(server: &Server, cookie: &str) -> Vec<Value> {
    let url = format!("http://{}/api/v1/audit?limit=200", server.address);
    let request = server.client.get(url).header(COOKIE, cookie);
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    let rows = page["items"].as_array().unwrap().iter();
    rows.filter(|row| row["actor"].as_str().unwrap().starts_with("local:"))
        .cloned()
        .collect()
}

/// ASVS 7.4.1, 8.3.2, P3: an account from the command line logs in; another role ends its session at the
/// server, and the audit says who did it.
#[tokio::test]
async fn an_account_is_made_changed_and_removed_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]).await;
    let empty = run(folder, None, &["user", "list", "--json"]).await.json();
    assert_eq!(
        empty,
        json!({"items": []}),
        "no administrator is made on the way"
    );
    add(folder, "adam", "admin").await.ok();
    let made = add(folder, "Olga", "operator").await.ok();
    assert_eq!(made, "olga (operator) made");
    let (status, olga) = log_in(&server, "olga", PASSWORD).await;
    assert_eq!((status, verify(&server, "cookie", &olga).await), (200, 200));

    let role = ["user", "role", "olga", "viewer", "--json"];
    let changed = run(folder, None, &role).await.json();
    assert_eq!(
        (&changed["username"], &changed["role"]),
        (&json!("olga"), &json!("viewer"))
    );
    assert!(is_over(&server, "cookie", &olga).await);

    let (_, olga) = log_in(&server, "olga", PASSWORD).await;
    let ended = run(folder, None, &["user", "sessions-end", "olga"])
        .await
        .ok();
    assert_eq!(ended, "1 sessions of olga ended");
    assert!(is_over(&server, "cookie", &olga).await);
    let passwd = ["user", "passwd", "olga", "--password-stdin"];
    run(folder, Some(OTHER), &passwd).await.ok();
    assert_eq!(log_in(&server, "olga", PASSWORD).await.0, 401);
    assert_eq!(log_in(&server, "olga", OTHER).await.0, 200);

    let listed = run(folder, None, &["user", "list", "--search", "OL"])
        .await
        .ok();
    let lines: Vec<_> = listed.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("NAME") && lines[1].starts_with("olga  viewer"),
        "{listed}"
    );
    let unsure = run(folder, None, &["user", "remove", "olga"]).await;
    assert!(
        unsure.code == 8 && unsure.stderr.contains("--yes"),
        "{unsure:?}"
    );
    run(folder, None, &["user", "remove", "olga", "--yes"])
        .await
        .ok();
    let gone = run(folder, None, &["user", "remove", "olga", "--yes"]).await;
    assert!(
        gone.code == 4 && gone.stderr.contains("data/resync.db"),
        "{gone:?}"
    );
    assert_eq!(log_in(&server, "olga", OTHER).await.0, 401);

    let (_, adam) = log_in(&server, "adam", PASSWORD).await;
    let rows = audited(&server, &adam).await;
    let actions: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "user.created",
            "user.created",
            "user.changed",
            "auth.logout",
            "user.password",
            "user.deleted"
        ]
    );
    assert!(
        rows.iter()
            .all(|row| row["outcome"] == "succeeded" && row["user_id"].is_null())
    );
    server.terminate();
    let (status, said) = server.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
}

#[tokio::test]
async fn a_key_from_the_command_line_works_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]).await;
    let nightly = ["user", "add", "nightly", "--role", "service"];
    run(folder, None, &nightly).await.ok();
    let create = |scope| ["key", "create", "nightly", "--name", "ci", "--scope", scope];
    let made = run(folder, None, &create("plan.read")).await;
    assert!(made.stderr.contains("may plan.read"), "{made:?}");
    let text = made.ok();
    assert!(
        text.starts_with("rsk_") && text.len() == 47,
        "the key and nothing else"
    );
    let bearer = format!("Bearer {text}");
    assert_eq!(verify(&server, "authorization", &bearer).await, 200);

    let listed = run(folder, None, &["key", "list", "nightly", "--json"]).await;
    assert!(!listed.stdout.contains("rsk_"));
    let listed = listed.json();
    let key = &listed["items"][0];
    assert_eq!(
        (&key["name"], &key["scopes"]),
        (&json!("ci"), &json!(["plan.read"]))
    );
    assert_eq!(key["expired"], false);
    let id = key["id"].as_str().unwrap();
    let beyond = run(folder, None, &create("users.manage")).await;
    assert!(beyond.code == 5 && beyond.stdout.is_empty(), "{beyond:?}");
    assert_eq!(run(folder, None, &create("actions.confirm")).await.code, 2);

    let revoke = ["key", "revoke", "nightly", id];
    run(folder, None, &revoke).await.ok();
    assert!(is_over(&server, "authorization", &bearer).await);
    assert_eq!(run(folder, None, &revoke).await.code, 4);
    assert_eq!(run(folder, None, &["key", "list", "nobody"]).await.code, 4);

    add(folder, "adam", "admin").await.ok();
    let (_, adam) = log_in(&server, "adam", PASSWORD).await;
    let rows = audited(&server, &adam).await;
    let keys: Vec<_> = rows
        .iter()
        .rev()
        .filter(|row| row["action"].as_str().unwrap().starts_with("api_key."))
        .map(|row| {
            (
                row["action"].as_str().unwrap(),
                row["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        keys,
        [
            ("api_key.created", "succeeded"),
            ("api_key.created", "refused"),
            ("api_key.revoked", "succeeded")
        ]
    );
}

/// The rules of the API hold here, each with the code of its kind.
#[tokio::test]
async fn what_the_rules_forbid_is_refused_with_its_code_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    add(folder, "adam", "admin").await.ok();
    let taken = add(folder, "ADAM", "viewer").await;
    assert!(
        taken.code == 7 && taken.stderr.contains("taken"),
        "{taken:?}"
    );
    for last in [
        &["user", "role", "adam", "viewer"][..],
        &["user", "remove", "adam", "--yes"],
    ] {
        let refused = run(folder, None, last).await;
        assert!(
            refused.code == 7 && refused.stderr.contains("the last admin cannot go"),
            "{refused:?}"
        );
    }
    let add = ["user", "add", "eva", "--role", "viewer", "--password-stdin"];
    for weak in ["eva-eva-eva-eva\n", "short\n", "\n", "two\nlines of it\n"] {
        let refused = run(folder, Some(weak), &add).await;
        assert!(
            refused.code == 2 && refused.stdout.is_empty(),
            "{refused:?}"
        );
        let word = weak.trim();
        assert!(
            word.is_empty() || !refused.stderr.contains(word),
            "{refused:?}"
        );
    }
    let asked = run(folder, Some(PASSWORD), &add[..5]).await;
    assert!(
        asked.code == 2 && asked.stderr.contains("--password-stdin"),
        "without a terminal nothing is read unasked: {asked:?}"
    );
    let wrong_role = run(folder, None, &["user", "role", "adam", "boss"]).await;
    assert!(
        wrong_role.code == 2 && wrong_role.stderr.contains("operator"),
        "{wrong_role:?}"
    );
    let nobody = run(folder, None, &["user", "role", "nobody", "viewer"]).await;
    assert_eq!(nobody.code, 4);
    let keyless = run_with(
        folder,
        None,
        &["user", "list"],
        &[("AUTH_SECRET_KEY", "short")],
    )
    .await;
    assert!(
        keyless.code == 3 && keyless.stderr.contains("auth.secret_key"),
        "{keyless:?}"
    );

    let listed = run(folder, None, &["user", "list", "--json"]).await.json();
    let users = listed["items"].as_array().unwrap();
    assert!(users.len() == 1 && users[0]["role"] == "admin", "{listed}");
}

/// What only the running server knows cannot be undone from here, and nothing says that it was.
#[tokio::test]
async fn unlocking_says_when_it_cannot_reach_what_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    add(folder, "olga", "viewer").await.ok();
    let unlock = ["user", "unlock", "olga"];
    let alone = run(folder, None, &unlock).await;
    assert!(
        alone.code == 1
            && alone.stdout.is_empty()
            && alone.stderr.contains("was not unlocked")
            && alone.stderr.contains("after 900 seconds"),
        "{alone:?}"
    );
    // With a Redis that is away it may be locked still.
    let away = [("RESYNC_REDIS_URL", "redis://127.0.0.1:1/")];
    let away = run_with(folder, None, &unlock, &away).await;
    assert!(away.code == 1 && away.stderr.contains("redis"), "{away:?}");
}
