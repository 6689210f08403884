//! Submitting streams, jobs and ad hoc jobs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Request, Settings, bad, bodies, bulk, error, missing, model, read,
    write::{may_act, read_only, url},
};
use crate::{
    engine::{Command, Engine, Submission, What},
    model::{Change, JobModel, Recovery},
    names::{Id, Secs, parse_duration, parse_id},
    plan::bank,
    table::{ModelKey, StationKey, StreamKey},
};

/// The options that this engine obeys; others are taken and ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    input_arrival_time: Option<String>,
    alias: Option<String>,
    priority: Option<u32>,
    earliest_date: Option<String>,
    latest_start: Option<String>,
    late_start_action: Option<String>,
    deadline_time: Option<String>,
    dependencies: Vec<bodies::Dependency>,
    limit: Option<i64>,
    job_stream_id: Option<String>,
    workstation_id: Option<String>,
    workstation_key: Option<String>,
    critical: Option<bool>,
    requires_confirmation: Option<bool>,
    return_code_mapping: Option<String>,
    recovery_option: Option<String>,
    repeat_interval: Option<String>,
    max_duration: Option<String>,
    task: Option<Value>,
}

pub(super) fn post(
    engine: &mut Engine,
    settings: &Settings,
    request: &Request,
) -> Result<Answer, Answer> {
    may_act(request)?;
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match *segments.as_slice() {
        ["plan", "jobstream", "submit"] => {
            let rows = model::select_streams(engine, settings, request)?;
            bulk::act(
                engine,
                settings,
                request,
                "jobstream",
                &rows,
                |engine, key| Ok(named(stream(engine, request, key)?)),
            )
        }
        ["plan", "job", "submit"] => {
            let rows = model::select_jobs(engine, settings, request)?;
            bulk::act(
                engine,
                settings,
                request,
                "job",
                &rows,
                |engine, definition| Ok(named(job(engine, request, definition)?)),
            )
        }
        ["plan", "job", "submit-ad-hoc-job"] => {
            let submission = ad_hoc(engine, request)?;
            let id = accept(engine, request, submission)?;
            Ok(Answer::ok(
                &json!({"id": id, "url": url(settings, "job", id)}),
            ))
        }
        ["plan", "jobstream", id, "submit"] => {
            let key = model::stream(engine, request, id)
                .ok_or_else(|| missing(&format!("no job stream definition {id}")))?;
            let submission = stream(engine, request, key)?;
            let id = accept(engine, request, submission)?;
            let row = json!({"id": id, "url": url(settings, "jobstream", id)});
            Ok(Answer::ok(&json!({"count": 1, "results": [row]})))
        }
        ["plan", "job", id, "submit"] => {
            let definition = parse_id(id)
                .and_then(|id| engine.definition(id))
                .filter(|(key, _)| request.sees(&engine.catalogue.streams[*key].folder))
                .ok_or_else(|| missing(&format!("no job definition {id}")))?;
            let submission = job(engine, request, definition)?;
            let id = accept(engine, request, submission)?;
            Ok(Answer::ok(
                &json!({"id": id, "url": url(settings, "job", id)}),
            ))
        }
        ["model" | "engine", ..] => Err(read_only()),
        _ => Err(missing("there is no such path")),
    }
}

fn named(submission: Submission) -> (Command, Id) {
    let id = submission.id;
    (Command::Submit(Box::new(submission)), id)
}

fn accept(engine: &mut Engine, request: &Request, submission: Submission) -> Result<Id, Answer> {
    let (command, id) = named(submission);
    engine
        .accept(command, request.by())
        .map_err(|refusal| bad(&refusal.0))?;
    Ok(id)
}

/// A name as definitions have them, of so many characters at most.
fn checked_name(name: &str, longest: usize) -> Result<(), Answer> {
    let fits = name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if fits {
        Ok(())
    } else {
        Err(bad(&format!(
            "{name:?} is no name of 1 to {longest} characters"
        )))
    }
}

