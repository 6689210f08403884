//! The history of runs: what was seen to have ended, beyond the plan of the day.
//!
//! Invariants:
//! - Only what the engine told is kept: a run that ended while nobody looked, and left the plan since, is
//!   missing, and every answer says from when on the engine was observed.
//! - A job is the same job by its names; ids change with the plan.
//! - What is kept is bounded: by age, and by number for each job.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use resync_kernel::Clock;
use serde::Serialize;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::instrument;

use crate::model::{EngineName, Job, JobId, JobStatus, RunId};
use crate::plan::{Live, PlanService, ReadError, Snapshot};
use crate::ports::{EndedRun, HistoryError, JobIdentity, RunHistory};

/// How long a run is kept.
const KEEP_DAYS: i64 = 90;
/// How many runs of a job are kept.
const KEEP_RUNS: u32 = 200;
/// How many runs are written in one step, so that other writers get their turn.
const BATCH: usize = 500;
/// How many jobs the history is asked for at once: a bound of what one answer holds.
const ASKED_AT_ONCE: usize = 500;
/// With fewer good runs than this there is no telling what is usual.
const ENOUGH_RUNS: usize = 5;
/// How often what is too old is forgotten.
const PURGE_EVERY: Duration = Duration::from_hours(1);

/// Why there is no history.
#[derive(Debug, Error)]
pub enum HistoryReadError {
    /// The job cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] HistoryError),
}

/// The runs of a job, in this plan and in those before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryView {
    /// The job.
    pub job_id: JobId,
    /// The job as operators write it.
    pub label: String,
    /// Since when the engine is observed: runs before may be missing. Absent while it is not.
    pub observed_since: Option<DateTime<Utc>>,
    /// The runs, the one that ended last first.
    pub runs: Vec<PastRun>,
    /// Figures over these runs.
    pub statistics: RunStatistics,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastRun {
    /// The run.
    pub run: RunId,
    /// How it ended, in the engine's word.
    pub status: String,
    /// Whether it ended well.
    pub good: bool,
    /// Its return code.
    pub return_code: Option<i32>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
}

/// Figures over the runs of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RunStatistics {
    /// How many runs.
    pub count: usize,
    /// How many ended well.
    pub good: usize,
    /// The median of the durations of good runs, in seconds.
    pub median_seconds: Option<u64>,
    /// What 95 of 100 good runs did not exceed, in seconds.
    pub p95_seconds: Option<u64>,
    /// The last run that ended well.
    pub last_good: Option<PastRun>,
    /// How many runs ended with each return code.
    pub return_codes: BTreeMap<i32, usize>,
}

impl From<EndedRun> for PastRun {
    fn from(run: EndedRun) -> Self {
        Self {
            run: run.run,
            status: run.status,
            good: run.good,
            return_code: run.return_code,
            started_at: run.started_at,
            ended_at: run.ended_at,
            seconds: run.seconds,
        }
    }
}

impl RunStatistics {
    /// The figures of these runs, of which the one that ended last comes first.
    #[must_use]
    pub fn of(runs: &[PastRun]) -> Self {
        let good = || runs.iter().filter(|run| run.good);
        let mut durations: Vec<u64> = good().filter_map(|run| run.seconds).collect();
        durations.sort_unstable();
        let mut return_codes = BTreeMap::new();
        for code in runs.iter().filter_map(|run| run.return_code) {
            *return_codes.entry(code).or_insert(0) += 1;
        }
        Self {
            count: runs.len(),
            good: good().count(),
            median_seconds: percentile(&durations, 50),
            p95_seconds: percentile(&durations, 95),
            last_good: good().next().cloned(),
            return_codes,
        }
    }
}

/// The smallest of these durations, which are in order, that so many of a hundred do not exceed.
fn percentile(durations: &[u64], percent: usize) -> Option<u64> {
    let rank = (durations.len() * percent).div_ceil(100);
    durations.get(rank.saturating_sub(1)).copied()
}

