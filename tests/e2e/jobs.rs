//! The jobs API over the wire: lists, graphs, impact, history, what needs a look, prompts.

use std::collections::BTreeSet;

use reqwest::Method;
use resync_simulator::Speed;
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session, read};

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The failed job that holds up most.
async fn worst(session: &Session) -> (String, u64) {
    let (_, summary) = session.get("/api/v1/tws/summary").await;
    let failed = &summary["failed"][0];
    assert_eq!(failed["root"], true, "{summary}");
    (
        text(&failed["job"]["id"]).to_owned(),
        failed["victims"].as_u64().unwrap(),
    )
}

#[tokio::test]
async fn pages_of_jobs_come_in_the_order_asked_for_and_each_job_once() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    for sort in ["name", "scheduled", "priority", "status"] {
        let mut path = format!("/api/v1/tws/jobs?limit=70&sort={sort}");
        let mut seen = BTreeSet::new();
        let mut order = Vec::new();
        loop {
            let answer = session.send(Method::GET, &path, None).await;
            let link = answer.headers().get("link").cloned();
            let (status, page) = read(answer).await;
            assert_eq!(status, 200, "{page}");
            for job in items(&page) {
                assert!(seen.insert(text(&job["id"]).to_owned()), "twice: {job}");
                order.push(job["name"].clone());
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            let link = link.unwrap();
            assert!(link.to_str().unwrap().contains(cursor), "{link:?}");
            path = format!("/api/v1/tws/jobs?limit=70&sort={sort}&cursor={cursor}");
        }
        let (_, summary) = session.get("/api/v1/tws/summary").await;
        assert_eq!(summary["total"].as_u64().unwrap(), seen.len() as u64);
        if sort == "name" {
            assert!(order.windows(2).all(|two| text(&two[0]) <= text(&two[1])));
        }
    }
    let (status, problem) = session.get("/api/v1/tws/jobs?sort=colour").await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("?sort"))
    );
}

#[tokio::test]
async fn jobs_are_filtered_by_when_they_are_planned() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let (_, all) = session
        .get("/api/v1/tws/jobs?sort=scheduled&limit=500")
        .await;
    let times: Vec<&str> = items(&all)
        .iter()
        .filter_map(|job| job["scheduled_at"].as_str())
        .collect();
    let (since, until) = (times[times.len() / 3], times[times.len() - 1]);
    assert_ne!(since, until);
    let (status, some) = session
        .get(&format!(
            "/api/v1/tws/jobs?since={since}&until={until}&limit=500"
        ))
        .await;
    assert_eq!(status, 200, "{some}");
    let expected = times
        .iter()
        .filter(|&&at| at >= since && at < until)
        .count();
    assert_eq!(items(&some).len(), expected);
    for wrong in [
        "since=yesterday",
        "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z",
    ] {
        let (status, _) = session.get(&format!("/api/v1/tws/jobs?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_impact_of_a_failed_job_is_what_the_board_counts() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let (job, victims) = worst(&session).await;
    let (status, impact) = session.get(&format!("/api/v1/tws/jobs/{job}/impact")).await;
    assert_eq!(status, 200, "{impact}");
    assert_eq!(impact["total"].as_u64(), Some(victims));
    let by_stream: u64 = impact["by_stream"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["jobs"].as_u64().unwrap())
        .sum();
    assert_eq!(by_stream, victims);
    assert!(!text(&impact["assumption"]["pt"]).is_empty());
    assert_eq!(impact["meta"]["engine"], "sim");
}

#[tokio::test]
async fn the_graph_around_a_job_has_both_ends_of_every_edge() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let (job, _) = worst(&session).await;
    for direction in ["predecessors", "successors", "both"] {
        let (status, graph) = session
            .get(&format!(
                "/api/v1/tws/jobs/{job}/dependencies?depth=10&direction={direction}"
            ))
            .await;
        assert_eq!(status, 200, "{graph}");
        let nodes: BTreeSet<&str> = graph["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| text(&node["id"]))
            .collect();
        assert!(nodes.contains(text(&graph["root"])), "{graph}");
        for edge in graph["edges"].as_array().unwrap() {
            assert!(nodes.contains(text(&edge["from"])) && nodes.contains(text(&edge["to"])));
        }
        assert_eq!(graph["truncated"], false);
        if direction == "both" {
            assert!(nodes.len() > 1, "{graph}");
        }
    }
    let (status, _) = session
        .get(&format!("/api/v1/tws/jobs/{job}/dependencies?depth=11"))
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_job_that_ended_has_a_history_with_its_durations() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let (_, done) = session.get("/api/v1/tws/jobs?status=SUCC&limit=1").await;
    let job = text(&items(&done)[0]["id"]);
    let (status, history) = session
        .get(&format!("/api/v1/tws/jobs/{job}/history"))
        .await;
    assert_eq!(status, 200, "{history}");
    let statistics = &history["statistics"];
    assert_eq!(
        statistics["count"],
        history["runs"].as_array().unwrap().len()
    );
    assert!(statistics["good"].as_u64().unwrap() >= 1, "{history}");
    assert!(statistics["median_seconds"].is_u64() && statistics["p95_seconds"].is_u64());
    assert_eq!(statistics["last_good"]["good"], true);
}

#[tokio::test]
async fn what_needs_a_look_says_why_in_both_languages() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    let mut entries = 0;
    for list in ["late", "stuck", "long-running"] {
        let (status, list) = session.get(&format!("/api/v1/tws/{list}")).await;
        assert_eq!(status, 200, "{list}");
        assert!(list["count"].as_u64().unwrap() >= items(&list).len() as u64);
        for entry in items(&list) {
            assert!(!text(&entry["why"]["en"]).is_empty() && !text(&entry["why"]["pt"]).is_empty());
            entries += 1;
        }
    }
    assert!(entries > 0, "a failed job holds others up");
}

/// A threshold of an administrator puts a running job into the list, and says that it did.
#[tokio::test]
async fn a_threshold_decides_which_job_runs_too_long() {
    let resync = Resync::start(Options::default()).await;
    let (admin, viewer) = (resync.sign_in("adam").await, resync.sign_in("vera").await);
    let (_, running) = viewer.get("/api/v1/tws/jobs?status=EXEC&limit=1").await;
    let name = text(&items(&running)[0]["name"]).to_owned();
    // Frozen, so that only its age changes.
    resync
        .engine
        .advance(std::time::Duration::from_mins(2))
        .await;
    let draft = json!({"job": name, "max_minutes": 1});
    let (status, _) = viewer.post("/api/v1/admin/thresholds", draft.clone()).await;
    assert_eq!(status, 403);
    let (status, made) = admin.post("/api/v1/admin/thresholds", draft).await;
    assert_eq!(status, 201, "{made}");
    let (_, list) = viewer.get("/api/v1/tws/long-running").await;
    let entry = items(&list)
        .iter()
        .find(|entry| entry["job"]["name"] == name.as_str());
    assert_eq!(entry.unwrap()["by"], "threshold", "{list}");

    let path = format!("/api/v1/admin/thresholds/{}", text(&made["id"]));
    let (status, problem) = admin
        .post("/api/v1/admin/thresholds", json!({"job": "A"}))
        .await;
    assert_eq!(status, 400, "{problem}");
    assert_eq!(admin.delete(&path).await.0, 200);
    assert_eq!(admin.delete(&path).await.0, 404);
    let (_, list) = viewer.get("/api/v1/tws/long-running").await;
    assert!(items(&list).iter().all(|entry| entry["by"] != "threshold"));
}

#[tokio::test]
async fn streams_resources_and_prompts_are_lists_with_an_age() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("vera").await;
    for list in ["job-streams", "resources", "prompts", "workstations"] {
        let (status, page) = session.get(&format!("/api/v1/tws/{list}")).await;
        assert_eq!(status, 200, "{list}: {page}");
        assert!(page["meta"]["age_ms"].is_u64());
        assert!(!items(&page).is_empty(), "{list}");
    }
    let (_, streams) = session.get("/api/v1/tws/job-streams?limit=1").await;
    let id = text(&items(&streams)[0]["id"]).to_owned();
    let (status, stream) = session.get(&format!("/api/v1/tws/job-streams/{id}")).await;
    assert_eq!(status, 200, "{stream}");
    let (status, problem) = session.get("/api/v1/tws/job-streams/no-such").await;
    assert_eq!((status, text(&problem["code"])), (404, "unknown-object"));
}

