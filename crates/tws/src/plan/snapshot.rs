//! The whole plan of one engine at one time: what the board, the victims and the chat's names come from.
//!
//! Invariant: a snapshot is whole or it is not there. A page that fails, or pages that do not end,
//! give an error and never a smaller plan.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use resync_sync::FetchLost;

use super::{ReadError, Summary};
use crate::blocking::Blocking;
use crate::engines::Engine;
use crate::model::{
    Dependency, DependencyKind, Job, JobId, JobQuery, JobSort, JobStatus, JobStream, Slice,
    Subject, Workstation,
};
use crate::ports::GatewayError;

/// How many items a page of a snapshot asks for.
const PAGE: u32 = 1_000;
/// How many pages a plan may have: a hundred thousand jobs.
const MAX_PAGES: usize = 100;

/// The whole plan of one engine.
#[derive(Debug)]
pub struct Snapshot {
    /// Every job, with its dependencies, in the plan's order.
    pub jobs: Vec<Arc<Job>>,
    /// Every stream.
    pub streams: Vec<JobStream>,
    /// Every workstation.
    pub workstations: Vec<Workstation>,
    /// Who waits for whom; its numbers are places in [`Snapshot::jobs`].
    pub blocking: Blocking,
    /// The board.
    pub summary: Arc<Summary>,
    /// Tells two snapshots of one service apart, so that what was worked out of one is kept for it.
    pub(super) revision: u64,
    by_id: HashMap<JobId, usize, RandomState>,
    /// By name in upper case, the first job of that name; `next_of_name` leads to the others.
    by_name: HashMap<String, usize, RandomState>,
    next_of_name: Vec<Option<usize>>,
    /// Made when a graph is asked for, since the board does without.
    all: OnceLock<Blocking>,
}

impl Snapshot {
    /// The snapshot of these parts. Takes time in proportion to the plan, so large plans are built
    /// off the async workers.
    #[must_use]
    pub fn of(jobs: Vec<Job>, streams: Vec<JobStream>, workstations: Vec<Workstation>) -> Self {
        let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
        let blocking = Blocking::of(&jobs);
        let summary = Summary::of(&jobs, &streams, &workstations, &blocking);
        let mut by_name = HashMap::with_capacity_and_hasher(jobs.len(), RandomState::default());
        let mut next_of_name = vec![None; jobs.len()];
        // From the end, so that each chain leads through the plan's order.
        for (at, job) in jobs.iter().enumerate().rev() {
            let later = by_name.insert(job.name.to_ascii_uppercase(), at);
            if let Some(next) = next_of_name.get_mut(at) {
                *next = later;
            }
        }
        let mut by_id = HashMap::with_capacity_and_hasher(jobs.len(), RandomState::default());
        by_id.extend(
            jobs.iter()
                .enumerate()
                .map(|(at, job)| (job.id.clone(), at)),
        );
        Self {
            summary: Arc::new(summary),
            jobs,
            streams,
            workstations,
            blocking,
            revision: 0,
            by_id,
            by_name,
            next_of_name,
            all: OnceLock::new(),
        }
    }

