//! What needs a look: jobs that run too long, are late or are stuck, each with why.
//!
//! Invariants:
//! - Every entry says by which fact it is in its list: the engine's own mark, a threshold, the estimate,
//!   or the history.
//! - Lists are cut, counts are not.
//! - Of two thresholds that fit a job the narrower one counts; where none fits, the defaults do.

mod verdicts;

use std::sync::Arc;

use resync_kernel::{Clock, IdGenerator};
use serde::Serialize;
use thiserror::Error;
use tracing::instrument;

use self::verdicts::{late, list, long_running, narrowest, stuck};
use crate::admin::AdminActor;
use crate::audit::AuditService;
use crate::history::HistoryService;
use crate::model::{EngineName, Job, NamePattern, Phase};
use crate::plan::{Live, PlanService, ReadError, Snapshot};
use crate::ports::{
    AuditAction, AuditError, AuditOutcome, HistoryError, JobIdentity, Threshold, ThresholdError,
    ThresholdId, ThresholdRepository,
};
use crate::text::Text;

/// The longest threshold: a year, in minutes.
const MAX_MINUTES: u32 = 527_040;

/// How many, and the first 100.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AttentionList {
    /// How many in all.
    pub count: usize,
    /// The first ones, worst first.
    pub items: Vec<AttentionItem>,
}

/// A job that needs a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttentionItem {
    /// The job.
    pub job: Arc<Job>,
    /// Why it is in the list, in one sentence.
    pub why: Text,
    /// By which fact.
    pub by: AttentionBy,
    /// By how many minutes it is over, when that can be told.
    pub minutes_over: Option<u64>,
}

/// The facts that put a job into a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionBy {
    /// The engine's own mark, status or deadline.
    Engine,
    /// A threshold of an administrator.
    Threshold,
    /// The duration that the engine estimates.
    Estimate,
    /// The runs that were seen.
    History,
    /// A failed job before it.
    Predecessor,
}

