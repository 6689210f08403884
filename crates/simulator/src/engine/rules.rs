//! One rule of the engine a test: recovery, repetition, fence, priorities, latest start, time.

use std::time::Duration;

use super::{
    Command, Engine, Outcome, RerunDetails,
    laws::{EVENING, act, engine, find, pass},
    queue::Obstacle,
};
use crate::{
    model::{Recovery, RunKind, Status},
    table::JobKey,
};

fn choose(engine: &Engine, test: impl Fn(&crate::model::Job) -> bool) -> JobKey {
    let mut jobs = engine.plan.jobs.iter();
    jobs.find(|(_, job)| test(job)).map(|(key, _)| key).unwrap()
}

/// The recovery job runs before each further try, and frees nobody by its own success.
#[test]
fn a_recovery_job_runs_before_the_job_runs_again() {
    let mut engine = engine(42, 2000, EVENING);
    let jobs = engine.plan.jobs.iter();
    let recovers = |job: &crate::model::Job| {
        let recovery = job.model.recovery;
        matches!(recovery, Recovery::Rerun { job: Some(_), .. }) && job.status() == Status::Hold
    };
    let keys: Vec<JobKey> = jobs
        .filter(|(_, job)| recovers(job))
        .map(|(key, _)| key)
        .collect();
    for key in &keys {
        let path = engine.plan.jobs[*key].path().to_string();
        let fails = Outcome::fails("F02").lasting(Duration::from_mins(1));
        engine.script(&path, fails);
    }
    pass(&mut engine, 15 * 3600);
    let mut failed = 0;
    for key in keys {
        let job = &engine.plan.jobs[key];
        let kinds: Vec<RunKind> = job.runs().map(|run| run.kind).collect();
        if kinds.len() > 1 {
            failed += 1;
            let first = &kinds[..3];
            let expected = [RunKind::Regular, RunKind::Recovery, RunKind::RecoveryRerun];
            assert_eq!(first, expected, "{}", job.path());
        }
    }
    assert!(failed > 3, "the law has nothing to bite on: {failed}");
}

#[test]
fn recovery_reruns_as_often_as_the_definition_says() {
    let mut engine = engine(42, 2000, EVENING);
    let key = choose(&engine, |job| {
        let recovers = matches!(job.model.recovery, Recovery::Rerun { job: None, .. });
        let plain =
            !job.model.confirm && job.model.every.is_none() && job.model.special().latest.is_none();
        recovers && plain && job.status() == Status::Hold && job.links.is_empty()
    });
    let path = engine.plan.jobs[key].path().to_string();
    for _ in 0..3 {
        let outcome = Outcome::fails("F02").lasting(Duration::from_mins(1));
        engine.script(&path, outcome);
    }
    pass(&mut engine, 15 * 3600);
    let job = &engine.plan.jobs[key];
    let kinds: Vec<RunKind> = job.runs().map(|run| run.kind).collect();
    assert_eq!(
        kinds,
        [
            RunKind::Regular,
            RunKind::RecoveryRerun,
            RunKind::RecoveryRerun
        ]
    );
    assert_eq!(job.status(), Status::Abend);
    // An operator's rerun counts anew.
    act(&mut engine, Command::Rerun(key, RerunDetails::default())).unwrap();
    pass(&mut engine, 3600);
    assert_eq!(engine.plan.jobs[key].runs().count(), 6);
}

#[test]
fn a_repeating_job_repeats_until_the_day_ends() {
    let mut engine = engine(42, 100, EVENING);
    let key = find(&engine, "CRM_SYNC_DELTA");
    let before = engine.plan.jobs[key].run.number;
    pass(&mut engine, 4 * 3600);
    let job = &engine.plan.jobs[key];
    assert!(
        (14..=17).contains(&(job.run.number - before)),
        "{} runs",
        job.run.number - before
    );
    assert_eq!(job.run.kind, RunKind::Every);
    assert!(job.runs().count() <= 13, "earlier runs are forgotten");
    let stream = &engine.plan.streams[job.stream];
    assert_eq!(
        stream.status,
        crate::model::StreamStatus::Exec,
        "more is to come"
    );
    engine.advance_to(engine.plan.end - 60);
    let stream = engine.plan.jobs[key].stream;
    assert_eq!(
        engine.plan.streams[stream].status,
        crate::model::StreamStatus::Succ
    );
}

