//! What is around a job, as a graph of nodes and edges.
//!
//! Invariants:
//! - Each node and each edge comes once, also where dependencies form a circle.
//! - A graph that reached a limit says so, and every edge of it has both its nodes.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Snapshot;
use crate::blocking::Blocking;
use crate::model::{Dependency, DependencyKind, Job, JobId, JobStatus, StreamId};

/// Which way a graph is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphDirection {
    /// What the job waits for.
    #[default]
    Predecessors,
    /// What waits for the job.
    Successors,
    /// Both.
    Both,
}

/// What is around a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphView {
    /// The node of the job itself.
    pub root: String,
    /// How many steps were walked, 1 to 10.
    pub depth: u8,
    /// The nodes, nearest first, the job itself among them.
    pub nodes: Vec<GraphNode>,
    /// Who waits for whom.
    pub edges: Vec<GraphEdge>,
    /// Whether something was left out because a limit was reached.
    pub truncated: bool,
    /// The most nodes of a graph.
    pub max_nodes: usize,
    /// The most edges of a graph.
    pub max_edges: usize,
}

/// A node of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphNode {
    /// Names it within the graph.
    pub id: String,
    /// As operators write it.
    pub label: String,
    /// How many steps it is away from the job.
    pub distance: u8,
    /// What it is.
    #[serde(flatten)]
    pub kind: GraphNodeKind,
}

/// The sorts of node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GraphNodeKind {
    /// A job of the plan.
    Job {
        /// Its id.
        job_id: JobId,
        /// The state to show.
        state: JobStatus,
        /// On a critical path by definition.
        critical: bool,
        /// Late by the engine's account.
        late: bool,
    },
    /// A whole stream that somebody waits for.
    Stream {
        /// Its id, when the plan has it.
        stream_id: Option<StreamId>,
    },
    /// A file, a resource, a prompt, or a predecessor that is not in the plan.
    Other {
        /// `file`, `resource`, `prompt`, `job`, `stream`, or the engine's word.
        what: String,
    },
}

/// An edge of a graph: `to` waits for `from`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct GraphEdge {
    /// What is waited for.
    pub from: String,
    /// Who waits.
    pub to: String,
    /// Met or not; `None` when the engine cannot tell, or for the jobs of a stream.
    pub satisfied: Option<bool>,
}

/// The most nodes and edges.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphLimits {
    pub(crate) nodes: usize,
    pub(crate) edges: usize,
}

impl GraphLimits {
    /// As much as a page can draw.
    pub(crate) const DEFAULT: Self = Self {
        nodes: 500,
        edges: 2_000,
    };
}

/// A node on the way: a place in the graph of all dependencies, or a leaf by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum At {
    Place(usize),
    Leaf(String),
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    all: &'a Blocking,
    limits: GraphLimits,
    known: HashMap<At, String>,
    edges_seen: HashSet<(String, String)>,
    view: GraphView,
}

/// The graph around the job at `start`.
pub(super) fn graph(
    snapshot: &Snapshot,
    start: usize,
    direction: GraphDirection,
    depth: u8,
    limits: GraphLimits,
) -> GraphView {
    let mut walk = Walk {
        snapshot,
        all: snapshot.all_dependencies(),
        limits,
        known: HashMap::new(),
        edges_seen: HashSet::new(),
        view: GraphView {
            root: String::new(),
            depth,
            nodes: Vec::new(),
            edges: Vec::new(),
            truncated: false,
            max_nodes: limits.nodes,
            max_edges: limits.edges,
        },
    };
    walk.view.root = walk.node(&At::Place(start), 0).unwrap_or_default();
    if direction != GraphDirection::Successors {
        walk.go(start, true);
    }
    if direction != GraphDirection::Predecessors {
        walk.go(start, false);
    }
    walk.view
}

