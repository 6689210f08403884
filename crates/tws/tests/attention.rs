//! What needs a look, by what was seen of the past.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use resync_kernel::{Clock as _, CountingIds};
use resync_memory::tws::{InMemoryRunHistory, InMemoryThresholdRepository, ScriptedEngine};
use resync_tws::model::{EngineName, Job, JobStatus, RunId};
use resync_tws::ports::{EndedRun, HistoryError, JobIdentity, RunHistory};
use resync_tws::{AttentionBy, AttentionParts, AttentionService, HistoryService};

use crate::fixture::{World, name};

/// The history in memory, and how often it is read.
#[derive(Default)]
struct Counted {
    history: InMemoryRunHistory,
    reads: AtomicUsize,
}

#[async_trait]
impl RunHistory for Counted {
    async fn record(
        &self,
        engine: &EngineName,
        runs: &[EndedRun],
        now: DateTime<Utc>,
    ) -> Result<u64, HistoryError> {
        self.history.record(engine, runs, now).await
    }

    async fn of_job(&self, job: &JobIdentity, limit: u32) -> Result<Vec<EndedRun>, HistoryError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.history.of_job(job, limit).await
    }

    async fn good_seconds(
        &self,
        jobs: &[JobIdentity],
        limit: u32,
    ) -> Result<HashMap<JobIdentity, Vec<u64>>, HistoryError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.history.good_seconds(jobs, limit).await
    }

    async fn observed_since(
        &self,
        engine: &EngineName,
    ) -> Result<Option<DateTime<Utc>>, HistoryError> {
        self.history.observed_since(engine).await
    }

    async fn purge(&self, before: DateTime<Utc>, keep: u32) -> Result<u64, HistoryError> {
        self.history.purge(before, keep).await
    }
}

fn running(id: &str, since: DateTime<Utc>) -> Job {
    let mut run = ScriptedEngine::plain_run(&format!("{id}-now"), JobStatus::Exec, None);
    run.started_at = Some(since);
    Job {
        runs: vec![run],
        ..ScriptedEngine::plain_job(id, JobStatus::Exec)
    }
}

/// `runs` good runs of a minute each.
async fn remember(history: &Counted, job: &Job, runs: u32, at: DateTime<Utc>) {
    let prod = name("prod");
    let past = (0..runs).map(|number| EndedRun {
        job: JobIdentity::of(&prod, job),
        run: RunId::parse(&format!("{}-{number}", job.id)).unwrap(),
        status: "SUCC".to_owned(),
        good: true,
        return_code: Some(0),
        started_at: None,
        ended_at: at,
        seconds: Some(60),
    });
    let past: Vec<EndedRun> = past.collect();
    history.record(&prod, &past, at).await.unwrap();
}

/// However many jobs run, the history is read in a few steps and not once for each.
#[tokio::test]
async fn the_past_of_all_running_jobs_is_read_at_once() {
    let world = World::new(Vec::new());
    let now = world.clock.now();
    let history = Arc::new(Counted::default());
    for number in 0..1_200 {
        let job = running(&format!("j{number}"), now - Duration::hours(1));
        let runs = match number {
            // The last one, so that none is left out behind a bound.
            1_199 => 5,
            7 => 4,
            _ => 0,
        };
        remember(&history, &job, runs, now - Duration::hours(2)).await;
        world.engine.put(job);
    }
    let attention = AttentionService::new(AttentionParts {
        plan: world.plan.clone(),
        history: HistoryService::new(world.plan.clone(), history.clone(), world.clock.clone()),
        thresholds: Arc::new(InMemoryThresholdRepository::default()),
        audit: world.audit.clone(),
        clock: world.clock.clone(),
        ids: Arc::new(CountingIds::default()),
    });
    let long = attention.long_running(None).await.unwrap();
    let found: Vec<_> = long.value.items.iter().collect();
    assert_eq!(long.value.count, 1, "{found:?}");
    assert_eq!(
        (found[0].job.id.as_str(), found[0].by),
        ("j1199", AttentionBy::History)
    );
    let reads = history.reads.load(Ordering::Relaxed);
    assert_eq!(reads, 3, "1,200 jobs, 500 at a time");
}
