//! Several engines: added, used, changed and removed while the server runs.

use reqwest::Method;
use resync_simulator::{Role, Simulator};
use serde_json::{Value, json};

use crate::harness::{Options, Resync, read};

const SECRET: &str = "canary-of-the-second-engine";

async fn second() -> Simulator {
    Simulator::builder()
        .jobs(100)
        .seed(7)
        .user("resync", SECRET, Role::Operator)
        .start()
        .await
        .unwrap()
}

fn draft(engine: &Simulator, password: &str) -> Value {
    json!({
        "name": "SECOND",
        "urls": [engine.base_url()],
        "username": "resync",
        "password": password,
        "timeout_seconds": 2,
    })
}

/// I-04: each engine answers for itself, and no secret comes back.
#[tokio::test]
async fn an_engine_is_added_used_changed_and_removed_while_the_server_runs() {
    let resync = Resync::start(Options::default()).await;
    let (admin, viewer) = (resync.sign_in("adam").await, resync.sign_in("vera").await);
    let engine = second().await;

    let (status, _) = viewer
        .post("/api/v1/admin/engines", draft(&engine, SECRET))
        .await;
    assert_eq!(status, 403);
    let (status, report) = admin
        .post("/api/v1/admin/engines/test", draft(&engine, "wrong"))
        .await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["failure"]["reason"], "credentials_refused");
    let (_, report) = admin
        .post("/api/v1/admin/engines/test", draft(&engine, SECRET))
        .await;
    assert_eq!(
        (&report["ok"], &report["jobs"]),
        (&json!(true), &json!(100))
    );

    let (status, made) = admin
        .post("/api/v1/admin/engines", draft(&engine, SECRET))
        .await;
    assert_eq!((status, &made["origin"]), (201, &json!("added")), "{made}");
    let (status, problem) = admin
        .post("/api/v1/admin/engines", draft(&engine, SECRET))
        .await;
    assert_eq!((status, &problem["code"]), (409, &json!("engine-exists")));

    let (status, summary) = viewer.get("/api/v1/tws/summary?engine=SECOND").await;
    assert_eq!(status, 200, "{summary}");
    assert_eq!(
        (&summary["total"], &summary["meta"]["engine"]),
        (&json!(100), &json!("SECOND"))
    );
    // I-03: a simulator says what it is, also when it was added by hand.
    let (_, engines) = viewer.get("/api/v1/tws/engines").await;
    assert_eq!(engines["items"][1]["demo"], true, "{engines}");
    let (_, first) = viewer.get("/api/v1/tws/summary").await;
    assert_eq!(first["meta"]["engine"], "sim");
    assert_ne!(first["total"], summary["total"]);

    // A change without a secret keeps the one there is, but not for another address.
    let mut change = draft(&engine, SECRET);
    for field in ["username", "password"] {
        change.as_object_mut().unwrap().remove(field);
    }
    change["read_only"] = json!(true);
    let path = "/api/v1/admin/engines/SECOND";
    let put = |body: Value| async {
        let answer = admin.send(Method::PUT, path, Some(body)).await;
        read(answer).await
    };
    let (status, changed) = put(change.clone()).await;
    assert_eq!(
        (status, &changed["read_only"]),
        (200, &json!(true)),
        "{changed}"
    );
    assert_eq!(viewer.get("/api/v1/tws/summary?engine=SECOND").await.0, 200);
    let mut elsewhere = change;
    elsewhere["urls"] = json!(["http://127.0.0.1:9/twsd/api/v2"]);
    let (status, problem) = put(elsewhere).await;
    assert_eq!(status, 400, "{problem}");

    let (_, jobs) = viewer.get("/api/v1/tws/jobs?engine=SECOND&limit=1").await;
    let job = jobs["items"][0]["id"].as_str().unwrap();
    let (status, problem) = admin
        .post(
            &format!("/api/v1/tws/jobs/{job}/actions/hold?engine=SECOND"),
            json!({"reason": "test"}),
        )
        .await;
    assert_eq!((status, &problem["code"]), (403, &json!("read-only")));

    let (_, list) = admin.get("/api/v1/admin/engines").await;
    let (_, audit) = admin.get("/api/v1/audit").await;
    for answer in [&made, &changed, &list, &audit] {
        assert!(!answer.to_string().contains(SECRET), "{answer}");
    }
    let rows = audit["items"].as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .filter(|row| row["action"].as_str().unwrap().starts_with("engine."))
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(rows, ["engine.changed", "engine.added"]);

    assert_eq!(admin.delete("/api/v1/admin/engines/sim").await.0, 409);
    assert_eq!(admin.delete(path).await.0, 200);
    let (status, problem) = viewer.get("/api/v1/tws/summary?engine=SECOND").await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown-engine")));
    engine.stop().await;
}

#[tokio::test]
async fn an_engine_that_cannot_be_used_is_refused_with_the_field() {
    let resync = Resync::start(Options::default()).await;
    let admin = resync.sign_in("adam").await;
    for (field, value, pointer) in [
        ("urls", json!([]), "/urls"),
        ("urls", json!(["ftp://x/"]), "/urls"),
        ("timeout_seconds", json!(0), "/timeout_seconds"),
        ("ca_pem", json!("no certificate"), "/urls"),
        ("api_key", json!("beside a password"), "/username"),
        ("name", json!("a b"), "/name"),
    ] {
        let mut body = json!({
            "name": "NEW",
            "urls": ["https://engine.example/twsd/api/v2"],
            "username": "resync",
            "password": "secret",
        });
        body[field] = value;
        let (status, problem) = admin.post("/api/v1/admin/engines", body).await;
        assert_eq!(status, 400, "{field}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}
