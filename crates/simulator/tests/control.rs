//! Rules of faults, and the control plane that sets them.

use reqwest::{Method, StatusCode};
use resync_simulator::{Effect, Rule};
use serde_json::{Value, json};

use crate::support::{stage, stage_with, text};

const INFO: &str = "/engine/info";

#[tokio::test]
async fn rules_of_the_builder_come_back_with_a_reset() {
    let stage = stage_with(|builder| builder.fault(Rule::new(Effect::Close).nth(1))).await;
    assert!(stage.request(Method::GET, INFO).send().await.is_err());
    assert!(stage.request(Method::GET, INFO).send().await.is_ok());
    stage.control.reset().await;
    assert!(stage.request(Method::GET, INFO).send().await.is_err());
}

#[tokio::test]
async fn the_control_plane_does_the_same_over_http() {
    let stage = stage().await;
    let url = |path: &str| format!("{}{path}", stage.simulator.control_url());
    let post = |path: &str, body: Value| stage.client.post(url(path)).json(&body).send();
    let read = async |path: &str| -> Value {
        let answer = stage.client.get(url(path)).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let rule = json!({"path": INFO, "effect": {"kind": "status", "code": 502}});
    assert!(post("/faults", rule).await.unwrap().status().is_success());
    assert_eq!(
        stage.send(Method::GET, INFO).await.status(),
        StatusCode::BAD_GATEWAY
    );
    stage.client.delete(url("/faults")).send().await.unwrap();
    assert_eq!(stage.send(Method::GET, INFO).await.status(), StatusCode::OK);
    let moved = post("/clock", json!({"advance": {"seconds": 90}}))
        .await
        .unwrap();
    let moment: Value = moved.json().await.unwrap();
    assert_eq!(text(&moment, "/now"), "2026-03-03T01:31:30Z");
    let run: Value = post("/clock", json!({"run": {"speed": 60}}))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(run["speed"], 60);
    post("/clock", json!("freeze")).await.unwrap();
    let script = json!({"job": "FIN_EOD.FIN_GL_POST", "outcome": {"failure": "F01"}});
    assert!(post("/script", script).await.unwrap().status().is_success());
    let truth = read("/truth").await;
    assert_eq!(text(&truth, "/failures/0/kind"), "F01");
    let requests = read("/requests").await;
    assert_eq!(requests["requests"].as_array().unwrap().len(), 2);
    assert!(!requests.to_string().contains("authorization"));
    let reset: Value = post("/reset", json!({}))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (text(&reset, "/now"), &reset["speed"]),
        ("2026-03-03T01:30:00Z", &json!(0))
    );
    assert_eq!(
        post("/clock", json!("backwards")).await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
    let unknown = stage.client.get(url("/twsd")).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_received_is_kept_without_the_password() {
    let stage = stage().await;
    let request = stage
        .request(Method::PUT, "/plan/job/x/action/hold?a=1")
        .body("{}");
    request.header("Request-Id", "r1").send().await.unwrap();
    let received = stage.control.requests().await;
    let last = received.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.query.as_deref()),
        ("PUT", Some("a=1"))
    );
    assert_eq!(last.path, "/twsd/api/v2/plan/job/x/action/hold");
    assert_eq!(last.headers["request-id"], "r1");
    assert!(!last.headers.contains_key("authorization"));
    let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(last.body_sha256, digest);
}