#[test]
fn a_fence_holds_back_what_is_not_above_it() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let key = find(&engine, "FIN_GL_POST");
    let station = engine.plan.jobs[key].model.station;
    act(&mut engine, Command::Fence(station, 40)).unwrap();
    pass(&mut engine, 2);
    act(
        &mut engine,
        Command::Rerun(
            key,
            RerunDetails {
                priority: Some(40),
                ..RerunDetails::default()
            },
        ),
    )
    .unwrap();
    pass(&mut engine, 60);
    assert_eq!(engine.plan.jobs[key].status(), Status::Fence);
    act(&mut engine, Command::Priority(key, 41)).unwrap();
    pass(&mut engine, 20);
    assert_eq!(engine.plan.jobs[key].status(), Status::Exec);
    assert!(act(&mut engine, Command::Fence(station, 102)).is_err());
}

#[test]
fn only_high_priorities_pass_a_limit_of_zero() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let key = find(&engine, "FIN_GL_POST");
    let station = engine.plan.jobs[key].model.station;
    act(&mut engine, Command::Limit(station, 0)).unwrap();
    act(&mut engine, Command::Rerun(key, RerunDetails::default())).unwrap();
    pass(&mut engine, 60);
    assert_eq!(engine.plan.jobs[key].status(), Status::Ready);
    assert_eq!(engine.obstacle(key), Some(Obstacle::Limit));
    act(&mut engine, Command::Priority(key, 100)).unwrap();
    pass(&mut engine, 20);
    assert_eq!(engine.plan.jobs[key].status(), Status::Exec);
}

#[test]
fn four_drives_serve_four_backups_and_the_others_wait() {
    let mut engine = engine(42, 2000, EVENING);
    pass(&mut engine, 3 * 3600 + 40 * 60); // 23:40
    let drives = engine
        .catalogue
        .resources
        .rows()
        .iter()
        .find(|r| r.name == "TAPE_DRV")
        .unwrap();
    assert_eq!(
        (drives.used, drives.available(), drives.holders.len()),
        (4, 0, 4)
    );
    let names = [
        "BKP_DB_FINDB01",
        "BKP_DB_DWH",
        "BKP_DB_CRM",
        "BKP_DB_PAYROLL",
        "BKP_FS_SHARED",
    ];
    let waiting: Vec<_> = names
        .into_iter()
        .map(|name| find(&engine, name))
        .filter(|key| engine.obstacle(*key) == Some(Obstacle::Resources))
        .filter(|key| engine.plan.jobs[*key].status() == Status::Ready)
        .collect();
    assert_eq!(waiting, [find(&engine, "BKP_FS_SHARED")]);
}

#[test]
fn a_latest_start_that_has_passed_suppresses_what_has_not_started() {
    let mut engine = engine(42, 100, EVENING - 3 * 3600);
    let key = choose(&engine, |job| &*job.model.name == "HK_PURGE_ARCHIVE");
    act(&mut engine, Command::Hold(key)).unwrap();
    pass(&mut engine, 7 * 3600);
    let job = &engine.plan.jobs[key];
    assert_eq!((job.status(), job.until_gone), (Status::Suppr, true));
}

#[test]
fn a_rerun_with_a_start_time_waits_for_it() {
    let mut engine = engine(42, 100, 1_772_501_400);
    let key = find(&engine, "FIN_GL_POST");
    let start = engine.now() + 1800;
    let details = RerunDetails {
        start: Some(start),
        ..RerunDetails::default()
    };
    act(&mut engine, Command::Rerun(key, details)).unwrap();
    pass(&mut engine, 1700);
    assert_eq!(engine.plan.jobs[key].status(), Status::Hold);
    pass(&mut engine, 200);
    assert_eq!(engine.plan.jobs[key].status(), Status::Exec);
}

