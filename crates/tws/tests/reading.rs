//! Reading the plan through the cache.

use std::sync::Arc;
use std::time::Duration;

use resync_memory::tws::ScriptedEngine;
use resync_tws::model::{
    Dependency, DependencyKind, Job, JobStatus, LinkState, RunId, Workstation, WorkstationId,
};
use resync_tws::ports::GatewayError;
use resync_tws::{
    CacheLimits, CachePolicy, CacheStatus, Category, EngineState, Engines, GraphDirection,
    JobListQuery, LogRequest, PlanParts, PlanScope, PlanService, ReadError, Verdict,
};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::{World, ended, engine, id, name, stream, waiting};

fn after(job: Job, predecessor: &str) -> Job {
    let dependency = Dependency {
        id: None,
        satisfied: Some(false),
        kind: DependencyKind::Job {
            job_id: Some(id(predecessor)),
            name: Some(predecessor.to_owned()),
            stream: None,
            workstation: None,
        },
    };
    Job {
        dependencies: vec![dependency],
        ..job
    }
}

fn gone() -> GatewayError {
    GatewayError::Unreachable("connection refused".into())
}

/// I-15: every answer says of which engine it is, when it was fetched and how old it is.
#[tokio::test]
async fn an_answer_tells_its_engine_its_age_and_whether_it_is_stale() {
    let world = World::new(vec![waiting("a")]);
    let first = world.plan.job(None, &id("a")).await.unwrap();
    assert_eq!(first.meta.engine, name("prod"));
    assert_eq!(
        (first.meta.cache, first.meta.age_ms),
        (CacheStatus::Miss, 0)
    );
    world.clock.advance(Duration::from_secs(4));
    let second = world.plan.job(None, &id("a")).await.unwrap();
    assert_eq!(
        (second.meta.cache, second.meta.age_ms),
        (CacheStatus::Hit, 4_000)
    );
    assert_eq!(second.meta.fetched_at, first.meta.fetched_at);
    assert!(!second.meta.stale);
    world.clock.advance(Duration::from_secs(10));
    let third = world.plan.job(None, &id("a")).await.unwrap();
    assert_eq!(third.meta.cache, CacheStatus::Stale);
    assert!(third.meta.stale);
}

#[tokio::test]
async fn the_body_is_the_answer_with_its_meta_in_front() {
    let world = World::new(vec![waiting("a")]);
    let live = world.plan.job(None, &id("a")).await.unwrap();
    let body: Value = serde_json::from_slice(&live.body().unwrap()).unwrap();
    assert_eq!(body["meta"]["engine"], "prod");
    assert_eq!(body["meta"]["cache"], "miss");
    assert!(body["meta"].get("refresh_failed").is_none());
    assert_eq!(body["job"]["id"], "a");
    assert_eq!(body["state"], "HOLD");
    assert!(body["why_waiting"].is_null());
}

/// P1-03: a hundred callers at once are one call to the engine.
#[tokio::test]
async fn a_hundred_callers_are_one_call() {
    let world = World::new(vec![waiting("a")]);
    let query = JobListQuery {
        limit: 50,
        ..JobListQuery::default()
    };
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (plan, query) = (world.plan.clone(), query.clone());
        callers.spawn(async move { plan.job_list(None, query).await.unwrap().value.items.len() });
    }
    assert_eq!(callers.join_all().await, vec![1; 100]);
    assert_eq!(world.engine.reads(), 1);
    assert_eq!(world.plan.cache_stats().in_flight, 0);
}

/// P1-02: two services share nothing.
#[tokio::test]
async fn two_services_have_two_caches() {
    let scripted = Arc::new(ScriptedEngine::with_jobs(vec![waiting("a")]));
    let service = || {
        PlanService::new(PlanParts {
            engines: Engines::new(vec![engine("prod", &scripted, false)]).unwrap(),
            clock: Arc::new(resync_kernel::ManualClock::default()),
            tracker: TaskTracker::new(),
            policy: CachePolicy::default(),
            limits: CacheLimits {
                max_entries: 10,
                max_bytes: 1 << 20,
            },
        })
    };
    let (one, two) = (service(), service());
    one.summary(None).await.unwrap();
    assert_eq!(two.cache_stats().entries, 0);
    let live = two.summary(None).await.unwrap();
    assert_eq!(live.meta.cache, CacheStatus::Miss);
}