fn conflict(name: &str) -> Answer {
    error(
        http::StatusCode::CONFLICT,
        "AWSJCO909E",
        "ObjectAlreadyExistsException",
        &format!("{name} is in the plan already"),
    )
}

/// What streams and jobs have in common.
fn base(
    engine: &Engine,
    request: &Request,
    options: &Options,
    what: What,
    name: String,
) -> Result<Submission, Answer> {
    let at = |field: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| bodies::instant(field, text))
            .transpose()
    };
    if options.priority.is_some_and(|priority| priority > 101) {
        return Err(bad("the priority is not between 0 and 101"));
    }
    let sched: Secs = at("inputArrivalTime", &options.input_arrival_time)?.unwrap_or(engine.now());
    let id = match &what {
        What::Stream(key) => engine.id_of_new_stream(*key, &name, sched),
        What::Job(_, into) => engine.id_of_new_job(&name, *into),
    };
    if engine.is_taken(id) {
        return Err(conflict(&name));
    }
    let action = bodies::late_start(options.late_start_action.as_deref())?;
    let latest = at("latestStart", &options.latest_start)?;
    Ok(Submission {
        id,
        name,
        what,
        sched,
        priority: options.priority,
        start: at("earliestDate", &options.earliest_date)?,
        deadline: at("deadlineTime", &options.deadline_time)?,
        latest: latest.map(|at| (at, action)),
        limit: options.limit.map_or(Ok(Change::Keep), bodies::limit)?,
        needs: bodies::needs(engine, request, &options.dependencies)?,
    })
}

fn stream(engine: &Engine, request: &Request, key: ModelKey) -> Result<Submission, Answer> {
    let options: Options = bodies::read_or_default(request)?;
    let name = match &options.alias {
        Some(alias) => {
            checked_name(alias, 16)?;
            alias.clone()
        }
        None => engine.fresh_name(&engine.catalogue.streams[key].name),
    };
    base(engine, request, &options, What::Stream(key), name)
}

fn job(
    engine: &Engine,
    request: &Request,
    (stream, place): (ModelKey, usize),
) -> Result<Submission, Answer> {
    let options: Options = bodies::read_or_default(request)?;
    let model = &engine.catalogue.streams[stream];
    let Some(definition) = model.jobs.get(place) else {
        return Err(missing("no such job definition"));
    };
    let mut job = JobModel {
        // What the definition's stream would make it wait for stays with that stream.
        needs: Vec::new(),
        ..definition.as_ref().clone()
    };
    let special = job.special_mut();
    (special.at, special.deadline, special.latest) = (None, None, None);
    special.first_night = None;
    if let Some(alias) = &options.alias {
        checked_name(alias, 40)?;
        special.told = Some(definition.description().into());
        special.runs = Some(definition.script().into());
        let defined_as = format!("{}{}", model.folder, definition.name);
        special.defined_as = Some(defined_as.into());
        job.name = alias.as_str().into();
    }
    if let Some(station) = workstation(engine, request, &options)? {
        job.station = station;
    }
    placed(engine, request, &options, job)
}

fn ad_hoc(engine: &Engine, request: &Request) -> Result<Submission, Answer> {
    let options: Options = bodies::read_or_default(request)?;
    let Some(Value::Object(task)) = &options.task else {
        return Err(bad("task is required"));
    };
    let Some((_, details)) = task.iter().next() else {
        return Err(bad("task is empty"));
    };
    let text = |name: &str| details.get(name).and_then(Value::as_str);
    let script = text("taskString").unwrap_or("task").to_owned();
    let station = workstation(engine, request, &options)?
        .ok_or_else(|| bad("workstationKey or workstationId is required"))?;
    let name = match &options.alias {
        Some(alias) => {
            checked_name(alias, 40)?;
            alias.clone()
        }
        None => engine.fresh_name("ADHOC_"),
    };
    let mut job = bank::job(&name, station, 2);
    let special = job.special_mut();
    special.told = Some("Submitted ad hoc".into());
    special.runs = Some(script.into());
    if let Some(user) = text("userName") {
        job.user = user.to_owned().into();
    }
    placed(engine, request, &options, job)
}