#[test]
fn what_waits_for_confirmation_ends_with_it() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let key = choose(&engine, |job| job.status() == Status::Pend);
    let job = &engine.plan.jobs[key];
    assert!(job.model.confirm && job.run.ended.is_some());
    act(&mut engine, Command::Confirm(key, true)).unwrap();
    pass(&mut engine, 1);
    let job = &engine.plan.jobs[key];
    assert_eq!((job.status(), job.run.confirmed), (Status::Succ, true));
    assert!(
        act(&mut engine, Command::Confirm(key, true)).is_err(),
        "SUCC is not confirmed"
    );
}

#[test]
fn an_agent_that_is_lost_while_starting_sends_the_job_back() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let key = find(&engine, "FIN_GL_POST");
    let station = engine.plan.jobs[key].model.station;
    act(&mut engine, Command::Rerun(key, RerunDetails::default())).unwrap();
    pass(&mut engine, 1);
    assert_eq!(engine.plan.jobs[key].status(), Status::Intro);
    engine.set_link(station, false, None);
    pass(&mut engine, 20);
    assert_eq!(engine.plan.jobs[key].status(), Status::Ready);
    assert_eq!(engine.obstacle(key), Some(Obstacle::Agent));
    engine.set_link(station, true, None);
    engine.settle();
    pass(&mut engine, 20);
    assert_eq!(engine.plan.jobs[key].status(), Status::Exec);
}

#[test]
fn every_move_between_statuses_is_one_of_the_table() {
    let mut engine = engine(42, 2000, EVENING);
    for (name, action) in [("FIN_GL_EXTRACT", true), ("PAY_EXTRACT", false)] {
        let key = find(&engine, name);
        let command = if action {
            Command::Hold(key)
        } else {
            Command::Cancel(key)
        };
        act(&mut engine, command).unwrap();
    }
    pass(&mut engine, 18 * 3600);
    let legal = [
        "HOLD to READY",
        "READY to HOLD",
        "READY to INTRO",
        "INTRO to READY",
        "INTRO to EXEC",
        "INTRO to FAIL",
        "EXEC to SUCC",
        "EXEC to ABEND",
        "EXEC to PEND",
        "HOLD to SUPPR",
        "READY to SUPPR",
    ];
    let moves = engine
        .journal()
        .filter(|entry| matches!(entry.deed, super::Deed::Moved(..)));
    let mut seen = std::collections::BTreeSet::new();
    for entry in moves {
        let told = entry.deed.to_string();
        assert!(legal.contains(&told.as_str()), "{}: {told}", entry.object);
        seen.insert(told);
    }
    assert!(seen.len() >= 7, "{seen:?}");
}

/// The longest job of the night is killed when it would run into the morning, and only then.
#[test]
fn a_job_that_may_not_be_late_is_killed_at_its_deadline() {
    let mut ends = [0, 0];
    for seed in 1..=12 {
        let mut engine = engine(seed, 400, EVENING);
        let key = find(&engine, "RISK_STRESS");
        pass(&mut engine, 14 * 3600);
        let job = &engine.plan.jobs[key];
        let (ended, deadline) = (job.run.ended, job.deadline.unwrap());
        match job.status() {
            Status::Succ => {
                assert!(ended.unwrap() <= deadline, "seed {seed}");
                ends[0] += 1;
            }
            Status::Abend if job.run.killed => {
                assert!(ended.unwrap() >= deadline, "seed {seed}");
                ends[1] += 1;
            }
            // Other trouble of that night.
            _ => {}
        }
    }
    assert!(ends[0] > 0 && ends[1] > 0, "in time, killed: {ends:?}");
}

/// A verification of a backup may end before it can have read the tape.
#[test]
fn a_run_may_end_sooner_than_its_job_should() {
    let (mut sooner, mut in_time) = (0, 0);
    for seed in 1..=8 {
        let mut engine = engine(seed, 400, EVENING);
        pass(&mut engine, 14 * 3600);
        for job in engine.plan.jobs.rows() {
            let elapsed = engine.elapsed(job.run.started, job.run.ended);
            match (elapsed, job.model.special().shortest) {
                (Some(elapsed), Some(shortest)) if elapsed < shortest => sooner += 1,
                (Some(_), Some(_)) => in_time += 1,
                _ => {}
            }
        }
    }
    assert!(sooner > 0 && in_time > sooner, "{sooner}, {in_time}");
}