/// I-04: the key holds the engine, and invalidating one leaves the others.
#[tokio::test]
async fn an_engine_is_invalidated_without_the_others() {
    let world = World::new(vec![waiting("a")]);
    world.other.put(Job {
        name: "OTHER".to_owned(),
        ..waiting("a")
    });
    let (prod, test) = (name("prod"), name("test"));
    let of_prod = world.plan.job(Some(&prod), &id("a")).await.unwrap();
    let of_test = world.plan.job(Some(&test), &id("a")).await.unwrap();
    assert_eq!(
        (&*of_prod.value.job.name, &*of_test.value.job.name),
        ("A", "OTHER")
    );

    let scope = PlanScope {
        engine: Some(prod.clone()),
        ..PlanScope::default()
    };
    assert!(world.plan.invalidate(&scope).await >= 1);
    let again = world.plan.job(Some(&test), &id("a")).await.unwrap();
    assert_eq!(again.meta.cache, CacheStatus::Hit);
    let again = world.plan.job(Some(&prod), &id("a")).await.unwrap();
    assert_eq!(again.meta.cache, CacheStatus::Miss);
}

#[tokio::test]
async fn a_category_or_a_key_is_invalidated_alone() {
    let world = World::new(vec![ended("a", JobStatus::Abend, 12), waiting("b")]);
    let (a, b) = (id("a"), id("b"));
    let before = GraphDirection::Predecessors;
    world.plan.job(None, &a).await.unwrap();
    world.plan.job(None, &b).await.unwrap();
    world.plan.graph(None, &a, before, 1).await.unwrap();
    let graph = PlanScope {
        category: Some(Category::Graph),
        ..PlanScope::default()
    };
    assert_eq!(world.plan.invalidate(&graph).await, 1);
    let key = PlanScope {
        key: Some("job/a".to_owned()),
        ..PlanScope::default()
    };
    assert_eq!(world.plan.invalidate(&key).await, 1);
    let kept = world.plan.job(None, &b).await.unwrap();
    assert_eq!(kept.meta.cache, CacheStatus::Hit);
}

#[tokio::test]
async fn an_outage_serves_stale_for_a_while_and_then_its_error() {
    let world = World::new(vec![waiting("a")]);
    world.plan.job(None, &id("a")).await.unwrap();
    world.engine.fail_reads(Some(gone()));
    world.clock.advance(Duration::from_secs(15));
    let stale = world.plan.job(None, &id("a")).await.unwrap();
    assert_eq!(stale.meta.cache, CacheStatus::Stale);
    while world.plan.cache_stats().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    let stale = world.plan.job(None, &id("a")).await.unwrap();
    assert!(stale.meta.refresh_failed);
    world.clock.advance(Duration::from_secs(20));
    let error = world.plan.job(None, &id("a")).await.unwrap_err();
    assert_eq!(error, ReadError::Gateway(gone()));
}

#[tokio::test]
async fn what_is_not_there_has_an_error_of_its_own() {
    let world = World::new(vec![waiting("a")]);
    let plan = &world.plan;
    let nobody = name("nobody");
    assert!(matches!(
        plan.summary(Some(&nobody)).await,
        Err(ReadError::UnknownEngine(_))
    ));
    let missing = plan.job(None, &id("x")).await.unwrap_err();
    assert_eq!(missing, ReadError::UnknownJob(id("x")));
    let missing = plan.workstation(None, "NOWHERE").await.unwrap_err();
    assert_eq!(missing, ReadError::UnknownWorkstation);
    let unrun = plan
        .log(None, &id("a"), LogRequest::default())
        .await
        .unwrap_err();
    assert_eq!(unrun, ReadError::NoLog);
}

/// I-11: an engine that refuses our credentials is told apart from a caller without any.
#[tokio::test]
async fn refused_credentials_are_the_engines_error_and_its_state() {
    let world = World::new(vec![waiting("a")]);
    world
        .engine
        .fail_reads(Some(GatewayError::CredentialsRefused));
    let error = world.plan.summary(None).await.unwrap_err();
    assert_eq!(error, ReadError::Gateway(GatewayError::CredentialsRefused));
    let states = world.plan.engines_status().await;
    assert_eq!(states[0].state, EngineState::CredentialsRefused);
    assert_eq!(states[1].state, EngineState::Ok);
}

