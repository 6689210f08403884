//! What can be done.
//!
//! The order of the checks: role, existence, body, state. The answer comes before the effect.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Quirk, Request, Role, Settings, bad, forbidden, missing, read};
use crate::{
    engine::{Command, Engine, RerunDetails},
    names::Secs,
    table::{JobKey, StationKey},
    wire::places,
};

pub(super) fn put(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Answer, Answer> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    if request.role == Role::Viewer {
        return Err(forbidden(&request.user));
    }
    let (command, id, kind) = match *segments.as_slice() {
        ["plan", "job", "run", run, "action", "rerun"] => {
            let found = engine.index.runs.get(run).copied();
            let (job, _) = found.ok_or_else(|| missing(&format!("no run {run} in the plan")))?;
            let command = Command::Rerun(job, rerun_details(request)?);
            (command, engine.plan.jobs[job].id.clone(), "job")
        }
        ["plan", "job", "action", action] => return by_filter(engine, settings, request, action),
        ["plan", "job", id, "action", action] => {
            let job = read::job(engine, request, id)?;
            (job_command(request, action, job)?, id.to_owned(), "job")
        }
        ["plan", "jobstream", id, "action", action] => {
            let stream = read::stream(engine, request, id)?;
            let command = match action {
                "hold" => Command::HoldStream(stream),
                "release" => Command::ReleaseStream(stream),
                "cancel" => Command::CancelStream(stream),
                _ => return Err(missing("there is no such action")),
            };
            (command, id.to_owned(), "jobstream")
        }
        ["plan", "workstation", id, "action", action] => {
            let mut rows = engine.catalogue.stations.iter();
            let found = rows
                .find(|(_, station)| station.id() == id)
                .map(|(key, _)| key);
            let station = found.ok_or_else(|| missing(&format!("no workstation {id}")))?;
            (
                station_command(request, action, station)?,
                id.to_owned(),
                "workstation",
            )
        }
        ["plan", "resource", id, "action", "update-quantity"] => {
            let mut keys = engine.catalogue.resources.keys();
            let found = keys.find(|key| places::resource_id(engine, *key) == id);
            let key = found.ok_or_else(|| missing(&format!("no resource {id}")))?;
            (
                Command::Quantity(key, required(request, "quantity")?),
                id.to_owned(),
                "resource",
            )
        }
        ["plan", "prompt", id, "action", "reply"] => {
            let found = engine.index.prompts.get(id).copied();
            let prompt = found.ok_or_else(|| missing(&format!("no prompt {id} in the plan")))?;
            (
                Command::Reply(prompt, reply(request)?),
                id.to_owned(),
                "prompt",
            )
        }
        _ => return Err(missing("there is no such path")),
    };
    let url = url(settings, kind, &id);
    let answer = json!({"id": id, "url": url});
    if let Command::Release(job) = command
        && settings.has(Quirk::ReleaseNoop)
        && !engine.allows(command, job)
    {
        return Ok(Answer::ok(&answer));
    }
    engine
        .accept(command, request.by())
        .map_err(|refusal| bad(&refusal.0))?;
    Ok(Answer::ok(&answer))
}

fn url(settings: &Settings, kind: &str, id: &str) -> String {
    format!("{}{}/plan/{kind}/{id}", settings.external, super::ROOT)
}

fn job_command(request: &Request, action: &str, job: JobKey) -> Result<Command, Answer> {
    Ok(match action {
        "hold" => Command::Hold(job),
        "release" => Command::Release(job),
        "release-all-dependencies" => Command::ReleaseAll(job),
        "kill" => Command::Kill(job),
        "cancel" => Command::Cancel(job),
        "cancel-pending" => Command::CancelPending(job),
        "confirm-succ" => Command::Confirm(job, true),
        "confirm-abend" => Command::Confirm(job, false),
        "update-priority" => Command::Priority(job, required(request, "priority")?),
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

#[derive(Deserialize)]
struct Reply {
    answer: bool,
}

fn reply(request: &Request) -> Result<bool, Answer> {
    let body: Result<Reply, _> = serde_json::from_slice(&request.body);
    body.map(|reply| reply.answer)
        .map_err(|error| bad(&format!("the body is wrong: {error}")))
}

/// The fields of a rerun's body that this engine obeys; others are taken and ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RerunBody {
    priority: Option<u32>,
    start_time: Option<String>,
}

fn rerun_details(request: &Request) -> Result<RerunDetails, Answer> {
    let body: RerunBody = if request.body.is_empty() {
        RerunBody::default()
    } else {
        serde_json::from_slice(&request.body)
            .map_err(|error| bad(&format!("the body is wrong: {error}")))?
    };
    if body.priority.is_some_and(|priority| priority > 101) {
        return Err(bad("the priority is not between 0 and 101"));
    }
    let instant = |text: String| -> Result<Secs, Answer> {
        let at = chrono::DateTime::parse_from_rfc3339(&text);
        at.map(|at| at.timestamp())
            .map_err(|_| bad(&format!("startTime is no instant: {text}")))
    };
    let start = body.start_time.map(instant).transpose()?;
    Ok(RerunDetails {
        priority: body.priority,
        start,
    })
}

/// The same action on all that a filter finds, up to `max_object_affected`.
fn by_filter(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
    action: &str,
) -> Result<Answer, Answer> {
    let rows = read::select_jobs(engine, settings, request)?;
    let most = request.number("max_object_affected")?.unwrap_or(1);
    if i64::try_from(rows.len()).is_ok_and(|found| found > most) {
        return Err(bad(&format!(
            "the filter matches {} objects, more than max_object_affected {most}",
            rows.len()
        )));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for job in rows {
        let id = engine.plan.jobs[job].id.clone();
        let url = url(settings, "job", &id);
        let command = if action == "rerun" {
            Command::Rerun(job, rerun_details(request)?)
        } else {
            job_command(request, action, job)?
        };
        match engine.accept(command, request.by()) {
            Ok(()) => done.push(json!({"id": id, "url": url, "isError": false, "error": false})),
            Err(refusal) => failed.push(json!({
                "id": id, "url": url, "message": format!("AWSJCO901E {}", refusal.0),
                "isError": true, "error": true,
            })),
        }
    }
    Ok(Answer::ok(&json!({
        "successfulResourceResponses": done,
        "failedResourceResponses": failed,
    })))
}
