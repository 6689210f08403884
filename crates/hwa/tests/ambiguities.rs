//! What no document decides, each in both readings. The table of these is in the crate's README.

use chrono::{DateTime, Utc};
use resync_hwa::HwaClient;
use resync_simulator::{Effect, Quirk, Role, Rule, Simulator, Speed, Version};
use resync_tws::model::{
    Action, Command, ConfirmOutcome, CountBy, Counted, DependencyKind, Job, JobId, JobQuery,
    JobStatus, Justification, LineRange, LinkState, NeighbourDirection, ObjectKind, RunId,
};
use resync_tws::ports::{
    ActionError, ActionGateway as _, EngineMonitor as _, GatewayError, LogGateway as _,
    ObjectGateway as _, PlanGateway as _,
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Reply, config};

fn sample() -> Value {
    serde_json::from_str(include_str!("data/job.json")).unwrap()
}

fn ten() -> JobQuery {
    JobQuery {
        limit: 10,
        ..JobQuery::default()
    }
}

fn why() -> Justification {
    Justification {
        reason: "test".to_owned(),
        ticket: None,
        category: "resync".to_owned(),
    }
}

async fn read(job: Value) -> Job {
    let fixture = Fixture::always(Reply::json(&job.to_string())).await;
    let id = JobId::parse("a").unwrap();
    fixture.client().job(&id).await.unwrap().unwrap()
}

async fn page(json: Value) -> Result<resync_tws::model::Slice<Job>, GatewayError> {
    let fixture = Fixture::always(Reply::json(&json.to_string())).await;
    fixture.client().jobs(&ten()).await
}

async fn simulated(quirks: &[Quirk]) -> (Simulator, HwaClient) {
    let builder = Simulator::builder()
        .seed(42)
        .jobs(100)
        .speed(Speed::Frozen)
        .user("operator", "secret", Role::Operator);
    let builder = quirks
        .iter()
        .fold(builder, |builder, quirk| builder.quirk(*quirk));
    let simulator = builder.start().await.unwrap();
    let client = HwaClient::new(config(&simulator.base_url())).unwrap();
    (simulator, client)
}

async fn every_job(client: &HwaClient, limit: u32) -> Vec<JobId> {
    let (mut ids, mut offset) = (Vec::new(), 0);
    loop {
        let query = JobQuery {
            offset,
            limit,
            ..JobQuery::default()
        };
        let page = client.jobs(&query).await.unwrap();
        ids.extend(page.items.into_iter().map(|job| job.id));
        match page.next_offset {
            Some(next) => offset = next,
            None => return ids,
        }
    }
}

#[tokio::test]
async fn next_may_be_absent_null_empty_or_at_another_host() {
    let mut found = Vec::new();
    for quirks in [&[][..], &[Quirk::NextNull], &[Quirk::NextEmpty]] {
        let (_simulator, client) = simulated(quirks).await;
        found.push(every_job(&client, 30).await);
    }
    let (simulator, client) = simulated(&[]).await;
    let url = "https://elsewhere.invalid".to_owned();
    simulator
        .control()
        .add_fault(Rule::new(Effect::ForeignNext { url }))
        .await;
    found.push(every_job(&client, 30).await);
    assert!(found[0].len() > 60);
    assert!(found.iter().all(|ids| *ids == found[0]));
}

#[tokio::test]
async fn count_may_be_absent_zero_negative_or_wrong() {
    for (count, total) in [
        (json!(2), Some(2)),
        (json!("2"), Some(2)),
        (json!(0), None),
        (json!(-1), None),
        (Value::Null, None),
        (json!(1), None),
    ] {
        let body = json!({"count": count, "results": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]});
        let read = page(body).await.unwrap();
        assert_eq!((read.items.len(), read.total), (2, total), "{count}");
    }
    let (_simulator, client) = simulated(&[Quirk::NoCount]).await;
    assert!(every_job(&client, 30).await.len() > 60);
    let (simulator, client) = simulated(&[]).await;
    let whole = every_job(&client, 30).await;
    let effect = Effect::WrongCount { off_by: -1_000 };
    simulator.control().add_fault(Rule::new(effect)).await;
    assert_eq!(every_job(&client, 30).await, whole);
}

