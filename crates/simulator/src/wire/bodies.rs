//! What comes in the bodies of writes, read with the vendor's names.
//!
//! Unknown fields are ignored where the document allows any, and refused in a merge patch, which says
//! what may change.

use chrono::DateTime;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Answer, Request, bad, places, read, view};
use crate::{
    engine::{Engine, NewNeed, Patch, RerunDetails},
    model::{Change, LateStart, Waiter},
    names::{Secs, parse_id},
    table::JobKey,
};

/// A body that may be absent.
pub(super) fn read_or_default<T: DeserializeOwned + Default>(
    request: &Request,
) -> Result<T, Answer> {
    if request.body.is_empty() {
        return Ok(T::default());
    }
    read_body(request)
}

pub(super) fn read_body<T: DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    serde_json::from_slice(&request.body)
        .map_err(|error| bad(&format!("the body is wrong: {error}")))
}

/// An instant of a body as seconds.
pub(super) fn instant(name: &str, text: &str) -> Result<Secs, Answer> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.timestamp())
        .map_err(|_| bad(&format!("{name} is no instant: {text}")))
}

/// A list of dependencies, as it is read: `{"dependencies": [...]}`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Dependencies {
    dependencies: Vec<Dependency>,
}

/// One dependency of any type.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Dependency {
    #[serde(rename = "dependencyType")]
    kind: String,
    id: Option<String>,
    job_id: Option<String>,
    job_stream_id: Option<String>,
    name: Option<String>,
    folder: Option<String>,
    workstation: Option<String>,
    quantity: Option<u32>,
    prompt_name: Option<String>,
    text: Option<String>,
    file: Option<FileOf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileOf {
    name: String,
}

/// The dependencies that a body adds.
pub(super) fn new_needs(engine: &Engine, request: &Request) -> Result<Vec<NewNeed>, Answer> {
    let body: Dependencies = read_body(request)?;
    if body.dependencies.is_empty() {
        return Err(bad("dependencies are required"));
    }
    needs(engine, request, &body.dependencies)
}

/// Dependencies of a body as the engine takes them.
pub(super) fn needs(
    engine: &Engine,
    request: &Request,
    rows: &[Dependency],
) -> Result<Vec<NewNeed>, Answer> {
    let need = |row: &Dependency| -> Result<NewNeed, Answer> {
        let unknown = |what: &str| bad(&format!("a dependency names no {what} of the plan"));
        match row.kind.as_str() {
            "INTERNAL" | "EXTERNAL_JOB" => {
                let id = row.job_id.as_deref().unwrap_or_default();
                let job = read::job(engine, request, id).map_err(|_| unknown("job"))?;
                Ok(NewNeed::On(Waiter::Job(job)))
            }
            "EXTERNAL_JOBSTREAM" => {
                let id = row.job_stream_id.as_deref().unwrap_or_default();
                let stream =
                    read::stream(engine, request, id).map_err(|_| unknown("job stream"))?;
                Ok(NewNeed::On(Waiter::Stream(stream)))
            }
            "RESOURCE" => {
                let wanted = row.id.as_deref().and_then(parse_id);
                let mut keys = engine.catalogue.resources.keys();
                let found = keys.find(|key| {
                    let resource = &engine.catalogue.resources[*key];
                    let station = engine.catalogue.stations[resource.station].path();
                    row.name.as_deref() == Some(resource.name.as_str())
                        && row
                            .workstation
                            .as_ref()
                            .is_none_or(|wanted| *wanted == station)
                        && row.folder.as_deref().is_none_or(|folder| folder == "/")
                        || wanted == Some(places::resource_id(engine, *key))
                });
                let key = found.ok_or_else(|| unknown("resource"))?;
                Ok(NewNeed::Resource(
                    key,
                    row.quantity.unwrap_or(1).clamp(1, 1024),
                ))
            }
            "PROMPT" => {
                let text = row.text.clone().or_else(|| row.prompt_name.clone());
                let text = text.ok_or_else(|| bad("a prompt needs a text or a promptName"))?;
                Ok(NewNeed::Prompt(row.prompt_name.clone(), text))
            }
            "FILE" => {
                let file = row.file.as_ref().filter(|file| !file.name.is_empty());
                let file = file.ok_or_else(|| bad("a file dependency needs file.name"))?;
                Ok(NewNeed::File(file.name.clone()))
            }
            other => Err(bad(&format!(
                "dependencies of type {other:?} cannot be added"
            ))),
        }
    };
    rows.iter().map(need).collect()
}

/// The numbers of the dependencies that a body names by their ids.
pub(super) fn known_needs(
    engine: &Engine,
    request: &Request,
    owner: Waiter,
) -> Result<Vec<u32>, Answer> {
    let body: Dependencies = read_body(request)?;
    if body.dependencies.is_empty() {
        return Err(bad("dependencies are required"));
    }
    let owner_id = match owner {
        Waiter::Job(job) => engine.plan.jobs[job].id,
        Waiter::Stream(stream) => engine.plan.streams[stream].id,
    };
    let links = engine.links(owner);
    let number = |row: &Dependency| {
        let wanted = row.id.as_deref().unwrap_or_default();
        let id = parse_id(wanted);
        let link = links
            .iter()
            .find(|link| Some(view::dependency_id(engine, owner_id, link)) == id);
        link.map(|link| link.number)
            .ok_or_else(|| bad(&format!("the object has no dependency {wanted:?}")))
    };
    body.dependencies.iter().map(number).collect()
}

#[derive(Deserialize)]
struct Reply {
    answer: bool,
}

