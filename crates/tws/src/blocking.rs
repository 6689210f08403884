//! Who waits for whom, from the dependencies that are not met.
//!
//! Invariants:
//! - Every walk ends, also on a plan whose dependencies form a circle.
//! - A job that ended well, was cancelled or suppressed blocks nobody, and nobody is blocked through
//!   it.
//! - Counting the victims of all failed jobs takes one pass over the graph for each 256 of them, not
//!   one walk for each (`counts_are_those_of_the_walks`).

mod count;
mod csr;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::csr::{Csr, CsrBuilder};
use crate::model::{Dependency, DependencyKind, Job, JobId, JobStatus, StreamId};

pub(crate) use self::count::Failures;

/// The graph of a plan. Nodes are jobs by their place in the list, and behind them streams that
/// somebody waits for, so that a wait for a large stream costs one edge and not one a job.
#[derive(Debug, Default)]
pub struct Blocking {
    /// From a node to those that wait for it.
    waiters: Csr,
    /// From a node to those that it waits for.
    blockers: Csr,
    blocks: Vec<bool>,
    ended: Vec<bool>,
    jobs: usize,
    /// The streams, in the order of their nodes.
    streams: Vec<StreamNode>,
}

/// A stream that somebody waits for, as the dependency names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamNode {
    pub(crate) id: Option<StreamId>,
    pub(crate) name: Option<String>,
    pub(crate) workstation: Option<String>,
}

impl StreamNode {
    /// The stream as operators write it.
    pub(crate) fn label(&self) -> String {
        let id = || self.id.as_ref().map(ToString::to_string);
        let name = self.name.clone().or_else(id).unwrap_or_default();
        match &self.workstation {
            Some(workstation) => format!("{workstation}#{name}"),
            None => name,
        }
    }
}

type Fast<K, V> = HashMap<K, V, RandomState>;

/// A name as a dependency may give it.
type Named<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// A stream's name with its workstation, as a dependency may give them.
type NamedStream<'a> = (&'a str, Option<&'a str>);

/// Where jobs are found; what only a dependency without an id needs is made when the first one comes.
struct Index<'a> {
    jobs: &'a [Arc<Job>],
    by_id: Fast<&'a str, u32>,
    by_name: Option<Fast<Named<'a>, u32>>,
    members: Option<Fast<&'a StreamId, Vec<u32>>>,
    members_by_name: Option<Fast<NamedStream<'a>, Vec<u32>>>,
}

fn places(jobs: &[Arc<Job>]) -> impl Iterator<Item = (u32, &Job)> {
    (0..).zip(jobs.iter().map(Arc::as_ref))
}

impl<'a> Index<'a> {
    fn of(jobs: &'a [Arc<Job>]) -> Self {
        let mut by_id = Fast::with_capacity_and_hasher(jobs.len(), RandomState::default());
        by_id.extend(places(jobs).map(|(at, job)| (job.id.as_str(), at)));
        Self {
            jobs,
            by_id,
            by_name: None,
            members: None,
            members_by_name: None,
        }
    }

    fn job(&mut self, id: Option<&JobId>, named: Option<Named<'a>>) -> Option<u32> {
        if let Some(&at) = id.and_then(|id| self.by_id.get(id.as_str())) {
            return Some(at);
        }
        let jobs = self.jobs;
        let by_name = self.by_name.get_or_insert_with(|| {
            let named = places(jobs).map(|(at, job)| {
                let (stream, workstation) =
                    (job.stream.name.as_deref(), job.workstation.as_deref());
                ((job.name.as_str(), stream, workstation), at)
            });
            named.collect()
        });
        by_name.get(&named?).copied()
    }

