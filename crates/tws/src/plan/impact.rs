//! Who is held up by a job, and which deadlines fall with it.
//!
//! Invariants:
//! - Every number is over one snapshot; lists are cut, counts are not.
//! - A deadline is said to fall only where the durations that the engine estimates do not allow it any
//!   more, by the assumption that the view states.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::Snapshot;
use crate::model::{Job, JobId, JobStatus, Phase, StreamRef};
use crate::text::Text;

/// How many items a list of an impact holds at most.
const MAX_ITEMS: usize = 100;

/// What is held up by a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImpactView {
    /// The job.
    pub job_id: JobId,
    /// The job as operators write it.
    pub label: String,
    /// The state to show.
    pub state: JobStatus,
    /// How many jobs that have not ended wait for it with nothing but a stream between.
    pub direct: usize,
    /// How many wait for it directly or through others.
    pub total: usize,
    /// How many in each stream, most first; at most 100.
    pub by_stream: Vec<StreamImpact>,
    /// The nearest of them, at most 100.
    pub jobs: Vec<HeldUp>,
    /// Those on a critical path, at most 100.
    pub critical: Vec<HeldUp>,
    /// How many are on a critical path.
    pub critical_total: usize,
    /// The deadlines that can no longer be met, most late first; at most 100.
    pub deadlines: Vec<FallenDeadline>,
    /// How many deadlines fall.
    pub deadlines_total: usize,
    /// How many of the jobs that were added up have no estimated duration and count as none.
    pub without_estimate: usize,
    /// From what the deadlines were worked out.
    pub assumption: Text,
}

/// A job that is held up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldUp {
    /// The job.
    pub job_id: JobId,
    /// The job as operators write it.
    pub label: String,
    /// The state to show.
    pub state: JobStatus,
}

/// How many jobs of a stream are held up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamImpact {
    /// The stream.
    pub stream: StreamRef,
    /// How many of its jobs.
    pub jobs: usize,
}

/// A deadline that can no longer be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FallenDeadline {
    /// The job.
    pub job_id: JobId,
    /// The job as operators write it.
    pub label: String,
    /// Which one.
    pub kind: DeadlineKind,
    /// When it is.
    pub deadline: DateTime<Utc>,
    /// When the job can have ended at the earliest, or started for a critical start.
    pub earliest: DateTime<Utc>,
    /// By how many seconds it is missed at least.
    pub late_by_seconds: i64,
}

/// The sorts of deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// The job must have ended.
    Deadline,
    /// The job must have started, for its critical path to be in time.
    CriticalStart,
}

fn held(job: &Job) -> HeldUp {
    HeldUp {
        job_id: job.id.clone(),
        label: job.label(),
        state: job.state(),
    }
}