impl Walk<'_> {
    fn go(&mut self, start: usize, back: bool) {
        let mut queue = VecDeque::from([(start, 0_u8)]);
        let mut entered = HashSet::from([start]);
        while let Some((place, distance)) = queue.pop_front() {
            if distance >= self.view.depth {
                continue;
            }
            let next: Vec<usize> = if back {
                self.all.next_back(place).collect()
            } else {
                self.all.next(place).collect()
            };
            for other in next {
                if self.join(place, &At::Place(other), distance + 1, back, None)
                    && entered.insert(other)
                {
                    queue.push_back((other, distance + 1));
                }
            }
            if back && let Some(job) = self.snapshot.jobs.get(place) {
                for dependency in &job.dependencies {
                    if let Some(leaf) = self.leaf(dependency) {
                        let at = At::Leaf(leaf);
                        self.join(place, &at, distance + 1, true, Some(dependency));
                    }
                }
            }
        }
    }

    /// The edge between a place and another node; whether it is in the graph.
    fn join(
        &mut self,
        place: usize,
        other: &At,
        distance: u8,
        back: bool,
        dependency: Option<&Dependency>,
    ) -> bool {
        let Some(here) = self.known.get(&At::Place(place)).cloned() else {
            return false;
        };
        if self.view.edges.len() >= self.limits.edges {
            self.view.truncated = true;
            return false;
        }
        let Some(there) = self.node(other, distance) else {
            return false;
        };
        let satisfied = match (dependency, other) {
            (Some(dependency), _) => dependency.satisfied,
            (None, At::Place(other)) if back => self.satisfied(*other, place),
            (None, At::Place(other)) => self.satisfied(place, *other),
            (None, At::Leaf(_)) => None,
        };
        let (from, to) = if back { (there, here) } else { (here, there) };
        if self.edges_seen.insert((from.clone(), to.clone())) {
            self.view.edges.push(GraphEdge {
                from,
                to,
                satisfied,
            });
        }
        true
    }

    /// Whether the wait of one place for another is met, by the words of the one that waits.
    fn satisfied(&self, blocker: usize, waiter: usize) -> Option<bool> {
        let waiter = self.snapshot.jobs.get(waiter)?;
        let mut dependencies = waiter.dependencies.iter();
        let found = if let Some(blocker) = self.snapshot.jobs.get(blocker) {
            dependencies.find(|d| match &d.kind {
                DependencyKind::Job { job_id, name, .. } => match job_id {
                    Some(id) => *id == blocker.id,
                    None => name.as_ref() == Some(&blocker.name),
                },
                _ => false,
            })
        } else {
            let stream = self.all.stream(blocker)?;
            dependencies.find(|d| match &d.kind {
                DependencyKind::Stream {
                    stream_id, name, ..
                } => stream_id == &stream.id && name == &stream.name,
                _ => false,
            })
        };
        found?.satisfied
    }

    /// The id of a node, which is added when there is a place for it.
    fn node(&mut self, at: &At, distance: u8) -> Option<String> {
        if let Some(id) = self.known.get(at) {
            return Some(id.clone());
        }
        if self.view.nodes.len() >= self.limits.nodes {
            self.view.truncated = true;
            return None;
        }
        let node = match at {
            At::Place(place) => {
                if let Some(job) = self.snapshot.jobs.get(*place) {
                    job_node(job, distance)
                } else {
                    let stream = self.all.stream(*place)?;
                    let label = stream.label();
                    GraphNode {
                        id: format!(
                            "stream:{}",
                            stream.id.as_ref().map_or(&*label, |id| id.as_str())
                        ),
                        label,
                        distance,
                        kind: GraphNodeKind::Stream {
                            stream_id: stream.id.clone(),
                        },
                    }
                }
            }
            At::Leaf(id) => {
                let (what, label) = id.split_once(':').unwrap_or(("other", id));
                GraphNode {
                    id: id.clone(),
                    label: label.to_owned(),
                    distance,
                    kind: GraphNodeKind::Other {
                        what: what.to_owned(),
                    },
                }
            }
        };
        let id = node.id.clone();
        self.known.insert(at.clone(), id.clone());
        self.view.nodes.push(node);
        Some(id)
    }

    /// The name of what a dependency is for, when it is no job and no stream of the plan.
    fn leaf(&self, dependency: &Dependency) -> Option<String> {
        let on = |workstation: &Option<String>, name: &str| match workstation {
            Some(workstation) => format!("{workstation}#{name}"),
            None => name.to_owned(),
        };
        let unnamed = || "?".to_owned();
        Some(match &dependency.kind {
            DependencyKind::Job {
                job_id,
                name,
                stream,
                workstation,
            } => {
                if self.snapshot.resolves(dependency) {
                    return None;
                }
                let name = name
                    .clone()
                    .or_else(|| job_id.as_ref().map(ToString::to_string));
                let name = name.unwrap_or_else(unnamed);
                let name = match stream {
                    Some(stream) => format!("{stream}.{name}"),
                    None => name,
                };
                format!("job:{}", on(workstation, &name))
            }
            DependencyKind::Stream {
                stream_id,
                name,
                workstation,
            } => {
                if self.snapshot.resolves(dependency) {
                    return None;
                }
                let name = name
                    .clone()
                    .or_else(|| stream_id.as_ref().map(ToString::to_string));
                format!("stream:{}", on(workstation, &name.unwrap_or_else(unnamed)))
            }
            DependencyKind::File { name, workstation } => {
                let name = name.clone().unwrap_or_else(unnamed);
                format!("file:{}", on(workstation, &name))
            }
            DependencyKind::Resource { name, .. } => {
                format!("resource:{}", name.clone().unwrap_or_else(unnamed))
            }
            DependencyKind::Prompt { name, text, .. } => {
                let name = name.clone().or_else(|| dependency.id.clone());
                let name = name.or_else(|| text.clone());
                format!("prompt:{}", name.unwrap_or_else(unnamed))
            }
            DependencyKind::Other { kind } => {
                format!("{kind}:{}", dependency.id.clone().unwrap_or_else(unnamed))
            }
        })
    }
}

