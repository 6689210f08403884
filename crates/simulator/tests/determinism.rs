//! Equal simulators give equal bytes.

use std::time::Duration;

use reqwest::Method;
use resync_simulator::{Simulator, Speed, StartError};

use crate::support::{Stage, stage, stage_with, text};

async fn bytes(stage: &Stage) -> Vec<String> {
    let mut all = Vec::new();
    for path in [
        "/plan/job",
        "/plan/jobstream",
        "/plan/workstation",
        "/plan/resource",
    ] {
        all.push(stage.send(Method::GET, path).await.text().await.unwrap());
    }
    all
}

async fn story(stage: &Stage) -> Vec<String> {
    let job = stage.job("FIN_GL_POST").await;
    let path = format!("/plan/job/run/{}/action/rerun", text(&job, "/jobruns/0/id"));
    stage.put(&path).await;
    stage.pass(5 * 3600).await;
    bytes(stage).await
}

#[tokio::test]
async fn two_runs_and_a_reset_give_the_same_bytes() {
    let (one, other) = (stage().await, stage().await);
    let start = bytes(&one).await;
    assert_eq!(start, bytes(&one).await, "reading changes nothing");
    let told = story(&one).await;
    assert_eq!(told, story(&other).await);
    assert_ne!(told, start);
    one.control.reset().await;
    assert_eq!(bytes(&one).await, start);
    assert_eq!(story(&one).await, told);
}

#[tokio::test]
async fn another_seed_gives_another_night() {
    let (one, other) = (stage().await, stage_with(|builder| builder.seed(43)).await);
    assert_ne!(bytes(&one).await, bytes(&other).await);
}

#[tokio::test]
async fn a_frozen_clock_moves_only_when_told() {
    let stage = stage().await;
    let before = stage.control.now().await;
    stage.pass(61).await;
    assert_eq!((stage.control.now().await - before).num_seconds(), 61);
    stage.control.advance(Duration::from_millis(500)).await;
    stage.control.advance(Duration::from_millis(500)).await;
    assert_eq!((stage.control.now().await - before).num_seconds(), 62);
}

#[tokio::test(start_paused = true)]
async fn a_running_clock_multiplies_real_time() {
    let simulator = Simulator::builder()
        .jobs(100)
        .speed(Speed::Times(60))
        .start()
        .await
        .unwrap();
    let control = simulator.control();
    let before = control.now().await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!((control.now().await - before).num_seconds(), 600);
    control.freeze().await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!((control.now().await - before).num_seconds(), 600);
}

#[tokio::test]
async fn stopping_closes_the_socket_even_under_a_hanging_request() {
    let stage = stage().await;
    let rule = resync_simulator::Rule::new(resync_simulator::Effect::Never);
    stage.control.add_fault(rule).await;
    let hanging = stage.request(Method::GET, "/engine/info").send();
    let address = stage.simulator.address();
    let stop = async {
        while stage.control.requests().await.is_empty() {
            tokio::task::yield_now().await;
        }
        stage.simulator.stop().await;
    };
    let (answer, ()) = tokio::join!(hanging, stop);
    assert!(answer.is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_plan_without_jobs_does_not_start() {
    let refused = Simulator::builder().jobs(0).start().await;
    assert!(matches!(refused, Err(StartError::Jobs(0))));
}