#[tokio::test]
async fn a_dead_engine_is_reported_and_is_no_error() {
    let world = World::new(Vec::new());
    world.engine.set_version("10.1.0.1");
    let alive = world.plan.engines_status().await;
    assert_eq!(alive[0].state, EngineState::Ok);
    assert_eq!(alive[0].version.as_deref(), Some("10.1.0.1"));
    assert!(alive[2].read_only);
    let cases = [
        (gone(), EngineState::Unreachable),
        (
            GatewayError::TimedOut(Duration::from_secs(5)),
            EngineState::Unreachable,
        ),
        (GatewayError::Forbidden, EngineState::CredentialsRefused),
        (
            GatewayError::Unreadable("a login page".into()),
            EngineState::Unreadable,
        ),
        (GatewayError::Unsupported, EngineState::Unknown),
    ];
    for (error, state) in cases {
        world.engine.fail_reads(Some(error));
        // Health is never served stale: past its window it is asked anew.
        world.clock.advance(Duration::from_secs(10));
        let dead = world.plan.engines_status().await;
        assert_eq!(dead[0].state, state);
        assert!(dead[0].detail.is_some() && dead[0].version.is_none());
    }
}

#[tokio::test]
async fn the_board_parts_roots_from_victims() {
    let mut late = waiting("late");
    late.late = true;
    let mut slow = ScriptedEngine::plain_job("slow", JobStatus::Exec);
    slow.long_running = true;
    let prompt = |id_: &str, prompt: &str, status: &str| Job {
        dependencies: vec![Dependency {
            id: Some(prompt.to_owned()),
            satisfied: Some(false),
            kind: DependencyKind::Prompt {
                name: Some("GO".to_owned()),
                text: Some("Go on?".to_owned()),
                status: Some(status.to_owned()),
            },
        }],
        ..waiting(id_)
    };
    let world = World::new(vec![
        ended("small", JobStatus::Abend, 1),
        ended("root", JobStatus::Abend, 12),
        after(waiting("v1"), "root"),
        after(waiting("v2"), "v1"),
        after(ended("second", JobStatus::Fail, 0), "root"),
        ended("fine", JobStatus::Succ, 0),
        Job {
            cancelled: true,
            ..ended("gone", JobStatus::Abend, 1)
        },
        late,
        slow,
        prompt("p1", "7", "ASKED"),
        prompt("p2", "7", "ASKED"),
        prompt("p3", "8", "NOT_ASKED"),
    ]);
    world.engine.set_streams(vec![
        stream("S1", JobStatus::Stuck),
        stream("S2", JobStatus::Exec),
    ]);
    world.engine.set_workstations(vec![
        station("WS", LinkState::Linked),
        station("OFF", LinkState::Unlinked),
    ]);

    let live = world.plan.summary(None).await.unwrap();
    let board = &live.value;
    assert_eq!(board.total, 12);
    assert_eq!(board.by_status["ABEND"], 2);
    assert_eq!(board.by_status["CANCL"], 1);
    assert_eq!(board.by_status.values().sum::<usize>(), board.total);
    assert_eq!(board.by_phase.values().sum::<usize>(), board.total);
    let failed: Vec<_> = board
        .failed
        .iter()
        .map(|failed| (failed.job.id.as_str(), failed.victims, failed.root))
        .collect();
    assert_eq!(
        failed,
        [("root", 2, true), ("small", 0, true), ("second", 0, false)]
    );
    assert_eq!(board.victims_total, 2);
    assert_eq!((board.late.count, board.long_running.count), (1, 1));
    assert_eq!(board.stuck_streams.len(), 1);
    assert_eq!(board.prompts_waiting.len(), 1);
    assert_eq!(board.prompts_waiting[0].job_id, Some(id("p1")));
    assert_eq!((board.workstations.total, board.workstations.off), (2, 1));
    assert_eq!(board.workstations_off[0].name, "OFF");

    let body: Value = serde_json::from_slice(&live.body().unwrap()).unwrap();
    assert_eq!(body["failed"][0]["job"]["id"], "root");
    assert_eq!(body["by_phase"]["failed"], 3);
    assert_eq!(body["late"]["items"][0]["id"], "late");
}

fn station(name: &str, link: LinkState) -> Workstation {
    Workstation {
        id: WorkstationId::parse(name).unwrap(),
        name: name.to_owned(),
        folder: None,
        kind: Some("FTA".to_owned()),
        os: None,
        limit: Some(10),
        fence: Some(0),
        link,
        jobman_up: Some(true),
        ignored: false,
    }
}

/// A plan of several pages is whole, and one that cannot be read whole is an error.
#[tokio::test]
async fn a_page_that_fails_makes_an_error_and_not_a_smaller_plan() {
    let jobs = (0..2_500).map(|n| waiting(&format!("j{n}"))).collect();
    let world = World::new(jobs);
    assert_eq!(world.plan.summary(None).await.unwrap().value.total, 2_500);
    world.plan.invalidate(&PlanScope::default()).await;
    world.engine.fail_pages_from(2_000, gone());
    let error = world.plan.summary(None).await.unwrap_err();
    assert_eq!(error, ReadError::Gateway(gone()));
    let error = world.plan.find_jobs_by_name(None, "J1").await.unwrap_err();
    assert_eq!(error, ReadError::Gateway(gone()));
}

