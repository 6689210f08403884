//! Other readings of the document.

use resync_simulator::Quirk;
use serde_json::Value;

use crate::support::{stage, stage_with, text};

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        _ => false,
    }
}

#[tokio::test]
async fn nothing_is_null_unless_asked_for() {
    let plain = stage().await;
    for path in [
        "/plan/job",
        "/plan/jobstream",
        "/plan/workstation",
        "/plan/resource",
    ] {
        assert!(!holds_null(&plain.get(path).await), "{path}");
    }
    let quirky = stage_with(|builder| builder.quirk(Quirk::Nulls)).await;
    let page = quirky.get("/plan/job?limit=5").await;
    assert!(page["results"].as_array().unwrap().iter().all(holds_null));
}

#[tokio::test]
async fn unknown_fields_and_values_turn_up_when_asked_for() {
    let stage = stage_with(|builder| {
        builder
            .quirk(Quirk::ExtraFields)
            .quirk(Quirk::UnknownEnums)
            .quirk(Quirk::NextNull)
    })
    .await;
    let page = stage.get("/plan/job").await;
    assert!(page["next"].is_null() && page.as_object().unwrap().contains_key("next"));
    let jobs = page["results"].as_array().unwrap();
    assert!(jobs.iter().all(|job| job.get("futureField").is_some()));
    let unknown = jobs
        .iter()
        .filter(|job| text(job, "/lastRunCompositeStatus/status") == "QUEUED_NEW");
    let unknown = unknown.count();
    assert!((10..90).contains(&unknown), "{unknown} of 300");
}

#[tokio::test]
async fn instants_may_carry_an_offset() {
    let stage = stage_with(|builder| builder.quirk(Quirk::DatesOffset)).await;
    let job = stage.job("FIN_GL_POST").await;
    assert_eq!(text(&job, "/schedTime"), "2026-03-02T20:00:00+01:00");
}