pub(super) fn reply(request: &Request) -> Result<bool, Answer> {
    read_body::<Reply>(request).map(|reply| reply.answer)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Confirm {
    conditions: Vec<String>,
}

/// Whether a confirmation names output conditions.
pub(super) fn names_conditions(request: &Request) -> Result<bool, Answer> {
    let body: Confirm = read_or_default(request)?;
    Ok(!body.conditions.is_empty())
}

/// The fields of a rerun's body that this engine obeys; others are taken and ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RerunBody {
    priority: Option<u32>,
    start_time: Option<String>,
    asap: Option<bool>,
    step_name: Option<String>,
    job_definition_db_identifier: Option<String>,
    job_definition_db_key: Option<String>,
    skip_check_for_job_successor_rerun: Option<bool>,
    successors_info: Option<Successors>,
    successors_information: Option<Successors>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Successors {
    depth: Option<usize>,
    successors_ids: Vec<String>,
}

pub(super) fn rerun(
    engine: &Engine,
    request: &Request,
    job: JobKey,
) -> Result<RerunDetails, Answer> {
    let body: RerunBody = read_or_default(request)?;
    if body.priority.is_some_and(|priority| priority > 101) {
        return Err(bad("the priority is not between 0 and 101"));
    }
    let start = body
        .start_time
        .as_deref()
        .filter(|_| body.asap != Some(true));
    let start = start.map(|text| instant("startTime", text)).transpose()?;
    let from = match (
        &body.job_definition_db_identifier,
        &body.job_definition_db_key,
    ) {
        (Some(id), _) => Some(parse_id(id).and_then(|id| engine.definition(id))),
        (None, Some(key)) => Some(engine.definition_by_key(key)),
        (None, None) => None,
    };
    let from = match from {
        Some(None) => return Err(bad("there is no such job definition")),
        Some(found) => found,
        None => None,
    };
    let info = body.successors_info.or(body.successors_information);
    let successors = match info {
        None => Vec::new(),
        Some(info) => {
            let wanted: Vec<JobKey> = info
                .successors_ids
                .iter()
                .map(|id| read::job(engine, request, id))
                .collect::<Result<_, _>>()?;
            let unchecked = body.skip_check_for_job_successor_rerun == Some(true);
            let depth = info.depth.unwrap_or(usize::MAX);
            let found = engine
                .rerun_chain(job, depth, unchecked)
                .map_err(|refusal| bad(&refusal.0))?;
            let kept = found.into_iter();
            kept.filter(|key| wanted.is_empty() || wanted.contains(key))
                .collect()
        }
    };
    Ok(RerunDetails {
        priority: body.priority,
        start,
        step: body.step_name.map(String::into_boxed_str),
        from,
        successors,
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct PatchBody {
    priority: Option<u32>,
    limit: Change<i64>,
    time_restrictions: Option<Times>,
    job_options: Option<JobOptions>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Times {
    start_time: Change<String>,
    deadline_time: Change<String>,
    latest_start_time: Change<String>,
    late_start_action: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct JobOptions {
    requires_confirmation: Option<bool>,
}

/// A merge patch of a job or a stream.
pub(super) fn patch(request: &Request, is_job: bool) -> Result<Patch, Answer> {
    let body: PatchBody = read_body(request)?;
    if is_job && body.limit != Change::Keep {
        return Err(bad("a job has no limit to change"));
    }
    if !is_job && body.job_options.is_some() {
        return Err(bad("a job stream has no jobOptions to change"));
    }
    let times = body.time_restrictions.unwrap_or_default();
    let at = |name: &'static str| move |text: String| instant(name, &text);
    let action = late_start(times.late_start_action.as_deref())?;
    Ok(Patch {
        priority: body.priority,
        limit: match body.limit {
            Change::Set(number) => limit(number)?,
            Change::Clear => Change::Clear,
            Change::Keep => Change::Keep,
        },
        start: times.start_time.map(at("startTime"))?,
        deadline: times.deadline_time.map(at("deadlineTime"))?,
        latest: times
            .latest_start_time
            .map(|text| instant("latestStartTime", &text).map(|at| (at, action)))?,
        confirm: body
            .job_options
            .and_then(|options| options.requires_confirmation),
    })
}

/// A stream's limit: -1 is none.
pub(super) fn limit(limit: i64) -> Result<Change<u32>, Answer> {
    if limit == -1 {
        return Ok(Change::Clear);
    }
    let within = u32::try_from(limit).ok().filter(|limit| *limit <= 1024);
    within
        .map(Change::Set)
        .ok_or_else(|| bad("the limit is not between -1 and 1024"))
}

pub(super) fn late_start(action: Option<&str>) -> Result<LateStart, Answer> {
    match action {
        None | Some("doNotRun") => Ok(LateStart::DoNotRun),
        Some("continue") => Ok(LateStart::Continue),
        Some("cancel") => Ok(LateStart::Cancel),
        Some(other) => Err(bad(&format!("{other} is no lateStartAction"))),
    }
}

/// One numeric field of a merge patch of a workstation or a resource.
pub(super) fn patched_number(
    request: &Request,
    known: &[&str],
) -> Result<Vec<(String, u32)>, Answer> {
    let body: Value = read_body(request)?;
    let Value::Object(fields) = body else {
        return Err(bad("the body is no object"));
    };
    let number = |(name, value): (&String, &Value)| {
        if !known.contains(&name.as_str()) {
            return Err(bad(&format!("{name} cannot be changed")));
        }
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| bad(&format!("{name} is out of range")))?;
        Ok((name.clone(), number))
    };
    fields.iter().map(number).collect()
}