#[tokio::test]
async fn results_may_be_missing_when_there_are_none() {
    assert_eq!(page(json!({"count": 0})).await.unwrap().items, []);
    assert_eq!(
        page(json!({"count": 0, "results": []}))
            .await
            .unwrap()
            .items,
        []
    );
    assert!(page(json!({"count": 3})).await.is_err());
}

#[tokio::test]
async fn success_is_spelled_successful_or_succeed() {
    for word in ["SUCCESSFUL", "SUCCEED"] {
        let mut job = sample();
        job["lastRunCompositeStatus"] = Value::Null;
        job["jobruns"] = json!([]);
        job["lastRunCommonStatus"] = json!(word);
        assert_eq!(read(job).await.status, JobStatus::Succ, "{word}");
    }
}

#[tokio::test]
async fn a_link_is_fully_linked_or_fullylinked() {
    for (state, link) in [
        ("FULLY_LINKED", LinkState::Linked),
        ("FULLYLINKED", LinkState::Linked),
        ("UNLINKED", LinkState::Unlinked),
    ] {
        let body = json!({"results": [{"id": "w", "name": "W", "activeStates": [state]}]});
        let fixture = Fixture::always(Reply::json(&body.to_string())).await;
        let all = fixture.client().workstations().await.unwrap();
        assert_eq!(all[0].link, link, "{state}");
    }
}

#[tokio::test]
async fn a_pool_is_d_pool_or_dynamic_pool() {
    for kind in ["D-POOL", "DYNAMIC_POOL", "X-AGENT", "XA"] {
        let body = json!({"results": [{"id": "w", "name": "W", "type": kind, "activeStates": ["LINKED"]}]});
        let fixture = Fixture::always(Reply::json(&body.to_string())).await;
        let all = fixture.client().workstations().await.unwrap();
        // It has no job manager of its own, so that none is missing.
        assert_eq!(all[0].jobman_up, None, "{kind}");
        assert!(!all[0].is_off());
    }
}

#[tokio::test]
async fn no_limit_is_minus_one_or_absent() {
    for limit in [json!(-1), Value::Null, json!("system")] {
        let body = json!({"results": [{"id": "w", "name": "W", "limit": limit}]});
        let fixture = Fixture::always(Reply::json(&body.to_string())).await;
        assert_eq!(
            fixture.client().workstations().await.unwrap()[0].limit,
            None
        );
    }
}

#[tokio::test]
async fn instants_come_in_utc_with_an_offset_or_in_milliseconds() {
    let expected: DateTime<Utc> = "2026-03-02T20:00:00Z".parse().unwrap();
    for text in [
        json!("2026-03-02T20:00:00Z"),
        json!("2026-03-02T20:00:00.000Z"),
        json!("2026-03-02T21:00:00+01:00"),
        json!("2026-03-02T21:00:00.000+0100"),
        json!(1_772_481_600_000_u64),
    ] {
        let mut job = sample();
        job["schedTime"] = text.clone();
        assert_eq!(read(job).await.scheduled_at, Some(expected), "{text}");
    }
}

#[tokio::test]
async fn durations_are_iso_or_milliseconds() {
    for (duration, seconds) in [
        (json!("PT4M12S"), 252),
        (json!(252_000), 252),
        (json!("252000"), 252),
    ] {
        let mut job = sample();
        job["jobruns"][0]["timeInfo"]["elapsedTime"] = duration;
        assert_eq!(read(job).await.runs[0].elapsed_seconds, Some(seconds));
    }
}

