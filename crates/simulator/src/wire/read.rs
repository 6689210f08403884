//! What can be read.

use serde_json::json;

use super::{
    Answer, Request, Settings, about, bad, count,
    graph::{self, Step},
    joblog, list, missing, model, places, quirk,
    status::common_status,
    values, view,
    view::{Scope, StreamView},
};
use crate::{
    engine::Engine,
    model::{Status, Waiter},
    names::parse_id,
    oql::fields,
    table::{JobKey, PromptKey, ResourceKey, StationKey, StreamKey},
};

pub(super) fn get(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Answer, Answer> {
    // Plans before the present one are not kept.
    let plan = request.query("plan_id").filter(|plan| *plan != "current");
    if let Some(plan) = plan.filter(|plan| parse_id(plan) != Some(engine.plan.id)) {
        return Err(missing(&format!("there is no plan {plan}")));
    }
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let mut body = match *segments.as_slice() {
        ["engine", "info"] => about::info(settings),
        ["engine", "configuration"] => about::configuration(),
        ["engine", "configuration", key] => about::one_configuration(key)?,
        ["engine", "users"] => about::users(settings),
        ["engine", "groups"] => about::groups(),
        ["engine", "read_permission"] => about::read_permission(request),
        ["objects-info"] => about::objects_info(request)?,
        ["model", ref rest @ ..] => return model::get(engine, settings, request, rest),
        ["plan", "consumed-jobs", "runs"] => about::consumed_jobs(engine, request)?,
        ["plan", "folder", "objects-count"] => count::folder_objects(engine, settings, request)?,
        ["plan", "job", ref rest @ ..] => return jobs(engine, settings, request, rest),
        ["plan", "jobstream", ref rest @ ..] => return streams(engine, settings, request, rest),
        ["plan", "workstation"] => return stations(engine, settings, request),
        ["plan", "workstation", id] => {
            places::station(engine, station(engine, request, id)?, request.role)
        }
        [
            "plan",
            "workstation",
            id,
            "action",
            "health-status" | "monitoring-configuration",
        ] => {
            station(engine, request, id)?;
            json!({"id": id, "url": format!("{}{}/plan/workstation/{id}", settings.external,
                                            super::ROOT)})
        }
        ["plan", "resource"] => return resources(engine, settings, request),
        ["plan", "resource", id] => {
            places::resource(engine, resource(engine, request, id)?, request.role)
        }
        ["plan", "prompt", ref rest @ ..] if settings.version.lists_prompts() => match *rest {
            [] => return prompts(engine, settings, request),
            [id] => places::prompt(engine, prompt(engine, request, id)?, request.role),
            _ => return Err(missing("there is no such path")),
        },
        _ => return Err(missing("there is no such path")),
    };
    quirk::apply(settings, engine.seed(), &mut body);
    Ok(Answer::ok(&body))
}

fn jobs(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, Answer> {
    let walk = |id: &str, step: Step| {
        graph::walk(
            engine,
            request,
            Waiter::Job(job(engine, request, id)?),
            step,
        )
    };
    let mut body = match *rest {
        [] => {
            let rows = select_jobs(engine, settings, request)?;
            let scope = scope(request)?;
            return list::page(engine, settings, request, &rows, |key| {
                view::job(engine, *key, scope, request.role)
            });
        }
        ["count"] => count::jobs(engine, settings, request)?,
        ["issues"] => {
            select_jobs(engine, settings, request)?;
            json!({"issues": []})
        }
        ["joblog"] => {
            let rows = select_jobs(engine, settings, request)?;
            let [key] = *rows.as_slice() else {
                let text = format!("the filter matches {} jobs, not one", rows.len());
                return Err(bad(&text));
            };
            let run = engine.plan.jobs[key].run.number;
            return joblog::answer(engine, settings, request, key, run);
        }
        ["run", run, "joblog"] => {
            let (key, number) = run_of(engine, request, run)?;
            return joblog::answer(engine, settings, request, key, number);
        }
        [id] => {
            let key = job(engine, request, id)?;
            let body = view::job(engine, key, Scope::WHOLE, request.role);
            return Ok(Answer::of(engine, settings, &body));
        }
        [id, "predecessors"] => walk(id, graph::predecessors)?,
        [id, "successors"] => walk(id, graph::successors)?,
        [id, "model", "description"] => {
            let key = job(engine, request, id)?;
            json!({"description": engine.plan.jobs[key].model.description()})
        }
        _ => return Err(missing("there is no such path")),
    };
    quirk::apply(settings, engine.seed(), &mut body);
    Ok(Answer::ok(&body))
}

fn streams(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, Answer> {
    let walk = |id: &str, step: Step| {
        graph::walk(
            engine,
            request,
            Waiter::Stream(stream(engine, request, id)?),
            step,
        )
    };
    let mut body = match *rest {
        [] => {
            let rows = select_streams(engine, settings, request)?;
            let scope = scope(request)?;
            return list::page(engine, settings, request, &rows, |key| {
                view::stream(engine, *key, scope, request.role)
            });
        }
        ["count"] => count::streams(engine, settings, request)?,
        [id] => {
            let body = whole_stream(engine, request, stream(engine, request, id)?)?;
            return Ok(Answer::of(engine, settings, &body));
        }
        [id, "predecessors"] => walk(id, graph::predecessors)?,
        [id, "successors"] => walk(id, graph::successors)?,
        [id, "model", "description"] => {
            let key = stream(engine, request, id)?;
            json!({"description": engine.plan.streams[key].model.name})
        }
        _ => return Err(missing("there is no such path")),
    };
    quirk::apply(settings, engine.seed(), &mut body);
    Ok(Answer::ok(&body))
}

fn scope(request: &Request) -> Result<Scope, Answer> {
    let text = request.header("scope");
    Scope::parse(text).ok_or_else(|| bad("the header scope holds no known scope"))
}

fn absent(sort: &str, id: &str) -> Answer {
    missing(&format!("no {sort} {id} in the plan"))
}

pub(super) fn job(engine: &Engine, request: &Request, id: &str) -> Result<JobKey, Answer> {
    let found = parse_id(id).and_then(|id| engine.index.jobs.get(&id).copied());
    found
        .filter(|key| request.sees(engine.folder_of(Waiter::Job(*key))))
        .ok_or_else(|| absent("job", id))
}

/// The job of a run, and the run's number.
pub(super) fn run_of(
    engine: &Engine,
    request: &Request,
    id: &str,
) -> Result<(JobKey, u32), Answer> {
    let found = parse_id(id).and_then(|id| engine.index.runs.get(&id).copied());
    found
        .filter(|(key, _)| request.sees(engine.folder_of(Waiter::Job(*key))))
        .ok_or_else(|| absent("run", id))
}

pub(super) fn stream(engine: &Engine, request: &Request, id: &str) -> Result<StreamKey, Answer> {
    let found = parse_id(id).and_then(|id| engine.index.streams.get(&id).copied());
    found
        .filter(|key| request.sees(engine.folder_of(Waiter::Stream(*key))))
        .ok_or_else(|| absent("job stream", id))
}

pub(super) fn station(engine: &Engine, request: &Request, id: &str) -> Result<StationKey, Answer> {
    let mut rows = engine.catalogue.stations.iter();
    let wanted = parse_id(id);
    let found = rows.find(|(_, station)| Some(station.id()) == wanted);
    found
        .map(|(key, _)| key)
        .filter(|_| request.sees("/"))
        .ok_or_else(|| absent("workstation", id))
}

pub(super) fn resource(
    engine: &Engine,
    request: &Request,
    id: &str,
) -> Result<ResourceKey, Answer> {
    let mut keys = engine.catalogue.resources.keys();
    let wanted = parse_id(id);
    let found = keys.find(|key| Some(places::resource_id(engine, *key)) == wanted);
    found
        .filter(|_| request.sees("/"))
        .ok_or_else(|| absent("resource", id))
}

pub(super) fn prompt(engine: &Engine, request: &Request, id: &str) -> Result<PromptKey, Answer> {
    let found = parse_id(id).and_then(|id| engine.index.prompts.get(&id).copied());
    found
        .filter(|key| request.sees(engine.folder_of(engine.plan.prompts[*key].owner)))
        .ok_or_else(|| absent("prompt", id))
}

pub(super) fn select_jobs(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Vec<JobKey>, Answer> {
    let source = list::Source {
        schema: &fields::JOB,
        values: &|key, field| values::of_job(engine, key, field),
        by_id: &|id| parse_id(id).and_then(|id| engine.index.jobs.get(&id).copied()),
        path: &|key| engine.plan.jobs[key].path().into(),
        narrow: &|field, texts| narrow_jobs(engine, field, texts),
        folder: &|key| engine.folder_of(Waiter::Job(key)).to_owned(),
    };
    list::select(settings, request, &source, engine.plan.jobs.keys())
}

/// The jobs among which a filter's are, by the engine's indexes.
fn narrow_jobs(engine: &Engine, field: &str, texts: &[&str]) -> Option<Vec<JobKey>> {
    let (by_common, any_run) = match field {
        "lastRunCompositeStatus.status" => (false, false),
        "jobruns.compositeStatus.status" => (false, true),
        "lastRunCommonStatus" => (true, false),
        "jobruns.commonStatus" => (true, true),
        "jobStreamId" => {
            let streams = texts
                .iter()
                .filter_map(|id| engine.index.streams.get(&parse_id(id)?));
            let jobs = streams.flat_map(|stream| &engine.plan.streams[*stream].jobs);
            return Some(sorted(jobs.copied().collect()));
        }
        "jobStreamName" => {
            let streams = engine.plan.streams.rows().iter();
            let streams = streams.filter(|stream| texts.contains(&stream.name()));
            return Some(sorted(
                streams.flat_map(|stream| stream.jobs.clone()).collect(),
            ));
        }
        "name" => {
            let jobs = engine.plan.jobs.iter();
            let jobs = jobs.filter(|(_, job)| texts.contains(&&*job.model.name));
            return Some(jobs.map(|(key, _)| key).collect());
        }
        "workstation" => {
            let stations = engine.catalogue.stations.iter();
            let stations = stations.filter(|(_, row)| texts.contains(&row.path()));
            let stations: Vec<StationKey> = stations.map(|(key, _)| key).collect();
            let jobs = engine.plan.jobs.iter();
            let jobs = jobs.filter(|(_, job)| stations.contains(&job.model.station));
            return Some(jobs.map(|(key, _)| key).collect());
        }
        _ => return None,
    };
    let mut statuses = Vec::new();
    for text in texts {
        let fits = |status: &Status| {
            if by_common {
                [false, true]
                    .map(|held| common_status(*status, held, false))
                    .contains(text)
            } else {
                status.text() == *text
            }
        };
        // Cancelled jobs are found under any status, and success has two spellings.
        if by_common && matches!(*text, "CANCELED" | "SUCCEED") {
            return None;
        }
        statuses.extend(Status::ALL.into_iter().filter(fits));
    }
    Some(engine.index.with_status(&statuses, any_run))
}

fn sorted(mut keys: Vec<JobKey>) -> Vec<JobKey> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

pub(super) fn select_streams(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Vec<StreamKey>, Answer> {
    let source = list::Source {
        schema: &fields::STREAM,
        values: &|key, field| values::of_stream(engine, key, field),
        by_id: &|id| parse_id(id).and_then(|id| engine.index.streams.get(&id).copied()),
        path: &|key| engine.plan.streams[key].path.to_string(),
        narrow: &|_, _| None,
        folder: &|key| engine.folder_of(Waiter::Stream(key)).to_owned(),
    };
    list::select(settings, request, &source, engine.plan.streams.keys())
}

pub(super) fn select_stations(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Vec<StationKey>, Answer> {
    let source = list::Source {
        schema: &fields::STATION,
        values: &|key, field| values::of_station(engine, key, field),
        by_id: &|id| station(engine, request, id).ok(),
        path: &|key| engine.catalogue.stations[key].path().to_owned(),
        narrow: &|_, _| None,
        folder: &|_| "/".to_owned(),
    };
    list::select(settings, request, &source, engine.catalogue.stations.keys())
}

fn stations(engine: &Engine, settings: &Settings, request: &Request) -> Result<Answer, Answer> {
    let rows = select_stations(engine, settings, request)?;
    list::page(engine, settings, request, &rows, |key| {
        places::station(engine, *key, request.role)
    })
}

pub(super) fn select_resources(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Vec<ResourceKey>, Answer> {
    let source = list::Source {
        schema: &fields::RESOURCE,
        values: &|key, field| values::of_resource(engine, key, field),
        by_id: &|id| resource(engine, request, id).ok(),
        path: &|key| {
            let resource = &engine.catalogue.resources[key];
            let station = engine.catalogue.stations[resource.station].path();
            format!("{station}#/{}", resource.name)
        },
        narrow: &|_, _| None,
        folder: &|_| "/".to_owned(),
    };
    list::select(
        settings,
        request,
        &source,
        engine.catalogue.resources.keys(),
    )
}

fn resources(engine: &Engine, settings: &Settings, request: &Request) -> Result<Answer, Answer> {
    let rows = select_resources(engine, settings, request)?;
    list::page(engine, settings, request, &rows, |key| {
        places::resource(engine, *key, request.role)
    })
}

fn prompts(engine: &Engine, settings: &Settings, request: &Request) -> Result<Answer, Answer> {
    let source = list::Source {
        schema: &fields::PROMPT,
        values: &|key, field| values::of_prompt(engine, key, field),
        by_id: &|id| parse_id(id).and_then(|id| engine.index.prompts.get(&id).copied()),
        path: &|key| format!("/{}", engine.plan.prompts[key].name),
        narrow: &|_, _| None,
        folder: &|key| engine.folder_of(engine.plan.prompts[key].owner).to_owned(),
    };
    let rows = list::select(settings, request, &source, engine.plan.prompts.keys())?;
    list::page(engine, settings, request, &rows, |key| {
        places::prompt(engine, *key, request.role)
    })
}

fn whole_stream<'a>(
    engine: &'a Engine,
    request: &Request,
    key: StreamKey,
) -> Result<StreamView<'a>, Answer> {
    let scope = scope(request)?;
    let jobs = engine.plan.streams[key].jobs.iter();
    let jobs = jobs.map(|job| view::job(engine, *job, scope, request.role));
    Ok(view::stream(engine, key, scope, request.role).with(jobs.collect()))
}
