//! The laws of the ports, on the simulator over a real socket.

use std::sync::Arc;
use std::time::Duration;

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::SecretString;
use resync_simulator::{Builder, Effect, Quirk, Role, Rule, Simulator, Speed};
use resync_tws::contract::Stage;
use resync_tws::model::{
    Action, Command, EngineName, Job, JobQuery, JobStatus, Justification, LineRange, NamePattern,
    RunId,
};
use resync_tws::ports::{
    ActionError, ActionGateway as _, GatewayError, LogGateway as _, PlanGateway as _,
};

fn client(base_url: String, username: &str, password: &str) -> HwaClient {
    let credentials = Credentials::Basic {
        username: username.to_owned(),
        password: SecretString::from(password),
    };
    let engine = EngineName::parse("SIM").unwrap();
    let mut config = HwaConfig::new(engine, base_url, credentials);
    config.limits.retries = 0;
    HwaClient::new(config).unwrap()
}

fn builder(quirks: &[Quirk]) -> Builder {
    let builder = Simulator::builder()
        .seed(42)
        .jobs(100)
        .speed(Speed::Frozen)
        .user("operator", "secret", Role::Operator)
        .user("viewer", "secret", Role::Viewer);
    quirks
        .iter()
        .fold(builder, |builder, quirk| builder.quirk(*quirk))
}

async fn simulator(quirks: &[Quirk]) -> Simulator {
    builder(quirks).start().await.unwrap()
}

async fn stage_of(builder: Builder) -> Stage {
    let simulator = builder.start().await.unwrap();
    let client = Arc::new(client(simulator.base_url(), "operator", "secret"));
    let control = simulator.control();
    Stage::of(client, Box::new(simulator)).settled_by(Box::new(move || {
        let control = control.clone();
        Box::pin(async move { control.advance(Duration::from_secs(10)).await })
    }))
}

async fn stage(quirks: &[Quirk]) -> Stage {
    stage_of(builder(quirks)).await
}

macro_rules! every_law {
    ($stage:expr) => {
        resync_tws::plan_gateway_contract!($stage);
        resync_tws::log_gateway_contract!($stage);
        resync_tws::action_gateway_contract!($stage);
        resync_tws::object_gateway_contract!($stage);
        resync_tws::definition_gateway_contract!($stage);
        resync_tws::engine_monitor_contract!($stage);
        resync_tws::keyset_contract!($stage);
    };
}

mod by_the_document {
    use super::stage;
    every_law!(stage(&[]));
}

/// The same laws where engines are free to differ from the document.
mod as_engines_may_be {
    use resync_simulator::Quirk::{
        DatesOffset, ExtraFields, LogEmpty, NextNull, Nulls, ReleaseNoop, UnknownEnums,
    };

    use super::stage;

    const ALL: &[super::Quirk] = &[
        Nulls,
        ExtraFields,
        UnknownEnums,
        DatesOffset,
        ReleaseNoop,
        NextNull,
        LogEmpty,
    ];
    every_law!(stage(ALL));
}

/// And the other readings of what nobody says, on a release with a list of prompts.
mod as_later_releases_may_be {
    use resync_simulator::Quirk::{
        DatesMillis, IdsSurvive, Isless, NextEmpty, Stringly, UnknownEnumEmpty,
    };
    use resync_simulator::Version;

    use super::{builder, stage_of};

    const ALL: &[super::Quirk] = &[
        Stringly,
        Isless,
        DatesMillis,
        NextEmpty,
        IdsSurvive,
        UnknownEnumEmpty,
    ];
    every_law!(stage_of(builder(ALL).version(Version::V10_2_8)));
}

fn why() -> Justification {
    Justification {
        reason: "Reinício após correção".to_owned(),
        ticket: Some("INC-1".to_owned()),
        category: "resync".to_owned(),
    }
}

async fn job_in(client: &HwaClient, status: JobStatus) -> Job {
    let query = JobQuery {
        status: vec![status],
        limit: 1,
        ..JobQuery::default()
    };
    client.jobs(&query).await.unwrap().items.swap_remove(0)
}

fn on(job: &Job, action: Action) -> Command {
    Command {
        target: job.id.clone().into(),
        run: job.latest_run().map(|run| run.id.clone()),
        action,
    }
}

/// I-11: what the engine thinks of our credentials has types of its own.
#[tokio::test]
async fn wrong_credentials_and_missing_rights_are_told_apart() {
    let simulator = simulator(&[]).await;
    let stranger = client(simulator.base_url(), "operator", "wrong");
    assert_eq!(
        stranger.engine_info().await,
        Err(GatewayError::CredentialsRefused)
    );
    let viewer = client(simulator.base_url(), "viewer", "secret");
    let job = job_in(&viewer, JobStatus::Hold).await;
    assert_eq!(
        viewer.act(&on(&job, Action::Hold), &why()).await,
        Err(ActionError::NotDone(GatewayError::Forbidden))
    );
}