#[tokio::test]
async fn a_name_finds_every_job_that_has_it() {
    let elsewhere = Job {
        name: "A".to_owned(),
        ..waiting("b")
    };
    let world = World::new(vec![waiting("a"), elsewhere, waiting("c")]);
    let found = world.plan.find_jobs_by_name(None, "a").await.unwrap();
    let ids: Vec<_> = found.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(found.meta.engine, name("prod"));
    let none = world.plan.find_jobs_by_name(None, "nobody").await.unwrap();
    assert!(none.jobs.is_empty());
}

#[tokio::test]
async fn why_a_job_waits_comes_from_its_workstation_too() {
    let ready = ScriptedEngine::plain_job("a", JobStatus::Ready);
    let world = World::new(vec![ready]);
    world
        .engine
        .set_workstations(vec![station("WS", LinkState::Unlinked)]);
    let view = world.plan.job(None, &id("a")).await.unwrap();
    let why = view.value.why_waiting.clone().unwrap();
    assert_eq!(
        why.en,
        "It waits for its workstation WS, which is not linked."
    );
    assert_eq!(why.pt, "Espera sua workstation WS, que não está conectada.");
}

fn with_log(lines: &[&str]) -> World {
    let world = World::new(vec![ended("a", JobStatus::Abend, 12)]);
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    world
        .engine
        .set_log(RunId::parse("a-run-1").unwrap(), lines);
    world
}

#[tokio::test]
async fn a_log_comes_by_range_without_secrets_and_with_the_numbers_of_matches() {
    let world = with_log(&[
        "start",
        "login password=geheim7",
        "ORA-00060: deadlock",
        "end",
    ]);
    let request = LogRequest {
        search: Some("ora-".to_owned()),
        ..LogRequest::default()
    };
    let log = world.plan.log(None, &id("a"), request).await.unwrap();
    assert_eq!(log.value.lines[1], "login password=[redacted]");
    assert_eq!((log.value.redacted, log.value.from_line), (1, 1));
    assert_eq!(log.value.matches, Some(vec![3]));
    assert!(!String::from_utf8_lossy(&log.bytes).contains("geheim7"));
    let request = LogRequest {
        from: Some(3),
        lines: Some(1),
        ..LogRequest::default()
    };
    let log = world.plan.log(None, &id("a"), request).await.unwrap();
    assert_eq!(log.value.lines, ["ORA-00060: deadlock"]);
    assert_eq!((log.value.from_line, log.value.truncated), (3, true));
    assert_eq!(log.value.matches, None);
}

#[tokio::test]
async fn a_run_of_another_job_gives_no_log() {
    let world = with_log(&["secret business"]);
    world.engine.put(ended("b", JobStatus::Succ, 0));
    let request = LogRequest {
        run: Some(RunId::parse("a-run-1").unwrap()),
        ..LogRequest::default()
    };
    let error = world.plan.log(None, &id("b"), request).await.unwrap_err();
    assert_eq!(error, ReadError::NoLog);
}

#[tokio::test]
async fn a_diagnosis_reads_the_end_of_a_long_log_and_counts_the_victims() {
    let mut lines = vec!["nothing of note"; 4_500];
    lines.push("ORA-00060: deadlock detected while waiting for resource");
    let world = with_log(&lines);
    world.engine.put(after(waiting("v"), "a"));
    let found = world.plan.diagnosis(None, &id("a")).await.unwrap();
    assert_eq!(found.value.verdict, Verdict::Confirmed);
    assert_eq!(
        found.value.cause.as_ref().unwrap().code.as_ref(),
        "database-deadlock"
    );
    assert_eq!(found.value.evidence[1].to_line, Some(4_501));
    assert_eq!(found.value.victims, Some(1));
    let body: Value = serde_json::from_slice(&found.body().unwrap()).unwrap();
    assert_eq!(body["verdict"], "confirmed");
    assert_eq!(body["transience"], "transient");
    assert_eq!(body["evidence"][1]["kind"], "log");
}

