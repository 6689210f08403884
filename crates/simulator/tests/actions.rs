//! Actions over the wire: late effects, preconditions, justification.

use reqwest::{Method, StatusCode};
use resync_simulator::Outcome;
use serde_json::{Value, json};

use crate::support::{stage, status, text};

#[tokio::test]
async fn a_rerun_answers_first_and_happens_later() {
    let stage = stage().await;
    let job = stage.job("FIN_GL_POST").await;
    let run = text(&job, "/jobruns/0/id");
    let path = format!("/plan/job/run/{run}/action/rerun");
    let response = stage
        .request(Method::PUT, &path)
        .json(&json!({"priority": 70}))
        .send()
        .await;
    let body: Value = response.unwrap().json().await.unwrap();
    assert_eq!(text(&body, "/id"), text(&job, "/id"));
    assert!(text(&body, "/url").starts_with("https://mdm.bank.invalid:31116/"));
    let unchanged = stage.job("FIN_GL_POST").await;
    assert_eq!(unchanged["jobruns"].as_array().unwrap().len(), 1);
    stage.pass(20).await;
    let changed = stage.job("FIN_GL_POST").await;
    let runs = changed["jobruns"].as_array().unwrap();
    assert_eq!((runs.len(), text(&runs[1], "/rerunType")), (2, "RERUN"));
    assert_eq!(
        (status(&changed), changed["priority"].as_u64()),
        ("EXEC", Some(70))
    );
    assert_eq!(
        (&runs[0]["lastInRerunChain"], &runs[1]["lastInRerunChain"]),
        (&json!(false), &json!(true))
    );
    let again = stage.put(&path).await;
    assert_eq!(again, StatusCode::BAD_REQUEST, "it runs already");
    stage.pass(3600).await;
    assert_eq!(status(&stage.job("FIN_GL_POST").await), "SUCC");
}

#[tokio::test]
async fn holding_and_releasing_undo_each_other() {
    let stage = stage().await;
    let job = stage.job("FIN_CLOSE_DAY").await;
    let action = |name: &str| format!("/plan/job/{}/action/{name}", text(&job, "/id"));
    assert_eq!(stage.put(&action("release")).await, StatusCode::BAD_REQUEST);
    assert_eq!(stage.put(&action("hold")).await, StatusCode::OK);
    stage.pass(1).await;
    let held = stage.job("FIN_CLOSE_DAY").await;
    assert_eq!(held["priority"], 0);
    assert_eq!(held["origPriority"], job["origPriority"]);
    assert_eq!(text(&held, "/lastRunCommonStatus"), "HELD");
    assert_eq!(
        text(&held, "/lastRunCompositeStatus/substatus"),
        "HOLD_PRIORITY_ZERO"
    );
    assert_eq!(stage.put(&action("release")).await, StatusCode::OK);
    stage.pass(1).await;
    assert_eq!(
        stage.job("FIN_CLOSE_DAY").await["priority"],
        job["priority"]
    );
}

