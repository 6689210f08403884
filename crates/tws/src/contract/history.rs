//! The laws of [`RunHistory`].

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