#[tokio::test]
async fn booleans_have_two_names_and_may_be_texts() {
    for (name, flag) in [
        ("satisfied", json!(true)),
        ("isSatisfied", json!(true)),
        ("satisfied", json!("true")),
    ] {
        let mut job = sample();
        job["dependencies"] = json!([{"dependencyType": "FILE", name: flag}]);
        assert_eq!(
            read(job).await.dependencies[0].satisfied,
            Some(true),
            "{name}"
        );
    }
    for name in ["isError", "error"] {
        let body = json!({"id": "a", name: true, "message": "locked"});
        let fixture = Fixture::always(Reply::json(&body.to_string())).await;
        let command = Command {
            target: JobId::parse("a").unwrap().into(),
            run: None,
            action: Action::Hold,
        };
        let end = fixture.client().act(&command, &why()).await;
        assert_eq!(end, Err(ActionError::Refused("locked".into())), "{name}");
    }
}

#[tokio::test]
async fn a_job_without_runs_has_no_list_of_them_or_an_empty_one() {
    for runs in [json!([]), Value::Null] {
        let mut job = sample();
        job["jobruns"] = runs;
        assert_eq!(read(job).await.latest_run(), None);
    }
}

/// Oldest to latest is an assumption; the chain's mark and the times of submission come first.
#[tokio::test]
async fn runs_may_come_in_any_order() {
    let run = |id: &str, at: &str, last: Option<bool>| json!({"id": id, "submittedTime": at, "lastInRerunChain": last});
    let (old, new) = ("2026-03-02T20:00:00Z", "2026-03-02T21:00:00Z");
    for runs in [
        json!([run("old", old, None), run("new", new, None)]),
        json!([run("new", new, None), run("old", old, None)]),
        json!([run("new", old, Some(true)), run("old", new, Some(false))]),
    ] {
        let mut job = sample();
        job["jobruns"] = runs;
        assert_eq!(read(job).await.latest_run().unwrap().id.as_str(), "new");
    }
}

#[tokio::test]
async fn folders_have_a_slash_at_their_end_or_not() {
    for folder in ["/FIN/EOD/", "/FIN/EOD"] {
        let mut job = sample();
        job["folder"] = json!(folder);
        assert_eq!(read(job).await.folder.as_deref(), Some("/FIN/EOD/"));
    }
}

#[tokio::test]
async fn ids_are_opaque() {
    for id in [
        "a788f98b-7064-3c3b-98b1-e20e97a076dc",
        "WKS;0AAAAAAAAAAAAAAA;JOB",
        "17",
    ] {
        let mut job = sample();
        job["id"] = json!(id);
        assert_eq!(read(job).await.id.as_str(), id);
    }
}

#[tokio::test]
async fn a_dependency_of_an_unknown_type_is_kept_with_its_common_fields() {
    let mut job = sample();
    job["dependencies"] =
        json!([{"dependencyType": "NEW", "id": "d", "dependencyStatus": "UNSATISFIED"}]);
    let dependency = read(job).await.dependencies.remove(0);
    assert_eq!(
        (dependency.id.as_deref(), dependency.satisfied),
        (Some("d"), Some(false))
    );
    assert!(matches!(dependency.kind, DependencyKind::Other { kind } if kind == "NEW"));
}

#[tokio::test]
async fn neighbours_are_told_apart_with_and_without_their_type() {
    let body = json!({"results": [
        {"flowNodeType": "JOB", "id": "a", "name": "A"},
        {"id": "b", "name": "B"},
        {"id": "s", "originalJobStreamName": "S"},
    ]});
    let fixture = Fixture::always(Reply::json(&body.to_string())).await;
    let id = JobId::parse("x").unwrap();
    let way = NeighbourDirection::Predecessors;
    let nodes = fixture
        .client()
        .neighbours(&id, way, 2)
        .await
        .unwrap()
        .unwrap();
    let is_job =
        |node: &resync_tws::model::Neighbour| matches!(node, resync_tws::model::Neighbour::Job(_));
    assert_eq!(
        nodes.iter().map(is_job).collect::<Vec<_>>(),
        [true, true, false]
    );
    // The default depth is said nowhere, so it is always sent.
    assert!(fixture.only().line.contains("depth=2"));
}