/// Why there are no lists.
#[derive(Debug, Error)]
pub enum AttentionError {
    /// The plan cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The thresholds cannot be read.
    #[error(transparent)]
    Thresholds(#[from] ThresholdError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// A threshold to keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThresholdDraft {
    /// The job's name.
    pub job: Option<NamePattern>,
    /// The stream's name.
    pub stream: Option<NamePattern>,
    /// The folder.
    pub folder: Option<NamePattern>,
    /// How many minutes a run may take, 1 to 527,040.
    pub max_minutes: Option<u32>,
    /// How many minutes after its planned time a job may start, 1 to 527,040.
    pub late_minutes: Option<u32>,
}

/// Why a threshold was not kept.
#[derive(Debug, Error)]
pub enum ThresholdChangeError {
    /// It has no pattern, or no number.
    #[error("a threshold needs a pattern and a number of minutes")]
    Empty,
    /// A number is 0 or above a year.
    #[error("{0} must be 1 to 527040")]
    OutOfRange(&'static str),
    /// There is none of that id.
    #[error("there is no such threshold")]
    Unknown,
    /// The repository failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] ThresholdError),
    /// The change was made and its row could not be written to the audit.
    #[error("the change was made, but could not be written to the audit")]
    NotAudited(#[source] AuditError),
}

/// What an [`AttentionService`] is built from.
pub struct AttentionParts {
    /// The plan.
    pub plan: PlanService,
    /// The history.
    pub history: HistoryService,
    /// Keeps thresholds.
    pub thresholds: Arc<dyn ThresholdRepository>,
    /// Keeps who changed what.
    pub audit: AuditService,
    /// For what is late by now.
    pub clock: Arc<dyn Clock>,
    /// Names thresholds.
    pub ids: Arc<dyn IdGenerator>,
}

/// The lists and their thresholds. Cheap to clone.
#[derive(Clone)]
pub struct AttentionService {
    parts: Arc<AttentionParts>,
}

impl AttentionService {
    /// The service. It starts nothing.
    #[must_use]
    pub fn new(parts: AttentionParts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Jobs that run longer than they should. The age is that of the plan.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AttentionError`].
    #[instrument(name = "tws.long_running", level = "debug", skip_all)]
    pub async fn long_running(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<AttentionList>, AttentionError> {
        let parts = &*self.parts;
        let (snapshot, thresholds) = self.plan_and_thresholds(engine).await?;
        let now = parts.clock.now();
        let jobs = snapshot.value.jobs.iter();
        let running = jobs.filter(|job| job.phase() == Phase::Running).map(|job| {
            let threshold = narrowest(&thresholds, job, |threshold| threshold.max_minutes);
            let unsettled = threshold.is_none() && !job.long_running;
            let identity = unsettled.then(|| JobIdentity::of(&snapshot.meta.engine, job));
            (job, threshold, identity)
        });
        let running: Vec<_> = running.collect();
        let unsettled = running.iter().filter_map(|(.., identity)| identity.clone());
        let unsettled: Vec<JobIdentity> = unsettled.collect();
        let usual = parts.history.p95(&unsettled).await?;
        let long = running.iter().filter_map(|(job, threshold, identity)| {
            let p95 = identity.as_ref().and_then(|identity| usual.get(identity));
            long_running(job, *threshold, p95.copied(), now)
        });
        Ok(Live::composed(list(long.collect()), snapshot.meta)?)
    }

    /// Jobs that have not ended, or not begun, when they should. The age is that of the plan.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AttentionError`].
    #[instrument(name = "tws.late", level = "debug", skip_all)]
    pub async fn late(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<AttentionList>, AttentionError> {
        let (snapshot, thresholds) = self.plan_and_thresholds(engine).await?;
        let now = self.parts.clock.now();
        let jobs = snapshot.value.jobs.iter();
        let late = jobs
            .filter(|job| !job.state().has_ended())
            .filter_map(|job| {
                let minutes = narrowest(&thresholds, job, |threshold| threshold.late_minutes);
                late(job, minutes, now)
            });
        Ok(Live::composed(list(late.collect()), snapshot.meta)?)
    }

    /// Jobs that cannot go on by themselves. The age is that of the plan.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AttentionError`].
    #[instrument(name = "tws.stuck", level = "debug", skip_all)]
    pub async fn stuck(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<AttentionList>, AttentionError> {
        let snapshot = self.parts.plan.snapshot(engine).await?;
        Ok(Live::composed(list(stuck(&snapshot.value)), snapshot.meta)?)
    }

    async fn plan_and_thresholds(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<(Live<Snapshot>, Vec<Threshold>), AttentionError> {
        let parts = &*self.parts;
        let (snapshot, thresholds) =
            futures_util::join!(parts.plan.snapshot(engine), parts.thresholds.list());
        Ok((snapshot?, thresholds?))
    }

    /// The thresholds.
    ///
    /// # Errors
    /// [`ThresholdError`].
    pub async fn thresholds(&self) -> Result<Vec<Threshold>, ThresholdError> {
        self.parts.thresholds.list().await
    }

    /// Keeps a new threshold, or a new state of the one of that id.
    ///
    /// # Errors
    /// [`ThresholdChangeError`].
    pub async fn put_threshold(
        &self,
        actor: &AdminActor,
        id: Option<ThresholdId>,
        draft: ThresholdDraft,
    ) -> Result<Threshold, ThresholdChangeError> {
        let parts = &*self.parts;
        let patterns = [&draft.job, &draft.stream, &draft.folder];
        let numbers = [draft.max_minutes, draft.late_minutes];
        if patterns.iter().all(|pattern| pattern.is_none()) || numbers == [None, None] {
            return Err(ThresholdChangeError::Empty);
        }
        for (name, number) in [
            ("max_minutes", draft.max_minutes),
            ("late_minutes", draft.late_minutes),
        ] {
            if number.is_some_and(|number| !(1..=MAX_MINUTES).contains(&number)) {
                return Err(ThresholdChangeError::OutOfRange(name));
            }
        }
        if let Some(id) = id
            && !parts
                .thresholds
                .list()
                .await?
                .iter()
                .any(|known| known.id == id)
        {
            return Err(ThresholdChangeError::Unknown);
        }
        let threshold = Threshold {
            id: id.unwrap_or_else(|| ThresholdId(parts.ids.next())),
            job: draft.job,
            stream: draft.stream,
            folder: draft.folder,
            max_minutes: draft.max_minutes,
            late_minutes: draft.late_minutes,
        };
        parts.thresholds.put(&threshold).await?;
        let detail = serde_json::to_string(&threshold).ok();
        self.record(actor, AuditAction::ThresholdChanged, threshold.id, detail)
            .await?;
        Ok(threshold)
    }

    /// Forgets a threshold.
    ///
    /// # Errors
    /// [`ThresholdChangeError`].
    pub async fn remove_threshold(
        &self,
        actor: &AdminActor,
        id: ThresholdId,
    ) -> Result<(), ThresholdChangeError> {
        if !self.parts.thresholds.remove(id).await? {
            return Err(ThresholdChangeError::Unknown);
        }
        self.record(actor, AuditAction::ThresholdRemoved, id, None)
            .await
    }

    async fn record(
        &self,
        actor: &AdminActor,
        action: AuditAction,
        id: ThresholdId,
        detail: Option<String>,
    ) -> Result<(), ThresholdChangeError> {
        let audit = &self.parts.audit;
        let mut event = audit.event(&*actor.username, action, AuditOutcome::Succeeded);
        event.user_id = Some(actor.user);
        event.target = Some(id.to_string());
        event.detail = detail;
        event.request_id.clone_from(&actor.request_id);
        let written = audit.record(event).await;
        written.map(drop).map_err(ThresholdChangeError::NotAudited)
    }
}
