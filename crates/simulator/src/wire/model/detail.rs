//! A definition as JSON.

use serde_json::{Value, json};

use super::{Def, TABLES, head, job_of, key};
use crate::{
    engine::Engine,
    model::{Cycle, JobModel, Need, Recovery, StreamModel},
    names::{ZONE, id, iso, iso_duration, local},
    table::ModelKey,
    wire::{
        count,
        view::{Fields, folder_id, recovery_text},
    },
};

pub(super) fn whole(engine: &Engine, kind: &str, def: &Def, only_header: bool) -> Value {
    let head = head(engine, def);
    let mut fields = Fields::of(json!({
        "kind": kind,
        "key": key(&head),
        "status": {
            "modifyData": {"modifiedBy": "deploy", "modifiedTime": iso(engine.deployed()),
                           "version": 1},
            "permissions": ["DISPLAY", "LIST", "USE"],
        },
        "actions": [],
    }));
    let mut inner = Fields::of(json!({
        "id": head.id, "folder": head.folder, "folderId": folder_id(&head.folder),
        "name": head.name,
    }));
    inner.some("workstation", head.workstation.clone());
    inner.some("description", head.description.clone());
    if !only_header {
        details(engine, def, &mut inner);
    }
    fields.put("def", inner.value());
    fields.value()
}

fn details(engine: &Engine, def: &Def, fields: &mut Fields) {
    match def {
        Def::Job(..) => {
            if let Some((_, job)) = job_of(engine, def) {
                job_details(engine, job, fields);
            }
        }
        Def::Stream(key) => stream_details(engine, &engine.catalogue.streams[*key], fields),
        Def::Station(key) => {
            let station = &engine.catalogue.stations[*key];
            fields.put("type", station.kind);
            fields.put("os", station.os);
            fields.put(
                "nodeName",
                format!("{}.bank.example", station.name.to_lowercase()),
            );
            fields.put("protocol", "HTTPS");
            fields.put("timeZone", ZONE.name());
            fields.put("options", json!(["autolink"]));
            fields.put("domain", "MASTERDM");
            if !station.members.is_empty() {
                let stations = &engine.catalogue.stations;
                let members = station.members.iter().map(|member| {
                    let member = &stations[*member];
                    json!({"workstationId": member.id(), "workstation": member.path()})
                });
                fields.put("members", members.collect::<Vec<_>>());
            }
        }
        Def::Resource(key) => {
            fields.put("quantity", engine.catalogue.resources[*key].quantity);
        }
        Def::Prompt(_, text) => fields.put("text", *text),
        Def::Calendar(name) => fields.put("dates", dates(engine, name)),
        Def::Table(name) => {
            let day = local(engine.plan.start).format("%Y%m%d").to_string();
            let table = TABLES.iter().find(|(known, ..)| known == name);
            if let Some((_, default, variables)) = table {
                let pairs = variables.iter();
                let pairs = pairs
                    .map(|(name, value)| ((*name).to_owned(), json!(value.replace("%D", &day))));
                fields.put("default", *default);
                fields.put("variables", Value::Object(pairs.collect()));
            }
        }
        Def::Variable(table, _, value) => {
            let day = local(engine.plan.start).format("%Y%m%d").to_string();
            fields.put("variableTable", *table);
            fields.put("value", value.replace("%D", &day));
        }
        Def::Folder(folder) => {
            let parent = count::parent(folder).unwrap_or("/");
            fields.put("parent", parent);
            fields.put("parentId", folder_id(parent));
        }
        Def::Domain => fields.put("parent", ""),
    }
}

fn job_details(engine: &Engine, job: &JobModel, fields: &mut Fields) {
    let station = &engine.catalogue.stations[job.station];
    fields.put("workstationId", station.id());
    fields.put("type", "UNIX");
    fields.put("userLogins", json!([job.user]));
    fields.put(
        "task",
        json!({"UNIX": {
            "taskString": format!("{} ^RUNDATE^", job.script()),
            "isCommand": "false",
            "userName": job.user,
        }}),
    );
    if job.ok_to > 0 {
        let rule = format!("RC <= {}", job.ok_to);
        fields.put("successfulOutputConditions", json!({"STATUS_OK": rule}));
    }
    let mut recovery = Fields::of(json!({"action": recovery_text(job.recovery)}));
    if let Recovery::Rerun {
        interval,
        occurrences,
        ..
    } = job.recovery
    {
        recovery.put("repeatInterval", iso_duration(interval));
        recovery.put("repeatOccurrences", occurrences);
    }
    fields.put("recovery", recovery.value());
}