    /// The job of that id.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Arc<Job>> {
        self.by_id.get(id).and_then(|&at| self.jobs.get(at))
    }

    /// The jobs of that name, whatever the case; several when several streams have one.
    pub fn jobs_named(&self, name: &str) -> impl Iterator<Item = &Arc<Job>> {
        let first = self.by_name.get(&name.to_ascii_uppercase()).copied();
        let places = std::iter::successors(first, |&at| self.next_of_name.get(at).copied()?);
        places.filter_map(|at| self.jobs.get(at))
    }

    /// Where the job of that id stands in [`Snapshot::jobs`].
    #[must_use]
    pub fn place(&self, id: &JobId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The graph of all dependencies, also of those that are met.
    pub(super) fn all_dependencies(&self) -> &Blocking {
        self.all.get_or_init(|| Blocking::of_all(&self.jobs))
    }

    /// Whether what a dependency is for is a job of the plan, or a stream with jobs in it.
    pub(super) fn resolves(&self, dependency: &Dependency) -> bool {
        match &dependency.kind {
            DependencyKind::Job {
                job_id,
                name,
                stream,
                workstation,
            } => {
                let by_id = job_id
                    .as_ref()
                    .is_some_and(|id| self.by_id.contains_key(id));
                by_id
                    || name.as_ref().is_some_and(|name| {
                        self.jobs_named(name).any(|job| {
                            job.name == *name
                                && job.stream.name == *stream
                                && job.workstation == *workstation
                        })
                    })
            }
            DependencyKind::Stream {
                stream_id,
                name,
                workstation,
            } => self.all_dependencies().streams().iter().any(|stream| {
                (&stream.id, &stream.name, &stream.workstation) == (stream_id, name, workstation)
            }),
            _ => false,
        }
    }

    /// Every name that a job has, in upper case, in no order.
    pub fn job_names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The jobs that have not ended and wait for this one, directly or through others, nearest first.
    #[must_use]
    pub fn victims(&self, id: &JobId) -> Vec<&Arc<Job>> {
        let Some(&at) = self.by_id.get(id) else {
            return Vec::new();
        };
        let victims = self.blocking.victims(at);
        victims
            .into_iter()
            .filter_map(|at| self.jobs.get(at))
            .collect()
    }

    /// The jobs that have not ended and wait for the target of an action, directly or through others:
    /// for a job; for a job of a stream; for a prompt or a resource by its name or id; for a place on
    /// a workstation.
    #[must_use]
    pub fn waiting_for(&self, subject: &Subject) -> Vec<&Arc<Job>> {
        let first: Vec<usize> = match subject {
            Subject::Job(job) => return self.victims(&job.id),
            Subject::Stream(stream) => {
                let member = |job: &Job| job.stream.id.as_ref() == Some(&stream.id);
                return self.behind(&self.places(member), false);
            }
            Subject::Workstation(station) => {
                let planned = |job: &Job| job.workstation.as_ref() == Some(&station.name);
                self.places(planned)
            }
            Subject::Resource(resource) => self.places(|job| {
                job.dependencies.iter().any(|d| {
                    let DependencyKind::Resource { name, .. } = &d.kind else {
                        return false;
                    };
                    d.satisfied != Some(true) && name.as_ref() == Some(&resource.name)
                })
            }),
            Subject::Prompt(prompt) => self.places(|job| {
                job.dependencies.iter().any(|d| {
                    let DependencyKind::Prompt { name, .. } = &d.kind else {
                        return false;
                    };
                    let by_id = d.id.as_deref() == Some(prompt.id.as_str());
                    let by_name = name.is_some() && *name == prompt.name;
                    d.satisfied != Some(true) && (by_id || by_name)
                })
            }),
        };
        self.behind(&first, true)
    }

    /// The places of the jobs that have not ended and are `wanted`.
    fn places(&self, wanted: impl Fn(&Job) -> bool) -> Vec<usize> {
        let open = |job: &Arc<Job>| !job.state().has_ended() && wanted(job);
        let found = self.jobs.iter().enumerate().filter(|(_, job)| open(job));
        found.map(|(at, _)| at).collect()
    }

    /// The jobs behind those places, nearest first, each once; with those places themselves in front.
    fn behind(&self, first: &[usize], with_first: bool) -> Vec<&Arc<Job>> {
        let behind = self.blocking.victims_of_any(first);
        let first = if with_first { first } else { &[] };
        let all = first.iter().chain(&behind);
        all.filter_map(|&at| self.jobs.get(at)).collect()
    }

    /// The failed jobs that this one waits for, directly or through others, of which none waits for
    /// another: where to look first.
    #[must_use]
    pub fn failed_roots_of(&self, id: &JobId) -> Vec<&Arc<Job>> {
        let Some(&at) = self.by_id.get(id) else {
            return Vec::new();
        };
        let job = |at: usize| self.jobs.get(at);
        let mut failed = self.blocking.blockers(at);
        failed.retain(|&at| job(at).is_some_and(|job| job.state().has_failed()));
        let roots = self.blocking.roots(&failed);
        let roots = failed.iter().zip(roots).filter(|(_, root)| *root);
        roots.filter_map(|(&at, _)| job(at)).collect()
    }

    /// The failed jobs that this one follows, directly or through others, also where the dependency counts
    /// as met: what it may lack something from although it ran. Nothing is looked for behind a job that
    /// ended well. Nearest first, without those behind which another failed one stands.
    #[must_use]
    pub fn failed_before(&self, id: &JobId) -> Vec<&Arc<Job>> {
        let Some(&at) = self.by_id.get(id) else {
            return Vec::new();
        };
        let graph = self.all_dependencies();
        let failed = |at: usize| self.jobs.get(at).filter(|job| job.state().has_failed());
        let (mut seen, mut queue, mut found) = (HashSet::from([at]), vec![at], Vec::new());
        let mut head = 0;
        while let Some(&node) = queue.get(head) {
            head += 1;
            if node != at && failed(node).is_some() {
                found.push(node);
            }
            let well = |job: &Arc<Job>| job.state() == JobStatus::Succ;
            if node == at || !self.jobs.get(node).is_some_and(well) {
                queue.extend(graph.next_back(node).filter(|&next| seen.insert(next)));
            }
        }
        let roots = graph.roots(&found);
        let roots = found.iter().zip(roots).filter(|(_, root)| *root);
        roots.filter_map(|(&at, _)| failed(at)).collect()
    }

    /// The snapshot with its number.
    pub(super) fn numbered(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    /// Reads the whole plan.
    pub(super) async fn fetch(engine: &Engine, revision: u64) -> Result<Self, ReadError> {
        let (jobs, streams, workstations) =
            futures_util::try_join!(all_jobs(engine), all_streams(engine), async {
                Ok(engine.plan.workstations().await?)
            },)?;
        // A plan may be large, and its graph must not hold up the answers of others.
        off_the_workers(move || Self::of(jobs, streams, workstations).numbered(revision)).await
    }
}

/// Runs what takes long on a thread of its own.
pub(super) async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReadError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        ReadError::Lost(if error.is_panic() {
            FetchLost::Panicked
        } else {
            FetchLost::Cancelled
        })
    })
}

