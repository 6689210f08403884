//! What the engine tells about itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Answer, Request, Settings, bad, missing};
use crate::{
    engine::Engine,
    model::Status,
    names::{ZONE, id, local},
};

/// The version, and that it is a simulator: `capabilities.simulator` is there for who looks for it,
/// and a client of the real engine has no reason to.
pub(super) fn info(settings: &Settings) -> Value {
    json!({
        "displayVersion": settings.version.display(),
        "fullVersion": settings.version.full(),
        "capabilities": {
            "plan": {"oql": "true"},
            "simulator": {
                "name": "resync-simulator",
                "version": env!("CARGO_PKG_VERSION"),
                "profile": settings.profile,
            },
        },
        "adminRoles": {"admin": [
            {"key": "FULLCONTROL", "label": "Full control", "description": "Every action"},
        ]},
        "referenceId": id("engine", "MDM"),
        "licenseType": "PERSERVER",
        "locale": "en",
        "timezone": ZONE.name(),
    })
}

const CONFIGURATION: &[(&str, &str, &str)] = &[
    (
        "startOfDay",
        "1600",
        "The hour at which the plan day begins",
    ),
    (
        "enCarryForward",
        "ALL",
        "Which unfinished streams go on in the next plan",
    ),
    ("enTimeZone", "YES", "Whether time zones are in use"),
    ("logHistory", "10", "Days for which job logs are kept"),
    (
        "planAuditLevel",
        "1",
        "Whether changes of the plan are audited",
    ),
];

pub(super) fn configuration() -> Value {
    let value =
        |(_, value, text): &(&str, &str, &str)| json!({"value": value, "description": text});
    let pairs = CONFIGURATION
        .iter()
        .map(|row| (row.0.to_owned(), value(row)));
    Value::Object(pairs.collect())
}

pub(super) fn one_configuration(key: &str) -> Result<Value, Answer> {
    let mut rows = CONFIGURATION.iter();
    let row = rows.find(|(name, ..)| *name == key);
    let (_, value, text) = row.ok_or_else(|| missing(&format!("there is no option {key}")))?;
    Ok(json!({"value": value, "description": text}))
}

pub(super) fn users(settings: &Settings) -> Value {
    let users: BTreeSet<&String> = settings.users.iter().collect();
    json!({"users": users})
}

pub(super) fn groups() -> Value {
    json!({"groups": ["administrators", "operators", "viewers"]})
}

pub(super) fn read_permission(request: &Request) -> Value {
    let hidden = if request.hidden.is_empty() {
        "all"
    } else {
        "some"
    };
    json!({"plan": "true", "model": "true", "folders": hidden})
}

/// Jobs that have been run, by day or by month of the agents' zone.
pub(super) fn consumed_jobs(engine: &Engine, request: &Request) -> Result<Value, Answer> {
    let monthly = match request.query("period") {
        None | Some("day") => false,
        Some("month") => true,
        Some(other) => return Err(bad(&format!("{other} is no period"))),
    };
    let mut days: BTreeMap<String, Count> = BTreeMap::new();
    let mut months: BTreeMap<String, Count> = BTreeMap::new();
    for (key, job) in engine.plan.jobs.iter() {
        for run in job.runs() {
            let Some(ended) = run.ended.filter(|_| run.status.has_ended()) else {
                continue;
            };
            let at = local(ended);
            let good = run.status == Status::Succ;
            let month = at.format("%Y-%m-01").to_string();
            for (counts, date) in [
                (&mut days, at.format("%Y-%m-%d").to_string()),
                (&mut months, month),
            ] {
                let count = counts.entry(date).or_default();
                count.total += 1;
                count.successful += u64::from(good);
                if good {
                    count.unique.insert(key);
                }
            }
        }
    }
    let mut sum = Count::default();
    let source = if monthly { &months } else { &days };
    let row = |(date, count): (&String, &Count)| {
        sum.total += count.total;
        sum.successful += count.successful;
        sum.unique.extend(&count.unique);
        let month = date.get(..7).map(|month| format!("{month}-01"));
        let month = month.and_then(|month| months.get(&month));
        json!({
            "date": date,
            "dailyJobs": count.value(),
            "monthlyJobs": month.unwrap_or(count).value(),
            "cumulativeJobs": sum.value(),
            "jobsToSend": 0,
            "integrity": "ok",
        })
    };
    Ok(source.iter().map(row).collect())
}

#[derive(Debug, Default, Clone)]
struct Count {
    total: u64,
    successful: u64,
    unique: BTreeSet<crate::table::JobKey>,
}

impl Count {
    fn value(&self) -> Value {
        json!({"total": self.total, "successful": self.successful, "unique": self.unique.len()})
    }
}

/// Which actions and statuses this release knows, by sort of object.
pub(super) fn objects_info(request: &Request) -> Result<Value, Answer> {
    let sorts: &[(&str, &str, &[&str])] = &[
        ("JOB_IN_PLAN", "job", JOB_ACTIONS),
        ("JOBSTREAM_IN_PLAN", "jobstream", STREAM_ACTIONS),
        ("WORKSTATION_IN_PLAN", "workstation", STATION_ACTIONS),
        ("EVENTSOURCE", "eventsource", &[]),
        (
            "RESOURCE_IN_PLAN",
            "resource",
            &["update-quantity", "update"],
        ),
        ("PROMPT_IN_PLAN", "prompt", &["reply"]),
    ];
    let wanted = request.query("object_type");
    if let Some(wanted) = wanted
        && !sorts.iter().any(|(sort, ..)| *sort == wanted)
    {
        return Err(bad(&format!("{wanted} is no object_type")));
    }
    let kept = sorts
        .iter()
        .filter(|(sort, ..)| wanted.is_none_or(|wanted| wanted == *sort));
    let info =
        kept.map(|(sort, path, actions)| ((*sort).to_owned(), sort_info(sort, path, actions)));
    Ok(Value::Object(info.collect()))
}

