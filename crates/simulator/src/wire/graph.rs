//! Who stands before whom in the plan.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{Answer, Request, view, view::Scope};
use crate::{
    engine::Engine,
    model::{Target, Waiter},
};

/// Which way to walk.
pub(super) type Step = fn(&Engine, Waiter) -> Vec<Waiter>;

pub(super) fn predecessors(engine: &Engine, node: Waiter) -> Vec<Waiter> {
    let links = match node {
        Waiter::Job(job) => &engine.plan.jobs[job].links,
        Waiter::Stream(stream) => &engine.plan.streams[stream].links,
    };
    let targets = links.iter().filter_map(|link| match link.target {
        Target::Internal(job) | Target::Job(job) => Some(Waiter::Job(job)),
        Target::Stream(stream) => Some(Waiter::Stream(stream)),
        Target::Resource(..) | Target::Prompt(_) | Target::File(_) => None,
    });
    targets.collect()
}

pub(super) fn successors(engine: &Engine, node: Waiter) -> Vec<Waiter> {
    match node {
        Waiter::Job(job) => engine.plan.jobs[job].waiters.clone(),
        Waiter::Stream(stream) => engine.plan.streams[stream].waiters.clone(),
    }
}

/// Breadth first, each node once, the start left out.
pub(super) fn walk(
    engine: &Engine,
    request: &Request,
    start: Waiter,
    step: Step,
) -> Result<Value, Answer> {
    let depth = request.number("depth")?.unwrap_or(1);
    let mut seen = BTreeSet::from([start]);
    let mut open = VecDeque::from([(start, 0)]);
    let mut found = Vec::new();
    while let Some((node, level)) = open.pop_front() {
        if level >= depth {
            continue;
        }
        for next in step(engine, node) {
            if seen.insert(next) {
                found.push(next);
                open.push_back((next, level + 1));
            }
        }
    }
    found.retain(|node| request.sees(engine.folder_of(*node)));
    let view = |node: &Waiter| match *node {
        Waiter::Job(job) => view::tree(view::job(engine, job, Scope::WHOLE, request.role)),
        Waiter::Stream(stream) => {
            view::tree(view::stream(engine, stream, Scope::WHOLE, request.role))
        }
    };
    let nodes: Vec<Value> = found.iter().map(view).collect();
    Ok(json!({"count": found.len(), "results": nodes}))
}
