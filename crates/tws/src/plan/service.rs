//! The use cases that read the plan.
//!
//! Invariants:
//! - Every read goes through the cache, so any number of callers is one call to the engine (P1-03).
//! - The cache is an ordinary value of this service (P1-02); two services share nothing.
//! - An engine that cannot be asked gives its error, never a plan that looks empty.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use resync_kernel::{Clock, Cursor, CursorError};
use resync_sync::{Cache, CacheLimits, CacheParts, CacheStats, Fetched, Freshness};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::instrument;

use super::cache::{Answer, PlanValue, live};
use super::snapshot::off_the_workers;
use super::waiting::why_waiting;
use super::{
    CachePolicy, EngineHealth, EngineState, FoundJobs, JobPage, JobView, Live, LogRequest, LogView,
    NeighboursView, PlanKey, PlanScope, Question, ReadError, Snapshot, StreamPage, Summary,
    WorkstationList, WorkstationView,
};
use crate::diagnosis::{self, Diagnosis};
use crate::engines::{Engine, Engines};
use crate::model::{
    EngineInfo, EngineName, Job, JobId, JobQuery, LineRange, NeighbourDirection, RunId, Workstation,
};
use crate::ports::GatewayError;
use crate::redact::redact_lines;

/// How long a probe may take before the engine counts as unreachable.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many lines of a log one gets who does not say.
const DEFAULT_LINES: u32 = 500;
/// How many ranges of a log a diagnosis reads to find its end.
const MAX_LOG_RANGES: u32 = 10;

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
}

