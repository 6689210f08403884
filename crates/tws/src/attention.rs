//! What needs a look: jobs that run too long, are late or are stuck, each with why.
//!
//! Invariants:
//! - Every entry says by which fact it is in its list: the engine's own mark, a threshold, the estimate,
//!   or the history.
//! - Lists are cut, counts are not.
//! - Of two thresholds that fit a job the narrower one counts; where none fits, the defaults do.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use resync_kernel::{Clock, IdGenerator};
use serde::Serialize;
use thiserror::Error;
use tracing::instrument;

use crate::admin::AdminActor;
use crate::audit::AuditService;
use crate::history::HistoryService;
use crate::model::{EngineName, Job, JobStatus, NamePattern, Phase};
use crate::plan::{Live, PlanService, ReadError, Snapshot};
use crate::ports::{
    AuditAction, AuditError, AuditOutcome, HistoryError, Threshold, ThresholdError, ThresholdId,
    ThresholdRepository,
};
use crate::text::Text;

/// How many items a list holds at most.
const MAX_ITEMS: usize = 100;
/// A run is long when it takes more than this part of its estimate, in percent.
const ESTIMATE_PERCENT: u64 = 150;
/// And of what 95 of 100 runs did not exceed.
const HISTORY_PERCENT: u64 = 120;
/// Less than this over its limit is no news, in seconds.
const SLACK_SECONDS: u64 = 300;
/// How many running jobs the history is asked for.
const MAX_ASKED: usize = 500;
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
    #[instrument(name = "tws.long_running", skip_all)]
    pub async fn long_running(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<AttentionList>, AttentionError> {
        let parts = &*self.parts;
        let (snapshot, thresholds) = self.plan_and_thresholds(engine).await?;
        let now = parts.clock.now();
        let mut long = Vec::new();
        let mut asked = 0;
        let jobs = snapshot.value.jobs.iter();
        for job in jobs.filter(|job| job.phase() == Phase::Running) {
            let threshold = narrowest(&thresholds, job, |threshold| threshold.max_minutes);
            let unsettled = threshold.is_none() && !job.long_running;
            let p95 = if unsettled && asked < MAX_ASKED {
                asked += 1;
                parts.history.p95(&snapshot.meta.engine, job).await?
            } else {
                None
            };
            long.extend(long_running(job, threshold, p95, now));
        }
        Ok(Live::composed(list(long), snapshot.meta)?)
    }

    /// Jobs that have not ended, or not begun, when they should. The age is that of the plan.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`AttentionError`].
    #[instrument(name = "tws.late", skip_all)]
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
    #[instrument(name = "tws.stuck", skip_all)]
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

/// The number of the narrowest threshold that fits the job and has one.
fn narrowest(
    thresholds: &[Threshold],
    job: &Job,
    number: impl Fn(&Threshold) -> Option<u32>,
) -> Option<u32> {
    let fitting = thresholds
        .iter()
        .filter(|threshold| number(threshold).is_some() && threshold.fits(job));
    // Of equals the stricter one, so that the order of the list does not matter.
    let narrowest =
        fitting.max_by_key(|threshold| (threshold.weight(), std::cmp::Reverse(number(threshold))));
    narrowest.and_then(number)
}

fn list(mut items: Vec<AttentionItem>) -> AttentionList {
    // Stable, so that equals stay in the plan's order.
    items.sort_by_key(|item| std::cmp::Reverse(item.minutes_over));
    let count = items.len();
    items.truncate(MAX_ITEMS);
    AttentionList { count, items }
}

fn item(job: &Arc<Job>, by: AttentionBy, minutes_over: Option<u64>, why: Text) -> AttentionItem {
    AttentionItem {
        job: Arc::clone(job),
        why,
        by,
        minutes_over,
    }
}

fn long_running(
    job: &Arc<Job>,
    threshold: Option<u32>,
    p95: Option<u64>,
    now: DateTime<Utc>,
) -> Option<AttentionItem> {
    let run = job.latest_run();
    let since = run.and_then(|run| run.started_at);
    let elapsed = since.and_then(|since| u64::try_from((now - since).num_seconds()).ok());
    let elapsed = elapsed.or_else(|| run.and_then(|run| run.elapsed_seconds));
    let limits = [
        (
            threshold.map(|minutes| u64::from(minutes) * 60),
            AttentionBy::Threshold,
        ),
        (
            p95.map(|p95| p95 * HISTORY_PERCENT / 100 + SLACK_SECONDS),
            AttentionBy::History,
        ),
        (
            job.estimated_seconds
                .filter(|&estimate| estimate > 0)
                .map(|estimate| estimate.saturating_mul(ESTIMATE_PERCENT) / 100 + SLACK_SECONDS),
            AttentionBy::Estimate,
        ),
    ];
    // The first one that is known decides: a person knows better than the past, and that better than
    // an estimate.
    let limit = limits
        .into_iter()
        .find_map(|(limit, by)| limit.map(|limit| (limit, by)));
    if let (Some(elapsed), Some((limit, by))) = (elapsed, limit)
        && elapsed > limit
    {
        let (minutes, most) = (elapsed / 60, limit / 60);
        let (en, pt) = match by {
            AttentionBy::Threshold => ("its threshold is", "seu limite é"),
            AttentionBy::History => (
                "by its past runs it should not exceed",
                "pelas execuções passadas não deveria exceder",
            ),
            _ => (
                "by its estimated duration it should not exceed",
                "pela duração estimada não deveria exceder",
            ),
        };
        let why = Text::new(
            format!("It has run for {minutes} min; {en} {most} min."),
            format!("Executa há {minutes} min; {pt} {most} min."),
        );
        return Some(item(job, by, Some((elapsed - limit) / 60), why));
    }
    job.long_running.then(|| {
        let why = Text::new(
            "The engine says that it runs longer than its longest duration.",
            "O engine diz que ele excede sua duração máxima.",
        );
        item(job, AttentionBy::Engine, None, why)
    })
}

fn late(job: &Arc<Job>, threshold: Option<u32>, now: DateTime<Utc>) -> Option<AttentionItem> {
    let minutes_since = |at: DateTime<Utc>| {
        u64::try_from((now - at).num_minutes())
            .ok()
            .filter(|_| now > at)
    };
    if let Some((deadline, over)) = job.deadline.and_then(|at| Some((at, minutes_since(at)?))) {
        let at = deadline.format("%Y-%m-%d %H:%M UTC");
        let why = Text::new(
            format!("It has not ended, and its deadline was {at}."),
            format!("Não terminou, e seu prazo era {at}."),
        );
        return Some(item(job, AttentionBy::Engine, Some(over), why));
    }
    let begun = job.latest_run().is_some_and(|run| run.started_at.is_some());
    if let (Some(most), Some(planned), false) = (threshold, job.scheduled_at, begun)
        && let Some(waited) = minutes_since(planned)
        && let Some(over) = waited.checked_sub(most.into()).filter(|&over| over > 0)
    {
        let why = Text::new(
            format!(
                "It has not begun {waited} min after its planned time; its threshold is {most} min."
            ),
            format!("Não iniciou {waited} min após sua hora planejada; seu limite é {most} min."),
        );
        return Some(item(job, AttentionBy::Threshold, Some(over), why));
    }
    job.late.then(|| {
        let why = Text::new(
            "The engine marks it as late.",
            "O engine o marca como atrasado.",
        );
        item(job, AttentionBy::Engine, None, why)
    })
}

fn stuck(plan: &Snapshot) -> Vec<AttentionItem> {
    let mut found = Vec::new();
    let failed: Vec<usize> = (0..)
        .zip(&plan.jobs)
        .filter(|(_, job)| job.state().has_failed())
        .map(|(at, _)| at)
        .collect();
    let behind = plan.blocking.held_up_by(&failed);
    for (at, job) in plan.jobs.iter().enumerate() {
        if job.phase() == Phase::Blocked {
            let state = job.state();
            let why = Text::new(
                format!("Its state is {state}: it cannot go on without a person."),
                format!("Seu estado é {state}: não pode seguir sem uma pessoa."),
            );
            found.push(item(job, AttentionBy::Engine, None, why));
        } else if let Some(cause) = behind.get(at).copied().flatten()
            && let Some(cause) = plan.jobs.get(cause)
            && !job.state().has_ended()
            && job.state() != JobStatus::Exec
        {
            let (label, state) = (cause.label(), cause.state());
            let why = Text::new(
                format!("It waits for {label}, which ended as {state}."),
                format!("Espera {label}, que terminou como {state}."),
            );
            found.push(item(job, AttentionBy::Predecessor, None, why));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{dependency_on, job};
    use uuid::Uuid;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_409_600 + minute * 60, 0).unwrap()
    }

    fn pattern(text: &str) -> NamePattern {
        NamePattern::parse(text).unwrap()
    }

    fn threshold(id: u128, job: &str, minutes: u32) -> Threshold {
        Threshold {
            id: ThresholdId(Uuid::from_u128(id)),
            job: Some(pattern(job)),
            stream: None,
            folder: None,
            max_minutes: Some(minutes),
            late_minutes: None,
        }
    }

    fn running(estimate: Option<u64>) -> Arc<Job> {
        let mut run = crate::test_support::run("r1");
        run.started_at = Some(at(0));
        Arc::new(Job {
            runs: vec![run],
            estimated_seconds: estimate,
            ..job("FIN_LOAD", JobStatus::Exec)
        })
    }

    #[test]
    fn the_narrowest_threshold_counts_and_of_equals_the_stricter() {
        let all = [
            threshold(1, "*", 100),
            threshold(2, "FIN_*", 60),
            threshold(3, "FIN_?OAD", 50),
        ];
        let most = |all: &[Threshold], name: &str| {
            narrowest(all, &job(name, JobStatus::Exec), |threshold| {
                threshold.max_minutes
            })
        };
        assert_eq!(most(&all, "OTHER"), Some(100));
        assert_eq!(most(&all, "FIN_LOAD"), Some(50));
        let exact = [threshold(4, "FIN_LOAD", 500), threshold(5, "FIN_*", 1)];
        assert_eq!(most(&exact, "FIN_LOAD"), Some(500));
        assert_eq!(most(&exact, "NONE"), None);
    }

    #[test]
    fn a_long_run_says_by_which_fact_it_is_long() {
        let by = |job: &Arc<Job>, threshold, p95, minute| {
            long_running(job, threshold, p95, at(minute)).map(|item| (item.by, item.minutes_over))
        };
        let job = running(Some(600));
        assert_eq!(by(&job, None, None, 20), None);
        assert_eq!(
            by(&job, None, None, 30),
            Some((AttentionBy::Estimate, Some(10)))
        );
        assert_eq!(by(&job, None, Some(6_000), 30), None);
        assert_eq!(
            by(&job, None, Some(300), 30),
            Some((AttentionBy::History, Some(19)))
        );
        assert_eq!(by(&job, Some(60), Some(300), 30), None);
        assert_eq!(
            by(&job, Some(5), None, 30),
            Some((AttentionBy::Threshold, Some(25)))
        );
        let mut marked = Job::clone(&running(None));
        marked.long_running = true;
        assert_eq!(
            by(&Arc::new(marked), None, None, 1),
            Some((AttentionBy::Engine, None))
        );
    }

    #[test]
    fn a_job_is_late_by_its_deadline_its_threshold_or_the_engines_mark() {
        let mut waiting = job("A", JobStatus::Hold);
        waiting.scheduled_at = Some(at(0));
        let by = |job: &Job, threshold, minute| {
            late(&Arc::new(job.clone()), threshold, at(minute))
                .map(|item| (item.by, item.minutes_over))
        };
        assert_eq!(by(&waiting, None, 500), None);
        assert_eq!(by(&waiting, Some(30), 30), None);
        assert_eq!(
            by(&waiting, Some(30), 45),
            Some((AttentionBy::Threshold, Some(15)))
        );
        waiting.deadline = Some(at(40));
        assert_eq!(
            by(&waiting, Some(30), 45),
            Some((AttentionBy::Engine, Some(5)))
        );
        waiting.deadline = None;
        waiting.late = true;
        assert_eq!(by(&waiting, None, 1), Some((AttentionBy::Engine, None)));
    }

    #[test]
    fn a_stuck_job_names_the_failed_one_before_it() {
        let mut waiter = job("B", JobStatus::Hold);
        waiter.dependencies = vec![dependency_on("A", false)];
        let jobs = vec![
            job("A", JobStatus::Abend),
            waiter,
            job("C", JobStatus::Stuck),
        ];
        let found = stuck(&Snapshot::of(jobs, Vec::new(), Vec::new()));
        let facts: Vec<_> = found
            .iter()
            .map(|item| (&*item.job.name, item.by))
            .collect();
        assert_eq!(
            facts,
            [("B", AttentionBy::Predecessor), ("C", AttentionBy::Engine)]
        );
        assert!(
            found[0].why.en.contains("ended as ABEND"),
            "{}",
            found[0].why.en
        );
    }
}