/// C3, I-08: a prompt is answered in two steps; the same request sent again tells the same result, and
/// the engine hears of it once.
#[tokio::test]
async fn a_prompt_is_answered_once_also_when_the_confirmation_is_sent_again() {
    let resync = Resync::start(Options {
        speed: Speed::Times(60),
        ..Options::default()
    })
    .await;
    let mut session = resync.sign_in("olga").await;
    let (_, prompts) = session.get("/api/v1/tws/prompts").await;
    assert_eq!(
        (prompts["total"].as_u64(), &prompts["truncated"]),
        (Some(items(&prompts).len() as u64), &json!(false))
    );
    let asked = items(&prompts)
        .iter()
        .find(|prompt| prompt["status"] == "ASKED");
    let id = text(&asked.unwrap_or_else(|| panic!("{prompts}"))["id"]).to_owned();
    let path = format!("/api/v1/tws/prompts/{id}/actions/reply");
    let (status, problem) = session.post(&path, json!({"reason": "checked"})).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/answer"))
    );
    let (status, proposal) = session
        .post(&path, json!({"reason": "totals checked", "answer": "yes"}))
        .await;
    assert_eq!(status, 202, "{proposal}");

    session
        .headers
        .insert("idempotency-key", "\"a-key-of-olga\"".parse().unwrap());
    let confirmation = json!({"confirmation_token": proposal["confirmation_token"]});
    let (status, done) = session.post(&path, confirmation.clone()).await;
    assert_eq!((status, &done["executed"]), (200, &json!(true)), "{done}");
    // This release has no list of prompts: what waits for it tells that it was answered.
    assert_eq!(
        (&done["verified"], &done["state"]),
        (&json!(true), &json!("ANSWERED_YES"))
    );
    let again = session
        .send(Method::POST, &path, Some(confirmation.clone()))
        .await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(read(again).await, (200, done));
    let (status, problem) = session
        .post(&path, json!({"reason": "another", "answer": "no"}))
        .await;
    assert_eq!(
        (status, text(&problem["code"])),
        (422, "idempotency-key-reused")
    );
    session.headers.remove("idempotency-key");
    let (status, problem) = session.post(&path, confirmation).await;
    assert_eq!((status, text(&problem["code"])), (409, "proposal-used"));
    let requests = resync.engine.requests().await;
    let writes = requests.iter().filter(|request| request.method != "GET");
    assert_eq!(writes.count(), 1);
    // The prompts were collected once, for the list; no look at this one read them all again.
    let collected = |request: &&resync_simulator::Received| {
        let query = request.query.as_deref().unwrap_or("");
        query.contains("numberOfPromptDependencies") && request.path.ends_with("/plan/job")
    };
    assert_eq!(requests.iter().filter(collected).count(), 1);
}
