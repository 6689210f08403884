//! Lists, pages, filters, graphs, users.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{stage, status, text};

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_viewer_may_not_act() {
    let stage = stage().await;
    let url = format!("{}/engine/info", stage.simulator.base_url());
    let nobody = stage.client.get(&url).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert!(nobody.headers().contains_key("www-authenticate"));
    let wrong = stage
        .client
        .get(&url)
        .basic_auth("operator", Some("guess"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let job = stage.job("FIN_CLOSE_DAY").await;
    let hold = format!(
        "{}/plan/job/{}/action/hold",
        stage.simulator.base_url(),
        text(&job, "/id")
    );
    let viewer = stage
        .client
        .put(hold)
        .basic_auth("viewer", Some("secret"))
        .send()
        .await
        .unwrap();
    assert_eq!(viewer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_engine_tells_its_version() {
    let stage = stage().await;
    assert_eq!(
        stage.get("/engine/info").await["displayVersion"],
        "10.1.0.1"
    );
}

#[tokio::test]
async fn pages_cover_the_plan_once_and_name_an_outside_host() {
    let stage = stage().await;
    let mut ids = Vec::new();
    let mut path = "/plan/job?limit=70&offset=0".to_owned();
    loop {
        let page = stage.get(&path).await;
        assert_eq!(page["count"], 300);
        ids.extend(
            page["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|job| text(job, "/id").to_owned()),
        );
        let Some(next) = page.get("next").and_then(Value::as_str) else {
            break;
        };
        let root = "https://mdm.bank.invalid:31116/twsd/api/v2";
        next.strip_prefix(root).unwrap().clone_into(&mut path);
    }
    assert_eq!(ids.len(), 300);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 300);
}

#[tokio::test]
async fn the_last_page_has_no_next_and_the_first_no_previous() {
    let stage = stage().await;
    let first = stage.get("/plan/jobstream?limit=5").await;
    assert!(first.get("previous").is_none() && first.get("next").is_some());
    let all = stage.get("/plan/jobstream").await;
    assert!(all.get("next").is_none());
    let none = stage.get("/plan/job?limit=0").await;
    assert_eq!(
        (&none["count"], none["results"].as_array().unwrap().len()),
        (&300.into(), 0)
    );
    let request = stage
        .request(Method::GET, "/plan/job?limit=1")
        .header("Include-Count", "false");
    let uncounted: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(uncounted.get("count").is_none());
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let stage = stage().await;
    for (path, expected) in [
        ("/plan/job?limit=-1", StatusCode::BAD_REQUEST),
        ("/plan/job?limit=many", StatusCode::BAD_REQUEST),
        ("/plan/job?nonsense=1", StatusCode::OK),
        ("/plan/job/", StatusCode::NOT_FOUND),
        ("/plan/job/none", StatusCode::NOT_FOUND),
        ("/plan/jobs", StatusCode::NOT_FOUND),
        ("/plan/job?plan_id=older", StatusCode::NOT_FOUND),
        ("/plan/job/count", StatusCode::BAD_REQUEST),
        ("/plan/job?oql=name%20%3D", StatusCode::BAD_REQUEST),
        (
            "/plan/job?oql=key.name%20%3D%20%27X%27",
            StatusCode::BAD_REQUEST,
        ),
        ("/plan/job?oql=ORDER%20BY%20key.name%20ASC", StatusCode::OK),
    ] {
        assert_eq!(
            stage.send(Method::GET, path).await.status(),
            expected,
            "{path}"
        );
    }
    let response = stage.send(Method::GET, "/plan/job?oql=name%20%3D").await;
    let body: Value = response.json().await.unwrap();
    assert!(text(&body, "/messages/0").contains("OQL_FILTER_SYNTAX_ERROR"));
    let deleted = stage.send(Method::DELETE, "/plan/job").await;
    assert_eq!(deleted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn queries_find_what_they_say_in_the_order_they_ask_for() {
    let stage = stage().await;
    let query = "jobruns.compositeStatus.status IN ['ABEND','FAIL'] ORDER BY name DESC";
    let failed = stage.list("/plan/job", query).await;
    let names: Vec<_> = failed.iter().map(|job| text(job, "/name")).collect();
    assert!(names.contains(&"FIN_GL_POST") && names.contains(&"PAY_NET_CALC"));
    assert!(names.is_sorted_by(|a, b| a >= b), "{names:?}");
    let stuck = stage
        .list("/plan/jobstream", "compositeStatus.status = 'STUCK'")
        .await;
    assert!(
        stuck
            .iter()
            .any(|stream| text(stream, "/name") == "FIN_EOD")
    );
    let id = text(&stuck[0], "/id");
    let jobs = stage
        .list("/plan/job", &format!("jobStreamId = '{id}'"))
        .await;
    assert_eq!(
        jobs.len() as u64,
        stuck[0]["jobStreamStats"]["numberOfJob"].as_u64().unwrap()
    );
    let waiting = stage
        .list("/plan/job", &format!("dependencies.jobStreamId = '{id}'"))
        .await;
    assert!(!waiting.is_empty());
    let lost = stage.list("/plan/workstation", "jobmanUp = false").await;
    assert_eq!(lost.len(), 1);
    assert_eq!(text(&lost[0], "/name"), "DWHETL03");
    assert_eq!(lost[0]["activeStates"], serde_json::json!([]));
    let tapes = stage.list("/plan/resource", "name = 'TAPE_DRV'").await;
    assert_eq!(tapes[0]["quantity"], 4);
}

#[tokio::test]
async fn equal_job_names_stand_in_two_folders() {
    let stage = stage().await;
    let twins = stage.list("/plan/job", "name = 'HK_CLEAN_WORK'").await;
    let mut folders: Vec<_> = twins.iter().map(|job| text(job, "/folder")).collect();
    folders.sort_unstable();
    assert_eq!(folders, ["/DWH/HK/", "/INF/HK/"]);
}

#[tokio::test]
async fn counts_group_by_what_is_asked_for_and_sum_up() {
    let stage = stage().await;
    let path = "/plan/job/count?plan_filter=%2F%40%2F%40%23%2F%40%2F%40.%40";
    let counted = stage
        .get(&format!("{path}&grouping_filters=workstation,status"))
        .await;
    let groups = counted["groupedCount"].as_object().unwrap();
    let sum: u64 = groups.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((sum, counted["count"].as_u64()), (300, Some(300)));
    assert!(groups.contains_key("/FINDB01,ERROR"));
}

#[tokio::test]
async fn graphs_go_as_deep_as_asked_and_name_each_node_once() {
    let stage = stage().await;
    let post = stage.job("FIN_GL_POST").await;
    let path = format!("/plan/job/{}/successors", text(&post, "/id"));
    let near = stage.get(&path).await;
    assert_eq!(
        (near["count"].as_u64(), text(&near, "/results/0/name")),
        (Some(1), "FIN_INT_CALC")
    );
    let far = stage.get(&format!("{path}?depth=30")).await;
    let nodes = far["results"].as_array().unwrap();
    let mut ids: Vec<_> = nodes.iter().map(|node| text(node, "/id")).collect();
    let kinds: Vec<_> = nodes
        .iter()
        .map(|node| text(node, "/flowNodeType"))
        .collect();
    assert!(kinds.contains(&"JOB") && kinds.contains(&"JOBSTREAM"));
    let found = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found);
    let back = stage
        .get(&format!(
            "/plan/job/{}/predecessors?depth=9",
            text(&post, "/id")
        ))
        .await;
    assert_eq!(back["count"], 5);
}

#[tokio::test]
async fn the_scope_leaves_out_what_it_names() {
    let stage = stage().await;
    let whole = stage.get("/plan/job?limit=3").await;
    assert!(whole["results"][0].get("jobDefinition").is_some());
    let request = stage.request(Method::GET, "/plan/job?limit=3");
    let request = request.header("scope", "WHOLE_NO_JOB_DEFINITIONS_AND_NO_DEPENDENCIES");
    let lean: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(lean["results"][0].get("jobDefinition").is_none());
    assert!(lean["results"][0].get("dependencies").is_none());
}

#[tokio::test]
async fn the_reason_to_wait_is_told() {
    let stage = stage().await;
    let why = |job: &Value| text(job, "/lastRunCompositeStatus/substatus").to_owned();
    for (name, expected) in [
        ("FIN_INT_CALC", "HOLD_WAITING_FOR_PREDECESSOR"),
        ("PAY_APPROVE_TOTALS", "HOLD_WAITING_FOR_PROMPT"),
        ("DWH_STAGE_CARDS", "READY_WAITING_FOR_AGENT"),
        ("MAKEPLAN", "HOLD_WAITING_FOR_TIME"),
    ] {
        assert_eq!(why(&stage.job(name).await), expected, "{name}");
    }
    let running = stage
        .list("/plan/job", "lastRunCompositeStatus.status = 'EXEC'")
        .await;
    assert!(!running.is_empty());
    assert!(running.iter().all(|job| status(job) == "EXEC"));
}

#[tokio::test]
async fn a_stream_read_by_its_id_brings_its_jobs() {
    let stage = stage().await;
    let stuck = stage.list("/plan/jobstream", "name = 'FIN_EOD'").await;
    let stream = stage
        .get(&format!("/plan/jobstream/{}", text(&stuck[0], "/id")))
        .await;
    assert_eq!(stream["jobs"].as_array().unwrap().len(), 14);
    assert_eq!(text(&stream, "/compositeStatus/status"), "STUCK");
    assert_eq!(text(&stream, "/commonStatus"), "BLOCKED");
}
