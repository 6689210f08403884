//! Diagnoses over a whole plan: victims and their roots, and what earlier runs tell.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use resync_kernel::Clock;
use resync_memory::tws::{InMemoryRunHistory, ScriptedEngine};
use resync_tws::model::{Dependency, DependencyKind, Job, JobStatus, RunId};
use resync_tws::ports::{EndedRun, JobIdentity, RunHistory};
use resync_tws::{Causes, Diagnosis, EvidenceKind, PlanService, Transience, Verdict};

use crate::fixture::{World, ended, id, name, waiting};

const MISSING: &str = "cat: /stage/in.dat: No such file or directory";

fn on(predecessor: &str, satisfied: bool) -> Dependency {
    Dependency {
        id: None,
        satisfied: Some(satisfied),
        kind: DependencyKind::Job {
            job_id: Some(id(predecessor)),
            name: Some(predecessor.to_owned()),
            stream: None,
            workstation: None,
        },
    }
}

fn follows(job: Job, predecessors: &[&str], satisfied: bool) -> Job {
    let dependencies = predecessors.iter().map(|name| on(name, satisfied));
    Job {
        dependencies: dependencies.collect(),
        ..job
    }
}

fn log(world: &World, run: &str, line: &str) {
    let run = RunId::parse(run).unwrap();
    world.engine.set_log(run, vec![line.to_owned()]);
}

async fn of(plan: &PlanService, job: &str) -> Arc<Diagnosis> {
    plan.diagnosis(None, &id(job)).await.unwrap().value
}

fn code(found: &Diagnosis) -> &str {
    found.cause.as_ref().map_or("-", |cause| &*cause.code)
}

#[tokio::test]
async fn a_victim_is_told_why_its_root_failed() {
    let world = World::new(vec![
        ended("root", JobStatus::Abend, 12),
        follows(waiting("between"), &["root"], false),
        follows(waiting("last"), &["between"], false),
    ]);
    log(&world, "root-run-1", "ORA-00060: deadlock detected");
    let found = of(&world.plan, "last").await;
    assert_eq!((code(&found), found.roots.len()), ("blocked-by-failure", 1));
    let root = &found.roots[0];
    assert_eq!((&root.job_id, root.return_code), (&id("root"), Some(12)));
    let cause = root.cause.as_ref().unwrap();
    assert_eq!(
        (&*cause.code, root.verdict),
        ("database-deadlock", Verdict::Confirmed)
    );
}

