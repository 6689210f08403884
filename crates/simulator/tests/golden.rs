//! Forty answers at a fixed seed and time: their bytes are a promise.

use std::fmt::Write as _;

use reqwest::Method;
use resync_simulator::Version;

use crate::support::{Stage, stage_with, text};

/// Fixed paths; those of single objects are made from ids.
const PATHS: &[&str] = &[
    "/engine/info",
    "/engine/configuration",
    "/engine/configuration/startOfDay",
    "/engine/users",
    "/engine/groups",
    "/engine/read_permission",
    "/objects-info",
    "/objects-info?object_type=JOB_IN_PLAN",
    "/plan/job?limit=25",
    "/plan/job?limit=25&offset=100",
    "/plan/job?oql=name%20LIKE%20%27FIN@%27%20ORDER%20BY%20name%20DESC",
    "/plan/job?oql=jobruns.compositeStatus.status%20IN%20%5B%27ABEND%27%5D",
    "/plan/job?oql=lastRunCommonStatus%20%3D%20%27RUNNING%27",
    "/plan/job?plan_filter=%2F@%2FFINDB01%23%2F@%2F@.@",
    "/plan/job?oql=name%20%3D",
    "/plan/job?limit=-1",
    "/plan/job/none",
    "/plan/job/count?plan_filter=%2F@%2F@%23%2F@%2F@.@&grouping_filters=folder,status",
    "/plan/job/issues",
    "/plan/jobstream?limit=10",
    "/plan/jobstream?oql=compositeStatus.status%20%3D%20%27STUCK%27",
    "/plan/jobstream/count?plan_filter=%2F@%2F@%23%2F@%2F@",
    "/plan/folder/objects-count?object_type=JOBSTREAM_IN_PLAN&oql=folder%20LIKE%20%27@%27",
    "/plan/workstation",
    "/plan/resource",
    "/plan/prompt",
    "/plan/consumed-jobs/runs?period=day",
    "/model/jobdefinition?limit=5",
    "/model/jobstream?limit=5",
    "/model/calendar",
    "/model/variabletable",
    "/model/folder",
    "/model/common/autocomplete?type=JobStream&value=DWH&limit=5",
    "/nothing",
];

async fn answers(stage: &Stage) -> String {
    let job = stage.job("FIN_GL_POST").await;
    let run = text(&job, "/jobruns/0/id");
    let (id, stream) = (text(&job, "/id"), text(&job, "/jobStreamId"));
    let of_objects = [
        format!("/plan/job/{id}"),
        format!("/plan/job/{id}/predecessors?depth=3"),
        format!("/plan/job/{id}/successors?depth=3"),
        format!("/plan/job/run/{run}/joblog"),
        format!("/plan/jobstream/{stream}"),
        format!("/plan/jobstream/{stream}/successors?depth=2"),
    ];
    let paths = PATHS
        .iter()
        .map(|path| (*path).to_owned())
        .chain(of_objects);
    let mut answers = String::new();
    for path in paths {
        let response = stage.send(Method::GET, &path).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let kind = headers
            .get("content-type")
            .map_or("", |kind| kind.to_str().unwrap());
        let kind = kind.to_owned();
        let body = response.bytes().await.unwrap();
        let begin: String = String::from_utf8_lossy(&body).chars().take(160).collect();
        let sum = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let size = body.len();
        writeln!(
            answers,
            "GET {path}\n{status} {kind} {size} {sum:016x}\n{begin}\n"
        )
        .unwrap();
    }
    answers
}

async fn golden() -> Stage {
    stage_with(|builder| builder.version(Version::V10_2_8)).await
}

#[tokio::test]
async fn forty_answers_keep_their_bytes_over_restarts_and_changes_of_code() {
    let first = golden().await;
    let told = answers(&first).await;
    assert_eq!(told.matches("GET ").count(), 40);
    assert_eq!(told, answers(&first).await, "the same twice");
    let again = golden().await;
    assert_eq!(told, answers(&again).await, "the same after a restart");
    insta::assert_snapshot!("answers", told);
}

#[tokio::test]
async fn a_night_in_one_step_is_the_same_as_in_hours_and_nothing_grows() {
    // One night in one step, and the same in hours: no drift, no growth of the plan.
    let (one, many) = (golden().await, golden().await);
    one.pass(86_400).await;
    for _ in 0..24 {
        many.pass(3600).await;
    }
    let (first, other) = (one.control.truth().await, many.control.truth().await);
    assert_eq!(first, other);
    assert!(first["jobCount"].as_u64().unwrap() < 600, "{first}");
    // Whatever nobody clears is carried on for some days, and no longer.
    one.pass(7 * 86_400).await;
    let later = one.control.state().await;
    assert!(later["jobCount"].as_u64().unwrap() < 600, "{later}");
    assert_eq!(text(&later, "/now"), "2026-03-11T01:30:00Z");
}