fn stream_details(engine: &Engine, stream: &StreamModel, fields: &mut Fields) {
    let station = &engine.catalogue.stations[stream.station];
    let path = format!("{}#{}{}", station.path(), stream.folder, stream.name);
    fields.put("workstationId", station.id());
    fields.put("abstractId", id("abstract stream", &path));
    fields.put("timeZone", ZONE.name());
    fields.put("options", json!(["carryForward"]));
    fields.put("priority", stream.priority);
    fields.put("limit", stream.limit.map_or(-1, i64::from));
    fields.put("onOverlap", "parallel");
    fields.put("startTime", clock(engine, stream.at));
    let cycle = match stream.cycle {
        Cycle::Daily => {
            json!({"name": "DAILY", "type": "rrule", "expression": "FREQ=DAILY;INTERVAL=1"})
        }
        Cycle::Weekdays => json!({"name": "WORKDAYS", "type": "calendar", "calendar": "/WORKDAYS"}),
        Cycle::MonthStart => {
            json!({"name": "MONTH_START", "type": "calendar", "calendar": "/MONTH_START"})
        }
    };
    fields.put("runCycles", json!([cycle]));
    needs(engine, &stream.needs, stream, fields);
    let jobs = stream.jobs.iter().map(|job| {
        let mut fields = Fields::of(json!({
            "id": id("job in stream", format_args!("{path}.{}", job.name)),
            "name": job.name,
            "jobDefinitionRefId": job.definition_id(&stream.folder),
            "jobDefinitionRef": format!("{}#{}{}", engine.catalogue.stations[job.station].path(),
                                        stream.folder, job.name),
            "workstation": engine.catalogue.stations[job.station].path(),
            "priority": job.priority,
        }));
        let options = [(job.confirm, "confirmed"), (job.critical, "critical")];
        let options = options
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, name)| *name);
        fields.put("options", options.collect::<Vec<_>>());
        fields.some("startTime", job.special().at.map(|at| clock(engine, at)));
        fields.some(
            "deadlineTime",
            job.special().deadline.map(|at| clock(engine, at)),
        );
        fields.some(
            "latestStartTime",
            job.special().latest.map(|(at, _)| clock(engine, at)),
        );
        fields.some(
            "lateStartAction",
            job.special().latest.map(|(_, action)| action.text()),
        );
        fields.some("repeatInterval", job.every.map(iso_duration));
        fields.some("maxDuration", job.special().longest.map(iso_duration));
        needs(engine, &job.needs, stream, &mut fields);
        fields.value()
    });
    fields.put("jobs", jobs.collect::<Vec<_>>());
}

/// `hh:mm:ss` in the agents' zone, of seconds from the plan's start.
fn clock(engine: &Engine, at: i64) -> String {
    local(engine.plan.start + at).format("%H:%M:%S").to_string()
}

/// What a definition waits for, each sort in its list.
fn needs(engine: &Engine, needs: &[Need], stream: &StreamModel, fields: &mut Fields) {
    let stations = &engine.catalogue.stations;
    let (mut internal, mut external) = (Vec::new(), Vec::new());
    let (mut resources, mut prompts, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let other = |key: ModelKey| {
        let model = &engine.catalogue.streams[key];
        json!({"jobStream": format!("{}{}", model.folder, model.name),
               "workstation": stations[model.station].path()})
    };
    for need in needs {
        match need {
            Need::Internal(place) => {
                if let Some(job) = stream.jobs.get(*place) {
                    internal.push(json!({"jobName": job.name}));
                }
            }
            Need::Job(key, place) => {
                let mut row = other(*key);
                let job = engine.catalogue.streams[*key].jobs.get(*place);
                if let (Value::Object(fields), Some(job)) = (&mut row, job) {
                    fields.insert("jobName".to_owned(), json!(job.name));
                }
                external.push(row);
            }
            Need::Stream(key) => external.push(other(*key)),
            Need::Resource(key, quantity) => {
                let resource = &engine.catalogue.resources[*key];
                let path = format!("{}#/{}", stations[resource.station].path(), resource.name);
                resources.push(json!({"resource": path, "quantity": quantity}));
            }
            Need::Prompt(question) => {
                prompts.push(json!({"globalPrompt": format!("/{}", question.0)}));
            }
            Need::File(file) => {
                let path = &file.0;
                files.push(
                    json!({"filename": path.replace("%D", "^RUNDATE^"), "qualifier": "-f %p"}),
                );
            }
        }
    }
    for (name, rows) in [
        ("internalPredecessors", internal),
        ("externalPredecessors", external),
        ("resourceDependencies", resources),
        ("promptDependencies", prompts),
        ("fileDependencies", files),
    ] {
        if !rows.is_empty() {
            fields.put(name, rows);
        }
    }
}

/// The year's days of a calendar, from the plan's year.
fn dates(engine: &Engine, name: &str) -> Vec<String> {
    use chrono::{Datelike, Days, NaiveDate};
    let year = local(engine.plan.start).year();
    let mut day = NaiveDate::from_ymd_opt(year, 1, 1);
    let (mut dates, mut month) = (Vec::new(), 0);
    while let Some(date) = day.filter(|date| date.year() == year) {
        let works = date.weekday().num_days_from_monday() < 5;
        let first = works && date.month() != month;
        if first {
            month = date.month();
        }
        if works && (name == "WORKDAYS" || first) {
            dates.push(date.format("%Y-%m-%d").to_string());
        }
        day = date.checked_add_days(Days::new(1));
    }
    dates
}
