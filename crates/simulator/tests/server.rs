//! Who may come in, and how: TLS, API keys, lockout, hidden folders, versions.

use std::time::Duration;

use reqwest::{Certificate, Client, Method, StatusCode};
use resync_simulator::{Effect, Role, Rule, Version};
use serde_json::Value;

use crate::support::{stage, stage_with, text};

#[tokio::test]
async fn a_client_that_trusts_the_ca_speaks_tls_and_no_other_does() {
    let stage = stage_with(resync_simulator::Builder::tls).await;
    let url = format!("{}/engine/info", stage.simulator.base_url());
    assert!(url.starts_with("https://127.0.0.1:"));
    let ca = Certificate::from_pem(stage.simulator.ca_pem().unwrap().as_bytes()).unwrap();
    let trusting = Client::builder()
        .no_proxy()
        .tls_certs_only([ca])
        .build()
        .unwrap();
    let info = trusting
        .get(&url)
        .basic_auth("operator", Some("secret"))
        .send()
        .await
        .unwrap();
    assert_eq!(info.status(), StatusCode::OK);
    assert!(
        stage.client.get(&url).send().await.is_err(),
        "an unknown CA is not trusted"
    );
}

#[tokio::test]
async fn an_api_key_opens_until_it_expires_by_virtual_time() {
    let expires = "2026-03-03T02:00:00Z".parse().unwrap();
    let stage = stage_with(|builder| {
        builder
            .api_key(
                "robot",
                "header.payload.signature",
                Role::Viewer,
                Some(expires),
            )
            .api_key("service", "for-ever", Role::Operator, None)
    })
    .await;
    let ask = async |token: &str| {
        let url = format!("{}/engine/info", stage.simulator.base_url());
        let response = stage.client.get(url).bearer_auth(token).send().await;
        response.unwrap().status()
    };
    assert_eq!(ask("header.payload.signature").await, StatusCode::OK);
    assert_eq!(ask("another").await, StatusCode::UNAUTHORIZED);
    stage.pass(1800).await;
    assert_eq!(
        ask("header.payload.signature").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask("for-ever").await, StatusCode::OK);
    stage
        .control
        .add_fault(Rule::new(Effect::TokenExpired { at: None }))
        .await;
    assert_eq!(ask("for-ever").await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        stage.send(Method::GET, "/engine/info").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn wrong_passwords_lock_a_user_and_not_the_others() {
    let stage = stage().await;
    stage
        .control
        .add_fault(Rule::new(Effect::LockOut { tries: 2 }))
        .await;
    let ask = async |name: &str, password: &str| {
        let url = format!("{}/engine/info", stage.simulator.base_url());
        let request = stage.client.get(url).basic_auth(name, Some(password));
        request.send().await.unwrap().status()
    };
    assert_eq!(ask("operator", "guess").await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask("operator", "secret").await,
        StatusCode::OK,
        "one guess is forgiven"
    );
    ask("operator", "guess").await;
    ask("operator", "guess").await;
    assert_eq!(ask("operator", "secret").await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("viewer", "secret").await, StatusCode::OK);
    stage.control.reset().await;
    assert_eq!(ask("operator", "secret").await, StatusCode::OK);
}

#[tokio::test]
async fn what_a_user_may_not_see_is_absent_and_not_forbidden() {
    let stage = stage_with(|builder| {
        builder
            .user("clerk", "secret", Role::Operator)
            .hide_folder("/HR/")
    })
    .await;
    let net = stage.job("PAY_NET_CALC").await;
    let path = format!("/plan/job/{}", text(&net, "/id"));
    let as_clerk = async |method: Method, path: &str| {
        let url = format!("{}{path}", stage.simulator.base_url());
        let request = stage
            .client
            .request(method, url)
            .basic_auth("clerk", Some("secret"));
        request.send().await.unwrap()
    };
    assert_eq!(
        as_clerk(Method::GET, &path).await.status(),
        StatusCode::NOT_FOUND
    );
    let hold = format!("{path}/action/kill");
    assert_eq!(
        as_clerk(Method::PUT, &hold).await.status(),
        StatusCode::NOT_FOUND
    );
    let all: Value = as_clerk(Method::GET, "/plan/job")
        .await
        .json()
        .await
        .unwrap();
    let jobs = all["results"].as_array().unwrap();
    assert!(
        !jobs.is_empty()
            && jobs
                .iter()
                .all(|job| !text(job, "/folder").starts_with("/HR/"))
    );
    assert!(jobs.len() < 300);
}

#[tokio::test]
async fn each_release_has_its_own_endpoints() {
    let old = stage().await;
    assert_eq!(
        old.send(Method::GET, "/plan/prompt").await.status(),
        StatusCode::NOT_FOUND
    );
    let new = stage_with(|builder| builder.version(Version::V10_2_8)).await;
    let info = new.get("/engine/info").await;
    assert_eq!(text(&info, "/displayVersion"), "10.2.8");
    assert_eq!(text(&info, "/capabilities/simulator/profile"), "bank");
    let asked = new.list("/plan/prompt", "status = 'ASKED'").await;
    let found = asked
        .iter()
        .any(|prompt| text(prompt, "/name") == "PAY_TOTALS_OK");
    assert!(found, "{asked:?}");
    let metrics = |stage: &crate::support::Stage| {
        stage
            .client
            .get(format!("{}/metrics", stage.simulator.root_url()))
            .send()
    };
    assert_eq!(
        metrics(&old).await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let text = metrics(&new).await.unwrap().text().await.unwrap();
    assert!(text.contains("JobsByStatus_jobs{status=\"ERROR\"}") && text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_closed_listener_refuses_and_opens_again_on_the_same_port() {
    let stage = stage().await;
    let address = stage.simulator.address();
    let reach = || tokio::net::TcpStream::connect(address);
    stage.control.listen(false);
    while reach().await.is_ok() {
        tokio::task::yield_now().await;
    }
    stage.control.listen(true);
    while reach().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        stage.send(Method::GET, "/engine/info").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_master_that_is_down_drops_every_request_for_its_time() {
    let stage = stage().await;
    stage.control.go_down(Duration::from_mins(1)).await;
    assert!(
        stage
            .request(Method::GET, "/engine/info")
            .send()
            .await
            .is_err()
    );
    stage.pass(61).await;
    assert_eq!(
        stage.send(Method::GET, "/engine/info").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn reads_lag_behind_and_do_not_show_ones_own_writes() {
    let stage = stage().await;
    stage.control.set_lag(Duration::from_secs(30)).await;
    let job = stage.job("FIN_GL_POST").await;
    let run = text(&job, "/jobruns/0/id").to_owned();
    assert_eq!(
        stage
            .put(&format!("/plan/job/run/{run}/action/rerun"))
            .await,
        StatusCode::OK
    );
    let runs = async || {
        stage.job("FIN_GL_POST").await["jobruns"]
            .as_array()
            .unwrap()
            .len()
    };
    stage.pass(20).await;
    assert_eq!(runs().await, 1);
    stage.pass(20).await;
    assert_eq!(runs().await, 2);
    stage.control.set_lag(Duration::ZERO).await;
    assert_eq!(
        crate::support::status(&stage.job("FIN_GL_POST").await),
        "EXEC"
    );
}

#[tokio::test]
async fn the_plan_can_be_switched_at_once() {
    let stage = stage().await;
    let before = stage.control.state().await;
    stage.control.switch_plan().await;
    stage.pass(600).await;
    let after = stage.control.state().await;
    assert_eq!(after["runNumber"], 2);
    assert_ne!(after["planId"], before["planId"]);
}

#[tokio::test]
async fn time_waits_for_a_status_and_no_longer_than_asked() {
    let stage = stage().await;
    let job = stage.job("FIN_GL_POST").await;
    let run = text(&job, "/jobruns/0/id").to_owned();
    assert_eq!(
        stage
            .put(&format!("/plan/job/run/{run}/action/rerun"))
            .await,
        StatusCode::OK
    );
    let hour = Duration::from_hours(1);
    assert!(
        stage
            .control
            .advance_until("FIN_EOD.FIN_GL_POST", "EXEC", hour)
            .await
    );
    assert!(
        stage
            .control
            .advance_until("FIN_EOD.FIN_GL_POST", "SUCC", hour)
            .await
    );
    assert!(
        !stage
            .control
            .advance_until("FIN_GL_POST", "ABEND", hour)
            .await
    );
}

#[tokio::test]
async fn what_is_fixed_fails_no_more() {
    let stage = stage().await;
    assert_eq!(stage.control.fix("F04", Some("PAY_NET_CALC")).await, 1);
    let job = stage.job("PAY_NET_CALC").await;
    let run = text(&job, "/jobruns/0/id").to_owned();
    assert_eq!(
        stage
            .put(&format!("/plan/job/run/{run}/action/rerun"))
            .await,
        StatusCode::OK
    );
    let hours = Duration::from_hours(3);
    assert!(
        stage
            .control
            .advance_until("PAY_NET_CALC", "SUCC", hours)
            .await
    );
}
