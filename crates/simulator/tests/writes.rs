//! Submitting, dependencies, patches, bulk actions.

use reqwest::{Method, StatusCode};
use resync_simulator::Outcome;
use serde_json::{Value, json};

use crate::support::{Stage, stage, status, text};

async fn send(stage: &Stage, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request = stage.request(method, path).json(&body);
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

async fn post(stage: &Stage, path: &str, body: Value) -> (StatusCode, Value) {
    send(stage, Method::POST, path, body).await
}

async fn put(stage: &Stage, path: &str, body: Value) -> (StatusCode, Value) {
    send(stage, Method::PUT, path, body).await
}

async fn definition(stage: &Stage, sort: &str, query: &str) -> String {
    let found = stage.list(&format!("/model/{sort}"), query).await;
    assert_eq!(found.len(), 1, "{query}");
    text(&found[0], "/def/id").to_owned()
}

#[tokio::test]
async fn a_job_is_submitted_once_under_an_alias_and_runs_in_its_stream() {
    let stage = stage().await;
    let id = definition(
        &stage,
        "jobdefinition",
        "name = 'HK_CLEAN_WORK' AND folder = '/INF/HK/'",
    )
    .await;
    let path = format!("/plan/job/{id}/submit");
    let (status_code, first) = post(&stage, &path, json!({"alias": "HK_AGAIN"})).await;
    assert_eq!(status_code, StatusCode::OK);
    let new = format!("/plan/job/{}", text(&first, "/id"));
    let early = stage.send(Method::GET, &new).await.status();
    assert_eq!(
        early,
        StatusCode::NOT_FOUND,
        "the answer comes before the job"
    );
    let (again, _) = post(&stage, &path, json!({"alias": "HK_AGAIN"})).await;
    assert_eq!(again, StatusCode::CONFLICT, "even before it is there");
    stage.pass(60).await;
    let job = stage.get(&new).await;
    assert_eq!(text(&job, "/name"), "HK_AGAIN");
    assert_eq!(text(&job, "/jobStreamName"), "JOBS");
    assert_eq!(text(&job, "/jobDefinitionRefId"), id);
    assert_eq!(status(&job), "EXEC");
    assert_eq!(
        post(&stage, &path, json!({"alias": "HK_AGAIN"})).await.0,
        StatusCode::CONFLICT
    );
    for (body, expected) in [
        (json!({"alias": "1X"}), StatusCode::BAD_REQUEST),
        (
            json!({"workstationKey": "/NOWHERE"}),
            StatusCode::BAD_REQUEST,
        ),
        (json!({"jobStreamId": "none"}), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(
            post(&stage, &path, body.clone()).await.0,
            expected,
            "{body}"
        );
    }
    let unknown = post(&stage, "/plan/job/none/submit", json!({})).await.0;
    assert_eq!(unknown, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stream_is_submitted_with_an_alias_a_limit_and_all_its_jobs() {
    let stage = stage().await;
    let id = definition(&stage, "jobstream", "name = 'CARD_CLEAR'").await;
    let body = json!({"alias": "CARD_EXTRA", "limit": 1, "priority": 30});
    let (code, answer) = post(&stage, &format!("/plan/jobstream/{id}/submit"), body).await;
    assert_eq!((code, &answer["count"]), (StatusCode::OK, &json!(1)));
    stage.pass(5).await;
    let stream = stage
        .get(&format!(
            "/plan/jobstream/{}",
            text(&answer, "/results/0/id")
        ))
        .await;
    assert_eq!(text(&stream, "/name"), "CARD_EXTRA");
    assert_eq!(text(&stream, "/originalJobStreamName"), "CARD_CLEAR");
    assert_eq!(
        (&stream["limit"], &stream["priority"]),
        (&json!(1), &json!(30))
    );
    assert_eq!(text(&stream, "/submitter"), "operator");
    assert_eq!(stream["jobs"].as_array().unwrap().len(), 5);
    stage.pass(4 * 3600).await;
    let stream = stage
        .get(&format!("/plan/jobstream/{}", text(&stream, "/id")))
        .await;
    assert_eq!(text(&stream, "/compositeStatus/status"), "SUCC");
}

#[tokio::test]
async fn an_ad_hoc_job_needs_a_task_and_a_workstation() {
    let stage = stage().await;
    let task = json!({"UNIX": {"taskString": "ls -l /tmp", "isCommand": "true",
                               "userName": "finbatch"}});
    let path = "/plan/job/submit-ad-hoc-job";
    let body = json!({"workstationKey": "/FINAPP01", "task": task, "alias": "LOOK"});
    let (code, answer) = post(&stage, path, body).await;
    assert_eq!(code, StatusCode::OK);
    stage.control.script("LOOK", Outcome::succeeds()).await;
    stage.pass(600).await;
    let job = stage
        .get(&format!("/plan/job/{}", text(&answer, "/id")))
        .await;
    assert_eq!(status(&job), "SUCC");
    assert_eq!(
        text(&job, "/jobDefinition/task/UNIX/taskString"),
        "ls -l /tmp ^RUNDATE^"
    );
    assert_eq!(
        post(&stage, path, json!({"task": task})).await.0,
        StatusCode::BAD_REQUEST
    );
    let (code, _) = post(&stage, path, json!({"workstationKey": "/FINAPP01"})).await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn dependencies_are_added_set_aside_and_removed_but_close_no_circle() {
    let stage = stage().await;
    let make = async |name: &str| {
        let task = json!({"UNIX": {"taskString": "true", "userName": "etl"}});
        let body = json!({"workstationKey": "/FINAPP01", "task": task, "alias": name,
                          "priority": 0});
        let (code, answer) = post(&stage, "/plan/job/submit-ad-hoc-job", body).await;
        assert_eq!(code, StatusCode::OK);
        text(&answer, "/id").to_owned()
    };
    let (first, second) = (make("ONE").await, make("TWO").await);
    stage.pass(2).await;
    let act = async |id: &str, action: &str, dependency: Value| {
        let path = format!("/plan/job/{id}/action/{action}");
        put(&stage, &path, json!({"dependencies": [dependency]}))
            .await
            .0
    };
    let on = |id: &str| json!({"dependencyType": "INTERNAL", "jobId": id});
    assert_eq!(
        act(&second, "add-dependencies", on(&first)).await,
        StatusCode::OK
    );
    stage.pass(2).await;
    assert_eq!(
        act(&first, "add-dependencies", on(&second)).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        act(&first, "add-dependencies", on("none")).await,
        StatusCode::BAD_REQUEST
    );
    let tape = json!({"dependencyType": "RESOURCE", "name": "TAPE_DRV", "quantity": 1});
    assert_eq!(act(&second, "add-dependencies", tape).await, StatusCode::OK);
    let ask = json!({"dependencyType": "PROMPT", "text": "Sure?"});
    assert_eq!(act(&second, "add-dependencies", ask).await, StatusCode::OK);
    stage.pass(2).await;
    let job = stage.get(&format!("/plan/job/{second}")).await;
    let rows = job["dependencies"].as_array().unwrap();
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| text(row, "/dependencyType"))
        .collect();
    assert_eq!(kinds, ["INTERNAL", "RESOURCE", "PROMPT"]);
    let known = |at: usize| json!({"id": rows[at]["id"], "dependencyType": kinds[at]});
    assert_eq!(
        act(&second, "release-dependencies", known(0)).await,
        StatusCode::OK
    );
    assert_eq!(
        act(&second, "remove-dependencies", known(1)).await,
        StatusCode::OK
    );
    let unknown = json!({"id": "none"});
    assert_eq!(
        act(&second, "remove-dependencies", unknown).await,
        StatusCode::BAD_REQUEST
    );
    stage.pass(2).await;
    let job = stage.get(&format!("/plan/job/{second}")).await;
    let rows = job["dependencies"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["satisfied"], &rows[1]["satisfied"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn a_merge_patch_changes_what_it_may_and_refuses_the_rest() {
    let stage = stage().await;
    let job = stage.job("FIN_CLOSE_DAY").await;
    let path = format!("/plan/job/{}", text(&job, "/id"));
    let body = json!({"priority": 77, "jobOptions": {"requiresConfirmation": true},
                      "timeRestrictions": {"deadlineTime": null,
                                           "startTime": "2026-03-03T05:00:00Z"}});
    assert_eq!(
        send(&stage, Method::PATCH, &path, body).await.0,
        StatusCode::OK
    );
    stage.pass(2).await;
    let job = stage.get(&path).await;
    assert_eq!(
        (&job["priority"], &job["origPriority"]),
        (&json!(77), &json!(77))
    );
    assert_eq!(job["jobOptions"]["requiresConfirmation"], true);
    assert_eq!(
        text(&job, "/timeRestrictions/startTime"),
        "2026-03-03T05:00:00Z"
    );
    assert!(job["timeRestrictions"].get("deadlineTime").is_none());
    for wrong in [
        json!({"name": "X"}),
        json!({"priority": 102}),
        json!({"limit": 3}),
    ] {
        let (code, _) = send(&stage, Method::PATCH, &path, wrong.clone()).await;
        assert_eq!(code, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let streams = stage.list("/plan/jobstream", "name = 'FIN_EOD'").await;
    let path = format!("/plan/jobstream/{}", text(&streams[0], "/id"));
    assert_eq!(
        send(&stage, Method::PATCH, &path, json!({"limit": 3}))
            .await
            .0,
        StatusCode::OK
    );
    stage.pass(2).await;
    assert_eq!(stage.get(&path).await["limit"], 3);
    let stations = stage.list("/plan/workstation", "name = 'FINAPP01'").await;
    let path = format!("/plan/workstation/{}", text(&stations[0], "/id"));
    let body = json!({"limit": 7, "fence": 20});
    assert_eq!(
        send(&stage, Method::PATCH, &path, body).await.0,
        StatusCode::OK
    );
    stage.pass(2).await;
    let station = stage.get(&path).await;
    assert_eq!(
        (&station["limit"], &station["fence"]),
        (&json!(7), &json!(20))
    );
}

#[tokio::test]
async fn bulk_actions_reach_streams_and_workstations_and_name_each_once() {
    let stage = stage().await;
    let query = "oql=name%20LIKE%20%27DWHETL0%40%27&max_object_affected=3";
    let path = format!("/plan/workstation/action/stop?{query}");
    let (code, body) = put(&stage, &path, json!({})).await;
    assert_eq!(code, StatusCode::OK);
    let done = body["successfulResourceResponses"].as_array().unwrap();
    assert_eq!(done.len(), 3);
    stage.pass(20).await;
    assert_eq!(
        stage
            .list("/plan/workstation", "jobmanUp = false")
            .await
            .len(),
        3
    );
    let hold = "/plan/jobstream/action/hold?oql=name%20%3D%20%27HK_DAILY%27";
    assert_eq!(
        put(&stage, hold, json!({})).await.0,
        StatusCode::BAD_REQUEST
    );
    let both = format!("{hold}&max_object_affected=2");
    let (code, body) = put(&stage, &both, json!({})).await;
    let failed = body["failedResourceResponses"].as_array().unwrap();
    assert_eq!((code, failed.len()), (StatusCode::OK, 2), "both have ended");
    assert_eq!(failed[0]["isError"], true);
    let none = "/plan/job/action/hold?oql=name%20%3D%20%27NONE%27";
    assert_eq!(put(&stage, none, json!({})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_rerun_takes_a_step_another_definition_or_its_successors_along() {
    let stage = stage().await;
    let rerun = async |name: &str, body: Value| {
        let job = stage.job(name).await;
        let run = job["jobruns"].as_array().unwrap().last().unwrap().clone();
        let path = format!("/plan/job/run/{}/action/rerun", text(&run, "/id"));
        put(&stage, &path, body).await.0
    };
    let last = async |name: &str| {
        let job = stage.job(name).await;
        job["jobruns"].as_array().unwrap().last().unwrap().clone()
    };
    assert_eq!(
        rerun("FIN_GL_POST", json!({"stepName": "S20"})).await,
        StatusCode::OK
    );
    stage.pass(30).await;
    let run = last("FIN_GL_POST").await;
    assert_eq!(
        (text(&run, "/rerunType"), text(&run, "/step")),
        ("RERUN_STEP", "S20")
    );
    let other = json!({"jobDefinitionDbKey": "/CRMAPP01#/CRM/SYNC/CRM_SYNC_DELTA"});
    assert_eq!(rerun("PAY_NET_CALC", other).await, StatusCode::OK);
    stage.pass(30).await;
    assert_eq!(
        text(&last("PAY_NET_CALC").await, "/rerunType"),
        "RERUN_FROM"
    );
    let missing = json!({"jobDefinitionDbKey": "/X#/Y/Z"});
    assert_eq!(
        rerun("FIN_RPT_PRINT", missing).await,
        StatusCode::BAD_REQUEST
    );
    // CARD_VALIDATE and what follows have ended well: they run again behind the first one.
    let chain = json!({"successorsInfo": {"depth": 10}});
    assert_eq!(rerun("CARD_RECV_CLEARING", chain).await, StatusCode::OK);
    stage.pass(3 * 3600).await;
    for name in ["CARD_RECV_CLEARING", "CARD_VALIDATE", "CARD_REPORT"] {
        assert_eq!(last(name).await["runAttempt"], 2, "{name}");
    }
    let started = |run: &Value| text(run, "/timeInfo/actualStartTime").to_owned();
    let (first, second) = (
        last("CARD_RECV_CLEARING").await,
        last("CARD_VALIDATE").await,
    );
    assert!(started(&first) < started(&second));
}

#[tokio::test]
async fn definitions_are_listed_by_sort_and_found_by_half_a_name() {
    let stage = stage().await;
    for sort in [
        "jobdefinition",
        "jobstream",
        "workstation",
        "calendar",
        "resource",
        "prompt",
        "variabletable",
        "variable",
        "folder",
        "domain",
    ] {
        let page = stage.get(&format!("/model/{sort}?limit=1")).await;
        let row = &page["results"][0];
        let id = text(row, "/def/id");
        let one = stage.get(&format!("/model/{sort}/{id}")).await;
        assert_eq!(one["def"], row["def"], "{sort}");
    }
    let nowhere = stage.send(Method::GET, "/model/nothing").await.status();
    assert_eq!(nowhere, StatusCode::NOT_FOUND);
    let path = "/model/common/autocomplete?type=JobStream&value=fin_&limit=10";
    let found = stage.get(path).await;
    let keys: Vec<_> = found["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| text(row, "/key"))
        .collect();
    assert!(keys.contains(&"/FINDB01#/FIN/EOD/FIN_EOD"), "{keys:?}");
    let stream = stage.list("/model/jobstream", "name = 'FIN_EOD'").await;
    let post = &stream[0]["def"]["jobs"][5];
    assert_eq!(
        text(post, "/internalPredecessors/0/jobName"),
        "FIN_GL_EXTRACT"
    );
    let changed = send(&stage, Method::PUT, "/model/jobstream/x", json!({}))
        .await
        .0;
    assert_eq!(changed, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_engine_tells_what_it_knows_and_counts_add_up() {
    let stage = stage().await;
    let info = stage.get("/objects-info?object_type=JOB_IN_PLAN").await;
    let actions = info["JOB_IN_PLAN"]["actions"].as_array().unwrap();
    assert!(
        actions
            .iter()
            .any(|action| text(action, "/key") == "confirm-succ")
    );
    assert_eq!(
        stage.get("/engine/users").await["users"],
        json!(["operator", "viewer"])
    );
    let startup = stage.get("/engine/configuration/startOfDay").await;
    assert_eq!(text(&startup, "/value"), "1600");
    let days = stage.get("/plan/consumed-jobs/runs?period=day").await;
    let total: u64 = days
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["dailyJobs"]["total"].as_u64().unwrap())
        .sum();
    let last = days.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["cumulativeJobs"]["total"].as_u64(), Some(total));
    let path = "/plan/folder/objects-count?object_type=JOB_IN_PLAN&oql=folder%20LIKE%20%27%40%27";
    let folders = stage.get(path).await;
    let sum: u64 = folders
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["totalCount"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 300);
    let streams = stage
        .get(
            "/plan/jobstream/count?plan_filter=%2F%40%2F%40%23%2F%40%2F%40&grouping_filters=folder",
        )
        .await;
    let groups = streams["groupedCount"].as_object().unwrap().values();
    let sum: u64 = groups.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(streams["count"].as_u64(), Some(sum));
}
