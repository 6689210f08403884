//! Actions: what is sent, and what every end of it means.

use resync_hwa::HwaClient;
use resync_tws::model::{
    Action, Command, ConfirmOutcome, DefinitionId, JobId, Justification, Priority, PromptAnswer,
    PromptId, RerunOptions, ResourceId, RunId, StreamId, Submission, SubmitAlias, SubmitOptions,
    Submitted, Target, WorkstationId,
};
use resync_tws::ports::{ActionError, ActionGateway, GatewayError, SubmitGateway};

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
async fn every_kind_of_object_has_its_requests() {
    let stream = || Target::Stream(StreamId::parse("s#1").unwrap());
    let station = || Target::Workstation(WorkstationId::parse("w").unwrap());
    let prompt = || Target::Prompt(PromptId::parse("p").unwrap());
    let resource = || Target::Resource(ResourceId::parse("r").unwrap());
    let job = || Target::Job(JobId::parse("j").unwrap());
    let rerun = RerunOptions {
        priority: Some(Priority::new(30).unwrap()),
        start_at: "2026-03-02T22:00:00Z".parse().ok(),
        same_workstation: true,
    };
    for (target, action, line, body) in [
        (
            job(),
            Action::ReleaseDependencies,
            "job/j/action/release-all-dependencies",
            "",
        ),
        (
            job(),
            Action::Rerun(rerun),
            "job/run/run%401/action/rerun",
            r#"{"priority":30,"rerunJobOnSameWorkstation":true,"startTime":"2026-03-02T22:00:00Z"}"#,
        ),
        (stream(), Action::Hold, "jobstream/s%231/action/hold", ""),
        (
            stream(),
            Action::Release,
            "jobstream/s%231/action/release",
            "",
        ),
        (
            stream(),
            Action::Cancel,
            "jobstream/s%231/action/cancel",
            "",
        ),
        (
            stream(),
            Action::ReleaseDependencies,
            "jobstream/s%231/action/release-all-dependencies",
            "",
        ),
        (station(), Action::Link, "workstation/w/action/link", ""),
        (station(), Action::Unlink, "workstation/w/action/unlink", ""),
        (station(), Action::Start, "workstation/w/action/start", ""),
        (station(), Action::Stop, "workstation/w/action/stop", ""),
        (
            station(),
            Action::Limit { limit: 1_024 },
            "workstation/w/action/update-limit?limit=1024",
            "",
        ),
        (
            station(),
            Action::Fence {
                fence: Priority::new(101).unwrap(),
            },
            "workstation/w/action/update-fence?priority=101",
            "",
        ),
        (
            resource(),
            Action::Quantity { quantity: 7 },
            "resource/r/action/update-quantity?quantity=7",
            "",
        ),
        (
            prompt(),
            Action::Reply {
                answer: PromptAnswer::Yes,
            },
            "prompt/p/action/reply",
            r#"{"answer":true}"#,
        ),
        (
            prompt(),
            Action::Reply {
                answer: PromptAnswer::No,
            },
            "prompt/p/action/reply",
            r#"{"answer":false}"#,
        ),
    ] {
        let fixture = Fixture::always(Reply::json(r#"{"id":"x","url":"/x"}"#)).await;
        let command = Command {
            target,
            run: RunId::parse("run@1").ok(),
            action,
        };
        assert_eq!(fixture.client().act(&command, &why()).await, Ok(()));
        let sent = fixture.only();
        assert_eq!(sent.line, format!("PUT /twsd/api/v2/plan/{line} HTTP/1.1"));
        assert_eq!(sent.body, body);
        assert_eq!(sent.header("justification-ticket-num"), Some("INC-1"));
    }
}

fn submission(stream: bool) -> Submission {
    let definition = DefinitionId::parse("def#1").unwrap();
    let options = SubmitOptions {
        alias: SubmitAlias::parse("FIN_AGAIN").ok(),
        priority: Priority::new(20).ok(),
        scheduled_at: "2026-03-02T22:00:00Z".parse().ok(),
        variables: [("RUNDATE".to_owned(), "20260302".to_owned())].into(),
    };
    if stream {
        Submission::Stream {
            definition,
            options,
        }
    } else {
        Submission::Job {
            definition,
            stream: StreamId::parse("s1").ok(),
            options,
        }
    }
}

#[tokio::test]
async fn a_submission_carries_what_was_asked_and_tells_the_new_ids() {
    let options = r#""alias":"FIN_AGAIN","inputArrivalTime":"2026-03-02T22:00:00Z","#;
    let rest = r#""parameters":{"RUNDATE":"20260302"},"priority":20}"#;
    for (stream, path, body, answer) in [
        (
            true,
            "jobstream/def%231/submit",
            format!("{{{options}{rest}"),
            r#"{"count":1,"results":[{"id":"new1","url":"/x"}]}"#,
        ),
        (
            false,
            "job/def%231/submit",
            format!(r#"{{{options}"jobStreamId":"s1",{rest}"#),
            r#"{"id":"new1","url":"/x"}"#,
        ),
    ] {
        let fixture = Fixture::always(Reply::json(answer)).await;
        let done = fixture.client().submit(&submission(stream), &why()).await;
        assert_eq!(
            done,
            Ok(Submitted {
                ids: vec!["new1".to_owned()]
            })
        );
        let sent = fixture.only();
        assert_eq!(sent.line, format!("POST /twsd/api/v2/plan/{path} HTTP/1.1"));
        assert_eq!(sent.body, body);
        assert_eq!(sent.header("justification-category"), Some("resync"));
    }
}

/// Submissions are sent once, and end as actions do.
#[tokio::test]
async fn every_end_of_a_submission_has_its_meaning() {
    let message = br#"{"messages":["AWSJCO099E already there"]}"#;
    let refused = || Err(ActionError::Refused("AWSJCO099E already there".into()));
    for (reply, expected) in [
        (
            Reply::with(409, "application/json", message),
            Some(refused()),
        ),
        (
            Reply::with(400, "application/json", message),
            Some(refused()),
        ),
        (
            Reply::with(404, "text/plain", b""),
            Some(Err(ActionError::UnknownTarget)),
        ),
        (
            Reply::with(200, "text/plain", b""),
            Some(Ok(Submitted::default())),
        ),
        (Reply::Close, None),
        (Reply::with(503, "text/plain", b""), None),
    ] {
        let fixture = Fixture::always(reply).await;
        let end = fixture.client().submit(&submission(true), &why()).await;
        match expected {
            Some(expected) => assert_eq!(end, expected),
            None => assert!(
                matches!(end, Err(ActionError::OutcomeUnknown(_))),
                "{end:?}"
            ),
        }
        assert_eq!(fixture.received().len(), 1);
    }
}

/// Nothing that Resync must never ask for can be asked for: no lock, no command, no write by filter.
#[test]
fn no_path_of_the_client_is_one_that_resync_must_not_use() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut folders = vec![std::path::PathBuf::from(folder)];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for never in [
                "run-command",
                "become-mdm",
                "\"lock\"",
                "no-validate",
                "/plan/job/action/",
            ] {
                assert!(!text.contains(never), "{never} in {}", path.display());
            }
        }
    }
    assert!(files > 20);
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