/// The offset that a cursor of [`PlanService::jobs`] or [`PlanService::streams`] stands for.
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
        }
    }

    /// The engines.
    #[must_use]
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Sweeps the cache and keeps its coarse time until `cancel`. Cancel safe.
    pub async fn run_maintenance(&self, cancel: CancellationToken) {
        self.cache.run_maintenance(cancel).await;
    }

    /// What the cache did and holds.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// Drops what is within `scope`, also what is being fetched; returns how many entries went.
    #[expect(
        clippy::must_use_candidate,
        reason = "the count is news, the removal is the point"
    )]
    pub fn invalidate(&self, scope: &PlanScope) -> usize {
        self.cache.invalidate_scope(scope)
    }

    /// How every engine stands, in the configuration's order. Never an error: an engine that is dead
    /// is reported as such. An answer is at most as old as the fresh window of `job_status`.
    ///
    /// Cancel safe.
    #[instrument(name = "tws.engines", skip_all)]
    pub async fn engines_status(&self) -> Vec<EngineHealth> {
        join_all(self.engines.iter().map(|engine| self.health(engine))).await
    }

    async fn health(&self, engine: &Engine) -> EngineHealth {
        let (probed, clock) = (engine.clone(), Arc::clone(&self.clock));
        let read = self.read::<EngineHealth, _, _>(engine, Question::Health, move || async move {
            let info = tokio::time::timeout(PROBE_TIMEOUT, probed.plan.engine_info())
                .await
                .unwrap_or(Err(GatewayError::TimedOut(PROBE_TIMEOUT)));
            fetched(health_of(&probed, clock.now(), info))
        });
        match read.await {
            Ok(live) => EngineHealth::clone(&live.value),
            Err(error) => EngineHealth {
                name: engine.name.clone(),
                read_only: engine.read_only,
                demo: engine.demo,
                state: EngineState::Unknown,
                version: None,
                timezone: None,
                checked_at: None,
                detail: Some(error.to_string()),
            },
        }
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
        let asked = engine.clone();
        self.read(engine, Question::Snapshot, move || async move {
            let snapshot = Snapshot::fetch(&asked).await?;
            let bytes =
                serde_json::to_vec(&*snapshot.summary).map_err(|_| ReadError::Unwritable)?;
            Ok(Fetched {
                value: Arc::new(snapshot).wrap(),
                bytes: bytes.into(),
            })
        })
        .await
    }

    /// The board.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As [`PlanService::snapshot`].
    #[instrument(name = "tws.summary", skip_all)]
    pub async fn summary(&self, engine: Option<&EngineName>) -> Result<Live<Summary>, ReadError> {
        let live = self.snapshot(engine).await?;
        Ok(Live {
            value: Arc::clone(&live.value.summary),
            bytes: live.bytes,
            etag: live.etag,
            meta: live.meta,
        })
    }

    /// One page of the jobs that match; the filters go to the engine.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.jobs", skip_all)]
    pub async fn jobs(
        &self,
        engine: Option<&EngineName>,
        query: JobQuery,
    ) -> Result<Live<JobPage>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, question) = (engine.clone(), Question::Jobs(query.clone()));
        self.read(engine, question, move || async move {
            let slice = asked.plan.jobs(&query).await?;
            fetched(JobPage {
                items: slice.items.into_iter().map(Arc::new).collect(),
                next_cursor: cursor_of(slice.next_offset)?,
                total: slice.total,
            })
        })
        .await
    }

    /// A job with its runs and dependencies, and why it does not run. How its workstation stands
    /// comes from the cache, and may be older than the job by the stale window of `job_status`.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`].
    #[instrument(name = "tws.job", skip_all, fields(job.id = %id))]
    pub async fn job(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
    ) -> Result<Live<JobView>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, wanted, service) = (engine.clone(), id.clone(), self.clone());
        self.read(engine, Question::Job(id.clone()), move || async move {
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

    /// A job as the engine has it now, past the cache: what an action is decided by.
    pub(crate) async fn job_now(engine: &Engine, id: &JobId) -> Result<Job, ReadError> {
        let found = engine.plan.job(id).await?;
        found.ok_or_else(|| ReadError::UnknownJob(id.clone()))
    }

    /// Some lines of the log of a run, without secrets.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::NoLog`],
    /// [`ReadError::Gateway`].
    #[instrument(name = "tws.log", skip_all, fields(job.id = %id))]
    pub async fn log(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Live<LogView>, ReadError> {
        let job = self.job(engine, id).await?;
        let job = &job.value.job;
        let run = match request.run {
            // A run of another job would be a way around the job's own rights.
            Some(run) if job.runs.iter().any(|known| known.id == run) => run,
            Some(_) => return Err(ReadError::NoLog),
            None => job
                .latest_run()
                .map(|run| run.id.clone())
                .ok_or(ReadError::NoLog)?,
        };
        let range = LineRange::clamped(
            request.from.unwrap_or(1),
            request.lines.unwrap_or(DEFAULT_LINES),
        );
        let log = self.log_range(engine, id, &run, range).await?;
        let Some(search) = request.search.filter(|text| !text.is_empty()) else {
            return Ok(log);
        };
        let mut view = LogView::clone(&log.value);
        let wanted = search.to_lowercase();
        let numbered = (view.from_line..).zip(&view.lines);
        let matching = numbered.filter(|(_, line)| line.to_lowercase().contains(&wanted));
        view.matches = Some(matching.map(|(number, _)| number).collect());
        Live::composed(view, log.meta)
    }

    async fn log_range(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        run: &RunId,
        range: LineRange,
    ) -> Result<Live<LogView>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, job_id, run) = (engine.clone(), id.clone(), run.clone());
        let question = Question::Log(run.clone(), range);
        self.read(engine, question, move || async move {
            let log = asked
                .logs
                .job_log(&run, range)
                .await?
                .ok_or(ReadError::NoLog)?;
            let raw = log.lines;
            // Some thousand lines against a dozen patterns must not hold up the answers of others.
            let (lines, redacted) = off_the_workers(move || redact_lines(&raw)).await?;
            fetched(LogView {
                job_id,
                run: log.run,
                from_line: log.from_line,
                lines,
                truncated: log.truncated,
                redacted,
                matches: None,
            })
        })
        .await
    }

    /// What a job waits for, or what waits for it; `depth` is brought within 1 to 10.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`].
    #[instrument(name = "tws.dependencies", skip_all, fields(job.id = %id))]
    pub async fn dependencies(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        direction: NeighbourDirection,
        depth: u8,
    ) -> Result<Live<NeighboursView>, ReadError> {
        let engine = self.engines.get(engine)?;
        let depth = depth.clamp(1, 10);
        let (asked, id) = (engine.clone(), id.clone());
        let question = Question::Neighbours(id.clone(), direction, depth);
        self.read(engine, question, move || async move {
            let found = asked.plan.neighbours(&id, direction, depth).await?;
            let nodes = found.ok_or(ReadError::UnknownJob(id))?;
            fetched(NeighboursView { nodes, depth })
        })
        .await
    }

    /// One page of the streams; `limit` is brought within 1 to 1000.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.streams", skip_all)]
    pub async fn streams(
        &self,
        engine: Option<&EngineName>,
        offset: u64,
        limit: u32,
    ) -> Result<Live<StreamPage>, ReadError> {
        let engine = self.engines.get(engine)?;
        let limit = limit.clamp(1, 1_000);
        let asked = engine.clone();
        self.read(
            engine,
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
    #[instrument(name = "tws.workstations", skip_all)]
    pub async fn workstations(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<WorkstationList>, ReadError> {
        let engine = self.engines.get(engine)?;
        let asked = engine.clone();
        self.read(engine, Question::Workstations, move || async move {
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

    /// Why a job failed or does not run, as far as the engine's facts tell.
    ///
    /// Reads the job, the end of its latest log and the snapshot, each through the cache; the answer is
    /// as old as the oldest of them. A log or a plan that cannot be read is named as missing.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`] when the job
    /// itself cannot be read.
    #[instrument(name = "tws.diagnosis", skip_all, fields(job.id = %id))]
    pub async fn diagnosis(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
    ) -> Result<Live<Diagnosis>, ReadError> {
        let view = self.job(engine, id).await?;
        let mut meta = view.meta.clone();
        let log = match view.value.job.latest_run() {
            Some(run) if view.value.state.has_ended() || view.value.job.long_running => {
                self.log_tail(engine, id, &run.id).await
            }
            _ => Err(ReadError::NoLog),
        };
        if let Ok(log) = &log {
            meta = meta.oldest(&log.meta);
        }
        let snapshot = self.snapshot(engine).await;
        if let Ok(snapshot) = &snapshot {
            meta = meta.oldest(&snapshot.meta);
        }
        let facts = diagnosis::Facts {
            view: &view.value,
            log: log.as_ref().map(|log| &*log.value),
            victims: snapshot.as_ref().map(|plan| plan.value.victims(id).len()),
        };
        Live::composed(diagnosis::diagnose(&facts), meta)
    }

    /// The last range of a log, which is where its error stands.
    async fn log_tail(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        run: &RunId,
    ) -> Result<Live<LogView>, ReadError> {
        let range = |from| LineRange::clamped(from, LineRange::MAX_COUNT);
        let mut log = self.log_range(engine, id, run, range(1)).await?;
        for _ in 1..MAX_LOG_RANGES {
            let read = u32::try_from(log.value.lines.len()).unwrap_or(u32::MAX);
            if !log.value.truncated || read == 0 {
                break;
            }
            let from = log.value.from_line.saturating_add(read);
            let next = match self.log_range(engine, id, run, range(from)).await {
                Ok(next) if !next.value.lines.is_empty() => next,
                Ok(_) | Err(ReadError::NoLog) => break,
                Err(error) => return Err(error),
            };
            log = next;
        }
        Ok(log)
    }

    async fn read<T, F, Fut>(
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
        let cached = self.cache.get_or_fetch(&key, windows, fetch).await?;
        if cached.freshness() == Freshness::Stale && cached.refresh_failed() {
            tracing::debug!(engine.name = %engine.name, key = %key, "served stale after a failure");
        }
        live(&engine.name, &cached)
    }
}

fn find_workstation<'a>(list: &'a WorkstationList, name: &str) -> Option<&'a Workstation> {
    list.items
        .iter()
        .find(|station| station.name.eq_ignore_ascii_case(name))
}

fn health_of(
    engine: &Engine,
    now: DateTime<Utc>,
    info: Result<EngineInfo, GatewayError>,
) -> EngineHealth {
    let (state, info, detail) = match info {
        Ok(info) => (EngineState::Ok, Some(info), None),
        Err(error) => (state_of(&error), None, Some(error.to_string())),
    };
    let (version, timezone) = info.map_or((None, None), |info| (info.version, info.timezone));
    EngineHealth {
        name: engine.name.clone(),
        read_only: engine.read_only,
        demo: engine.demo,
        state,
        version,
        timezone,
        checked_at: Some(now),
        detail,
    }
}

fn state_of(error: &GatewayError) -> EngineState {
    match error {
        GatewayError::Unreachable(_) | GatewayError::TimedOut(_) | GatewayError::Busy { .. } => {
            EngineState::Unreachable
        }
        GatewayError::CredentialsRefused | GatewayError::Forbidden => {
            EngineState::CredentialsRefused
        }
        GatewayError::Unreadable(_) => EngineState::Unreadable,
        GatewayError::Rejected(_) | GatewayError::Unsupported => EngineState::Unknown,
    }
}
