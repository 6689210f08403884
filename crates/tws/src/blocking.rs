//! Who waits for whom, from the dependencies that are not met.
//!
//! Invariants:
//! - Every walk ends, also on a plan whose dependencies form a circle.
//! - A job that ended well, was cancelled or suppressed blocks nobody, and nobody is blocked through
//!   it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{DependencyKind, Job, JobId, JobStatus, StreamId};

/// The graph of a plan. Nodes are jobs by their place in the list, and behind them streams that
/// somebody waits for, so that a wait for a large stream costs one edge and not one a job.
#[derive(Debug, Default)]
pub struct Blocking {
    waiters: Vec<Vec<usize>>,
    blockers: Vec<Vec<usize>>,
    blocks: Vec<bool>,
    ended: Vec<bool>,
}

/// A name as a dependency may give it.
type Named<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

struct Index<'a> {
    by_id: HashMap<&'a JobId, usize>,
    by_name: HashMap<Named<'a>, usize>,
    members: HashMap<&'a StreamId, Vec<usize>>,
    members_by_name: HashMap<(&'a str, Option<&'a str>), Vec<usize>>,
}

impl<'a> Index<'a> {
    fn of(jobs: &'a [Arc<Job>]) -> Self {
        let mut index = Self {
            by_id: HashMap::with_capacity(jobs.len()),
            by_name: HashMap::with_capacity(jobs.len()),
            members: HashMap::new(),
            members_by_name: HashMap::new(),
        };
        for (at, job) in jobs.iter().enumerate() {
            index.by_id.insert(&job.id, at);
            let stream = job.stream.name.as_deref();
            let workstation = job.workstation.as_deref();
            index.by_name.insert((&job.name, stream, workstation), at);
            if let Some(id) = &job.stream.id {
                index.members.entry(id).or_default().push(at);
            }
            if let Some(name) = stream {
                let home = job.stream.workstation.as_deref();
                let key = (name, home);
                index.members_by_name.entry(key).or_default().push(at);
            }
        }
        index
    }
}

impl Blocking {
    /// The graph of these jobs. Lists without dependencies give a graph without edges.
    #[must_use]
    pub fn of(jobs: &[Arc<Job>]) -> Self {
        let index = Index::of(jobs);
        let mut graph = Self {
            waiters: vec![Vec::new(); jobs.len()],
            blockers: vec![Vec::new(); jobs.len()],
            blocks: jobs.iter().map(|job| blocks(&job.state())).collect(),
            ended: jobs.iter().map(|job| job.state().has_ended()).collect(),
        };
        let mut stream_nodes: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        for (waiter, job) in jobs.iter().enumerate() {
            for dependency in job
                .dependencies
                .iter()
                .filter(|d| d.satisfied != Some(true))
            {
                match &dependency.kind {
                    DependencyKind::Job {
                        job_id,
                        name,
                        stream,
                        workstation,
                    } => {
                        let by_id = job_id.as_ref().and_then(|id| index.by_id.get(id));
                        let by_name = || {
                            let key = (name.as_deref()?, stream.as_deref(), workstation.as_deref());
                            index.by_name.get(&key)
                        };
                        if let Some(&blocker) = by_id.or_else(by_name) {
                            graph.connect(blocker, waiter);
                        }
                    }
                    DependencyKind::Stream {
                        stream_id,
                        name,
                        workstation,
                    } => {
                        let by_id = stream_id.as_ref().and_then(|id| index.members.get(id));
                        let by_name = || {
                            let key = (name.as_deref()?, workstation.as_deref());
                            index.members_by_name.get(&key)
                        };
                        let Some(members) = by_id.or_else(by_name) else {
                            continue;
                        };
                        let id = stream_id.as_ref().map(StreamId::as_str);
                        let key = match (id, name) {
                            (Some(id), _) => (id, None),
                            (None, Some(name)) => {
                                (name.as_str(), Some(workstation.as_deref().unwrap_or("")))
                            }
                            (None, None) => continue,
                        };
                        let node = *stream_nodes.entry(key).or_insert_with(|| {
                            let node = graph.add_node();
                            for &member in members {
                                graph.connect(member, node);
                            }
                            node
                        });
                        graph.connect(node, waiter);
                    }
                    _ => {}
                }
            }
        }
        graph
    }

