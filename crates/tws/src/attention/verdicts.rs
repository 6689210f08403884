//! Which list a job is in, by which fact, and why in a sentence.
//!
//! Invariant: what is told of a job depends on the job, its plan, the threshold and the time that are
//! given, and on nothing else.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{AttentionBy, AttentionItem, AttentionList};
use crate::model::{Job, JobStatus, Phase};
use crate::plan::Snapshot;
use crate::ports::Threshold;
use crate::text::Text;

/// How many items a list holds at most.
const MAX_ITEMS: usize = 100;
/// A run is long when it takes more than this part of its estimate, in percent.
const ESTIMATE_PERCENT: u64 = 150;
/// And of what 95 of 100 runs did not exceed.
const HISTORY_PERCENT: u64 = 120;
/// Less than this over its limit is no news, in seconds.
const SLACK_SECONDS: u64 = 300;

/// The number of the narrowest threshold that fits the job and has one.
pub(super) fn narrowest(
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

pub(super) fn list(mut items: Vec<AttentionItem>) -> AttentionList {
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

pub(super) fn long_running(
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

pub(super) fn late(
    job: &Arc<Job>,
    threshold: Option<u32>,
    now: DateTime<Utc>,
) -> Option<AttentionItem> {
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

pub(super) fn stuck(plan: &Snapshot) -> Vec<AttentionItem> {
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
    use crate::model::NamePattern;
    use crate::ports::ThresholdId;
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