    fn members(&mut self, id: Option<&StreamId>, named: Option<NamedStream<'a>>) -> &[u32] {
        let jobs = self.jobs;
        if let Some(id) = id {
            let members = self.members.get_or_insert_with(|| {
                let mut members: Fast<_, Vec<u32>> = Fast::default();
                for (at, job) in places(jobs) {
                    if let Some(id) = &job.stream.id {
                        members.entry(id).or_default().push(at);
                    }
                }
                members
            });
            if let Some(members) = members.get(id) {
                return members;
            }
        }
        let members = self.members_by_name.get_or_insert_with(|| {
            let mut members: Fast<_, Vec<u32>> = Fast::default();
            for (at, job) in places(jobs) {
                if let Some(name) = job.stream.name.as_deref() {
                    let key = (name, job.stream.workstation.as_deref());
                    members.entry(key).or_default().push(at);
                }
            }
            members
        });
        named
            .and_then(|key| members.get(&key))
            .map_or(&[], Vec::as_slice)
    }
}

impl Blocking {
    /// The graph of these jobs. Lists without dependencies give a graph without edges.
    #[must_use]
    pub fn of(jobs: &[Arc<Job>]) -> Self {
        Self::by(jobs, false)
    }

    /// The graph of all dependencies, also of those that are met.
    pub(crate) fn of_all(jobs: &[Arc<Job>]) -> Self {
        Self::by(jobs, true)
    }

    fn by(jobs: &[Arc<Job>], also_met: bool) -> Self {
        let mut streams = Vec::new();
        let mut index = Index::of(jobs);
        let mut edges = CsrBuilder::default();
        let mut nodes = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        let mut stream_nodes: Fast<(&str, Option<&str>), Option<u32>> = Fast::default();
        for (waiter, job) in places(jobs) {
            let wanted = |d: &&Dependency| also_met || d.satisfied != Some(true);
            for dependency in job.dependencies.iter().filter(wanted) {
                match &dependency.kind {
                    DependencyKind::Job {
                        job_id,
                        name,
                        stream,
                        workstation,
                    } => {
                        let named = name
                            .as_deref()
                            .map(|name| (name, stream.as_deref(), workstation.as_deref()));
                        if let Some(blocker) = index.job(job_id.as_ref(), named) {
                            edges.push(blocker, waiter);
                        }
                    }
                    DependencyKind::Stream {
                        stream_id,
                        name,
                        workstation,
                    } => {
                        let key = match (stream_id, name) {
                            (Some(id), _) => (id.as_str(), None),
                            (None, Some(name)) => {
                                (name.as_str(), Some(workstation.as_deref().unwrap_or("")))
                            }
                            (None, None) => continue,
                        };
                        let node = *stream_nodes.entry(key).or_insert_with(|| {
                            let named = name.as_deref().map(|name| (name, workstation.as_deref()));
                            let members = index.members(stream_id.as_ref(), named);
                            if members.is_empty() {
                                return None;
                            }
                            let node = nodes;
                            nodes += 1;
                            streams.push(StreamNode {
                                id: stream_id.clone(),
                                name: name.clone(),
                                workstation: workstation.clone(),
                            });
                            for &member in members {
                                edges.push(member, node);
                            }
                            Some(node)
                        });
                        if let Some(node) = node {
                            edges.push(node, waiter);
                        }
                    }
                    _ => {}
                }
            }
        }
        let nodes = usize::try_from(nodes).unwrap_or(usize::MAX);
        let states = jobs.iter().map(|job| job.state());
        let (mut blocks, mut ended): (Vec<bool>, Vec<bool>) = states
            .map(|state| (blocks(&state), state.has_ended()))
            .unzip();
        blocks.resize(nodes, true);
        // A stream is no victim of its own: only jobs are counted.
        ended.resize(nodes, true);
        let (waiters, blockers) = edges.build(nodes);
        Self {
            waiters,
            blockers,
            blocks,
            ended,
            jobs: jobs.len(),
            streams,
        }
    }

    /// The stream of a node that is no job.
    pub(crate) fn stream(&self, node: usize) -> Option<&StreamNode> {
        self.streams.get(node.checked_sub(self.jobs)?)
    }

    /// The streams that somebody waits for and that have jobs in the plan.
    pub(crate) fn streams(&self) -> &[StreamNode] {
        &self.streams
    }

    /// Who waits for `node` in one step, whether that blocks or not.
    pub(crate) fn next(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        self.waiters.of(node)
    }

    /// What `node` waits for in one step, whether that blocks or not.
    pub(crate) fn next_back(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        self.blockers.of(node)
    }