/// The runs of `job` that have ended.
fn ended_runs(engine: &EngineName, job: &Job) -> impl Iterator<Item = EndedRun> {
    job.runs.iter().filter_map(move |run| {
        let over = matches!(
            run.status,
            JobStatus::Succ | JobStatus::Abend | JobStatus::Fail
        );
        let ended_at = run.ended_at.filter(|_| over)?;
        let between = run.started_at.map(|started| ended_at - started);
        let between = between.and_then(|between| u64::try_from(between.num_seconds()).ok());
        Some(EndedRun {
            job: JobIdentity::of(engine, job),
            run: run.id.clone(),
            status: run.status.as_str().to_owned(),
            good: run.status == JobStatus::Succ,
            return_code: run.return_code,
            started_at: run.started_at,
            // Stores keep milliseconds.
            ended_at: DateTime::from_timestamp_millis(ended_at.timestamp_millis())
                .unwrap_or(ended_at),
            seconds: run.elapsed_seconds.or(between),
        })
    })
}

/// The runs of a job that have ended, those that were kept and those of the plan as it is: the one that
/// ended last first, at most `limit`.
pub(crate) async fn runs_of(
    history: &dyn RunHistory,
    engine: &EngineName,
    job: &Job,
    limit: u32,
) -> Result<Vec<PastRun>, HistoryError> {
    let identity = JobIdentity::of(engine, job);
    let kept = history.of_job(&identity, limit).await?;
    let mut runs: Vec<EndedRun> = ended_runs(engine, job).collect();
    runs.retain(|run| kept.iter().all(|known| known.run != run.run));
    runs.extend(kept);
    runs.sort_by_key(|run| std::cmp::Reverse(run.ended_at));
    runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(runs.into_iter().map(PastRun::from).collect())
}

/// Reads and writes of the history. Cheap to clone.
#[derive(Clone)]
pub struct HistoryService {
    plan: PlanService,
    history: Arc<dyn RunHistory>,
    clock: Arc<dyn Clock>,
    /// Of each engine the ended runs of the plan that was observed last: they are kept already, and a
    /// plan of tens of thousands is not written anew each time.
    known: Arc<Mutex<HashMap<EngineName, Arc<HashSet<RunId>>>>>,
}

impl HistoryService {
    /// The service. It starts nothing; see [`HistoryService::run`].
    #[must_use]
    pub fn new(plan: PlanService, history: Arc<dyn RunHistory>, clock: Arc<dyn Clock>) -> Self {
        Self {
            plan,
            history,
            clock,
            known: Arc::default(),
        }
    }

