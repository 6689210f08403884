//! What can be done to what is there.
//!
//! The order of the checks: role, existence, body, state. The answer comes before the effect.

use std::fmt;

use serde_json::json;

use super::{Answer, Quirk, Request, Role, Settings, bad, bodies, bulk, forbidden, missing, read};
use crate::{
    engine::{Command, Engine},
    model::Waiter,
    table::{JobKey, ResourceKey, StationKey, StreamKey},
    wire::places,
};

pub(super) fn put(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Answer, Answer> {
    may_act(request)?;
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match *segments.as_slice() {
        ["plan", "job", "run", run, "action", "rerun"] => {
            let (job, _) = read::run_of(engine, request, run)?;
            let command = Command::Rerun(job, bodies::rerun(engine, request, job)?);
            let id = engine.plan.jobs[job].id.to_string();
            one(engine, settings, request, "job", &id, command)
        }
        ["plan", sort, "action", action] => by_filter(engine, settings, request, sort, action),
        ["plan", "job", id, "action", action] => {
            let job = read::job(engine, request, id)?;
            let command = job_command(engine, request, action, job)?;
            one(engine, settings, request, "job", id, command)
        }
        ["plan", "jobstream", id, "action", action] => {
            let stream = read::stream(engine, request, id)?;
            let command = stream_command(engine, request, action, stream)?;
            one(engine, settings, request, "jobstream", id, command)
        }
        ["plan", "jobstream", id, "successors", "action", "rerun"] => {
            let stream = read::stream(engine, request, id)?;
            let depth = request.number("depth")?.unwrap_or(1);
            let depth = usize::try_from(depth).unwrap_or(0);
            let refused = |refusal: crate::engine::Refusal| bad(&refusal.0);
            let chain = engine.rerun_after(stream, depth).map_err(refused)?;
            let Some((first, rest)) = chain.split_first() else {
                return Err(bad("the job stream has no successors to run again"));
            };
            let mut details = bodies::rerun(engine, request, *first)?;
            details.successors = rest.to_vec();
            one(
                engine,
                settings,
                request,
                "jobstream",
                id,
                Command::Rerun(*first, details),
            )
        }
        ["plan", "workstation", id, "action", action] => {
            let station = read::station(engine, request, id)?;
            let command = station_command(request, action, station)?;
            one(engine, settings, request, "workstation", id, command)
        }
        ["plan", "resource", id, "action", "update-quantity"] => {
            let key = read::resource(engine, request, id)?;
            let command = Command::Quantity(key, required(request, "quantity")?);
            one(engine, settings, request, "resource", id, command)
        }
        ["plan", "prompt", id, "action", "reply"] => {
            let prompt = read::prompt(engine, request, id)?;
            let command = Command::Reply(prompt, bodies::reply(request)?);
            one(engine, settings, request, "prompt", id, command)
        }
        ["model" | "engine", ..] => Err(read_only()),
        _ => Err(missing("there is no such path")),
    }
}

/// Definitions and the engine's own settings are only read here.
pub(super) fn read_only() -> Answer {
    super::error(
        http::StatusCode::METHOD_NOT_ALLOWED,
        "AWSJCO905E",
        "MethodNotAllowedException",
        "definitions cannot be changed here",
    )
}

pub(super) fn may_act(request: &Request) -> Result<(), Answer> {
    if request.role == Role::Viewer {
        return Err(forbidden(&request.user));
    }
    Ok(())
}

/// A JSON merge patch, by id or by filter.
pub(super) fn patch(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Answer, Answer> {
    may_act(request)?;
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match *segments.as_slice() {
        ["plan", "job", id] => {
            let owner = Waiter::Job(read::job(engine, request, id)?);
            let command = Command::Patch(owner, bodies::patch(request, true)?);
            one(engine, settings, request, "job", id, command)
        }
        ["plan", "jobstream", id] => {
            let owner = Waiter::Stream(read::stream(engine, request, id)?);
            let command = Command::Patch(owner, bodies::patch(request, false)?);
            one(engine, settings, request, "jobstream", id, command)
        }
        ["plan", "job"] => {
            let rows = read::select_jobs(engine, settings, request)?;
            bulk::act(engine, settings, request, "job", &rows, |engine, job| {
                let patch = bodies::patch(request, true)?;
                let id = engine.plan.jobs[job].id;
                Ok((Command::Patch(Waiter::Job(job), patch), id))
            })
        }
        ["plan", "jobstream"] => {
            let rows = read::select_streams(engine, settings, request)?;
            bulk::act(
                engine,
                settings,
                request,
                "jobstream",
                &rows,
                |engine, stream| {
                    let patch = bodies::patch(request, false)?;
                    let id = engine.plan.streams[stream].id;
                    Ok((Command::Patch(Waiter::Stream(stream), patch), id))
                },
            )
        }
        ["plan", "workstation", id] => {
            let station = read::station(engine, request, id)?;
            let numbers = bodies::patched_number(request, &["limit", "fence"])?;
            let command = |(name, number): (String, u32)| match name.as_str() {
                "limit" => Command::Limit(station, number),
                _ => Command::Fence(station, number),
            };
            let commands: Vec<Command> = numbers.into_iter().map(command).collect();
            several(engine, settings, request, "workstation", id, commands)
        }
        ["plan", "resource", id] => {
            let key = read::resource(engine, request, id)?;
            let numbers = bodies::patched_number(request, &["quantity"])?;
            let command = |(_, number)| Command::Quantity(key, number);
            let commands: Vec<Command> = numbers.into_iter().map(command).collect();
            several(engine, settings, request, "resource", id, commands)
        }
        ["model" | "engine", ..] => Err(read_only()),
        _ => Err(missing("there is no such path")),
    }
}

fn several(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
    kind: &str,
    id: &str,
    commands: Vec<Command>,
) -> Result<Answer, Answer> {
    let mut answer = Err(bad("the body changes nothing"));
    for command in commands {
        answer = Ok(one(engine, settings, request, kind, id, command)?);
    }
    answer
}

/// Accepts one command and names its object.
fn one(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
    kind: &str,
    id: &str,
    command: Command,
) -> Result<Answer, Answer> {
    let mut answer = json!({"id": id, "url": url(settings, kind, id)});
    if let (Command::Depend(..) | Command::Undepend(..) | Command::SetAside(..), Some(fields)) =
        (&command, answer.as_object_mut())
    {
        fields.insert("isError".to_owned(), json!(false));
        fields.insert("error".to_owned(), json!(false));
    }
    let skipped = match &command {
        Command::Release(job) => settings.has(Quirk::ReleaseNoop) && !engine.allows(&command, *job),
        _ => false,
    };
    if !skipped {
        engine
            .accept(command, request.by())
            .map_err(|refusal| bad(&refusal.0))?;
    }
    super::quirk::apply(settings, engine.seed(), &mut answer);
    Ok(Answer::ok(&answer))
}

pub(super) fn url(settings: &Settings, kind: &str, id: impl fmt::Display) -> String {
    format!("{}{}/plan/{kind}/{id}", settings.external, super::ROOT)
}

fn job_command(
    engine: &Engine,
    request: &Request,
    action: &str,
    job: JobKey,
) -> Result<Command, Answer> {
    let confirm = |good| {
        let named = bodies::names_conditions(request)?;
        Ok(if named {
            Command::ConfirmNamed(job, good)
        } else {
            Command::Confirm(job, good)
        })
    };
    Ok(match action {
        "hold" => Command::Hold(job),
        "release" => Command::Release(job),
        "release-all-dependencies" => Command::ReleaseAll(job),
        "kill" => Command::Kill(job),
        "cancel" => Command::Cancel(job),
        "cancel-pending" => Command::CancelPending(job),
        "confirm-succ" => confirm(true)?,
        "confirm-abend" => confirm(false)?,
        "update-priority" => Command::Priority(job, required(request, "priority")?),
        other => return dependency_command(engine, request, other, Waiter::Job(job)),
    })
}

fn stream_command(
    engine: &Engine,
    request: &Request,
    action: &str,
    stream: StreamKey,
) -> Result<Command, Answer> {
    Ok(match action {
        "hold" => Command::HoldStream(stream),
        "release" => Command::ReleaseStream(stream),
        "release-all-dependencies" => Command::ReleaseAllOf(stream),
        "cancel" => Command::CancelStream(stream),
        "cancel-pending" => Command::CancelPendingStream(stream),
        other => return dependency_command(engine, request, other, Waiter::Stream(stream)),
    })
}

fn dependency_command(
    engine: &Engine,
    request: &Request,
    action: &str,
    owner: Waiter,
) -> Result<Command, Answer> {
    Ok(match action {
        "add-dependencies" => Command::Depend(owner, bodies::new_needs(engine, request)?),
        "remove-dependencies" => {
            Command::Undepend(owner, bodies::known_needs(engine, request, owner)?)
        }
        "release-dependencies" => {
            Command::SetAside(owner, bodies::known_needs(engine, request, owner)?)
        }
        _ => return Err(missing("there is no such action")),
    })
}

fn station_command(
    request: &Request,
    action: &str,
    station: StationKey,
) -> Result<Command, Answer> {
    Ok(match action {
        "link" => Command::Link(station, true),
        "unlink" => Command::Link(station, false),
        "set-online" => Command::Online(station, true),
        "set-offline" => Command::Online(station, false),
        "start" => Command::Start(station, true),
        "stop" => Command::Start(station, false),
        "update-limit" => Command::Limit(station, required(request, "limit")?),
        "update-fence" => Command::Fence(station, required(request, "priority")?),
        _ => return Err(missing("there is no such action")),
    })
}

/// A query parameter that must be a number that is not negative.
fn required(request: &Request, name: &str) -> Result<u32, Answer> {
    let number = request
        .number(name)?
        .ok_or_else(|| bad(&format!("{name} is required")))?;
    u32::try_from(number).map_err(|_| bad(&format!("{name} is out of range: {number}")))
}

fn by_filter(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
    sort: &str,
    action: &str,
) -> Result<Answer, Answer> {
    match sort {
        "job" => {
            let rows = read::select_jobs(engine, settings, request)?;
            bulk::act(engine, settings, request, "job", &rows, |engine, job| {
                let command = match action {
                    "rerun" => Command::Rerun(job, bodies::rerun(engine, request, job)?),
                    action => job_command(engine, request, action, job)?,
                };
                Ok((command, engine.plan.jobs[job].id))
            })
        }
        "jobstream" => {
            let rows = read::select_streams(engine, settings, request)?;
            bulk::act(
                engine,
                settings,
                request,
                "jobstream",
                &rows,
                |engine, stream| {
                    let command = stream_command(engine, request, action, stream)?;
                    Ok((command, engine.plan.streams[stream].id))
                },
            )
        }
        "workstation" => {
            let rows = read::select_stations(engine, settings, request)?;
            bulk::act(
                engine,
                settings,
                request,
                "workstation",
                &rows,
                |engine, key: StationKey| {
                    let command = station_command(request, action, key)?;
                    Ok((command, engine.catalogue.stations[key].id()))
                },
            )
        }
        "resource" if action == "update-quantity" => {
            let rows = read::select_resources(engine, settings, request)?;
            bulk::act(
                engine,
                settings,
                request,
                "resource",
                &rows,
                |engine, key: ResourceKey| {
                    let command = Command::Quantity(key, required(request, "quantity")?);
                    Ok((command, places::resource_id(engine, key)))
                },
            )
        }
        _ => Err(missing("there is no such action")),
    }
}
