//! The laws of [`RunHistory`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::model::{EngineName, RunId};
use crate::ports::{EndedRun, JobIdentity, RunHistory};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600 + second, 0).expect("a time")
}

fn engine(name: &str) -> EngineName {
    EngineName::parse(name).expect("a name")
}

fn run(on: &str, job: &str, second: i64) -> EndedRun {
    EndedRun {
        job: JobIdentity {
            engine: engine(on),
            workstation: "WS".to_owned(),
            folder: "/FIN/".to_owned(),
            stream: "FIN_EOD".to_owned(),
            job: job.to_owned(),
        },
        run: RunId::parse(&format!("{job}-{second}")).expect("an id"),
        status: "SUCC".to_owned(),
        good: true,
        return_code: Some(0),
        started_at: Some(at(second - 10)),
        ended_at: at(second),
        seconds: Some(10),
    }
}

/// Runs read back whole, the one that ended last first, each once however often it is seen.
pub async fn a_run_is_kept_once_and_reads_back_whole(history: &dyn RunHistory) {
    let (a, b) = (run("prod", "A", 1), run("prod", "A", 2));
    let prod = engine("prod");
    let new = history.record(&prod, &[a.clone(), b.clone()], at(5)).await;
    assert_eq!(new.expect("a record"), 2);
    let new = history
        .record(&prod, &[b.clone(), run("prod", "B", 3)], at(6))
        .await;
    assert_eq!(new.expect("a record"), 1);
    let runs = history.of_job(&a.job, 10).await.expect("the runs");
    assert_eq!(runs, [b.clone(), a.clone()]);
    let last = history.of_job(&a.job, 1).await.expect("the runs");
    assert_eq!(last, [b]);
}

/// The durations of many jobs are those that one by one would give: of each its newest runs alone, of
/// these the good ones that took a known time.
pub async fn durations_of_many_jobs_are_those_of_their_newest_good_runs(history: &dyn RunHistory) {
    let prod = engine("prod");
    let mut runs = Vec::new();
    for second in 1..=6 {
        runs.push(EndedRun {
            seconds: Some(u64::try_from(second).expect("a number")),
            ..run("prod", "A", second)
        });
    }
    runs.push(EndedRun {
        good: false,
        ..run("prod", "A", 7)
    });
    runs.push(EndedRun {
        seconds: None,
        ..run("prod", "A", 8)
    });
    let b = EndedRun {
        seconds: Some(90),
        ..run("prod", "B", 1)
    };
    let bad = EndedRun {
        good: false,
        ..run("prod", "BAD", 1)
    };
    // Names that differ in one part alone are other jobs.
    let mut elsewhere = run("prod", "A", 9);
    elsewhere.run = RunId::parse("elsewhere").expect("an id");
    "/HR/".clone_into(&mut elsewhere.job.folder);
    runs.extend([b.clone(), bad.clone(), elsewhere]);
    history.record(&prod, &runs, at(9)).await.expect("a record");
    let recorded = history
        .record(&engine("test"), &[run("test", "A", 1)], at(9))
        .await;
    recorded.expect("a record");

    let never = run("prod", "NEVER", 1).job;
    let a = run("prod", "A", 1).job;
    let asked = [a.clone(), b.job.clone(), bad.job, never, a.clone()];
    let read = history.good_seconds(&asked, 5).await;
    let mut read = read.expect("the durations");
    for seconds in read.values_mut() {
        seconds.sort_unstable();
    }
    let expected = HashMap::from([(a, vec![4, 5, 6]), (b.job, vec![90])]);
    assert_eq!(read, expected);
}

/// No job gives nothing, and more jobs than a statement has places for are no trouble.
pub async fn durations_of_no_job_or_of_very_many_are_one_read(history: &dyn RunHistory) {
    let none = history.good_seconds(&[], 5).await.expect("the durations");
    assert_eq!(none, HashMap::new());
    let prod = engine("prod");
    let last = run("prod", "J39999", 1);
    let recorded = history.record(&prod, std::slice::from_ref(&last), at(9));
    recorded.await.expect("a record");
    let many = (0..40_000).map(|number| run("prod", &format!("J{number}"), 1).job);
    let many: Vec<JobIdentity> = many.collect();
    let read = history.good_seconds(&many, 5).await.expect("the durations");
    assert_eq!(read, HashMap::from([(last.job, vec![10])]));
}

/// The same names on another engine are another job.
pub async fn engines_do_not_share_runs(history: &dyn RunHistory) {
    let (prod, test) = (engine("prod"), engine("test"));
    history
        .record(&prod, &[run("prod", "A", 1)], at(5))
        .await
        .expect("a record");
    history
        .record(&test, &[run("test", "A", 1)], at(5))
        .await
        .expect("a record");
    let runs = history
        .of_job(&run("test", "A", 1).job, 10)
        .await
        .expect("the runs");
    assert_eq!(runs, [run("test", "A", 1)]);
}

/// An engine is observed from the first look on, also when nothing had ended.
pub async fn the_first_look_is_remembered(history: &dyn RunHistory) {
    let prod = engine("prod");
    assert_eq!(history.observed_since(&prod).await.expect("a read"), None);
    history.record(&prod, &[], at(5)).await.expect("a record");
    history
        .record(&prod, &[run("prod", "A", 1)], at(9))
        .await
        .expect("a record");
    assert_eq!(
        history.observed_since(&prod).await.expect("a read"),
        Some(at(5))
    );
}

/// A purge takes what is too old, and of each job what is behind its newest.
pub async fn a_purge_takes_the_old_and_the_many(history: &dyn RunHistory) {
    let prod = engine("prod");
    let runs: Vec<EndedRun> = (1..=6).map(|second| run("prod", "A", second)).collect();
    history.record(&prod, &runs, at(9)).await.expect("a record");
    history
        .record(&prod, &[run("prod", "B", 5)], at(9))
        .await
        .expect("a record");
    assert_eq!(history.purge(at(2), 3).await.expect("a purge"), 3);
    let left = history.of_job(&runs[0].job, 10).await.expect("the runs");
    let ends: Vec<DateTime<Utc>> = left.iter().map(|run| run.ended_at).collect();
    assert_eq!(ends, [at(6), at(5), at(4)]);
    let other = history
        .of_job(&run("prod", "B", 5).job, 10)
        .await
        .expect("the runs");
    assert_eq!(other.len(), 1);
}
