//! What can be read.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::{
    Answer, Quirk, Request, Settings, bad, joblog, list, missing, places, quirk,
    status::common_status, values, view, view::Scope,
};
use crate::{
    engine::Engine,
    model::{Target, Waiter},
    names::ZONE,
    oql::fields,
    table::{JobKey, StreamKey},
};

pub(super) fn get(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Answer, Answer> {
    // Plans before the present one are not kept.
    let plan = request.query("plan_id").filter(|plan| *plan != "current");
    if let Some(plan) = plan.filter(|plan| *plan != engine.plan.id) {
        return Err(missing(&format!("there is no plan {plan}")));
    }
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let body = match *segments.as_slice() {
        ["engine", "info"] => engine_info(),
        ["plan", "job"] => {
            let rows = select_jobs(engine, request)?;
            let scope = scope(request)?;
            return list::page(engine, settings, request, &rows, |key| {
                view::job(engine, key, scope, request.role)
            });
        }
        ["plan", "job", "count"] => count_jobs(engine, request)?,
        ["plan", "job", "run", run, "joblog"] => return log(engine, settings, request, run),
        ["plan", "job", id] => view::job(engine, job(engine, id)?, Scope::WHOLE, request.role),
        ["plan", "job", id, "predecessors"] => {
            graph(engine, request, Node::Job(job(engine, id)?), predecessors)?
        }
        ["plan", "job", id, "successors"] => {
            graph(engine, request, Node::Job(job(engine, id)?), successors)?
        }
        ["plan", "jobstream"] => {
            let rows = select_streams(engine, request)?;
            let scope = scope(request)?;
            return list::page(engine, settings, request, &rows, |key| {
                view::stream(engine, key, scope, request.role)
            });
        }
        ["plan", "jobstream", id, "predecessors"] => graph(
            engine,
            request,
            Node::Stream(stream(engine, id)?),
            predecessors,
        )?,
        ["plan", "jobstream", id, "successors"] => graph(
            engine,
            request,
            Node::Stream(stream(engine, id)?),
            successors,
        )?,
        ["plan", "jobstream", id] => whole_stream(engine, request, stream(engine, id)?),
        ["plan", "workstation"] => return stations(engine, settings, request),
        ["plan", "workstation", id] => {
            let mut keys = engine.catalogue.stations.iter();
            let found = keys.find(|(_, station)| station.id() == id);
            let (key, _) = found.ok_or_else(|| missing(&format!("no workstation {id}")))?;
            places::station(engine, key, request.role)
        }
        ["plan", "resource"] => return resources(engine, settings, request),
        ["plan", "resource", id] => {
            let mut keys = engine.catalogue.resources.keys();
            let found = keys.find(|key| places::resource_id(engine, *key) == id);
            let key = found.ok_or_else(|| missing(&format!("no resource {id}")))?;
            places::resource(engine, key, request.role)
        }
        _ => return Err(missing("there is no such path")),
    };
    let mut body = body;
    quirk::apply(settings, engine.seed(), &mut body);
    Ok(Answer::ok(&body))
}

fn engine_info() -> Value {
    json!({
        "displayVersion": "10.1.0.1",
        "fullVersion": "10.1.0.01",
        "capabilities": {"plan": {"oql": "true"}},
        "adminRoles": {"admin": [
            {"key": "FULLCONTROL", "label": "Full control"},
        ]},
        "referenceId": crate::names::id("engine", "MDM"),
        "licenseType": "PERSERVER",
        "locale": "en",
        "timezone": ZONE.name(),
    })
}

fn scope(request: &Request) -> Result<Scope, Answer> {
    let text = request.header("scope");
    Scope::parse(text).ok_or_else(|| bad("the header scope holds no known scope"))
}

pub(super) fn job(engine: &Engine, id: &str) -> Result<JobKey, Answer> {
    let found = engine.index.jobs.get(id).copied();
    found.ok_or_else(|| missing(&format!("no job {id} in the plan")))
}

pub(super) fn stream(engine: &Engine, id: &str) -> Result<StreamKey, Answer> {
    let found = engine.index.streams.get(id).copied();
    found.ok_or_else(|| missing(&format!("no job stream {id} in the plan")))
}

pub(super) fn select_jobs(engine: &Engine, request: &Request) -> Result<Vec<JobKey>, Answer> {
    let source = list::Source {
        schema: &fields::JOB,
        values: &|key, field| values::of_job(engine, key, field),
        by_id: &|id| engine.index.jobs.get(id).copied(),
        path: &|key| engine.plan.jobs[key].path.clone(),
    };
    list::select(request, &source, engine.plan.jobs.keys())
}

fn select_streams(engine: &Engine, request: &Request) -> Result<Vec<StreamKey>, Answer> {
    let source = list::Source {
        schema: &fields::STREAM,
        values: &|key, field| values::of_stream(engine, key, field),
        by_id: &|id| engine.index.streams.get(id).copied(),
        path: &|key| engine.plan.streams[key].path.clone(),
    };
    list::select(request, &source, engine.plan.streams.keys())
}

fn stations(engine: &Engine, settings: &Settings, request: &Request) -> Result<Answer, Answer> {
    let source = list::Source {
        schema: &fields::STATION,
        values: &|key, field| values::of_station(engine, key, field),
        by_id: &|id| {
            let mut rows = engine.catalogue.stations.iter();
            rows.find(|(_, station)| station.id() == id)
                .map(|(key, _)| key)
        },
        path: &|key| engine.catalogue.stations[key].path(),
    };
    let rows = list::select(request, &source, engine.catalogue.stations.keys())?;
    list::page(engine, settings, request, &rows, |key| {
        places::station(engine, key, request.role)
    })
}

fn resources(engine: &Engine, settings: &Settings, request: &Request) -> Result<Answer, Answer> {
    let source = list::Source {
        schema: &fields::RESOURCE,
        values: &|key, field| values::of_resource(engine, key, field),
        by_id: &|id| {
            let mut keys = engine.catalogue.resources.keys();
            keys.find(|key| places::resource_id(engine, *key) == id)
        },
        path: &|key| {
            let resource = &engine.catalogue.resources[key];
            let station = engine.catalogue.stations[resource.station].path();
            format!("{station}#/{}", resource.name)
        },
    };
    let rows = list::select(request, &source, engine.catalogue.resources.keys())?;
    list::page(engine, settings, request, &rows, |key| {
        places::resource(engine, key, request.role)
    })
}

fn whole_stream(engine: &Engine, request: &Request, key: StreamKey) -> Value {
    let mut body = view::stream(engine, key, Scope::WHOLE, request.role);
    let jobs = engine.plan.streams[key].jobs.iter();
    let jobs = jobs.map(|job| view::job(engine, *job, Scope::WHOLE, request.role));
    if let Value::Object(fields) = &mut body {
        fields.insert("jobs".to_owned(), jobs.collect());
    }
    body
}

fn count_jobs(engine: &Engine, request: &Request) -> Result<Value, Answer> {
    let filter = request.query("plan_filter");
    filter.ok_or_else(|| bad("plan_filter is required"))?;
    let rows = select_jobs(engine, request)?;
    let groupings: Vec<&str> = request
        .query("grouping_filters")
        .map(|text| text.split(',').collect())
        .unwrap_or_default();
    if let Some(other) = groupings
        .iter()
        .find(|name| !matches!(**name, "workstation" | "status" | "folder"))
    {
        return Err(bad(&format!("{other} is no grouping")));
    }
    let mut groups = BTreeMap::<String, u64>::new();
    for key in &rows {
        let job = &engine.plan.jobs[*key];
        let part = |name: &&str| match *name {
            "workstation" => engine.catalogue.stations[job.model.station].path(),
            "folder" => engine.plan.streams[job.stream].model.folder.clone(),
            _ => common_status(job.status(), job.priority == 0, job.canceled).to_owned(),
        };
        if !groupings.is_empty() {
            let group = groupings.iter().map(part).collect::<Vec<_>>().join(",");
            *groups.entry(group).or_default() += 1;
        }
    }
    Ok(json!({"count": rows.len(), "groupedCount": groups}))
}

fn log(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    run: &str,
) -> Result<Answer, Answer> {
    let found = engine.index.runs.get(run);
    let (key, number) = *found.ok_or_else(|| missing(&format!("no run {run} in the plan")))?;
    let station = engine.plan.jobs[key].model.station;
    if !engine.is_able(station) {
        return Err(super::error(
            http::StatusCode::INTERNAL_SERVER_ERROR,
            "AWSJCO930E",
            "JobLogException",
            "the agent that holds the job log does not answer",
        ));
    }
    let content_only = request.query("contentOnly") == Some("true");
    let Some(text) = joblog::render(engine, key, number, content_only) else {
        if settings.has(Quirk::LogEmpty) {
            return Ok(Answer::text(Vec::new()));
        }
        return Err(missing("the run has not started, there is no job log"));
    };
    let from = request.number("from_line")?.unwrap_or(1).max(1);
    let to = request.number("to_line")?.unwrap_or(i64::MAX);
    let kept = (1_i64..)
        .zip(text.lines())
        .filter(|(line, _)| (from..=to).contains(line));
    let mut body = String::new();
    for (_, line) in kept {
        body.push_str(line);
        body.push('\n');
    }
    Ok(Answer::text(body.into_bytes()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Node {
    Job(JobKey),
    Stream(StreamKey),
}

fn predecessors(engine: &Engine, node: Node) -> Vec<Node> {
    let links = match node {
        Node::Job(job) => &engine.plan.jobs[job].links,
        Node::Stream(stream) => &engine.plan.streams[stream].links,
    };
    let targets = links.iter().filter_map(|link| match link.target {
        Target::Internal(job) | Target::Job(job) => Some(Node::Job(job)),
        Target::Stream(stream) => Some(Node::Stream(stream)),
        Target::Resource(..) | Target::Prompt(_) | Target::File(_) => None,
    });
    targets.collect()
}

fn successors(engine: &Engine, node: Node) -> Vec<Node> {
    let waiters = match node {
        Node::Job(job) => &engine.plan.jobs[job].waiters,
        Node::Stream(stream) => &engine.plan.streams[stream].waiters,
    };
    let node = |waiter: &Waiter| match *waiter {
        Waiter::Job(job) => Node::Job(job),
        Waiter::Stream(stream) => Node::Stream(stream),
    };
    waiters.iter().map(node).collect()
}

/// Breadth first, each node once, the start left out.
fn graph(
    engine: &Engine,
    request: &Request,
    start: Node,
    step: fn(&Engine, Node) -> Vec<Node>,
) -> Result<Value, Answer> {
    let depth = request.number("depth")?.unwrap_or(1);
    let mut seen = std::collections::BTreeSet::from([start]);
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
    let view = |node: &Node| match *node {
        Node::Job(job) => view::job(engine, job, Scope::WHOLE, request.role),
        Node::Stream(stream) => view::stream(engine, stream, Scope::WHOLE, request.role),
    };
    Ok(json!({"count": found.len(), "results": found.iter().map(view).collect::<Vec<_>>()}))
}
