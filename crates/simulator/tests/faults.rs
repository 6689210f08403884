//! Misbehaviour that a client has to live with.

use reqwest::{Method, StatusCode};
use resync_simulator::{Effect, ErrorBody, RetryAfter, Rule};
use serde_json::{Value, json};

use crate::support::{Stage, stage, stage_with, text};

const INFO: &str = "/engine/info";

async fn body_under(
    stage: &Stage,
    effect: Effect,
) -> (StatusCode, String, Result<Vec<u8>, reqwest::Error>) {
    stage.control.clear_faults().await;
    stage.control.add_fault(Rule::new(effect)).await;
    let response = stage.send(Method::GET, INFO).await;
    let kind = response
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned());
    (
        response.status(),
        kind.unwrap_or_default(),
        response.bytes().await.map(Into::into),
    )
}

#[tokio::test]
async fn a_status_comes_with_the_body_and_the_hint_asked_for() {
    let stage = stage().await;
    let rule = |body, retry_after| {
        Rule::new(Effect::Status {
            code: 503,
            retry_after,
            body,
        })
    };
    let seconds = Some(RetryAfter::Seconds(7));
    stage
        .control
        .add_fault(rule(ErrorBody::LibertyHtml, seconds).nth(1))
        .await;
    let garbage = Some(RetryAfter::Text("soon".to_owned()));
    stage
        .control
        .add_fault(rule(ErrorBody::None, garbage).first(1))
        .await;
    let first = stage.send(Method::GET, INFO).await;
    assert_eq!(first.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(first.headers()["retry-after"], "7");
    assert!(first.text().await.unwrap().contains("<title>Error 503"));
    let second = stage.send(Method::GET, INFO).await;
    assert_eq!(second.headers()["retry-after"], "soon");
    assert_eq!(second.text().await.unwrap(), "");
    assert_eq!(stage.send(Method::GET, INFO).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn error_bodies_have_the_shapes_that_clients_meet() {
    let stage = stage().await;
    let effect = |body| Effect::Status {
        code: 500,
        retry_after: None,
        body,
    };
    let (_, kind, body) = body_under(&stage, effect(ErrorBody::VendorJson)).await;
    assert_eq!(kind, "application/json");
    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    assert!(text(&body, "/messages/0").starts_with("AWSJCO"));
    let (_, kind, _) = body_under(&stage, effect(ErrorBody::Problem)).await;
    assert_eq!(kind, "application/problem+json");
    let (_, _, body) = body_under(&stage, effect(ErrorBody::TruncatedJson)).await;
    assert!(serde_json::from_slice::<Value>(&body.unwrap()).is_err());
}

#[tokio::test]
async fn bodies_can_be_spoilt_in_many_ways() {
    let stage = stage().await;
    let (_, _, body) = body_under(&stage, Effect::MalformedJson).await;
    assert!(serde_json::from_slice::<Value>(&body.unwrap()).is_err());
    let (_, _, body) = body_under(&stage, Effect::InvalidUtf8).await;
    assert!(String::from_utf8(body.unwrap()).is_err());
    let (status, kind, _) = body_under(&stage, Effect::Html).await;
    assert_eq!(
        (status, kind.as_str()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    let value = "text/plain".to_owned();
    let (_, kind, body) = body_under(&stage, Effect::ContentType { value }).await;
    assert_eq!(kind, "text/plain");
    assert!(serde_json::from_slice::<Value>(&body.unwrap()).is_ok());
    let (_, _, body) = body_under(&stage, Effect::Filler { bytes: 100_000 }).await;
    let body = body.unwrap();
    assert!(body.len() == 100_000 && serde_json::from_slice::<Value>(&body).is_ok());
    let (status, _, body) = body_under(&stage, Effect::Cut { bytes: 20 }).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.is_err(), "half a body is no body");
}

#[tokio::test]
async fn a_connection_can_be_closed_without_an_answer() {
    let stage = stage().await;
    stage
        .control
        .add_fault(Rule::new(Effect::Close).on_path(INFO).nth(1))
        .await;
    assert!(stage.request(Method::GET, INFO).send().await.is_err());
    assert_eq!(stage.send(Method::GET, INFO).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_late_answer_is_still_the_right_one() {
    let stage = stage().await;
    stage
        .control
        .add_fault(Rule::new(Effect::Latency {
            ms: 1,
            up_to_ms: Some(3),
        }))
        .await;
    assert_eq!(stage.get(INFO).await["displayVersion"], "10.1.0.1");
}

/// The case that tells honest clients from lucky ones.
#[tokio::test]
async fn an_action_may_be_done_although_no_answer_comes() {
    let stage = stage().await;
    let job = stage.job("FIN_GL_POST").await;
    let path = format!("/plan/job/run/{}/action/rerun", text(&job, "/jobruns/0/id"));
    let rule = Rule::new(Effect::AfterCommit { code: None })
        .on_method("PUT")
        .on_path("/plan/**");
    stage.control.add_fault(rule).await;
    assert!(stage.request(Method::PUT, &path).send().await.is_err());
    stage.pass(10).await;
    assert_eq!(
        stage.job("FIN_GL_POST").await["jobruns"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

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
    let truth: Value = stage
        .client
        .get(url("/truth"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(text(&truth, "/failures/0/kind"), "F01");
    let requests: Value = stage
        .client
        .get(url("/requests"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
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