    /// Who is held up by `node` in one step.
    pub(crate) fn next_blocked(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let held = self.blocks(node).then(|| self.waiters.of(node));
        held.into_iter().flatten()
    }

    /// All nodes that are held up by `start`, directly or through others, jobs and streams.
    pub(crate) fn reach(&self, start: usize) -> Vec<usize> {
        walk(&[start], &self.waiters, |node| self.blocks(node))
    }

    fn blocks(&self, node: usize) -> bool {
        self.blocks.get(node) == Some(&true)
    }

    fn is_open(&self, node: usize) -> bool {
        self.ended.get(node) == Some(&false)
    }

    /// What the job at `start` waits for that blocks, directly or through others, nearest first. Places
    /// that are no job stand for streams.
    #[must_use]
    pub fn blockers(&self, start: usize) -> Vec<usize> {
        // The wait itself goes through whatever has not ended well; `start` is asked about, not blocking.
        let goes_on = |node| node == start || self.blocks(node);
        let mut blockers = walk(&[start], &self.blockers, goes_on);
        blockers.retain(|&node| goes_on(node));
        blockers
    }

    /// The jobs that have not ended and wait for the job at `start`, directly or through others,
    /// nearest first.
    #[must_use]
    pub fn victims(&self, start: usize) -> Vec<usize> {
        self.victims_of_any(&[start])
    }

    /// The jobs that have not ended and wait for any of the jobs at `starts`, directly or through
    /// others, nearest first, each once and none of `starts`.
    #[must_use]
    pub fn victims_of_any(&self, starts: &[usize]) -> Vec<usize> {
        let mut victims = walk(starts, &self.waiters, |node| self.blocks(node));
        victims.retain(|&node| self.is_open(node));
        victims
    }

    /// Of each node, one of the jobs in `failed` that holds it up, the nearest; `None` of those that none
    /// does and of those jobs themselves.
    pub(crate) fn held_up_by(&self, failed: &[usize]) -> Vec<Option<usize>> {
        let mut cause: Vec<Option<usize>> = vec![None; self.waiters.nodes()];
        let mut queue: Vec<usize> = failed.to_vec();
        for &job in failed {
            if let Some(own) = cause.get_mut(job) {
                *own = Some(job);
            }
        }
        let mut head = 0;
        while let Some(&node) = queue.get(head) {
            head += 1;
            let by = cause.get(node).copied().flatten();
            for next in self.next_blocked(node) {
                if let Some(none @ None) = cause.get_mut(next) {
                    *none = by;
                    queue.push(next);
                }
            }
        }
        for &job in failed {
            if let Some(own) = cause.get_mut(job) {
                *own = None;
            }
        }
        cause
    }

    /// The jobs that have not ended and wait for the job at `start` with nothing but a stream between.
    #[must_use]
    pub fn direct_victims(&self, start: usize) -> Vec<usize> {
        let goes_on = |node| self.blocks(node) && (node == start || node >= self.jobs);
        let mut victims = walk(&[start], &self.waiters, goes_on);
        victims.retain(|&node| self.is_open(node));
        victims
    }

    /// Of the jobs in `failed`, which wait for no other of them. In a circle all are roots.
    #[must_use]
    pub fn roots(&self, failed: &[usize]) -> Vec<bool> {
        Failures::of(self, failed).roots
    }
}

/// All nodes that `edges` lead to from `starts`, nearest first, without themselves; from a node that
/// does not go on no edge is followed.
fn walk(starts: &[usize], edges: &Csr, goes_on: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut seen = vec![false; edges.nodes()];
    let mut found = Vec::with_capacity(starts.len());
    for &start in starts {
        if let Some(mark) = seen.get_mut(start)
            && !std::mem::replace(mark, true)
        {
            found.push(start);
        }
    }
    let (mut head, first) = (0, found.len());
    while let Some(&node) = found.get(head) {
        head += 1;
        if !goes_on(node) {
            continue;
        }
        for next in edges.of(node) {
            if let Some(mark) = seen.get_mut(next)
                && !std::mem::replace(mark, true)
            {
                found.push(next);
            }
        }
    }
    found.drain(..first);
    found
}