fn job_node(job: &Job, distance: u8) -> GraphNode {
    GraphNode {
        id: format!("job:{}", job.id),
        label: job.label(),
        distance,
        kind: GraphNodeKind::Job {
            job_id: job.id.clone(),
            state: job.state(),
            critical: job.critical,
            late: job.late,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{dependency_on, job};
    use proptest::prelude::*;

    fn waits(name: &str, on_: Vec<Dependency>) -> Job {
        Job {
            dependencies: on_,
            ..job(name, JobStatus::Hold)
        }
    }

    fn around(
        jobs: Vec<Job>,
        direction: GraphDirection,
        depth: u8,
        limits: GraphLimits,
    ) -> GraphView {
        let snapshot = Snapshot::of(jobs, Vec::new(), Vec::new());
        graph(&snapshot, 0, direction, depth, limits)
    }

    #[test]
    fn edges_go_from_what_is_waited_for_to_who_waits_and_say_whether_they_are_met() {
        let jobs = vec![
            waits(
                "A",
                vec![dependency_on("B", false), dependency_on("C", true)],
            ),
            waits("B", Vec::new()),
            waits("C", Vec::new()),
            waits("D", vec![dependency_on("A", false)]),
        ];
        let view = around(jobs, GraphDirection::Both, 1, GraphLimits::DEFAULT);
        let edge = |from: &str, to: &str, satisfied| GraphEdge {
            from: format!("job:{from}"),
            to: format!("job:{to}"),
            satisfied: Some(satisfied),
        };
        assert_eq!(
            view.edges,
            [
                edge("B", "A", false),
                edge("C", "A", true),
                edge("A", "D", false)
            ]
        );
        assert_eq!(view.nodes.len(), 4);
        assert!(!view.truncated);
    }

    #[test]
    fn what_is_no_job_of_the_plan_is_a_leaf() {
        let file = Dependency {
            id: None,
            satisfied: Some(false),
            kind: DependencyKind::File {
                name: Some("/in/A.dat".to_owned()),
                workstation: Some("WS".to_owned()),
            },
        };
        let jobs = vec![waits("A", vec![file, dependency_on("GONE", false)])];
        let view = around(jobs, GraphDirection::Predecessors, 3, GraphLimits::DEFAULT);
        let ids: Vec<&str> = view.nodes.iter().map(|node| &*node.id).collect();
        assert_eq!(ids, ["job:A", "file:WS#/in/A.dat", "job:GONE"]);
        assert_eq!(view.edges.len(), 2);
    }

    #[test]
    fn a_limit_that_is_reached_is_said() {
        let jobs: Vec<Job> = (0..30)
            .map(|n| match n {
                0 => waits("J0", Vec::new()),
                n => waits(&format!("J{n}"), vec![dependency_on("J0", false)]),
            })
            .collect();
        let limits = GraphLimits {
            nodes: 10,
            edges: 100,
        };
        let view = around(jobs.clone(), GraphDirection::Successors, 1, limits);
        assert_eq!((view.nodes.len(), view.truncated), (10, true));
        let limits = GraphLimits {
            nodes: 100,
            edges: 5,
        };
        let view = around(jobs, GraphDirection::Successors, 1, limits);
        assert_eq!((view.edges.len(), view.truncated), (5, true));
    }

    proptest! {
        /// Any plan, circles and all: the walk ends, and no edge hangs in the air.
        #[test]
        fn every_edge_has_both_its_nodes_and_comes_once(
            edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..40),
            depth in 1..10_u8,
            nodes in 1..20_usize,
            most in 1..40_usize,
        ) {
            let jobs = (0..12).map(|n| {
                let deps = edges.iter().filter(|(_, to)| *to == n);
                waits(&format!("J{n}"), deps.map(|(from, _)| dependency_on(&format!("J{from}"), false)).collect())
            });
            let limits = GraphLimits { nodes, edges: most };
            let view = around(jobs.collect(), GraphDirection::Both, depth, limits);
            let ids: HashSet<&str> = view.nodes.iter().map(|node| &*node.id).collect();
            prop_assert_eq!(ids.len(), view.nodes.len());
            let unique: HashSet<&GraphEdge> = view.edges.iter().collect();
            prop_assert_eq!(unique.len(), view.edges.len());
            for edge in &view.edges {
                prop_assert!(ids.contains(&*edge.from) && ids.contains(&*edge.to));
            }
            prop_assert!(view.nodes.len() <= nodes && view.edges.len() <= most);
        }
    }
}
