//! The plan over HTTP, beside what the engine really holds.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::harness::{Options, Resync, read};

#[tokio::test]
async fn the_board_counts_what_the_engine_holds() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let (_, summary) = session.get("/api/v1/tws/summary").await;
    let state = resync.engine.state().await;
    assert_eq!(summary["total"], state["jobCount"]);
    let counted: u64 = summary["by_status"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(summary["total"], counted);
    let meta = &summary["meta"];
    assert_eq!(
        (&meta["engine"], &meta["stale"], &meta["cache"]),
        (&json!("sim"), &json!(false), &json!("miss"))
    );
    assert!(meta["age_ms"].is_u64() && meta["fetched_at"].is_string());
    let first = &summary["failed"][0];
    assert_eq!(
        (&first["job"]["name"], &first["root"]),
        (&json!("FIN_GL_POST"), &json!(true)),
        "{first}"
    );
    assert!(first["victims"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn pages_bring_every_job_once_and_name_the_next() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let mut path = "/api/v1/tws/jobs?sort=name&limit=70".to_owned();
    let (mut seen, mut total) = (BTreeSet::new(), 0);
    loop {
        let answer = session.send(Method::GET, &path, None).await;
        let next = answer
            .headers()
            .get("link")
            .map(|value| value.to_str().unwrap().to_owned());
        let (status, page) = read(answer).await;
        assert_eq!(status, 200, "{page}");
        for job in page["items"].as_array().unwrap() {
            assert!(
                seen.insert(job["id"].as_str().unwrap().to_owned()),
                "{job} came twice"
            );
            total += 1;
        }
        assert_eq!(next.is_some(), page["next_cursor"].is_string());
        let Some(next) = next else { break };
        path = next
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap()
            .to_owned();
    }
    assert_eq!(resync.engine.state().await["jobCount"], total);
}

#[tokio::test]
async fn a_filter_reaches_the_engine_and_not_only_the_page() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let (_, page) = session
        .get("/api/v1/tws/jobs?status=ABEND,FAIL&stream=FIN_*")
        .await;
    let items = page["items"].as_array().unwrap();
    assert!(!items.is_empty());
    for job in items {
        assert!(
            ["ABEND", "FAIL"].contains(&job["status"].as_str().unwrap()),
            "{job}"
        );
        assert!(
            job["stream"]["name"].as_str().unwrap().starts_with("FIN_"),
            "{job}"
        );
    }
    let asked = resync.engine.requests().await;
    let pushed = |query: &str| query.contains("ABEND") && query.contains("FIN_");
    assert!(
        asked
            .iter()
            .any(|request| request.query.as_deref().is_some_and(pushed))
    );
}

#[tokio::test]
async fn a_second_look_is_a_hit_and_an_unchanged_answer_a_304() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let path = "/api/v1/tws/workstations";
    let first = session.send(Method::GET, path, None).await;
    assert_eq!(first.headers()["x-cache"], "miss");
    let tag = first.headers()["etag"].clone();
    let again = session.send(Method::GET, path, None).await;
    assert_eq!(
        (
            again.headers()["x-cache"].clone(),
            again.headers()["etag"].clone()
        ),
        (HeaderValue::from_static("hit"), tag.clone())
    );
    let mut holding = session.clone();
    holding.headers.insert("if-none-match", tag);
    let same = holding.send(Method::GET, path, None).await;
    assert_eq!(same.status(), 304);
    assert!(same.bytes().await.unwrap().is_empty());
    let calls = resync.engine.requests().await;
    assert_eq!(
        calls
            .iter()
            .filter(|request| request.path.ends_with("/plan/workstation"))
            .count(),
        1
    );
}

/// P1-03, at the edge: a hundred people who look at once are one question to the engine.
#[tokio::test]
async fn a_hundred_looks_at_once_are_one_call() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let looks = (0..100).map(|_| session.get("/api/v1/tws/workstations"));
    let answers = futures_util::future::join_all(looks).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let calls = resync.engine.requests().await;
    assert_eq!(
        calls
            .iter()
            .filter(|request| request.path.ends_with("/plan/workstation"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_log_is_numbered_searched_and_tells_why_the_job_failed() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let (_, log) = session
        .get(&format!("/api/v1/tws/jobs/{job}/log?search=ora-00060"))
        .await;
    let line = log["matches"][0].as_u64().unwrap();
    let from = log["from_line"].as_u64().unwrap();
    let at = usize::try_from(line - from).unwrap();
    assert!(
        log["lines"][at].as_str().unwrap().contains("ORA-00060"),
        "{log}"
    );
    let (_, diagnosis) = session
        .get(&format!("/api/v1/tws/jobs/{job}/diagnosis"))
        .await;
    assert_eq!(
        (&diagnosis["verdict"], &diagnosis["transience"]),
        (&json!("confirmed"), &json!("transient")),
        "{diagnosis}"
    );
    let shows = |one: &Value| {
        let (from, to) = (one["from_line"].as_u64(), one["to_line"].as_u64());
        from.is_some_and(|from| from <= line) && to.is_some_and(|to| line <= to)
    };
    let evidence = diagnosis["evidence"].as_array().unwrap();
    assert!(evidence.iter().any(shows), "{diagnosis}");
}