#[tokio::test]
async fn a_diagnosis_of_a_waiting_job_names_the_root_and_not_what_lies_between() {
    let world = World::new(vec![
        ended("root", JobStatus::Abend, 12),
        after(waiting("between"), "root"),
        after(waiting("last"), "between"),
    ]);
    let found = world.plan.diagnosis(None, &id("last")).await.unwrap();
    let cause = found.value.cause.as_ref().unwrap();
    assert_eq!(cause.code.as_ref(), "blocked-by-failure");
    assert_eq!(
        cause.en,
        "It waits for WS#STREAM.ROOT, which ended in ABEND."
    );
}

/// The last range may hold the trailer alone; the error stands in the one before.
#[tokio::test]
async fn a_diagnosis_sees_an_error_just_before_the_last_range() {
    let mut lines = vec!["nothing of note"; 3_999];
    lines.extend([
        "ORA-01653: unable to extend table in tablespace DWH",
        "trailer",
        "end",
    ]);
    let world = with_log(&lines);
    let found = world.plan.diagnosis(None, &id("a")).await.unwrap();
    assert_eq!(
        found.value.cause.as_ref().unwrap().code.as_ref(),
        "tablespace-full"
    );
    assert_eq!(found.value.evidence[1].from_line, Some(3_999));
    assert_eq!(found.value.evidence[1].to_line, Some(4_001));
}

#[tokio::test]
async fn what_is_around_a_job_is_brought_within_ten_steps() {
    let world = World::new(vec![waiting("a"), after(waiting("b"), "a")]);
    let after = GraphDirection::Successors;
    let live = world.plan.graph(None, &id("a"), after, 99).await.unwrap();
    assert_eq!((live.value.depth, live.value.nodes.len()), (10, 2));
    let body: Value = serde_json::from_slice(&live.body().unwrap()).unwrap();
    assert_eq!(body["root"], "job:a");
    assert_eq!(body["edges"][0]["from"], "job:a");
    assert_eq!(body["edges"][0]["to"], "job:b");
    let missing = world.plan.graph(None, &id("x"), after, 1).await;
    assert!(matches!(missing, Err(ReadError::UnknownJob(_))));
}

/// A board that is polled every five seconds over a healthy engine never shows as stale.
#[tokio::test]
async fn a_polled_board_is_never_stale_while_its_engine_answers() {
    let world = World::new(vec![waiting("a")]);
    for poll in 0..20 {
        let board = world.plan.summary(None).await.unwrap();
        assert!(!board.meta.stale, "poll {poll}");
        world.tracker.close();
        world.tracker.wait().await;
        world.tracker.reopen();
        world.clock.advance(Duration::from_secs(5));
    }
}

/// A search finds what stands outside of the lines that are shown, and says how far it looked.
#[tokio::test]
async fn a_search_looks_through_the_whole_log() {
    let world = World::new(vec![ended("a", JobStatus::Abend, 12)]);
    let run = RunId::parse("a-run-1").unwrap();
    let lines = (1..=4_500).map(|n| match n {
        3 | 2_001 | 4_500 => format!("line {n} ORA-00060"),
        n => format!("line {n}"),
    });
    world.engine.set_log(run, lines.collect());
    let request = LogRequest {
        from: Some(100),
        lines: Some(10),
        search: Some("ora-00060".to_owned()),
        ..LogRequest::default()
    };
    let log = world.plan.log(None, &id("a"), request).await.unwrap();
    assert_eq!(log.value.lines.len(), 10);
    assert_eq!(log.value.matches, Some(vec![3, 2_001, 4_500]));
    assert_eq!(
        (log.value.searched_lines, log.value.search_complete),
        (Some(4_500), Some(true))
    );
}

/// Wherever a range begins, no line of a private key leaves.
#[tokio::test]
async fn a_key_does_not_leave_across_the_border_of_a_range() {
    let world = World::new(vec![ended("a", JobStatus::Abend, 12)]);
    let mut lines = vec![
        "before".to_owned(),
        "-----BEGIN PRIVATE KEY-----".to_owned(),
    ];
    lines.extend((0..40).map(|n| format!("Shrt+{n}==")));
    lines.extend(["-----END PRIVATE KEY-----".to_owned(), "after".to_owned()]);
    world
        .engine
        .set_log(RunId::parse("a-run-1").unwrap(), lines);
    for from in 1..=44 {
        let request = LogRequest {
            from: Some(from),
            lines: Some(3),
            ..LogRequest::default()
        };
        let log = world.plan.log(None, &id("a"), request).await.unwrap();
        assert_eq!(log.value.from_line, from);
        for line in &log.value.lines {
            assert!(!line.contains("Shrt"), "from {from}: {line}");
        }
    }
}