/// What the job at `start` holds up at `now`.
pub(super) fn impact(snapshot: &Snapshot, start: usize, now: DateTime<Utc>) -> Option<ImpactView> {
    let job = snapshot.jobs.get(start)?;
    let places = snapshot.blocking.victims(start);
    let victims: Vec<&Arc<Job>> = places
        .iter()
        .filter_map(|&at| snapshot.jobs.get(at))
        .collect();
    let mut streams: BTreeMap<_, (usize, &StreamRef)> = BTreeMap::new();
    for victim in &victims {
        let stream = &victim.stream;
        let key = match &stream.id {
            Some(id) => (Some(id.as_str()), None),
            None => (stream.workstation.as_deref(), stream.name.as_deref()),
        };
        streams.entry(key).or_insert((0, stream)).0 += 1;
    }
    let mut by_stream: Vec<StreamImpact> = streams
        .into_values()
        .map(|(jobs, stream)| StreamImpact {
            stream: stream.clone(),
            jobs,
        })
        .collect();
    by_stream.sort_by_key(|stream| std::cmp::Reverse(stream.jobs));
    by_stream.truncate(MAX_ITEMS);
    let critical: Vec<_> = victims.iter().filter(|job| job.critical).collect();
    let (mut deadlines, without_estimate) = fallen(snapshot, start, now);
    deadlines.sort_by_key(|fallen| std::cmp::Reverse(fallen.late_by_seconds));
    let deadlines_total = deadlines.len();
    deadlines.truncate(MAX_ITEMS);
    Some(ImpactView {
        job_id: job.id.clone(),
        label: job.label(),
        state: job.state(),
        direct: snapshot.blocking.direct_victims(start).len(),
        total: victims.len(),
        by_stream,
        jobs: victims
            .iter()
            .take(MAX_ITEMS)
            .map(|job| held(job))
            .collect(),
        critical_total: critical.len(),
        critical: critical
            .into_iter()
            .take(MAX_ITEMS)
            .map(|job| held(job))
            .collect(),
        deadlines,
        deadlines_total,
        without_estimate,
        assumption: Text::new(
            "The job runs again now for its estimated duration, each job behind it starts as soon as \
             this one and those between have ended and its start time allows, and nothing else holds \
             them up. So a deadline listed here is lost, and others may still be.",
            "O job executa de novo agora pela duração estimada, cada job atrás dele inicia assim que \
             este e os que estão entre eles terminam e sua hora de início permite, e nada mais os \
             segura. Um prazo listado aqui está perdido, e outros ainda podem se perder.",
        ),
    })
}

/// When the job at `start` can have ended at the earliest.
fn end_of_root(job: &Job, now: DateTime<Utc>) -> DateTime<Utc> {
    let estimate = seconds(job);
    match job.phase() {
        Phase::Succeeded | Phase::Cancelled | Phase::Suppressed => now,
        Phase::Running => {
            let started = job
                .latest_run()
                .and_then(|run| run.started_at)
                .unwrap_or(now);
            (started + estimate).max(now)
        }
        _ => now + estimate,
    }
}

fn seconds(job: &Job) -> Duration {
    let estimate = job.estimated_seconds.unwrap_or_default();
    // A century is long enough for any job, and far from the end of time.
    Duration::seconds(i64::try_from(estimate.min(3_200_000_000)).unwrap_or_default())
}

/// The deadlines behind the job at `start` that fall, and how many jobs counted without an estimate.
fn fallen(snapshot: &Snapshot, start: usize, now: DateTime<Utc>) -> (Vec<FallenDeadline>, usize) {
    let graph = &snapshot.blocking;
    let Some(root) = snapshot.jobs.get(start) else {
        return (Vec::new(), 0);
    };
    // All nodes between, streams among them, each behind all that it waits for of these; what stands
    // in a circle never gets its turn, since it has no earliest end.
    let reached = graph.reach(start);
    let mut open: HashMap<usize, usize> = reached.iter().map(|&node| (node, 0)).collect();
    let mut count_in = |from: usize| {
        for to in graph.next_blocked(from) {
            if let Some(count) = open.get_mut(&to) {
                *count += 1;
            }
        }
    };
    count_in(start);
    for &node in &reached {
        count_in(node);
    }
    let mut ends: HashMap<usize, DateTime<Utc>> = HashMap::from([(start, end_of_root(root, now))]);
    let mut without = usize::from(root.estimated_seconds.is_none());
    let mut ready = vec![start];
    let mut found = Vec::new();
    while let Some(node) = ready.pop() {
        let mut end = ends.get(&node).copied().unwrap_or(now);
        if node != start
            && let Some(job) = snapshot.jobs.get(node)
            && !job.state().has_ended()
        {
            let begin = job.earliest_start.map_or(end, |at| at.max(end));
            end = begin + seconds(job);
            without += usize::from(job.estimated_seconds.is_none());
            found.extend(deadlines_of(job, begin, end));
        }
        for next in graph.next_blocked(node) {
            let Some(left) = open.get_mut(&next) else {
                continue;
            };
            ends.entry(next)
                .and_modify(|at| *at = (*at).max(end))
                .or_insert(end);
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(next);
            }
        }
    }
    (found, without)
}