/// Whether a job in this state keeps others from starting.
fn blocks(state: &JobStatus) -> bool {
    !matches!(state, JobStatus::Succ | JobStatus::Cancl | JobStatus::Suppr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StreamRef;
    use crate::test_support::{dependency_on, job};
    use proptest::prelude::*;

    fn waits(name: &str, status: JobStatus, on: &[&str]) -> Arc<Job> {
        let mut job = job(name, status);
        job.dependencies = on.iter().map(|on| dependency_on(on, false)).collect();
        Arc::new(job)
    }

    fn in_stream(job: &Arc<Job>, stream: &str) -> Arc<Job> {
        let mut job = Job::clone(job);
        job.stream = StreamRef {
            id: Some(StreamId::parse(stream).unwrap()),
            name: Some(stream.to_owned()),
            workstation: Some("WS".to_owned()),
        };
        Arc::new(job)
    }

    #[test]
    fn victims_are_those_that_wait_directly_or_through_others() {
        let jobs = [
            waits("A", JobStatus::Abend, &[]),
            waits("B", JobStatus::Hold, &["A"]),
            waits("C", JobStatus::Hold, &["B"]),
            waits("D", JobStatus::Hold, &[]),
            waits("E", JobStatus::Succ, &["A"]),
            waits("F", JobStatus::Hold, &["E"]),
        ];
        let graph = Blocking::of(&jobs);
        assert_eq!(graph.victims(0), [1, 2]);
        assert_eq!(graph.victims(1), [2]);
        assert_eq!(graph.victims(3), [0; 0]);
    }

    #[test]
    fn blockers_are_the_other_way_round() {
        let jobs = [
            waits("A", JobStatus::Abend, &[]),
            waits("B", JobStatus::Hold, &["A"]),
            waits("C", JobStatus::Hold, &["B", "D"]),
            waits("D", JobStatus::Succ, &["E"]),
            waits("E", JobStatus::Abend, &[]),
        ];
        assert_eq!(Blocking::of(&jobs).blockers(2), [1, 0]);
        assert_eq!(Blocking::of(&jobs).blockers(0), [0; 0]);
    }

    #[test]
    fn a_met_dependency_blocks_nobody() {
        let mut waiter = Job::clone(&waits("B", JobStatus::Hold, &["A"]));
        waiter.dependencies[0].satisfied = Some(true);
        let jobs = [waits("A", JobStatus::Abend, &[]), Arc::new(waiter)];
        assert_eq!(Blocking::of(&jobs).victims(0), [0; 0]);
    }

    #[test]
    fn a_wait_for_a_stream_is_a_wait_for_each_of_its_jobs() {
        let mut waiter = job("W", JobStatus::Hold);
        waiter.dependencies = vec![Dependency {
            id: None,
            satisfied: Some(false),
            kind: DependencyKind::Stream {
                stream_id: None,
                name: Some("S1".to_owned()),
                workstation: Some("WS".to_owned()),
            },
        }];
        let jobs = [
            in_stream(&waits("A", JobStatus::Abend, &[]), "S1"),
            in_stream(&waits("B", JobStatus::Hold, &["A"]), "S1"),
            Arc::new(waiter),
            waits("X", JobStatus::Hold, &["W"]),
        ];
        let graph = Blocking::of(&jobs);
        let mut victims = graph.victims(0);
        victims.sort_unstable();
        assert_eq!(victims, [1, 2, 3]);
    }

    #[test]
    fn a_failed_job_that_waits_for_a_failed_one_is_no_root() {
        let jobs = [
            waits("A", JobStatus::Abend, &[]),
            waits("B", JobStatus::Hold, &["A"]),
            waits("C", JobStatus::Fail, &["B"]),
            waits("D", JobStatus::Abend, &[]),
        ];
        assert_eq!(Blocking::of(&jobs).roots(&[0, 2, 3]), [true, false, true]);
    }

    #[test]
    fn a_circle_ends_and_leaves_its_jobs_as_roots() {
        let jobs = [
            waits("A", JobStatus::Abend, &["B"]),
            waits("B", JobStatus::Abend, &["A"]),
            waits("C", JobStatus::Hold, &["B", "C"]),
        ];
        let graph = Blocking::of(&jobs);
        assert_eq!(graph.victims(0), [2]);
        assert_eq!(graph.roots(&[0, 1]), [true, true]);
    }

    proptest! {
        /// Any graph: the walk ends, and finds what a fixed point finds.
        #[test]
        fn victims_are_the_closure_of_waiting(
            edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..40),
            states in proptest::collection::vec(0..3_u8, 12),
        ) {
            let names: Vec<String> = (0..12).map(|n| format!("J{n}")).collect();
            let jobs: Vec<Arc<Job>> = (0..12)
                .map(|n| {
                    let on = edges.iter().filter(|(_, to)| *to == n);
                    let on: Vec<&str> = on.map(|(from, _)| names[*from].as_str()).collect();
                    let status = match states[n] {
                        0 => JobStatus::Hold,
                        1 => JobStatus::Abend,
                        _ => JobStatus::Succ,
                    };
                    waits(&names[n], status, &on)
                })
                .collect();
            let mut reached = [false; 12];
            reached[0] = true;
            for _ in 0..12 {
                for &(from, to) in &edges {
                    reached[to] |= reached[from] && states[from] != 2;
                }
            }
            let expected: Vec<usize> =
                (1..12).filter(|&n| reached[n] && states[n] == 0).collect();
            let mut victims = Blocking::of(&jobs).victims(0);
            victims.sort_unstable();
            prop_assert_eq!(victims, expected);
        }
    }

    #[test]
    fn direct_victims_wait_with_nothing_but_a_stream_between() {
        let mut waiter = job("W", JobStatus::Hold);
        waiter.dependencies = vec![Dependency {
            id: None,
            satisfied: Some(false),
            kind: DependencyKind::Stream {
                stream_id: Some(StreamId::parse("S1").unwrap()),
                name: None,
                workstation: None,
            },
        }];
        let jobs = [
            in_stream(&waits("A", JobStatus::Abend, &[]), "S1"),
            waits("B", JobStatus::Hold, &["A"]),
            waits("C", JobStatus::Hold, &["B"]),
            Arc::new(waiter),
        ];
        let graph = Blocking::of(&jobs);
        let mut direct = graph.direct_victims(0);
        direct.sort_unstable();
        assert_eq!(direct, [1, 3]);
        assert_eq!(graph.victims(0).len(), 3);
    }

    proptest! {
        /// Any graph, circles and all: what is counted in one pass is what a walk for each finds.
        #[test]
        fn counts_are_those_of_the_walks(
            edges in proptest::collection::vec((0..20_usize, 0..20_usize), 0..60),
            states in proptest::collection::vec(0..4_u8, 20),
        ) {
            let names: Vec<String> = (0..20).map(|n| format!("J{n}")).collect();
            let jobs: Vec<Arc<Job>> = (0..20)
                .map(|n| {
                    let on = edges.iter().filter(|(_, to)| *to == n);
                    let on: Vec<&str> = on.map(|(from, _)| names[*from].as_str()).collect();
                    let status = match states[n] {
                        0 | 1 => JobStatus::Hold,
                        2 => JobStatus::Abend,
                        _ => JobStatus::Succ,
                    };
                    waits(&names[n], status, &on)
                })
                .collect();
            let graph = Blocking::of(&jobs);
            let failed: Vec<usize> = (0..20).filter(|&n| states[n] == 2).collect();
            let counted = Failures::of(&graph, &failed);
            let all: Vec<usize> = (0..failed.len()).collect();
            let victims = counted.victims(&all);
            let reach = |from: usize| walk(&[from], &graph.waiters, |node| graph.blocks(node));
            for (at, &job) in failed.iter().enumerate() {
                prop_assert_eq!(victims[at], graph.victims(job).len());
                let root = !failed.iter().any(|&other| {
                    other != job && reach(other).contains(&job) && !reach(job).contains(&other)
                });
                prop_assert_eq!(counted.roots[at], root);
            }
            prop_assert_eq!(counted.victims_in_all, graph.victims_of_any(&failed).len());
        }
    }
}