#[tokio::test]
async fn cancelling_keeps_the_status_and_sets_the_flag() {
    let stage = stage().await;
    let job = stage.job("FIN_RPT_LEDGER").await;
    let path = format!("/plan/job/{}/action/cancel", text(&job, "/id"));
    assert_eq!(stage.put(&path).await, StatusCode::OK);
    stage.pass(1).await;
    let canceled = stage.job("FIN_RPT_LEDGER").await;
    assert_eq!(
        (status(&canceled), text(&canceled, "/lastRunCommonStatus")),
        ("HOLD", "CANCELED")
    );
    assert_eq!(canceled["lastRunCompositeStatus"]["canceled"], true);
    assert_eq!(stage.put(&path).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn priorities_are_checked_and_set() {
    let stage = stage().await;
    let job = stage.job("FIN_CLOSE_DAY").await;
    let path = |query: &str| {
        format!(
            "/plan/job/{}/action/update-priority{query}",
            text(&job, "/id")
        )
    };
    for query in ["", "?priority=102", "?priority=-1", "?priority=high"] {
        assert_eq!(
            stage.put(&path(query)).await,
            StatusCode::BAD_REQUEST,
            "{query}"
        );
    }
    assert_eq!(stage.put(&path("?priority=101")).await, StatusCode::OK);
    stage.pass(1).await;
    assert_eq!(stage.job("FIN_CLOSE_DAY").await["priority"], 101);
}

#[tokio::test]
async fn a_prompt_is_answered_once() {
    let stage = stage().await;
    let job = stage.job("PAY_APPROVE_TOTALS").await;
    let dependencies = job["dependencies"].as_array().unwrap();
    let prompt = dependencies
        .iter()
        .find(|d| d["dependencyType"] == "PROMPT")
        .unwrap();
    assert_eq!(text(prompt, "/promptStatus"), "ASKED");
    let path = format!("/plan/prompt/{}/action/reply", text(prompt, "/id"));
    assert_eq!(stage.put(&path).await, StatusCode::BAD_REQUEST, "no body");
    let reply = || {
        stage
            .request(Method::PUT, &path)
            .json(&json!({"answer": true}))
            .send()
    };
    assert_eq!(reply().await.unwrap().status(), StatusCode::OK);
    stage.pass(300).await;
    assert_eq!(reply().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(status(&stage.job("PAY_APPROVE_TOTALS").await), "SUCC");
}

#[tokio::test]
async fn linking_a_workstation_takes_its_time() {
    let stage = stage().await;
    let lost = stage.list("/plan/workstation", "name = 'DWHETL03'").await;
    let id = text(&lost[0], "/id");
    assert_eq!(
        stage
            .put(&format!("/plan/workstation/{id}/action/link"))
            .await,
        StatusCode::OK
    );
    let same = stage.get(&format!("/plan/workstation/{id}")).await;
    assert_eq!(same["activeStates"], json!([]));
    stage.pass(10).await;
    let linked = stage.get(&format!("/plan/workstation/{id}")).await;
    assert_eq!(linked["activeStates"], json!(["LINKED", "JOBMAN_UP"]));
    assert_eq!(
        stage.put("/plan/workstation/none/action/link").await,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_journal_keeps_who_and_why() {
    let stage = stage().await;
    let job = stage.job("FIN_CLOSE_DAY").await;
    let path = format!("/plan/job/{}/action/hold", text(&job, "/id"));
    let request = stage
        .request(Method::PUT, &path)
        .header("Justification-Category", "incident")
        .header("Justification-Description", "ledger first")
        .header("Justification-Ticket-Num", "INC-4711");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let journal = stage.control.journal().await;
    let entry = journal["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(text(entry, "/what"), "accepted hold");
    let by = json!({"user": "operator", "category": "incident", "description": "ledger first",
                    "ticket": "INC-4711"});
    assert_eq!(entry["by"], by);
}

#[tokio::test]
async fn actions_by_filter_obey_their_bound() {
    let stage = stage().await;
    let path = "/plan/job/action/hold";
    let request = |most: &str| {
        let oql = "jobStreamName = 'FIN_EOD'";
        stage
            .request(Method::PUT, path)
            .query(&[("oql", oql), ("max_object_affected", most)])
    };
    assert_eq!(
        request("3").send().await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
    let body: Value = request("20").send().await.unwrap().json().await.unwrap();
    let size = |name: &str| body[name].as_array().unwrap().len();
    assert_eq!(
        size("successfulResourceResponses") + size("failedResourceResponses"),
        14
    );
    assert_eq!(
        size("failedResourceResponses"),
        6,
        "what has ended is not held"
    );
}

#[tokio::test]
async fn a_script_decides_the_next_run_only() {
    let stage = stage().await;
    stage
        .control
        .script("FIN_GL_POST", Outcome::fails("F12"))
        .await;
    for (expected, code) in [("ABEND", json!(137)), ("SUCC", json!(0))] {
        let run = stage.job("FIN_GL_POST").await["jobruns"]
            .as_array()
            .unwrap()
            .last()
            .cloned();
        let run = run.unwrap();
        let path = format!("/plan/job/run/{}/action/rerun", text(&run, "/id"));
        assert_eq!(stage.put(&path).await, StatusCode::OK);
        stage.pass(3600).await;
        stage
            .control
            .script("FIN_GL_POST", Outcome::succeeds())
            .await;
        let job = stage.job("FIN_GL_POST").await;
        assert_eq!(status(&job), expected);
        assert_eq!(
            job["jobruns"].as_array().unwrap().last().unwrap()["returnCode"],
            code
        );
    }
}

#[tokio::test]
async fn the_plan_cannot_be_read_while_it_is_switched() {
    let stage = stage().await;
    let old = stage.job("FIN_GL_POST").await;
    let edge = (15 * 60 - 90) * 60; // from 01:30 to the plan's end at 15:00 UTC
    stage.pass(edge).await;
    let mut refused = 0;
    for _ in 0..40 {
        stage.pass(10).await;
        let response = stage.send(Method::GET, "/plan/job?limit=1").await;
        refused += i32::from(response.status() == StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!((3..=10).contains(&refused), "{refused} of 40");
    let path = format!("/plan/job/{}", text(&old, "/id"));
    assert_eq!(
        stage.send(Method::GET, &path).await.status(),
        StatusCode::NOT_FOUND
    );
    let persistent = format!("persistentId = '{}'", text(&old, "/persistentId"));
    let carried = stage.list("/plan/job", &persistent).await;
    assert_eq!((carried.len(), status(&carried[0])), (1, "ABEND"));
    assert_ne!(carried[0]["planId"], old["planId"]);
}