/// With a list of their own, or collected from what waits for them: the same prompts.
#[tokio::test]
async fn prompts_are_listed_or_collected() {
    let mut found = Vec::new();
    for version in [Version::V10_1, Version::V10_2_8] {
        let simulator = Simulator::builder()
            .seed(42)
            .jobs(100)
            .speed(Speed::Frozen)
            .version(version)
            .user("operator", "secret", Role::Operator)
            .start()
            .await
            .unwrap();
        let client = HwaClient::new(config(&simulator.base_url())).unwrap();
        let known = client.capabilities().await.unwrap().prompt_list;
        assert_eq!(known, Some(version == Version::V10_2_8));
        let mut asked: Vec<_> = client
            .prompts()
            .await
            .unwrap()
            .items
            .into_iter()
            .filter(|prompt| prompt.status.as_str() == "ASKED")
            .map(|prompt| (prompt.name, prompt.text, prompt.number))
            .collect();
        asked.sort();
        found.push(asked);
    }
    assert!(!found[0].is_empty());
    assert_eq!(found[0], found[1]);
}

#[tokio::test]
async fn a_prompt_has_either_spelling_of_its_fields() {
    for body in [
        json!({"id": "p", "name": "N", "status": "ASKED", "type": "Predefined Prompt"}),
        json!({"id": "p", "promptName": "N", "promptStatus": "ASKED", "promptType": "Predefined Prompt"}),
    ] {
        let list = json!({"results": [body]});
        let fixture = Fixture::always(Reply::json(&list.to_string())).await;
        let prompts = fixture.client().prompts().await.unwrap().items;
        assert_eq!(prompts[0].name.as_deref(), Some("N"));
        assert_eq!(prompts[0].status.as_str(), "ASKED");
        assert_eq!(prompts[0].kind.as_deref(), Some("Predefined Prompt"));
    }
}

