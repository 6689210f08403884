//! The board: counts, root failures and their victims, what is late, stuck or off.
//!
//! Invariant: each count is over all jobs of one snapshot; lists are cut, counts are not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::blocking::{Blocking, Failures};
use crate::model::{
    DependencyKind, Job, JobId, JobStatus, JobStream, LinkState, Phase, StreamId, Workstation,
};

/// How many items a list of the board holds at most.
const MAX_ITEMS: usize = 100;

/// The board of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many jobs the plan has.
    pub total: usize,
    /// How many by state, in the engine's words; only states that occur.
    pub by_status: BTreeMap<String, usize>,
    /// How many by broad group; only groups that occur.
    pub by_phase: BTreeMap<Phase, usize>,
    /// The failed jobs: roots first, those with most victims first; at most 100.
    pub failed: Vec<FailedJob>,
    /// How many jobs wait for a failed one, each counted once.
    pub victims_total: usize,
    /// Jobs that have not ended and are late.
    pub late: JobCount,
    /// Jobs that run longer than they may.
    pub long_running: JobCount,
    /// Streams that cannot go on.
    pub stuck_streams: Vec<StuckStream>,
    /// Prompts that were asked and wait for an answer.
    pub prompts_waiting: Vec<WaitingPrompt>,
    /// Workstations that cannot start jobs.
    pub workstations_off: Vec<OffWorkstation>,
    /// How many workstations there are and are off.
    pub workstations: WorkstationCount,
}

/// A failed job of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedJob {
    /// The job.
    pub job: Arc<Job>,
    /// How many jobs that have not ended wait for it, directly or through others.
    pub victims: usize,
    /// It waits for no other failed job, so it is where to look first.
    pub root: bool,
    /// When its latest run ended, else started, else was submitted.
    pub since: Option<DateTime<Utc>>,
}

/// How many jobs, and the first 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobCount {
    /// How many in all.
    pub count: usize,
    /// The first ones in the plan's order.
    pub items: Vec<Arc<Job>>,
}

/// A stream that cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StuckStream {
    /// The engine's id.
    pub id: StreamId,
    /// Its name.
    pub name: String,
    /// Its workstation.
    pub workstation: Option<String>,
    /// Its folder.
    pub folder: Option<String>,
    /// Its status.
    pub status: JobStatus,
}

/// A prompt that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingPrompt {
    /// The first job that waits for it.
    pub job_id: Option<JobId>,
    /// The prompt's name.
    pub name: Option<String>,
    /// The question.
    pub text: Option<String>,
    /// The engine's word for where it stands.
    pub status: Option<String>,
}

/// A workstation that cannot start jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OffWorkstation {
    /// Its name.
    pub name: String,
    /// Whether the master reaches it.
    pub link: LinkState,
    /// Whether its job manager is up.
    pub jobman_up: Option<bool>,
    /// Its type in the engine's word.
    pub kind: Option<String>,
    /// How many jobs may run at once.
    pub limit: Option<u32>,
}

/// How many workstations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorkstationCount {
    /// All of them.
    pub total: usize,
    /// Those that cannot start jobs.
    pub off: usize,
}

impl Summary {
    /// The board of these parts.
    #[must_use]
    pub(super) fn of(
        jobs: &[Arc<Job>],
        streams: &[JobStream],
        workstations: &[Workstation],
        blocking: &Blocking,
    ) -> Self {
        let mut by_status: BTreeMap<String, usize> = BTreeMap::new();
        let mut by_phase = BTreeMap::new();
        for job in jobs {
            let state = job.state();
            *by_phase.entry(state.phase()).or_insert(0) += 1;
            // A word is copied once, not for each job that stands so.
            match by_status.get_mut(state.as_str()) {
                Some(count) => *count += 1,
                None => drop(by_status.insert(state.as_str().to_owned(), 1)),
            }
        }
        let (failed, victims_total) = failures(jobs, blocking);
        let running = |job: &Job| !job.state().has_ended();
        let off: Vec<_> = workstations
            .iter()
            .filter(|station| station.is_off())
            .collect();
        Self {
            total: jobs.len(),
            by_status,
            by_phase,
            failed,
            victims_total,
            late: count(jobs, |job| job.late && running(job)),
            long_running: count(jobs, |job| job.long_running && running(job)),
            stuck_streams: streams.iter().filter_map(stuck).take(MAX_ITEMS).collect(),
            prompts_waiting: prompts(jobs),
            workstations: WorkstationCount {
                total: workstations.len(),
                off: off.len(),
            },
            workstations_off: off
                .into_iter()
                .take(MAX_ITEMS)
                .map(off_workstation)
                .collect(),
        }
    }
}