fn deadlines_of(
    job: &Job,
    begin: DateTime<Utc>,
    end: DateTime<Utc>,
) -> impl Iterator<Item = FallenDeadline> {
    let falls = |kind, deadline: Option<DateTime<Utc>>, earliest: DateTime<Utc>| {
        let deadline = deadline.filter(|&deadline| earliest > deadline)?;
        Some(FallenDeadline {
            job_id: job.id.clone(),
            label: job.label(),
            kind,
            deadline,
            earliest,
            late_by_seconds: (earliest - deadline).num_seconds(),
        })
    };
    [
        falls(DeadlineKind::Deadline, job.deadline, end),
        falls(DeadlineKind::CriticalStart, job.critical_start, begin),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{dependency_on, job};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_409_600 + minute * 60, 0).unwrap()
    }

    fn waits(name: &str, status: JobStatus, on: &[&str], minutes: u64) -> Job {
        let dependencies = on.iter().map(|on| dependency_on(on, false));
        Job {
            dependencies: dependencies.collect(),
            estimated_seconds: Some(minutes * 60),
            ..job(name, status)
        }
    }

    #[test]
    fn a_deadline_falls_when_the_durations_before_it_do_not_fit() {
        let mut last = waits("D", JobStatus::Hold, &["B", "C"], 5);
        last.deadline = Some(at(40));
        last.critical_start = Some(at(30));
        last.critical = true;
        let mut early = waits("C", JobStatus::Hold, &["A"], 1);
        early.deadline = Some(at(60));
        let jobs = vec![
            waits("A", JobStatus::Abend, &[], 10),
            waits("B", JobStatus::Hold, &["A"], 30),
            early,
            last,
        ];
        let snapshot = Snapshot::of(jobs, Vec::new(), Vec::new());
        let view = impact(&snapshot, 0, at(0)).unwrap();
        assert_eq!((view.direct, view.total), (2, 3));
        assert_eq!(
            (view.critical_total, view.critical[0].label.as_str()),
            (1, "D")
        );
        let facts: Vec<_> = view
            .deadlines
            .iter()
            .map(|d| (d.label.as_str(), d.kind, d.earliest, d.late_by_seconds))
            .collect();
        assert_eq!(
            facts,
            [
                ("D", DeadlineKind::CriticalStart, at(40), 600),
                ("D", DeadlineKind::Deadline, at(45), 300),
            ]
        );
        assert_eq!(view.without_estimate, 0);
    }

    #[test]
    fn a_start_time_delays_what_is_behind_it_and_a_running_job_has_part_of_its_time_behind_it() {
        let mut waiter = waits("B", JobStatus::Hold, &["A"], 5);
        waiter.earliest_start = Some(at(100));
        waiter.deadline = Some(at(104));
        let mut running = waits("A", JobStatus::Exec, &[], 10);
        let mut run = crate::test_support::run("r1");
        run.started_at = Some(at(-8));
        running.runs = vec![run];
        let snapshot = Snapshot::of(vec![running, waiter], Vec::new(), Vec::new());
        let view = impact(&snapshot, 0, at(0)).unwrap();
        assert_eq!(view.deadlines[0].earliest, at(105));
        assert_eq!(end_of_root(&snapshot.jobs[0], at(0)), at(2));
    }

    #[test]
    fn a_circle_has_no_earliest_end_and_does_not_hang() {
        let mut one = waits("B", JobStatus::Hold, &["A", "C"], 5);
        one.deadline = Some(at(0));
        let jobs = vec![
            waits("A", JobStatus::Abend, &[], 1),
            one,
            waits("C", JobStatus::Hold, &["B"], 5),
        ];
        let snapshot = Snapshot::of(jobs, Vec::new(), Vec::new());
        let view = impact(&snapshot, 0, at(0)).unwrap();
        assert_eq!((view.total, view.deadlines_total), (2, 0));
    }
}
