//! How many jobs wait for each failed one, for all failed jobs at once.
//!
//! Nodes that reach each other are one component (Tarjan), components are in topological order, and
//! 256 failed jobs at a time each send a bit of their own down that order. The bits that arrive are
//! added up in bit planes, so that a node that waits for all 256 costs a few words and not 256 counts.

use super::Blocking;
use super::csr::{Csr, CsrBuilder};

/// Words of a mask: 256 failed jobs a pass.
const WORDS: usize = 4;
/// Bits of a count: more than two thousand million jobs.
const PLANES: usize = 31;

type Mask = [u64; WORDS];

/// The failed jobs of a plan and what is behind them.
pub(crate) struct Failures {
    /// Of each failed job, whether it waits for no other of them; in a circle all are roots.
    pub(crate) roots: Vec<bool>,
    /// How many jobs that have not ended wait for any of them, each counted once.
    pub(crate) victims_in_all: usize,
    /// The component of each failed job.
    components: Vec<u32>,
    /// The edges between components, which are numbered in topological order.
    edges: Csr,
    /// How many jobs that have not ended a component holds.
    weights: Vec<u32>,
}

impl Failures {
    /// What is behind these jobs, given by their places.
    pub(crate) fn of(graph: &Blocking, failed: &[usize]) -> Self {
        let tarjan = Tarjan::run(graph, failed);
        let count = tarjan.count;
        // Tarjan finishes what is behind first; turned round, edges go from lower to higher numbers.
        let number = |node: usize| {
            let found = tarjan.component.get(node).copied().unwrap_or(NONE);
            (found != NONE).then(|| count - 1 - found)
        };
        let components: Vec<u32> = failed
            .iter()
            .map(|&job| number(job).unwrap_or_default())
            .collect();
        let (mut weights, mut edges) = (vec![0_u32; count as usize], CsrBuilder::default());
        for &node in &tarjan.reached {
            let node = node as usize;
            let Some(from) = number(node) else { continue };
            if graph.is_open(node)
                && let Some(weight) = weights.get_mut(from as usize)
            {
                *weight += 1;
            }
            if graph.blocks(node) {
                let ends = graph.waiters.of(node).filter_map(number);
                ends.filter(|&to| to != from)
                    .for_each(|to| edges.push(from, to));
            }
        }
        let edges = edges.forward(count as usize);
        // A failed job behind another component with a failed one is no root.
        let (mut has_failed, mut behind) =
            (vec![false; count as usize], vec![false; count as usize]);
        for &component in &components {
            mark(&mut has_failed, component as usize);
        }
        for from in 0..count as usize {
            if has_failed.get(from) == Some(&true) || behind.get(from) == Some(&true) {
                edges.of(from).for_each(|to| mark(&mut behind, to));
            }
        }
        let roots = components
            .iter()
            .map(|&component| behind.get(component as usize) != Some(&true))
            .collect();
        Self {
            roots,
            victims_in_all: weights.iter().map(|&weight| weight as usize).sum(),
            components,
            edges,
            weights,
        }
    }

    /// How many jobs that have not ended wait for each of `wanted`, which are places in the list of
    /// failed jobs. A failed job has ended, so it does not count itself.
    pub(crate) fn victims(&self, wanted: &[usize]) -> Vec<usize> {
        let mut order: Vec<(u32, usize)> = wanted
            .iter()
            .enumerate()
            .filter_map(|(at, &failed)| Some((*self.components.get(failed)?, at)))
            .collect();
        // Neighbours in the order share most of what is behind them.
        order.sort_unstable();
        let mut counts = vec![0; wanted.len()];
        let mut masks: Vec<Mask> = vec![[0; WORDS]; self.weights.len()];
        for batch in order.chunks(WORDS * 64) {
            let Some(&(first, _)) = batch.first() else {
                continue;
            };
            masks.fill([0; WORDS]);
            for (lane, &(component, _)) in batch.iter().enumerate() {
                let mask = masks.get_mut(component as usize);
                if let Some(word) = mask.and_then(|mask| mask.get_mut(lane / 64)) {
                    *word |= 1 << (lane % 64);
                }
            }
            let sums = self.send_down(first as usize, &mut masks);
            for (lane, &(_, at)) in batch.iter().enumerate() {
                if let Some(count) = counts.get_mut(at) {
                    *count = sums.of(lane);
                }
            }
        }
        counts
    }