/// A job with the options that change it, and where it goes.
fn placed(
    engine: &Engine,
    request: &Request,
    options: &Options,
    mut job: JobModel,
) -> Result<Submission, Answer> {
    job.critical = options.critical.unwrap_or(job.critical);
    job.confirm = options.requires_confirmation.unwrap_or(job.confirm);
    let seconds = |name: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| {
                parse_duration(text).ok_or_else(|| bad(&format!("{name} is no duration: {text}")))
            })
            .transpose()
    };
    job.every = seconds("repeatInterval", &options.repeat_interval)?.or(job.every);
    if let Some(longest) = seconds("maxDuration", &options.max_duration)? {
        job.special_mut().longest = Some(longest);
    }
    if let Some(mapping) = &options.return_code_mapping {
        job.ok_to = highest_code(mapping)
            .ok_or_else(|| bad(&format!("returnCodeMapping is not understood: {mapping}")))?;
    }
    job.recovery = match options.recovery_option.as_deref() {
        None => job.recovery,
        Some("STOP") => Recovery::Stop,
        Some("CONTINUE") => Recovery::Continue,
        Some("CONTINUE_PROMPT") => Recovery::ContinuePrompt,
        Some("RERUN_PROMPT") => Recovery::RerunPrompt,
        Some("RERUN") => Recovery::Rerun {
            interval: 60,
            occurrences: 1,
            job: None,
        },
        Some(other) => return Err(bad(&format!("{other} is no recoveryOption"))),
    };
    let into: Option<StreamKey> = match &options.job_stream_id {
        Some(id) => {
            let found = read::stream(engine, request, id);
            Some(found.map_err(|_| bad("jobStreamId is no job stream of the plan"))?)
        }
        None => None,
    };
    let name = job.name.to_string();
    base(engine, request, options, What::Job(job.kept(), into), name)
}

/// `RC <= 4` or `(RC<=4)`: the highest code that counts as success.
fn highest_code(mapping: &str) -> Option<i32> {
    let text: String = mapping
        .chars()
        .filter(|c| !matches!(c, ' ' | '(' | ')'))
        .collect();
    let text = text.to_uppercase();
    if let Some(number) = text.strip_prefix("RC<=") {
        return number.parse().ok();
    }
    if let Some(number) = text.strip_prefix("RC<") {
        return number.parse::<i32>().ok()?.checked_sub(1);
    }
    (text == "RC=0").then_some(0)
}

fn workstation(
    engine: &Engine,
    request: &Request,
    options: &Options,
) -> Result<Option<StationKey>, Answer> {
    if let Some(id) = &options.workstation_id {
        let found = read::station(engine, request, id);
        return Ok(Some(found.map_err(|_| bad("workstationId is unknown"))?));
    }
    let Some(key) = &options.workstation_key else {
        return Ok(None);
    };
    let mut stations = engine.catalogue.stations.iter();
    let found = stations.find(|(_, station)| station.path() == *key || station.name == *key);
    let (key, _) = found.ok_or_else(|| bad(&format!("there is no workstation {key}")))?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_one_bound_are_understood() {
        assert_eq!(highest_code("(RC <= 4)"), Some(4));
        assert_eq!(highest_code("RC<8"), Some(7));
        assert_eq!(highest_code("RC = 0"), Some(0));
        assert_eq!(highest_code("(RC = 0) OR (RC > 4)"), None);
    }

    #[test]
    fn names_begin_with_a_letter_and_have_an_end() {
        assert!(checked_name("FIN_EOD-2", 16).is_ok());
        for name in ["", "2FIN", "FIN EOD", "A_NAME_OF_17_CHARS"] {
            assert!(checked_name(name, 16).is_err(), "{name}");
        }
    }
}