    /// Keeps the runs that have ended by this snapshot; how many were new.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn observe(
        &self,
        engine: &EngineName,
        snapshot: &Snapshot,
    ) -> Result<u64, HistoryError> {
        let jobs = snapshot.jobs.iter();
        let runs: Vec<EndedRun> = jobs.flat_map(|job| ended_runs(engine, job)).collect();
        let ended: HashSet<RunId> = runs.iter().map(|run| run.run.clone()).collect();
        let known = self.known().get(engine).cloned().unwrap_or_default();
        let unseen: Vec<EndedRun> = runs
            .into_iter()
            .filter(|run| !known.contains(&run.run))
            .collect();
        let (now, mut new) = (self.clock.now(), 0);
        // The store counts the engine as observed also when nothing has ended yet.
        let first: &[EndedRun] = unseen.get(..unseen.len().min(BATCH)).unwrap_or(&[]);
        new += self.history.record(engine, first, now).await?;
        for batch in unseen.get(first.len()..).unwrap_or(&[]).chunks(BATCH) {
            new += self.history.record(engine, batch, now).await?;
        }
        self.known().insert(engine.clone(), Arc::new(ended));
        Ok(new)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<EngineName, Arc<HashSet<RunId>>>> {
        // A few lines without await that cannot panic, so a poisoned one still holds whole data.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the plan of every engine, `every` so often, until `cancel`. It shares the cache, so an
    /// engine that somebody reads is not asked more often for it. What fails is logged and tried again.
    /// Cancel safe.
    pub async fn run(&self, every: Duration, cancel: CancellationToken) {
        let mut seen: HashMap<EngineName, Weak<Snapshot>> = HashMap::new();
        let every = every.max(Duration::from_secs(1));
        // The first look is for those who wait for an answer at the start.
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut purged = self.clock.monotonic();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let looked = tokio::select! {
                () = cancel.cancelled() => return,
                looked = self.look(&mut seen) => looked,
            };
            if let Err(error) = looked {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "ended runs could not be kept");
            }
            if self.clock.monotonic() - purged >= PURGE_EVERY {
                purged = self.clock.monotonic();
                let before = self.clock.now() - chrono::Duration::days(KEEP_DAYS);
                if let Err(error) = self.history.purge(before, KEEP_RUNS).await {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "old runs could not be forgotten");
                }
            }
        }
    }

    async fn look(
        &self,
        seen: &mut HashMap<EngineName, Weak<Snapshot>>,
    ) -> Result<(), HistoryError> {
        let engines = self.plan.engines().list();
        seen.retain(|name, _| engines.iter().any(|engine| engine.name == *name));
        for engine in engines.iter() {
            // An engine that is down is the health check's news.
            let Ok(live) = self.plan.snapshot(Some(&engine.name)).await else {
                continue;
            };
            let this = Arc::downgrade(&live.value);
            if seen.get(&engine.name).is_some_and(|old| old.ptr_eq(&this)) {
                continue;
            }
            self.observe(&engine.name, &live.value).await?;
            seen.insert(engine.name.clone(), this);
        }
        Ok(())
    }

    /// The runs of a job: those that were kept, and those of the plan as it is. `limit` is brought within
    /// 1 to 200. The age is that of the job.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`HistoryReadError`].
    #[instrument(name = "tws.history", level = "debug", skip_all, fields(job.id = %id))]
    pub async fn history(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        limit: u32,
    ) -> Result<Live<HistoryView>, HistoryReadError> {
        let live = self.plan.job(engine, id).await?;
        let (job, engine) = (&live.value.job, &live.meta.engine);
        let limit = limit.clamp(1, KEEP_RUNS);
        let runs = runs_of(&*self.history, engine, job, limit).await?;
        let view = HistoryView {
            job_id: job.id.clone(),
            label: job.label(),
            observed_since: self.history.observed_since(engine).await?,
            statistics: RunStatistics::of(&runs),
            runs,
        };
        Ok(Live::composed(view, live.meta.clone())?)
    }

    /// What 95 of 100 good runs of each of these jobs did not exceed, in seconds. A job of which fewer
    /// than five were seen is left out. The history is asked for [`ASKED_AT_ONCE`] jobs at a time.
    pub(crate) async fn p95(
        &self,
        jobs: &[JobIdentity],
    ) -> Result<HashMap<JobIdentity, u64>, HistoryError> {
        let mut figures = HashMap::with_capacity(jobs.len());
        for jobs in jobs.chunks(ASKED_AT_ONCE) {
            let durations = self.history.good_seconds(jobs, KEEP_RUNS).await?;
            for (job, mut durations) in durations {
                durations.sort_unstable();
                let seen = durations.len() >= ENOUGH_RUNS;
                if let Some(p95) = percentile(&durations, 95).filter(|_| seen) {
                    figures.insert(job, p95);
                }
            }
        }
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(minute: i64, good: bool, seconds: u64, code: i32) -> PastRun {
        PastRun {
            run: RunId::parse(&format!("r{minute}")).unwrap(),
            status: if good { "SUCC" } else { "ABEND" }.to_owned(),
            good,
            return_code: Some(code),
            started_at: None,
            ended_at: DateTime::from_timestamp(minute * 60, 0).unwrap(),
            seconds: Some(seconds),
        }
    }

    #[test]
    fn durations_are_those_of_good_runs() {
        let mut runs: Vec<PastRun> = (1..=20)
            .rev()
            .map(|n| past(n, true, u64::try_from(n).unwrap() * 10, 0))
            .collect();
        runs.insert(0, past(21, false, 9_999, 12));
        let figures = RunStatistics::of(&runs);
        assert_eq!((figures.count, figures.good), (21, 20));
        assert_eq!(figures.median_seconds, Some(100));
        assert_eq!(figures.p95_seconds, Some(190));
        assert_eq!(figures.last_good.unwrap().run.as_str(), "r20");
        assert_eq!(figures.return_codes, BTreeMap::from([(0, 20), (12, 1)]));
    }

    #[test]
    fn no_run_gives_no_figure() {
        assert_eq!(RunStatistics::of(&[]), RunStatistics::default());
    }
}