    fn send_down(&self, first: usize, masks: &mut [Mask]) -> Planes {
        let mut sums = Planes::default();
        for from in first..masks.len() {
            let Some(&mask) = masks.get(from) else { break };
            if mask == [0; WORDS] {
                continue;
            }
            for _ in 0..self.weights.get(from).copied().unwrap_or_default() {
                sums.add(mask);
            }
            for &to in self.edges.raw(from) {
                if let Some(there) = masks.get_mut(to as usize) {
                    for (there, here) in there.iter_mut().zip(mask) {
                        *there |= here;
                    }
                }
            }
        }
        sums
    }
}

fn mark(marks: &mut [bool], at: usize) {
    if let Some(mark) = marks.get_mut(at) {
        *mark = true;
    }
}

/// One count for each lane, each bit of all counts in a mask of its own.
struct Planes([Mask; PLANES]);

impl Default for Planes {
    fn default() -> Self {
        Self([[0; WORDS]; PLANES])
    }
}

impl Planes {
    /// One more for each lane that is set.
    fn add(&mut self, mut carry: Mask) {
        for plane in &mut self.0 {
            let mut rest = 0;
            for (sum, carry) in plane.iter_mut().zip(&mut carry) {
                let both = *sum & *carry;
                *sum ^= *carry;
                *carry = both;
                rest |= both;
            }
            if rest == 0 {
                return;
            }
        }
    }

    fn of(&self, lane: usize) -> usize {
        let planes = self.0.iter().enumerate();
        planes.fold(0, |sum, (bit, plane)| {
            let word = plane.get(lane / 64).copied().unwrap_or_default();
            let set = usize::from(word >> (lane % 64) & 1 == 1);
            sum | set << bit
        })
    }
}

/// No component yet.
const NONE: u32 = u32::MAX;

/// The components of what is reached from some nodes, without recursion.
struct Tarjan {
    /// Of each node; numbered as they are finished, which is from the far end on.
    component: Vec<u32>,
    /// The nodes that were reached.
    reached: Vec<u32>,
    /// How many components there are.
    count: u32,
}

impl Tarjan {
    fn run(graph: &Blocking, starts: &[usize]) -> Self {
        let nodes = graph.waiters.nodes();
        let mut run = Self {
            component: vec![NONE; nodes],
            reached: Vec::new(),
            count: 0,
        };
        // 0 is not visited; else the order of visits from 1.
        let mut visit = vec![0_u32; nodes];
        let mut low = vec![0_u32; nodes];
        let (mut stack, mut calls): (Vec<u32>, Vec<(u32, u32)>) = (Vec::new(), Vec::new());
        for &start in starts {
            if visit.get(start) == Some(&0) {
                calls.push((u32::try_from(start).unwrap_or(NONE), 0));
            }
            while let Some(&(node, edge)) = calls.last() {
                let at = node as usize;
                if edge == 0 {
                    let time = u32::try_from(run.reached.len() + 1).unwrap_or(NONE);
                    set(&mut visit, at, time);
                    set(&mut low, at, time);
                    run.reached.push(node);
                    stack.push(node);
                }
                let ends: &[u32] = if graph.blocks(at) {
                    graph.waiters.raw(at)
                } else {
                    &[]
                };
                let mut down = None;
                let mut next = edge as usize;
                while let Some(&to) = ends.get(next) {
                    next += 1;
                    let seen = get(&visit, to as usize);
                    if seen == 0 {
                        down = Some(to);
                        break;
                    }
                    if run.component.get(to as usize) == Some(&NONE) {
                        let least = get(&low, at).min(seen);
                        set(&mut low, at, least);
                    }
                }
                if let Some(call) = calls.last_mut() {
                    // One more than the edge, so that a node without edges is entered once.
                    call.1 = u32::try_from(next).unwrap_or(NONE).max(1);
                }
                if let Some(to) = down {
                    calls.push((to, 0));
                    continue;
                }
                calls.pop();
                let least = get(&low, at);
                if let Some(&(parent, _)) = calls.last() {
                    let parents = get(&low, parent as usize).min(least);
                    set(&mut low, parent as usize, parents);
                }
                if least == get(&visit, at) {
                    while let Some(member) = stack.pop() {
                        set(&mut run.component, member as usize, run.count);
                        if member == node {
                            break;
                        }
                    }
                    run.count += 1;
                }
            }
        }
        run
    }
}

fn get(values: &[u32], at: usize) -> u32 {
    values.get(at).copied().unwrap_or_default()
}

fn set(values: &mut [u32], at: usize, value: u32) {
    if let Some(old) = values.get_mut(at) {
        *old = value;
    }
}
