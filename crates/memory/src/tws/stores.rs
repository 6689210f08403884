//! Engines, runs and thresholds in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_tws::model::{EngineName, RunId};
use resync_tws::ports::{
    EndedRun, EngineRepository, EngineRepositoryError, HistoryError, JobIdentity, RunHistory,
    StoredEngine, Threshold, ThresholdError, ThresholdId, ThresholdRepository,
};

use super::{first, lock};

/// Engines in memory.
#[derive(Debug, Default)]
pub struct InMemoryEngineRepository {
    engines: Mutex<BTreeMap<EngineName, StoredEngine>>,
}

#[async_trait]
impl EngineRepository for InMemoryEngineRepository {
    async fn list(&self) -> Result<Vec<StoredEngine>, EngineRepositoryError> {
        Ok(lock(&self.engines).values().cloned().collect())
    }

    async fn find(&self, name: &EngineName) -> Result<Option<StoredEngine>, EngineRepositoryError> {
        Ok(lock(&self.engines).get(name).cloned())
    }

    async fn insert(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError> {
        let mut engines = lock(&self.engines);
        if engines.contains_key(&engine.name) {
            return Err(EngineRepositoryError::AlreadyExists);
        }
        engines.insert(engine.name.clone(), engine.clone());
        Ok(())
    }

    async fn update(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError> {
        match lock(&self.engines).get_mut(&engine.name) {
            Some(kept) => {
                *kept = engine.clone();
                Ok(())
            }
            None => Err(EngineRepositoryError::Missing),
        }
    }

    async fn remove(&self, name: &EngineName) -> Result<bool, EngineRepositoryError> {
        Ok(lock(&self.engines).remove(name).is_some())
    }
}

/// Ended runs in memory.
#[derive(Debug, Default)]
pub struct InMemoryRunHistory {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    since: HashMap<EngineName, DateTime<Utc>>,
    /// Of each job its runs, by their end.
    runs: HashMap<JobIdentity, BTreeMap<(DateTime<Utc>, RunId), EndedRun>>,
}

#[async_trait]
impl RunHistory for InMemoryRunHistory {
    async fn record(
        &self,
        engine: &EngineName,
        runs: &[EndedRun],
        now: DateTime<Utc>,
    ) -> Result<u64, HistoryError> {
        let mut kept = lock(&self.kept);
        kept.since.entry(engine.clone()).or_insert(now);
        let mut new = 0;
        for run in runs {
            let of_job = kept.runs.entry(run.job.clone()).or_default();
            if !of_job.values().any(|known| known.run == run.run) {
                of_job.insert((run.ended_at, run.run.clone()), run.clone());
                new += 1;
            }
        }
        Ok(new)
    }

    async fn of_job(&self, job: &JobIdentity, limit: u32) -> Result<Vec<EndedRun>, HistoryError> {
        let kept = lock(&self.kept);
        let runs = kept.runs.get(job).into_iter().flat_map(BTreeMap::values);
        Ok(runs.rev().take(first(limit)).cloned().collect())
    }

    async fn good_seconds(
        &self,
        jobs: &[JobIdentity],
        limit: u32,
    ) -> Result<HashMap<JobIdentity, Vec<u64>>, HistoryError> {
        let kept = lock(&self.kept);
        let of = |job: &JobIdentity| {
            let newest = kept.runs.get(job)?.values().rev().take(first(limit));
            let seconds = newest.filter(|run| run.good).filter_map(|run| run.seconds);
            let seconds: Vec<u64> = seconds.collect();
            (!seconds.is_empty()).then(|| (job.clone(), seconds))
        };
        Ok(jobs.iter().filter_map(of).collect())
    }

    async fn observed_since(
        &self,
        engine: &EngineName,
    ) -> Result<Option<DateTime<Utc>>, HistoryError> {
        Ok(lock(&self.kept).since.get(engine).copied())
    }

    async fn purge(&self, before: DateTime<Utc>, keep: u32) -> Result<u64, HistoryError> {
        let mut kept = lock(&self.kept);
        let mut gone = 0;
        kept.runs.retain(|_, runs| {
            let held = runs.len();
            runs.retain(|(ended_at, _), _| *ended_at >= before);
            while runs.len() > first(keep) {
                runs.pop_first();
            }
            gone += held - runs.len();
            !runs.is_empty()
        });
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}

/// Thresholds in memory.
#[derive(Debug, Default)]
pub struct InMemoryThresholdRepository {
    thresholds: Mutex<BTreeMap<ThresholdId, Threshold>>,
}

#[async_trait]
impl ThresholdRepository for InMemoryThresholdRepository {
    async fn list(&self) -> Result<Vec<Threshold>, ThresholdError> {
        Ok(lock(&self.thresholds).values().cloned().collect())
    }

    async fn put(&self, threshold: &Threshold) -> Result<(), ThresholdError> {
        lock(&self.thresholds).insert(threshold.id, threshold.clone());
        Ok(())
    }

    async fn remove(&self, id: ThresholdId) -> Result<bool, ThresholdError> {
        Ok(lock(&self.thresholds).remove(&id).is_some())
    }
}