/// How a group of two is written is not said, so that one is asked at a time; the filter is required.
#[tokio::test]
async fn counts_are_grouped_by_one_thing_at_a_time() {
    let fixture = Fixture::always(Reply::json(r#"{"count":3,"groupedCount":{"EXEC":3}}"#)).await;
    let counts = fixture
        .client()
        .count(Counted::Streams, Some(CountBy::Status))
        .await;
    assert_eq!(counts.unwrap().groups["EXEC"], 3);
    assert_eq!(
        fixture.only().line,
        "GET /twsd/api/v2/plan/jobstream/count?plan_filter=%2F%40%2F%40%23%2F%40%2F%40\
         &grouping_filters=status HTTP/1.1"
    );
}

/// Whether a sort of object must be named is not said.
#[tokio::test]
async fn discovery_is_asked_without_a_sort_and_with_each_when_it_must() {
    let body = json!({"JOB_IN_PLAN": {"actions": [{"key": "kill"}], "status": [{"key": "EXEC"}]}});
    for insists in [false, true] {
        let body = body.to_string();
        let fixture = Fixture::start(move |request| {
            if request.line.contains("/plan/prompt") {
                Reply::with(404, "text/plain", b"")
            } else if insists && !request.line.contains("object_type=JOB_IN_PLAN") {
                Reply::with(400, "text/plain", b"object_type")
            } else {
                Reply::json(&body)
            }
        })
        .await;
        let known = fixture.client().capabilities().await.unwrap();
        assert_eq!(
            known.knows(ObjectKind::Job, "kill"),
            Some(true),
            "{insists}"
        );
        assert_eq!(known.knows(ObjectKind::Prompt, "reply"), None);
        assert_eq!(known.prompt_list, Some(false));
    }
}

/// A log that is not there is 404, 400 with a message as JSON, or 200 without a line.
#[tokio::test]
async fn a_log_that_is_not_there_is_none_in_every_way_of_saying_it() {
    let run = RunId::parse("r").unwrap();
    for reply in [
        Reply::with(404, "text/plain", b""),
        Reply::with(200, "text/plain", b""),
        Reply::json(r#"{"messages":["AWSJCO001E the job has not started"]}"#),
    ] {
        let fixture = Fixture::always(reply).await;
        let log = fixture
            .client()
            .job_log(&run, LineRange::clamped(1, 5))
            .await;
        assert_eq!(log, Ok(None));
    }
}

/// Whether the last line may lie beyond the end is not said: fewer lines come back, or the whole log.
#[tokio::test]
async fn the_range_of_a_log_may_be_kept_or_ignored() {
    let run = RunId::parse("r").unwrap();
    for body in [&b"2\n3\n"[..], b"1\n2\n3\n4\n5\n6\n"] {
        let fixture = Fixture::always(Reply::with(200, "text/plain", body)).await;
        let log = fixture
            .client()
            .job_log(&run, LineRange::clamped(2, 2))
            .await;
        assert_eq!(log.unwrap().unwrap().lines, ["2", "3"]);
    }
}

/// A confirm or a release that changes nothing is a 200 or a 400: accepted or refused, never unknown.
#[tokio::test]
async fn an_action_that_changes_nothing_is_accepted_or_refused() {
    for (quirks, action, accepted) in [
        (
            &[][..],
            Action::Confirm {
                status: ConfirmOutcome::Succ,
            },
            true,
        ),
        (
            &[Quirk::ConfirmBad],
            Action::Confirm {
                status: ConfirmOutcome::Succ,
            },
            false,
        ),
        (&[Quirk::ReleaseNoop], Action::Release, true),
        (&[], Action::Release, false),
    ] {
        let (_simulator, client) = simulated(quirks).await;
        let query = JobQuery {
            status: vec![JobStatus::Hold],
            ..ten()
        };
        let jobs = client.jobs(&query).await.unwrap().items;
        let job = jobs.iter().find(|job| job.priority > Some(0)).unwrap();
        let command = Command {
            target: job.id.clone().into(),
            run: job.latest_run().map(|run| run.id.clone()),
            action,
        };
        let end = client.act(&command, &why()).await;
        if accepted {
            assert_eq!(end, Ok(()), "{action:?} {quirks:?}");
        } else {
            assert!(
                matches!(end, Err(ActionError::Refused(_))),
                "{action:?} {quirks:?}: {end:?}"
            );
        }
    }
}

/// The order of a list without ORDER BY may change between pages; by name and id it may not.
#[tokio::test]
async fn an_order_by_name_holds_where_the_engines_own_does_not() {
    let (_simulator, client) = simulated(&[Quirk::UnstableOrder]).await;
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let query = JobQuery {
            sort: resync_tws::model::JobSort::Name,
            after,
            limit: 30,
            ..JobQuery::default()
        };
        let page = client.jobs(&query).await.unwrap();
        after = page.items.last().map(resync_tws::model::JobKey::of);
        ids.extend(page.items.into_iter().map(|job| job.id));
        if page.next_offset.is_none() {
            break;
        }
    }
    let listed = ids.len();
    ids.sort();
    ids.dedup();
    assert!(listed > 60 && ids.len() == listed);
}

/// An engine calls a word that it does not know a syntax error, or finds nothing.
#[tokio::test]
async fn an_unknown_status_in_a_filter_finds_nothing_or_is_an_error() {
    for quirks in [&[][..], &[Quirk::UnknownEnumEmpty]] {
        let (_simulator, client) = simulated(quirks).await;
        let query = JobQuery {
            status: vec![JobStatus::Susp, JobStatus::Stuck],
            ..ten()
        };
        assert_eq!(client.jobs(&query).await.unwrap().items, [], "{quirks:?}");
    }
}