async fn all_jobs(engine: &Engine) -> Result<Vec<Job>, ReadError> {
    let mut pages = Pages::default();
    let mut seen = HashSet::new();
    let mut jobs = Vec::new();
    while let Some(offset) = pages.next {
        let query = JobQuery {
            sort: JobSort::Plan,
            with_dependencies: true,
            offset,
            limit: PAGE,
            ..JobQuery::default()
        };
        let slice = engine.plan.jobs(&query).await?;
        pages.advance(&slice)?;
        // The plan may move between two pages; a job that comes twice is counted once.
        jobs.extend(
            slice
                .items
                .into_iter()
                .filter(|job| seen.insert(job.id.clone())),
        );
    }
    Ok(jobs)
}

async fn all_streams(engine: &Engine) -> Result<Vec<JobStream>, ReadError> {
    let mut pages = Pages::default();
    let mut seen = HashSet::new();
    let mut streams = Vec::new();
    while let Some(offset) = pages.next {
        let slice = engine.plan.streams(offset, PAGE).await?;
        pages.advance(&slice)?;
        streams.extend(
            slice
                .items
                .into_iter()
                .filter(|stream| seen.insert(stream.id.clone())),
        );
    }
    Ok(streams)
}

/// Where the next page begins, and how many were read.
struct Pages {
    next: Option<u64>,
    read: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            next: Some(0),
            read: 0,
        }
    }
}

impl Pages {
    fn advance<T>(&mut self, slice: &Slice<T>) -> Result<(), ReadError> {
        self.read += 1;
        let unreadable = |text: &str| ReadError::Gateway(GatewayError::Unreadable(text.into()));
        if self.read >= MAX_PAGES && slice.next_offset.is_some() {
            return Err(unreadable("the plan has more pages than can be read"));
        }
        if slice
            .next_offset
            .is_some_and(|next| Some(next) <= self.next)
        {
            return Err(unreadable("a page names itself as the next one"));
        }
        self.next = slice.next_offset;
        Ok(())
    }
}
