//! Actions: what is sent, and what every end of it means.

use resync_hwa::HwaClient;
use resync_tws::model::{Action, Command, ConfirmOutcome, JobId, Justification, Priority, RunId};
use resync_tws::ports::{ActionError, ActionGateway, GatewayError};

use crate::fixture::{Fixture, Reply, config, hasty, nobody};

fn command(action: Action) -> Command {
    Command {
        target: JobId::parse("job#1").unwrap().into(),
        run: Some(RunId::parse("run@1").unwrap()),
        action,
    }
}

fn why() -> Justification {
    Justification {
        reason: "Reinício após correção".to_owned(),
        ticket: Some("INC-1".to_owned()),
        category: "resync".to_owned(),
    }
}

async fn end_of(reply: Reply) -> Result<(), ActionError> {
    let fixture = Fixture::always(reply).await;
    let end = fixture.client().act(&command(Action::Kill), &why()).await;
    // Whatever came back, it was sent once.
    assert_eq!(fixture.received().len(), 1);
    end
}

#[tokio::test]
async fn every_action_has_its_request() {
    let confirm = |status| Action::Confirm { status };
    for (action, line, body) in [
        (Action::RERUN, "run/run%401/action/rerun", "{}"),
        (Action::Hold, "job%231/action/hold", ""),
        (Action::Release, "job%231/action/release", ""),
        (Action::Cancel, "job%231/action/cancel", ""),
        (Action::Kill, "job%231/action/kill", ""),
        (
            confirm(ConfirmOutcome::Succ),
            "job%231/action/confirm-succ",
            r#"{"conditions":[]}"#,
        ),
        (
            confirm(ConfirmOutcome::Abend),
            "job%231/action/confirm-abend",
            r#"{"conditions":[]}"#,
        ),
        (
            Action::Priority {
                priority: Priority::new(101).unwrap(),
            },
            "job%231/action/update-priority?priority=101",
            "",
        ),
    ] {
        let fixture = Fixture::always(Reply::json(r#"{"id":"job#1","url":"/x"}"#)).await;
        assert_eq!(fixture.client().act(&command(action), &why()).await, Ok(()));
        let sent = fixture.only();
        assert_eq!(
            sent.line,
            format!("PUT /twsd/api/v2/plan/job/{line} HTTP/1.1")
        );
        assert_eq!(sent.body, body);
    }
}

#[tokio::test]
async fn the_reason_goes_along_for_the_engines_audit() {
    let fixture = Fixture::always(Reply::json("{}")).await;
    fixture
        .client()
        .act(&command(Action::Kill), &why())
        .await
        .unwrap();
    let sent = fixture.only();
    assert_eq!(sent.header("justification-category"), Some("resync"));
    assert_eq!(sent.header("justification-ticket-num"), Some("INC-1"));
    assert_eq!(
        sent.header("justification-description"),
        Some("UTF-8''Rein%C3%ADcio%20ap%C3%B3s%20corre%C3%A7%C3%A3o")
    );
    assert!(sent.header("request-id").is_some());
}

#[tokio::test]
async fn what_the_engine_refuses_is_a_refusal_in_its_words() {
    let body = br#"{"messages":["AWSJCO042E the job is not running"]}"#;
    for status in [400, 409, 412, 422, 423] {
        assert_eq!(
            end_of(Reply::with(status, "application/json", body)).await,
            Err(ActionError::Refused(
                "AWSJCO042E the job is not running".into()
            )),
            "{status}"
        );
    }
    assert_eq!(
        end_of(Reply::json(
            r#"{"id":"a","isError":true,"message":"locked"}"#
        ))
        .await,
        Err(ActionError::Refused("locked".into()))
    );
    assert_eq!(
        end_of(Reply::with(404, "application/json", body)).await,
        Err(ActionError::UnknownTarget)
    );
}

#[tokio::test]
async fn what_cannot_have_been_done_was_not_done() {
    for (status, error) in [
        (401, GatewayError::CredentialsRefused),
        (403, GatewayError::Forbidden),
        (405, GatewayError::Unsupported),
        (429, GatewayError::Busy { retry_after: None }),
    ] {
        assert_eq!(
            end_of(Reply::with(status, "text/plain", b"")).await,
            Err(ActionError::NotDone(error))
        );
    }
    let client = HwaClient::new(config(&nobody().await)).unwrap();
    assert!(matches!(
        client.act(&command(Action::Kill), &why()).await,
        Err(ActionError::NotDone(GatewayError::Unreachable(_)))
    ));
}

/// F3: actions are repeated 0 times, and nobody claims to know how they ended.
#[tokio::test]
async fn what_may_have_been_done_has_an_unknown_outcome() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"id\"";
    for reply in [
        Reply::Close,
        Reply::Bytes(half.to_vec()),
        Reply::with(500, "text/plain", b""),
        Reply::with(502, "text/html", b"<html>"),
        Reply::with(503, "text/plain", b""),
        Reply::with(504, "text/plain", b""),
        Reply::headed(302, "Location: /login\r\n", b""),
        Reply::with(200, "text/html", b"<html>login</html>"),
        Reply::json("garbage"),
    ] {
        let end = end_of(reply).await;
        assert!(
            matches!(end, Err(ActionError::OutcomeUnknown(_))),
            "{end:?}"
        );
    }
    let fixture = Fixture::always(Reply::Silence).await;
    let client = HwaClient::new(hasty(fixture.config())).unwrap();
    assert!(matches!(
        client.act(&command(Action::RERUN), &why()).await,
        Err(ActionError::OutcomeUnknown(GatewayError::TimedOut(_)))
    ));
    assert_eq!(fixture.received().len(), 1);
}

#[tokio::test]
async fn an_action_is_not_sent_to_a_second_host_once_a_first_took_it() {
    let master = Fixture::always(Reply::Close).await;
    let backup = Fixture::always(Reply::json("{}")).await;
    let mut config = master.config();
    config.base_urls.push(backup.base_url());
    let client = HwaClient::new(config).unwrap();
    assert!(client.act(&command(Action::Kill), &why()).await.is_err());
    assert_eq!(master.received().len(), 1);
    assert!(backup.received().is_empty());
}

#[tokio::test]
async fn what_has_no_run_is_not_sent() {
    let fixture = Fixture::always(Reply::json("{}")).await;
    let client = fixture.client();
    let mut rerun = command(Action::RERUN);
    rerun.run = None;
    assert!(matches!(
        client.act(&rerun, &why()).await,
        Err(ActionError::NotDone(GatewayError::Rejected(_)))
    ));
    let mut dots = command(Action::Kill);
    dots.target = JobId::parse("..").unwrap().into();
    assert_eq!(
        client.act(&dots, &why()).await,
        Err(ActionError::UnknownTarget)
    );
    assert!(fixture.received().is_empty());
}