/// The case that tells honest clients from lucky ones.
#[tokio::test]
async fn an_action_that_was_done_before_its_answer_was_lost_has_an_unknown_outcome() {
    for code in [None, Some(504)] {
        let simulator = simulator(&[]).await;
        let control = simulator.control();
        let client = client(simulator.base_url(), "operator", "secret");
        let job = job_in(&client, JobStatus::Hold).await;
        let rule = Rule::new(Effect::AfterCommit { code }).on_method("PUT");
        control.add_fault(rule).await;
        let end = client.act(&on(&job, Action::Hold), &why()).await;
        assert!(
            matches!(end, Err(ActionError::OutcomeUnknown(_))),
            "{end:?}"
        );
        let sent = control.requests().await;
        let writes = sent.iter().filter(|request| request.method == "PUT");
        assert_eq!(writes.count(), 1);
    }
}

/// F3, with the simulator's own faults.
#[tokio::test]
async fn every_fault_of_the_simulator_has_its_error() {
    let unreadable = |said: &str| GatewayError::Unreadable(said.into());
    for (effect, expected) in [
        (Effect::Html, Some(unreadable("a web page instead of JSON"))),
        (
            Effect::InvalidUtf8,
            Some(unreadable("bytes that are no UTF-8")),
        ),
        (
            Effect::Filler { bytes: 33 << 20 },
            Some(unreadable("larger than 33554432 bytes")),
        ),
        (
            Effect::Close,
            Some(GatewayError::Unreachable(
                "the connection ended before an answer".into(),
            )),
        ),
        (Effect::MalformedJson, None),
        (Effect::Cut { bytes: 40 }, None),
    ] {
        let simulator = simulator(&[]).await;
        simulator
            .control()
            .add_fault(Rule::new(effect.clone()))
            .await;
        let client = client(simulator.base_url(), "operator", "secret");
        let query = JobQuery {
            limit: 5,
            ..JobQuery::default()
        };
        let error = client.jobs(&query).await.unwrap_err();
        match expected {
            Some(expected) => assert_eq!(error, expected, "{effect:?}"),
            // A connection that is cut may be seen before or after the head of its answer.
            None => assert!(
                matches!(
                    error,
                    GatewayError::Unreadable(_) | GatewayError::Unreachable(_)
                ),
                "{effect:?}: {error}"
            ),
        }
    }
}

/// The filter by the last run is taken, so that no second question is asked.
#[tokio::test]
async fn a_filter_by_status_is_one_request() {
    let simulator = simulator(&[]).await;
    let client = client(simulator.base_url(), "operator", "secret");
    for status in [JobStatus::Hold, JobStatus::Succ, JobStatus::Cancl] {
        let query = JobQuery {
            status: vec![status],
            limit: 1,
            ..JobQuery::default()
        };
        client.jobs(&query).await.unwrap();
    }
    assert_eq!(simulator.control().requests().await.len(), 3);
}

#[tokio::test]
async fn a_run_that_has_not_started_has_no_log() {
    let simulator = simulator(&[Quirk::LogEmpty]).await;
    let client = client(simulator.base_url(), "operator", "secret");
    let waiting = job_in(&client, JobStatus::Hold).await;
    // Whether a waiting job has a run is the engine's choice; a run without output has no log.
    let run = waiting
        .latest_run()
        .map_or_else(|| RunId::parse("never").unwrap(), |run| run.id.clone());
    let log = client.job_log(&run, LineRange::clamped(1, 10)).await;
    assert_eq!(log, Ok(None));
}

/// Whatever a user may write as a pattern, the engine takes it as a query.
#[tokio::test]
async fn every_pattern_is_a_query_that_the_engine_takes() {
    let simulator = simulator(&[]).await;
    let client = client(simulator.base_url(), "operator", "secret");
    for text in [
        "*", "?", "/", "//", "*/*", "a-b_c.d", "-", "...", "/*/", "?*?",
    ] {
        let pattern = NamePattern::parse(text).unwrap();
        let query = JobQuery {
            status: JobStatus::all().collect(),
            name: Some(pattern.clone()),
            stream: Some(pattern.clone()),
            workstation: Some(pattern.clone()),
            folder: Some(pattern),
            limit: 5,
            ..JobQuery::default()
        };
        assert!(client.jobs(&query).await.is_ok(), "{text}");
    }
}
