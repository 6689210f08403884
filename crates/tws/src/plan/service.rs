//! The use cases that read the plan.
//!
//! Invariants:
//! - Every read goes through the cache, so any number of callers is one call to the engine (P1-03).
//! - The cache is an ordinary value of this service (P1-02); two services share nothing.
//! - An engine that cannot be asked gives its error, never a plan that looks empty.

mod derived;
mod health;
mod logs;
mod objects;

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use resync_kernel::{Clock, Cursor, CursorError};
use resync_sync::{
    Cache, CacheLimits, CacheParts, CacheStats, Cached, Fetched, Freshness, SharedCache,
    SharedStats, Windows,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::instrument;

use super::cache::{Answer, PlanValue, live};
use super::shared::{PlanCodec, Travels};
use super::waiting::why_waiting;
use super::{
    CachePolicy, FoundJobs, JobView, Live, PlanKey, PlanScope, Question, ReadError, Snapshot,
    StreamPage, Summary, WorkstationList, WorkstationView,
};
use crate::diagnosis::Causes;
use crate::engines::{Engine, Engines};
use crate::model::{EngineName, Job, JobId, Subject, Target, Workstation};
use crate::ports::RunHistory;

/// What a [`PlanService`] is built from.
pub struct PlanParts {
    /// The engines.
    pub engines: Engines,
    /// For ages and times.
    pub clock: Arc<dyn Clock>,
    /// Runs the fetches, so that shutdown can wait for them.
    pub tracker: TaskTracker,
    /// How long each category is served.
    pub policy: CachePolicy,
    /// How much the cache may hold.
    pub limits: CacheLimits,
}

/// Reads of the plan, through one cache. Cheap to clone; clones share the cache.
#[derive(Clone)]
pub struct PlanService {
    engines: Engines,
    clock: Arc<dyn Clock>,
    policy: CachePolicy,
    cache: Cache<PlanKey, PlanValue, ReadError>,
    /// What replicas share, where there are several.
    shared: Option<SharedCache>,
    /// Numbers the snapshots.
    revisions: Arc<AtomicU64>,
    /// What a diagnosis knows.
    causes: Arc<Causes>,
    /// The runs before, where a history is kept.
    runs: Option<Arc<dyn RunHistory>>,
}

/// The offset that a cursor of [`PlanService::streams`] or of a page of definitions stands for.
///
/// # Errors
/// [`CursorError`] when the text is no such cursor.
pub fn offset_of_cursor(cursor: &str) -> Result<u64, CursorError> {
    Cursor::decode::<u64>(cursor)
}

fn cursor_of(offset: Option<u64>) -> Result<Option<String>, ReadError> {
    offset
        .map(|offset| Cursor::encode(&offset).map(|cursor| cursor.as_str().to_owned()))
        .transpose()
        .map_err(|_| ReadError::Unwritable)
}

fn fetched<T: Answer + Serialize>(value: T) -> Result<Fetched<PlanValue>, ReadError> {
    let bytes = serde_json::to_vec(&value).map_err(|_| ReadError::Unwritable)?;
    Ok(Fetched {
        value: Arc::new(value).wrap(),
        bytes: bytes.into(),
        age: Duration::ZERO,
    })
}

impl PlanService {
    /// The service. It starts nothing; see [`PlanService::run_maintenance`].
    #[must_use]
    pub fn new(parts: PlanParts) -> Self {
        let PlanParts {
            engines,
            clock,
            tracker,
            policy,
            limits,
        } = parts;
        let cache = Cache::new(CacheParts {
            clock: Arc::clone(&clock),
            tracker,
            limits,
        });
        Self {
            engines,
            clock,
            policy,
            cache,
            shared: None,
            revisions: Arc::default(),
            causes: Causes::built_in(),
            runs: None,
        }
    }

    /// The service with these causes for its diagnoses in the place of those that ship.
    #[must_use]
    pub fn knowing(self, causes: Arc<Causes>) -> Self {
        Self { causes, ..self }
    }

    /// The service whose diagnoses look at earlier runs, too.
    #[must_use]
    pub fn remembering(self, runs: Arc<dyn RunHistory>) -> Self {
        Self {
            runs: Some(runs),
            ..self
        }
    }

    /// The service with entries that it shares with other replicas. They count once
    /// [`PlanService::run_maintenance`] runs; until then, and whenever this replica cannot hear the others,
    /// each read asks the engine.
    #[must_use]
    pub fn sharing(self, shared: SharedCache) -> Self {
        Self {
            shared: Some(shared),
            ..self
        }
    }

    /// The engines.
    #[must_use]
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Sweeps the cache, keeps its coarse time and drops what other replicas make void, until `cancel`.
    /// Cancel safe.
    pub async fn run_maintenance(&self, cancel: CancellationToken) {
        let hear = async {
            if let Some(shared) = &self.shared {
                let forget = |scope: Option<&str>| {
                    self.cache.invalidate_scope(&PlanScope::told(scope));
                };
                shared.run(forget, cancel.clone()).await;
            }
        };
        tokio::join!(self.cache.run_maintenance(cancel.clone()), hear);
    }

    /// What the cache did and holds.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// What was read from and written for other replicas, where there are several.
    #[must_use]
    pub fn shared_stats(&self) -> Option<SharedStats> {
        self.shared.as_ref().map(SharedCache::stats)
    }

    /// Drops what is within `scope`, also what is being fetched, here and on every other replica; returns
    /// how many entries went here. Takes some tenths of a second while the others cannot be told.
    ///
    /// Dropped early, it has dropped what was here, and may not have told the others.
    pub async fn invalidate(&self, scope: &PlanScope) -> usize {
        let removed = self.cache.invalidate_scope(scope);
        let Some(shared) = &self.shared else {
            return removed;
        };
        shared.invalidate(&scope.text()).await;
        // What was read meanwhile may have been of the entries that replicas share.
        removed + self.cache.invalidate_scope(scope)
    }

    /// The whole plan at one time, for names, victims and lists that the engine cannot give.
    /// Its `bytes` are those of the summary.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`] when any page failed.
    pub async fn snapshot(&self, engine: Option<&EngineName>) -> Result<Live<Snapshot>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, revisions) = (Arc::clone(&engine), Arc::clone(&self.revisions));
        self.read(&engine, Question::Snapshot, move || async move {
            let revision = revisions.fetch_add(1, Ordering::Relaxed);
            Snapshot::fetch(&asked, revision).await?.fetched()
        })
        .await
    }

    /// The board.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As [`PlanService::snapshot`].
    #[instrument(name = "tws.summary", level = "debug", skip_all)]
    pub async fn summary(&self, engine: Option<&EngineName>) -> Result<Live<Summary>, ReadError> {
        let live = self.snapshot(engine).await?;
        Ok(Live {
            value: Arc::clone(&live.value.summary),
            bytes: live.bytes,
            etag: live.etag,
            meta: live.meta,
        })
    }

    /// A job with its runs and dependencies, and why it does not run. How its workstation stands
    /// comes from the cache, and may be older than the job by the stale window of `job_status`.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`].
    #[instrument(name = "tws.job", level = "debug", skip_all, fields(job.id = %id))]
    pub async fn job(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
    ) -> Result<Live<JobView>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, wanted, service) = (Arc::clone(&engine), id.clone(), self.clone());
        self.read(&engine, Question::Job(id.clone()), move || async move {
            let found = asked.plan.job(&wanted).await?;
            let job = found.ok_or(ReadError::UnknownJob(wanted))?;
            fetched(service.view_of(&asked, job).await)
        })
        .await
    }

    async fn view_of(&self, engine: &Engine, job: Job) -> JobView {
        let mut station = None;
        if let Some(name) = job
            .workstation
            .as_deref()
            .filter(|_| !job.state().has_ended())
        {
            // Without its workstation the sentence is shorter, not wrong.
            station = match self.workstations(Some(&engine.name)).await {
                Ok(list) => find_workstation(&list.value, name).cloned(),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "no workstations");
                    None
                }
            };
        }
        JobView {
            state: job.state(),
            why_waiting: why_waiting(&job, station.as_ref()),
            job: Arc::new(job),
        }
    }

    /// The target of an action as the engine has it now, past the cache: what it is decided by.
    pub(crate) async fn subject_now(
        engine: &Engine,
        target: &Target,
    ) -> Result<Subject, ReadError> {
        let objects = &engine.objects;
        let found = match target {
            Target::Job(id) => {
                let job = engine.plan.job(id).await?;
                let job = job.ok_or_else(|| ReadError::UnknownJob(id.clone()))?;
                return Ok(Subject::Job(Box::new(job)));
            }
            Target::Stream(id) => objects.stream(id).await?.map(Subject::Stream),
            Target::Workstation(id) => objects.workstation(id).await?.map(Subject::Workstation),
            Target::Resource(id) => objects.resource(id).await?.map(Subject::Resource),
            Target::Prompt(id) => objects.prompt(id).await?.map(Subject::Prompt),
        };
        found.ok_or_else(|| ReadError::UnknownObject(target.kind()))
    }

    /// One page of the streams; `limit` is brought within 1 to 1000.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.streams", level = "debug", skip_all)]
    pub async fn streams(
        &self,
        engine: Option<&EngineName>,
        offset: u64,
        limit: u32,
    ) -> Result<Live<StreamPage>, ReadError> {
        let engine = self.engines.get(engine)?;
        let limit = limit.clamp(1, 1_000);
        let asked = Arc::clone(&engine);
        self.read(
            &engine,
            Question::Streams { offset, limit },
            move || async move {
                let slice = asked.plan.streams(offset, limit).await?;
                fetched(StreamPage {
                    items: slice.items,
                    next_cursor: cursor_of(slice.next_offset)?,
                    total: slice.total,
                })
            },
        )
        .await
    }

    /// Every workstation.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.workstations", level = "debug", skip_all)]
    pub async fn workstations(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<WorkstationList>, ReadError> {
        let engine = self.engines.get(engine)?;
        let asked = Arc::clone(&engine);
        self.read(&engine, Question::Workstations, move || async move {
            fetched(WorkstationList {
                items: asked.plan.workstations().await?,
            })
        })
        .await
    }

    /// The workstation of that name, whatever the case.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownWorkstation`], [`ReadError::Gateway`].
    pub async fn workstation(
        &self,
        engine: Option<&EngineName>,
        name: &str,
    ) -> Result<Live<WorkstationView>, ReadError> {
        let list = self.workstations(engine).await?;
        let found = find_workstation(&list.value, name).cloned();
        let workstation = found.ok_or(ReadError::UnknownWorkstation)?;
        Live::composed(WorkstationView { workstation }, list.meta)
    }

    /// The jobs of that name, whatever the case, of any stream; none is no error.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As [`PlanService::snapshot`].
    pub async fn find_jobs_by_name(
        &self,
        engine: Option<&EngineName>,
        name: &str,
    ) -> Result<FoundJobs, ReadError> {
        let live = self.snapshot(engine).await?;
        Ok(FoundJobs {
            jobs: live.value.jobs_named(name).map(Arc::clone).collect(),
            meta: live.meta,
        })
    }

    /// An answer from the cache, from what replicas share, or from the engine.
    async fn read<T, F, Fut>(
        &self,
        engine: &Engine,
        what: Question,
        fetch: F,
    ) -> Result<Live<T>, ReadError>
    where
        T: Travels,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<PlanValue>, ReadError>> + Send + 'static,
    {
        let Some(shared) = &self.shared else {
            return self.read_own(engine, what, fetch).await;
        };
        let key = PlanKey {
            engine: engine.name.clone(),
            what,
        };
        let (windows, ahead) = (self.policy.windows(&key), self.policy.ahead(&key));
        let (through, asked, codec) = (shared.clone(), key.clone(), self.codec::<T>());
        let fetch = move || async move {
            // What is about to be refreshed is of no use from elsewhere.
            let wanted = Windows {
                fresh: windows.fresh.min(ahead),
                ..windows
            };
            through.fetch(asked.shared(), wanted, codec, fetch).await
        };
        let cached = if shared.in_touch() {
            let read = self.cache.get_or_fetch_ahead(&key, windows, ahead, fetch);
            read.await?
        } else {
            self.cache.fetch(&key, windows, fetch).await?
        };
        answered(engine, &key, &cached)
    }

    /// An answer from the cache or the engine, which no other replica shares.
    async fn read_own<T, F, Fut>(
        &self,
        engine: &Engine,
        what: Question,
        fetch: F,
    ) -> Result<Live<T>, ReadError>
    where
        T: Answer,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<PlanValue>, ReadError>> + Send + 'static,
    {
        let key = PlanKey {
            engine: engine.name.clone(),
            what,
        };
        let windows = self.policy.windows(&key);
        let ahead = self.policy.ahead(&key);
        let read = self.cache.get_or_fetch_ahead(&key, windows, ahead, fetch);
        answered(engine, &key, &read.await?)
    }

    fn codec<T>(&self) -> PlanCodec<T> {
        PlanCodec {
            revisions: Arc::clone(&self.revisions),
            answer: PhantomData,
        }
    }
}

fn answered<T: Answer>(
    engine: &Engine,
    key: &PlanKey,
    cached: &Cached<PlanValue>,
) -> Result<Live<T>, ReadError> {
    if cached.freshness() == Freshness::Stale && cached.refresh_failed() {
        tracing::debug!(engine.name = %engine.name, key = %key, "served stale after a failure");
    }
    live(&engine.name, cached)
}

fn find_workstation<'a>(list: &'a WorkstationList, name: &str) -> Option<&'a Workstation> {
    list.items
        .iter()
        .find(|station| station.name.eq_ignore_ascii_case(name))
}