    fn add_node(&mut self) -> usize {
        self.waiters.push(Vec::new());
        self.blockers.push(Vec::new());
        self.blocks.push(true);
        // A stream is no victim of its own: only jobs are counted.
        self.ended.push(true);
        self.waiters.len() - 1
    }

    fn connect(&mut self, blocker: usize, waiter: usize) {
        if let Some(waiters) = self.waiters.get_mut(blocker) {
            waiters.push(waiter);
        }
        if let Some(blockers) = self.blockers.get_mut(waiter) {
            blockers.push(blocker);
        }
    }

    /// All nodes that wait for `start`, directly or through others, without itself.
    fn reach(&self, start: usize) -> Vec<usize> {
        let goes_on = |node| self.blocks.get(node) == Some(&true);
        walk(start, &self.waiters, goes_on)
    }

    /// What the job at `start` waits for that blocks, directly or through others, nearest first. Places
    /// that are no job stand for streams.
    #[must_use]
    pub fn blockers(&self, start: usize) -> Vec<usize> {
        // The wait itself goes through whatever has not ended well; `start` is asked about, not blocking.
        let goes_on = |node| node == start || self.blocks.get(node) == Some(&true);
        let mut blockers = walk(start, &self.blockers, goes_on);
        blockers.retain(|&node| goes_on(node));
        blockers
    }

    /// The jobs that have not ended and wait for the job at `start`, directly or through others,
    /// nearest first.
    #[must_use]
    pub fn victims(&self, start: usize) -> Vec<usize> {
        let mut victims = self.reach(start);
        victims.retain(|&node| self.ended.get(node) == Some(&false));
        victims
    }

    /// Of the jobs in `failed`, which wait for no other of them. In a circle all are roots.
    #[must_use]
    pub fn roots(&self, failed: &[usize]) -> Vec<bool> {
        let behind: Vec<Vec<usize>> = failed
            .iter()
            .map(|&job| {
                let mut reached = self.reach(job);
                reached.sort_unstable();
                reached
            })
            .collect();
        let reaches = |from: usize, to: usize| {
            let target = failed.get(to);
            behind
                .get(from)
                .zip(target)
                .is_some_and(|(reached, target)| reached.binary_search(target).is_ok())
        };
        (0..failed.len())
            .map(|job| {
                !(0..failed.len())
                    .any(|other| other != job && reaches(other, job) && !reaches(job, other))
            })
            .collect()
    }
}

/// All nodes that `edges` lead to from `start`, nearest first, without itself; from a node that does not
/// go on no edge is followed.
fn walk(start: usize, edges: &[Vec<usize>], goes_on: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    if let Some(mark) = seen.get_mut(start) {
        *mark = true;
    }
    let mut found = vec![start];
    let mut head = 0;
    while let Some(&node) = found.get(head) {
        head += 1;
        if !goes_on(node) {
            continue;
        }
        for &next in edges.get(node).map_or(&[][..], Vec::as_slice) {
            if let Some(mark) = seen.get_mut(next)
                && !*mark
            {
                *mark = true;
                found.push(next);
            }
        }
    }
    found.remove(0);
    found
}

/// Whether a job in this state keeps others from starting.
fn blocks(state: &JobStatus) -> bool {
    !matches!(state, JobStatus::Succ | JobStatus::Cancl | JobStatus::Suppr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dependency, StreamRef};
    use crate::test_support::job;
    use proptest::prelude::*;

    fn waits(name: &str, status: JobStatus, on: &[&str]) -> Arc<Job> {
        let mut job = job(name, status);
        job.dependencies = on
            .iter()
            .map(|&on| Dependency {
                id: None,
                satisfied: Some(false),
                kind: DependencyKind::Job {
                    job_id: Some(JobId::parse(on).unwrap()),
                    name: None,
                    stream: None,
                    workstation: None,
                },
            })
            .collect();
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
}
