//! An action, from the question to the engine.

use std::time::Duration;

use reqwest::Method;
use resync_simulator::{Effect, Rule, Speed};
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session, read};

async fn propose(session: &Session, job: &str, action: &str) -> Value {
    let path = format!("/api/v1/tws/jobs/{job}/actions/{action}");
    let (status, proposal) = session
        .post(&path, json!({"reason": "test", "ticket": "INC-1"}))
        .await;
    assert_eq!(status, 202, "{proposal}");
    proposal
}

async fn confirm(session: &Session, job: &str, action: &str, token: &Value) -> (u16, Value) {
    let path = format!("/api/v1/tws/jobs/{job}/actions/{action}");
    session
        .post(&path, json!({"confirmation_token": token}))
        .await
}

async fn writes(resync: &Resync) -> usize {
    resync
        .engine
        .requests()
        .await
        .iter()
        .filter(|request| request.method != "GET")
        .count()
}

/// I-08, I-09, I-10: asked in words, proposed, confirmed by the person, seen at the engine, audited.
#[tokio::test]
async fn a_rerun_asked_for_in_words_happens_once_and_only_when_confirmed() {
    let resync = Resync::start(Options {
        speed: Speed::Times(60),
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    let answer = session.ask("Rerun FIN_GL_POST").await;
    let job = answer["proposal"]["job_id"].as_str().unwrap().to_owned();
    assert!(
        !answer.to_string().contains("confirmation_token"),
        "{answer}"
    );
    let proposal = propose(&session, &job, "rerun").await;
    assert_eq!(writes(&resync).await, 0);

    let (_, before) = session.get(&format!("/api/v1/tws/jobs/{job}")).await;
    let (status, done) = confirm(&session, &job, "rerun", &proposal["confirmation_token"]).await;
    assert_eq!(
        (status, &done["executed"], &done["verified"]),
        (200, &json!(true), &json!(true)),
        "{done}"
    );
    let (_, after) = session.get(&format!("/api/v1/tws/jobs/{job}")).await;
    let runs = |job: &Value| job["job"]["runs"].as_array().unwrap().len();
    assert_eq!(
        runs(&after),
        runs(&before) + 1,
        "the cache still shows the old state"
    );
    assert_eq!(
        confirm(&session, &job, "rerun", &proposal["confirmation_token"])
            .await
            .1["code"],
        "proposal-used"
    );
    assert_eq!(writes(&resync).await, 1);

    let admin = resync.sign_in("adam").await;
    let (_, audit) = admin.get("/api/v1/audit").await;
    let rows: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["action"].as_str().unwrap().starts_with("action."))
        .map(|row| {
            (
                row["action"].clone(),
                row["outcome"].clone(),
                row["ticket"].clone(),
                row["actor"].clone(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (
                json!("action.outcome"),
                json!("succeeded"),
                json!("INC-1"),
                json!("olga")
            ),
            (
                json!("action.intent"),
                json!("intended"),
                json!("INC-1"),
                json!("olga")
            ),
        ]
    );
}

#[tokio::test]
async fn another_persons_token_and_another_job_are_unknown_proposals() {
    let resync = Resync::start(Options::default()).await;
    let (olga, otto) = (resync.sign_in("olga").await, resync.sign_in("otto").await);
    let job = olga.job("FIN_EOD", "FIN_GL_POST").await;
    let proposal = propose(&olga, &job, "rerun").await;
    let token = &proposal["confirmation_token"];
    assert_eq!(confirm(&otto, &job, "rerun", token).await.0, 404);
    let same_person_elsewhere = resync.sign_in("olga").await;
    assert_eq!(
        confirm(&same_person_elsewhere, &job, "rerun", token)
            .await
            .0,
        404
    );
    assert_eq!(confirm(&olga, &job, "cancel", token).await.0, 404);
    assert_eq!(writes(&resync).await, 0);
}

/// C3: twenty confirmations at once are one action.
#[tokio::test]
async fn twenty_confirmations_at_once_are_one_action() {
    let resync = Resync::start(Options {
        speed: Speed::Times(60),
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let proposal = propose(&session, &job, "rerun").await;
    let token = &proposal["confirmation_token"];
    let calls = (0..20).map(|_| confirm(&session, &job, "rerun", token));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 200).count(),
        1
    );
    assert_eq!(writes(&resync).await, 1);
}

/// I-09: an engine that takes the action and does not answer leaves an unknown outcome, once.
#[tokio::test]
async fn an_action_without_an_answer_is_unknown_and_never_repeated() {
    let resync = Resync::start(Options {
        speed: Speed::Times(60),
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let proposal = propose(&session, &job, "rerun").await;
    resync
        .engine
        .add_fault(Rule::new(Effect::AfterCommit { code: None }).on_method("PUT"))
        .await;
    let (status, problem) = confirm(&session, &job, "rerun", &proposal["confirmation_token"]).await;
    assert_eq!(
        (status, &problem["code"]),
        (502, &json!("outcome-unknown")),
        "{problem}"
    );
    assert_eq!(writes(&resync).await, 1);
    let admin = resync.sign_in("adam").await;
    let (_, audit) = admin.get("/api/v1/audit").await;
    let outcomes: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["action"] == "action.outcome")
        .map(|row| row["outcome"].clone())
        .collect();
    assert_eq!(outcomes, [json!("unknown")]);
}

#[tokio::test]
async fn what_the_jobs_state_does_not_allow_is_refused_before_anything_is_sent() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("olga").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/kill");
    let (status, problem) = session.post(&path, json!({"reason": "test"})).await;
    assert_eq!(
        (status, &problem["code"], &problem["state"]),
        (422, &json!("not-allowed-in-state"), &json!("ABEND"))
    );
    let dry = format!("/api/v1/tws/jobs/{job}/actions/rerun?dry_run=true");
    let (status, impact) = session.post(&dry, json!({"reason": "test"})).await;
    assert_eq!(status, 200);
    assert!(
        impact.get("confirmation_token").is_none()
            && impact["impact"]["blocked"].as_u64().unwrap() > 0
    );
}

/// A change of the secret signs nobody out, and what was proposed before it is confirmed after it.
#[tokio::test]
async fn a_proposal_outlives_a_change_of_the_secret_that_names_the_old_one() {
    const OLD: &str = "the secret of before, of more than thirty-two bytes";
    const NEW: &str = "another secret of more than thirty-two bytes";
    let folder = tempfile::tempdir().unwrap();
    let start = async |secret: &str, previous: &[&str], nobody: bool| {
        let options = Options {
            nobody,
            ..Options::default()
        };
        Resync::start_with(options, |config| {
            config.server.data_dir = folder.path().to_path_buf();
            // The engine stands still, so that there is nothing to wait for.
            config.tws.verify_seconds = 1;
            config.auth.secret_key = Some(secret.into());
            config.auth.previous_secret_keys = previous.iter().map(|one| (*one).into()).collect();
        })
        .await
    };
    let before = start(OLD, &[], false).await;
    let session = before.sign_in("olga").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let proposal = propose(&session, &job, "rerun").await;
    before.stop().await;

    let after = start(NEW, &[OLD], true).await;
    let session = after.taken_over(session);
    let token = &proposal["confirmation_token"];
    let (status, done) = confirm(&session, &job, "rerun", token).await;
    assert_eq!((status, &done["executed"]), (200, &json!(true)), "{done}");
    assert_eq!(writes(&after).await, 1);
    after.stop().await;
}

/// Waits until the engine has been told to do something, by its own log.
async fn until_written(resync: &Resync) {
    let written = async {
        while writes(resync).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written)
        .await
        .unwrap();
}

/// C3: the same request again while the first one is still at the engine is told so and does nothing;
/// afterwards it gets the first one's answer.
#[tokio::test]
async fn a_key_whose_request_is_under_way_is_a_conflict_and_then_its_answer() {
    // Time stands still at the engine: it takes the action and shows no effect until time goes on.
    let resync = Resync::start(Options {
        adjust: |config| config.tws.verify_seconds = 20,
        ..Options::default()
    })
    .await;
    let mut session = resync.sign_in("olga").await;
    let job = session.job("FIN_EOD", "FIN_GL_POST").await;
    let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
    let proposal = propose(&session, &job, "rerun").await;
    let other = propose(&session, &job, "rerun").await;
    session
        .headers
        .insert("idempotency-key", "\"one-rerun\"".parse().unwrap());
    let confirmation = json!({"confirmation_token": proposal["confirmation_token"]});
    let another = json!({"confirmation_token": other["confirmation_token"]});

    let first = session.post(&path, confirmation.clone());
    let meanwhile = async {
        until_written(&resync).await;
        let same = session.post(&path, confirmation.clone()).await;
        let different = session.post(&path, another.clone()).await;
        // A key is of one person.
        let mut otto = resync.sign_in("otto").await;
        otto.headers
            .insert("idempotency-key", "\"one-rerun\"".parse().unwrap());
        let stranger = otto.post(&path, confirmation.clone()).await;
        resync.engine.advance(Duration::from_mins(1)).await;
        (same, different, stranger)
    };
    let ((status, done), (same, different, stranger)) = tokio::join!(first, meanwhile);
    assert_eq!(
        (status, &done["executed"], &done["verified"]),
        (200, &json!(true), &json!(true)),
        "{done}"
    );
    assert_eq!(
        (same.0, &same.1["code"]),
        (409, &json!("request-under-way")),
        "{same:?}"
    );
    assert_eq!(
        (different.0, &different.1["code"]),
        (422, &json!("idempotency-key-reused")),
        "{different:?}"
    );
    assert_eq!(
        (stranger.0, &stranger.1["code"]),
        (404, &json!("unknown-proposal")),
        "{stranger:?}"
    );

    let again = session.send(Method::POST, &path, Some(confirmation)).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(read(again).await, (200, done));
    let (status, problem) = session.post(&path, another).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("idempotency-key-reused"))
    );
    assert_eq!(writes(&resync).await, 1);
}