#[tokio::test]
async fn several_roots_are_named_and_no_more_than_five() {
    let names: Vec<String> = (0..8).map(|n| format!("r{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut jobs: Vec<Job> = names
        .iter()
        .map(|name| ended(name, JobStatus::Abend, 1))
        .collect();
    jobs.push(follows(waiting("last"), &names, false));
    let world = World::new(jobs);
    let found = of(&world.plan, "last").await;
    assert_eq!(found.roots.len(), 5);
    assert!(
        found
            .cause
            .as_ref()
            .unwrap()
            .en
            .ends_with("and for 7 more.")
    );
}

#[tokio::test]
async fn a_circle_of_dependencies_ends() {
    let world = World::new(vec![
        follows(ended("a", JobStatus::Abend, 1), &["c"], false),
        follows(waiting("b"), &["a"], false),
        follows(waiting("c"), &["b"], false),
    ]);
    log(&world, "a-run-1", MISSING);
    assert_eq!(code(&*of(&world.plan, "c").await), "blocked-by-failure");
    // It follows nothing that failed but itself.
    assert_eq!(code(&*of(&world.plan, "a").await), "input-missing");
}

/// It ran although what it follows had failed, as after a release: most likely that is where its input went.
#[tokio::test]
async fn an_input_that_a_failed_predecessor_owed_names_that_one_as_likely() {
    let world = World::new(vec![
        ended("root", JobStatus::Abend, 8),
        follows(ended("skipped", JobStatus::Fail, 1), &["root"], false),
        follows(ended("late", JobStatus::Abend, 2), &["skipped"], true),
    ]);
    log(&world, "late-run-1", MISSING);
    log(&world, "root-run-1", "ORA-01653: unable to extend table");
    let found = of(&world.plan, "late").await;
    assert_eq!(
        (code(&found), found.verdict),
        ("predecessor-failed", Verdict::Likely)
    );
    assert_eq!(found.roots[0].job_id, id("root"));
    assert_eq!(
        &*found.roots[0].cause.as_ref().unwrap().code,
        "tablespace-full"
    );
    assert!(
        found.next_steps[0].en.starts_with("Look at "),
        "{:?}",
        found.next_steps
    );
    let log = found
        .evidence
        .iter()
        .find(|one| one.kind == EvidenceKind::Log);
    assert_eq!(log.unwrap().text, MISSING);
}

#[tokio::test]
async fn a_predecessor_that_ended_well_takes_no_input_away() {
    let world = World::new(vec![
        ended("far", JobStatus::Abend, 8),
        follows(ended("near", JobStatus::Succ, 0), &["far"], true),
        follows(ended("late", JobStatus::Abend, 2), &["near"], true),
    ]);
    log(&world, "late-run-1", MISSING);
    let found = of(&world.plan, "late").await;
    assert_eq!(
        (code(&found), found.verdict),
        ("input-missing", Verdict::Confirmed)
    );
    assert!(found.roots.is_empty());
}

/// Its own dependencies are met but for a resource, and the engine says that it waits for a predecessor.
#[tokio::test]
async fn a_job_that_its_stream_holds_back_is_not_said_to_wait_for_a_resource() {
    let resource = Dependency {
        id: None,
        satisfied: Some(false),
        kind: DependencyKind::Resource {
            name: Some("GLDB_CONN".to_owned()),
            quantity: Some(1),
        },
    };
    let world = World::new(vec![Job {
        substatus: Some("HOLD_WAITING_FOR_PREDECESSOR".to_owned()),
        dependencies: vec![resource],
        ..waiting("a")
    }]);
    let found = of(&world.plan, "a").await;
    assert_eq!(
        (code(&found), found.verdict),
        ("waiting-for-predecessor", Verdict::Likely)
    );
    let cause = found.cause.as_ref().unwrap();
    assert_eq!(cause.en, "It waits for a predecessor of its job stream.");
    assert!(
        found.missing[0]
            .en
            .starts_with("What its job stream waits for")
    );
}

fn past(job: &Job, number: i64, good: bool, at: DateTime<Utc>) -> EndedRun {
    EndedRun {
        job: JobIdentity::of(&name("prod"), job),
        run: RunId::parse(&format!("old-{number}")).unwrap(),
        status: if good { "SUCC" } else { "ABEND" }.to_owned(),
        good,
        return_code: Some(if good { 0 } else { 12 }),
        started_at: None,
        ended_at: at - Duration::days(number),
        seconds: Some(720),
    }
}

#[tokio::test]
async fn earlier_runs_tell_when_it_last_ended_well_and_that_a_rerun_does_not_help() {
    let world = World::new(vec![ended("a", JobStatus::Abend, 12)]);
    log(&world, "a-run-1", "ORA-00060: deadlock detected");
    let (job, now) = (ended("a", JobStatus::Abend, 12), world.clock.now());
    let history = Arc::new(InMemoryRunHistory::default());
    let runs: Vec<EndedRun> = (1..=6).map(|n| past(&job, n, n > 2, now)).collect();
    history.record(&name("prod"), &runs, now).await.unwrap();
    let plan = world.plan.clone().remembering(history);
    let found = of(&plan, "a").await;
    let past = found.past.as_ref().unwrap();
    assert_eq!((past.runs, past.failed, past.same_in_a_row), (6, 2, 3));
    assert_eq!(past.last_good.as_ref().unwrap().run.as_str(), "old-3");
    assert_eq!(past.usual_seconds, Some(720));
    let told = found
        .evidence
        .iter()
        .find(|one| one.kind == EvidenceKind::History);
    let told = told.unwrap().sentence.clone().unwrap();
    let day = (now - Duration::days(3)).format("%Y-%m-%d %H:%M UTC");
    assert_eq!(
        told.en,
        format!("It last ended well on {day}, after 12 min 00 s. Of the 6 runs before, 2 failed.")
    );
    assert!(told.pt.starts_with("Terminou bem pela última vez em"));
    let steps: Vec<&str> = found.next_steps.iter().map(|step| &*step.en).collect();
    assert!(
        steps.last().unwrap().contains("3 runs in a row"),
        "{steps:?}"
    );
    // What a rerun did not mend three times is no longer said to pass by itself.
    assert_eq!(
        (found.verdict, found.transience),
        (Verdict::Confirmed, Transience::Unknown)
    );
}

#[tokio::test]
async fn without_a_good_run_it_is_said_since_when_none_was_seen() {
    let world = World::new(vec![ended("a", JobStatus::Abend, 12)]);
    let history = Arc::new(InMemoryRunHistory::default());
    let now = world.clock.now();
    history.record(&name("prod"), &[], now).await.unwrap();
    let found = of(&world.plan.clone().remembering(history), "a").await;
    let past = found.past.as_ref().unwrap();
    assert_eq!((past.runs, past.same_in_a_row), (0, 1));
    let told = found.evidence.last().unwrap().sentence.clone().unwrap();
    assert!(
        told.en.starts_with("No good run of it was seen since"),
        "{told:?}"
    );
    // Without a history nothing is said of it.
    assert_eq!(of(&world.plan, "a").await.past, None);
}

#[tokio::test]
async fn a_cause_of_the_site_is_found_and_gives_words_for_the_runbook() {
    let world = World::new(vec![ended("a", JobStatus::Abend, 4)]);
    log(&world, "a-run-1", "DWH-4711 load window closed");
    assert_eq!(code(&*of(&world.plan, "a").await), "-");
    let own = r#"
        [[cause]]
        code = "load-window-closed"
        weight = 85
        transience = "transient"
        en = "The load window was closed."
        pt = "A janela de carga estava fechada."
        signs = ["dwh-4711"]
        steps = ["@wait-rerun"]
        search = { en = "load window", pt = "janela de carga" }
    "#;
    let plan = world
        .plan
        .clone()
        .knowing(Arc::new(Causes::with(own).unwrap()));
    let found = of(&plan, "a").await;
    assert_eq!(
        (code(&found), found.verdict),
        ("load-window-closed", Verdict::Confirmed)
    );
    let search = &found.search;
    assert_eq!(search.keys[1..], ["DWH-4711"]);
    assert_eq!(
        (&*search.en, &*search.pt),
        ("load window", "janela de carga")
    );
    let label = ScriptedEngine::plain_job("a", JobStatus::Abend).name;
    assert_eq!(search.keys[0], label);
}