const JOB_ACTIONS: &[&str] = &[
    "hold",
    "release",
    "release-all-dependencies",
    "release-dependencies",
    "add-dependencies",
    "remove-dependencies",
    "kill",
    "cancel",
    "cancel-pending",
    "confirm-succ",
    "confirm-abend",
    "update-priority",
    "rerun",
    "update",
];
const STREAM_ACTIONS: &[&str] = &[
    "hold",
    "release",
    "release-all-dependencies",
    "release-dependencies",
    "add-dependencies",
    "remove-dependencies",
    "cancel",
    "cancel-pending",
    "update",
];
const STATION_ACTIONS: &[&str] = &[
    "link",
    "unlink",
    "start",
    "stop",
    "set-online",
    "set-offline",
    "update-limit",
    "update-fence",
    "update",
];

fn sort_info(sort: &str, path: &str, actions: &[&str]) -> Value {
    let action = |key: &&str| {
        let (method, url) = match (*key, path) {
            ("update", _) => ("PATCH", format!("/plan/{path}/{{id}}")),
            ("rerun", _) => ("PUT", "/plan/job/run/{id}/action/rerun".to_owned()),
            (key, _) => ("PUT", format!("/plan/{path}/{{id}}/action/{key}")),
        };
        let query = match *key {
            "update-priority" | "update-fence" => json!({"priority": "integer"}),
            "update-limit" => json!({"limit": "integer"}),
            "update-quantity" => json!({"quantity": "integer"}),
            _ => json!({}),
        };
        let payload = match (*key, path) {
            ("reply", _) => json!({"answer": true}),
            ("update", "job") => json!({"priority": 10, "timeRestrictions": {},
                                        "jobOptions": {"requiresConfirmation": false}}),
            ("update", "jobstream") => json!({"priority": 10, "limit": -1, "timeRestrictions": {}}),
            ("update", "workstation") => json!({"limit": 10, "fence": 0}),
            ("update", _) => json!({"quantity": 1}),
            _ => json!({}),
        };
        json!({"key": key, "label": label(key), "httpMethod": method, "parametricUrl": url,
               "queryParameters": query, "payloadTemplate": payload, "subActions": []})
    };
    let pairs = |keys: &[&str]| -> Value {
        keys.iter()
            .map(|key| json!({"key": key, "label": label(key)}))
            .collect()
    };
    let actions: Vec<Value> = actions.iter().map(action).collect();
    match sort {
        "JOB_IN_PLAN" => json!({
            "actions": actions,
            "status": pairs(&["HOLD", "READY", "FENCE", "INTRO", "WAIT", "EXEC", "SUCC", "ABEND",
                              "FAIL", "PEND", "SUCCP", "ABENP", "SUPPR", "CANCL", "CANCLP"]),
            "substatus": pairs(&["HOLD_WAITING_FOR_PREDECESSOR", "HOLD_WAITING_FOR_TIME",
                                 "HOLD_WAITING_FOR_PROMPT", "HOLD_WAITING_FOR_FILE",
                                 "HOLD_PRIORITY_ZERO", "READY_WAITING_FOR_LIMIT",
                                 "READY_WAITING_FOR_RESOURCES", "READY_WAITING_FOR_AGENT"]),
            "commonStatus": pairs(COMMON),
        }),
        "JOBSTREAM_IN_PLAN" => json!({
            "actions": actions,
            "status": pairs(&["HOLD", "READY", "EXEC", "SUCC", "ABEND", "STUCK", "SUPPR", "CANCL"]),
            "substatus": pairs(&["WAITING_FOR_RESOURCE", "WAITING_FOR_USER_INTERVENTION"]),
            "commonStatus": pairs(COMMON),
        }),
        "WORKSTATION_IN_PLAN" => json!({
            "actions": actions,
            "activeStates": pairs(&["MASTER", "MANAGER", "LINKED", "FULLY_LINKED", "JOBMAN_UP",
                                    "WRITER_UP", "EVT_PROC_RUNNING", "IS_INITED"]),
            "activeFlags": pairs(&["AUTO_LINK", "FULL_STATUS"]),
            "workstationType": pairs(&["MANAGER", "FTA", "AGENT", "POOL", "X-AGENT",
                                       "WORKLOAD_BROKER"]),
        }),
        "RESOURCE_IN_PLAN" => json!({
            "actions": actions,
            "status": pairs(&["AVAILABLE", "NOT_AVAILABLE", "UNDECIDED"]),
        }),
        "PROMPT_IN_PLAN" => json!({
            "actions": actions,
            "status": pairs(&["NOT_ASKED", "ASKED", "ANSWERED_YES", "ANSWERED_NO"]),
            "expectedStatus": pairs(&["ANSWERED_YES", "ANSWERED_NO"]),
        }),
        _ => json!({"actions": actions}),
    }
}

const COMMON: &[&str] = &[
    "WAITING",
    "READY",
    "RUNNING",
    "SUCCESSFUL",
    "ERROR",
    "CANCELED",
    "HELD",
    "UNDECIDED",
    "BLOCKED",
    "SUPPRESS",
];

/// `update-limit` as a person reads it: `Update limit`.
fn label(key: &str) -> String {
    let text = key.replace(['-', '_'], " ").to_lowercase();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