fn failures(jobs: &[Arc<Job>], blocking: &Blocking) -> (Vec<FailedJob>, usize) {
    let places: Vec<usize> = jobs
        .iter()
        .enumerate()
        .filter(|(_, job)| job.state().has_failed())
        .map(|(at, _)| at)
        .collect();
    let failures = Failures::of(blocking, &places);
    let (mut roots, mut others) = (Vec::new(), Vec::new());
    for (at, &root) in failures.roots.iter().enumerate() {
        if root { &mut roots } else { &mut others }.push(at);
    }
    let mut failed = Vec::new();
    // Those behind a root are counted only when there is a place for them.
    for (group, root) in [(roots, true), (others, false)] {
        if failed.len() >= MAX_ITEMS {
            break;
        }
        let counts = failures.victims(&group);
        let mut group: Vec<(usize, usize)> = group.into_iter().zip(counts).collect();
        // Stable, so that equals stay in the plan's order.
        group.sort_by_key(|&(_, victims)| std::cmp::Reverse(victims));
        for (at, victims) in group {
            let Some(job) = places.get(at).and_then(|&at| jobs.get(at)) else {
                continue;
            };
            let run = job.latest_run();
            failed.push(FailedJob {
                job: Arc::clone(job),
                victims,
                root,
                since: run.and_then(|run| run.ended_at.or(run.started_at).or(run.submitted_at)),
            });
            if failed.len() >= MAX_ITEMS {
                break;
            }
        }
    }
    (failed, failures.victims_in_all)
}

fn count(jobs: &[Arc<Job>], wanted: impl Fn(&Job) -> bool) -> JobCount {
    let mut matching = jobs.iter().filter(|job| wanted(job));
    let items: Vec<_> = matching.by_ref().take(MAX_ITEMS).map(Arc::clone).collect();
    JobCount {
        count: items.len() + matching.count(),
        items,
    }
}

fn stuck(stream: &JobStream) -> Option<StuckStream> {
    (stream.status == JobStatus::Stuck).then(|| StuckStream {
        id: stream.id.clone(),
        name: stream.name.clone(),
        workstation: stream.workstation.clone(),
        folder: stream.folder.clone(),
        status: stream.status.clone(),
    })
}

fn prompts(jobs: &[Arc<Job>]) -> Vec<WaitingPrompt> {
    let mut seen = BTreeSet::new();
    let mut prompts = Vec::new();
    for job in jobs.iter().filter(|job| !job.state().has_ended()) {
        for dependency in job
            .dependencies
            .iter()
            .filter(|d| d.satisfied != Some(true))
        {
            let DependencyKind::Prompt { name, text, status } = &dependency.kind else {
                continue;
            };
            // Several jobs may wait for one prompt; without an id each is one of its own.
            let known = dependency
                .id
                .as_ref()
                .is_some_and(|id| !seen.insert(id.clone()));
            if status.as_deref() == Some("ASKED") && !known {
                prompts.push(WaitingPrompt {
                    job_id: Some(job.id.clone()),
                    name: name.clone(),
                    text: text.clone(),
                    status: status.clone(),
                });
            }
        }
    }
    prompts.truncate(MAX_ITEMS);
    prompts
}

fn off_workstation(station: &Workstation) -> OffWorkstation {
    OffWorkstation {
        name: station.name.clone(),
        link: station.link,
        jobman_up: station.jobman_up,
        kind: station.kind.clone(),
        limit: station.limit,
    }
}
