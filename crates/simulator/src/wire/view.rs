//! Objects of the plan as JSON, after the shape of the vendor's document.

use serde_json::{Map, Value, json};

use super::{
    Role,
    status::{common_status, composite, stream_common, stream_composite, substatus},
};
use crate::{
    dice::scaled,
    engine::{Command, Engine, Patch, RerunDetails},
    model::{Answer, Job, JobModel, Link, Recovery, Run, Status, Stream, Target, Waiter},
    names::{ZONE, id, iso, iso_duration},
    table::{JobKey, StationKey, StreamKey},
};

/// What a list leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) definitions: bool,
    pub(super) dependencies: bool,
}

impl Scope {
    pub(super) const WHOLE: Self = Self {
        definitions: true,
        dependencies: true,
    };

    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        let (definitions, dependencies) = match text {
            None | Some("WHOLE" | "SELF_SERVICE_CATALOG") => (true, true),
            Some("WHOLE_NO_DEPENDENCIES") => (true, false),
            Some("WHOLE_NO_JOB_DEFINITIONS") => (false, true),
            Some("WHOLE_NO_JOB_DEFINITIONS_AND_NO_DEPENDENCIES") => (false, false),
            Some(_) => return None,
        };
        Some(Self {
            definitions,
            dependencies,
        })
    }
}

/// Collects fields, leaving out what is absent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self(fields),
            _ => Self(Map::new()),
        }
    }

    pub(super) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(super) fn some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    pub(super) fn value(self) -> Value {
        Value::Object(self.0)
    }
}

pub(super) fn engine_id() -> String {
    id("engine", "MDM")
}

pub(super) fn folder_id(folder: &str) -> String {
    id("folder", folder)
}

pub(super) fn job(engine: &Engine, key: JobKey, scope: Scope, role: Role) -> Value {
    let job = &engine.plan.jobs[key];
    let stream = &engine.plan.streams[job.stream];
    let stations = &engine.catalogue.stations;
    let (station, parent) = (
        &stations[job.model.station],
        &stations[stream.model.station],
    );
    let why = substatus(engine, key);
    let held = job.priority == 0;
    let late = engine.is_late(job);
    let definition = job.model.definition_id(&stream.model.folder);
    let mut fields = Fields::of(json!({
        "flowNodeType": "JOB",
        "engineId": engine_id(),
        "id": job.id,
        "persistentId": job.persistent_id,
        "planId": engine.plan.id,
        "folderId": folder_id(&stream.model.folder),
        "folder": stream.model.folder,
        "name": job.model.name,
        "workstationId": station.id(),
        "workstation": station.path(),
        "jobStreamId": stream.id,
        "jobStreamName": stream.name(),
        "jobStreamWorkstationId": parent.id(),
        "jobStreamWorkstation": parent.path(),
        "position": job.position,
        "key": job.path,
        "jobDefinitionFlags": {"monitored": false, "aliased": job.model.defined_as.is_some(), "interactive": false},
        "jobStatusFlags": {
            "jobLate": late,
            "deadlineHasPassed": late,
            "untilGone": job.until_gone,
            "restarted": !job.earlier.is_empty(),
            "jobStreamCancelled": stream.canceled,
        },
        "jobOptions": {
            "noOperation": false,
            "critical": job.model.critical,
            "requiresConfirmation": job.confirm,
            "every": job.model.every.is_some(),
        },
        "lastRunCompositeStatus": composite(job, job.status(), true, why),
        "lastRunCommonStatus": common_status(job.status(), held, job.canceled),
        "jobDefinitionRefId": definition,
        "priority": job.priority,
        "origPriority": job.orig_priority,
        "schedTime": iso(stream.sched),
        "timeZone": ZONE.name(),
        "archived": false,
        "actions": job_actions(engine, key, role),
    }));
    let runs = job.runs().map(|row| run(engine, job, row));
    fields.put("jobruns", runs.collect::<Vec<_>>());
    fields.some("repeatInterval", job.model.every.map(iso_duration));
    if let Some(elapsed) = engine.elapsed(job.run.started, job.run.ended) {
        fields.put("cpuTime", iso_duration(scaled(elapsed, 0.4, 0)));
    }
    if let Some(restrictions) = restrictions(engine, job) {
        fields.put("timeRestrictions", restrictions);
    }
    if scope.definitions {
        fields.put(
            "jobDefinition",
            definition_of(engine, stream, &job.model, &definition),
        );
    }
    if scope.dependencies {
        let links = job
            .links
            .iter()
            .map(|link| dependency(engine, &job.id, link, role));
        let mut links: Vec<Value> = links.collect();
        links.extend(job.recovery_prompt.map(|prompt| {
            let link = Link {
                number: 9999,
                ..Link::to(Target::Prompt(prompt))
            };
            dependency(engine, &job.id, &link, role)
        }));
        fields.put("dependencies", links);
    }
    fields.put("dependenciesStats", dependency_stats(&job.links));
    fields.value()
}

fn definition_of(engine: &Engine, stream: &Stream, model: &JobModel, model_id: &str) -> Value {
    let station = &engine.catalogue.stations[model.station];
    let folder = &stream.model.folder;
    let mut fields = Fields::of(json!({
        "id": id("definition in plan", &format!("{}{}", engine.plan.id, model_id)),
        "jobDefinitionModelId": model_id,
        "folder": folder,
        "name": model.name,
        "workstation": station.path(),
        "description": model.description(),
        "task": {"UNIX": {
            "taskString": format!("{} ^RUNDATE^", model.script()),
            "isCommand": "false",
            "userName": model.user,
        }},
        "isCommand": false,
        "command": false,
        "estimatedDuration": iso_duration(model.estimated),
        "userLogins": [model.user],
        "recoveryOption": recovery_text(model.recovery),
    }));
    if let Recovery::Rerun {
        interval,
        occurrences,
        job,
    } = model.recovery
    {
        fields.put("recoveryRepeatInterval", iso_duration(interval));
        fields.put("recoveryRepeatOccurrences", occurrences);
        fields.some("recoveryJobName", job);
    }
    fields.value()
}

pub(super) fn recovery_text(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Stop => "STOP",
        Recovery::Continue => "CONTINUE",
        Recovery::Rerun { .. } => "RERUN",
        Recovery::ContinuePrompt => "CONTINUE_PROMPT",
        Recovery::RerunPrompt => "RERUN_PROMPT",
    }
}

/// Whether a run has lasted longer than its job allows.
pub(super) fn max_duration_gone(engine: &Engine, job: &Job, run: &Run) -> bool {
    let elapsed = engine.elapsed(run.started, run.ended);
    elapsed
        .zip(job.model.longest)
        .is_some_and(|(elapsed, longest)| elapsed > longest)
}

/// Whether a run has ended sooner than its job should.
pub(super) fn min_duration_not_reached(engine: &Engine, job: &Job, run: &Run) -> bool {
    let elapsed = engine.elapsed(run.started, run.ended);
    run.ended.is_some()
        && elapsed
            .zip(job.model.shortest)
            .is_some_and(|(elapsed, shortest)| elapsed < shortest)
}

fn run(engine: &Engine, job: &Job, run: &Run) -> Value {
    let latest = run.number == job.run.number;
    let elapsed = engine.elapsed(run.started, run.ended);
    let mut time = Fields::of(json!({"estimatedDuration": iso_duration(job.model.estimated)}));
    time.some("actualStartTime", run.started.map(iso));
    time.some("elapsedTime", elapsed.map(iso_duration));
    time.some(
        "actualEndTime",
        run.ended.filter(|_| run.started.is_some()).map(iso),
    );
    let why = if latest {
        engine.index.jobs.get(&job.id)
    } else {
        None
    };
    let why = why.and_then(|key| substatus(engine, *key));
    let mut fields = Fields::of(json!({
        "id": run.id,
        "name": job.model.name,
        "jobId": job.id,
        "jobKey": job.path,
        "actualWorkstation": engine.catalogue.stations[run.station].path(),
        "compositeStatus": composite(job, run.status, latest, why),
        "commonStatus": common_status(run.status, job.priority == 0, latest && job.canceled),
        "rerunJob": run.number > 1,
        "confirmed": run.confirmed,
        "released": latest && job.released,
        "rerunType": run.kind.text(),
        "timeInfo": time.value(),
        "lastInRerunChain": latest,
        "minDurationNotReached": min_duration_not_reached(engine, job, run),
        "maxDurationGone": max_duration_gone(engine, job, run),
        "runAttempt": run.number,
    }));
    fields.some("jobNumber", run.job_number);
    fields.some("returnCode", run.code);
    fields.some("submittedTime", run.submitted.map(iso));
    fields.some("step", run.step.as_deref());
    fields.value()
}

fn restrictions(engine: &Engine, job: &Job) -> Option<Value> {
    let mut fields = Fields(Map::new());
    fields.some("startTime", job.start.map(iso));
    fields.some("startTimeSatisfied", job.start.map(|at| engine.now() >= at));
    if let Some(deadline) = job.deadline {
        fields.put("deadlineTime", iso(deadline));
        let action = if job.model.late_kill {
            "kill"
        } else {
            "continue"
        };
        fields.put("lateAction", action);
    }
    if let Some((latest, action)) = job.latest {
        fields.put("latestStartTime", iso(latest));
        fields.put("lateStartAction", action.text());
    }
    if let Some(longest) = job.model.longest {
        fields.put("maxDuration", iso_duration(longest));
        fields.put("maxDurationAction", "continue");
    }
    if fields.0.is_empty() {
        return None;
    }
    fields.put("timeDependent", job.start.is_some());
    Some(fields.value())
}

/// The id of an object's dependency; a prompt's is the prompt's own.
pub(super) fn dependency_id(engine: &Engine, owner: &str, link: &Link) -> String {
    match link.target {
        Target::Prompt(key) => engine.plan.prompts[key].id.clone(),
        _ => id("dependency", &format!("{owner}#{}", link.number)),
    }
}

fn dependency(engine: &Engine, owner: &str, link: &Link, role: Role) -> Value {
    let done = link.satisfied || link.released;
    let mut fields = Fields::of(json!({
        "id": dependency_id(engine, owner, link),
        "dependencyStatus": if done { "SATISFIED" } else { "UNSATISFIED" },
        "satisfied": done,
        "depSequence": link.number.saturating_mul(1000),
    }));
    let station = |key: StationKey| engine.catalogue.stations[key].path();
    match link.target {
        Target::Internal(key) | Target::Job(key) => {
            let other = &engine.plan.jobs[key];
            let internal = matches!(link.target, Target::Internal(_));
            fields.put(
                "dependencyType",
                if internal { "INTERNAL" } else { "EXTERNAL_JOB" },
            );
            fields.put("jobId", other.id.as_str());
            fields.put("jobName", other.model.name.as_str());
            if !internal {
                fields.put("jobWorkstationName", station(other.model.station));
                fields.put("jobStreamId", engine.plan.streams[other.stream].id.as_str());
                fields.put("pending", false);
                fields.put("zombie", false);
            }
            stream_fields(engine, &mut fields, other.stream);
            fields.put(
                "predecessorStatus",
                composite(other, other.status(), true, None),
            );
        }
        Target::Stream(key) => {
            let other = &engine.plan.streams[key];
            fields.put("dependencyType", "EXTERNAL_JOBSTREAM");
            fields.put("jobStreamId", other.id.as_str());
            stream_fields(engine, &mut fields, key);
            fields.put("pending", false);
            fields.put("zombie", false);
            fields.put("predecessorStatus", stream_composite(engine, other));
        }
        Target::Resource(key, quantity) => {
            let resource = &engine.catalogue.resources[key];
            let holder = resource
                .holders
                .iter()
                .find(|(job, _)| engine.plan.jobs[*job].id == owner);
            fields.put("dependencyType", "RESOURCE");
            fields.put("folder", "/");
            fields.put("name", resource.name.as_str());
            fields.put("workstation", station(resource.station));
            fields.put("quantity", quantity);
            fields.put("quantityHeld", holder.map_or(0, |(_, held)| *held));
            fields.put("available", resource.available());
        }
        Target::Prompt(key) => {
            let prompt = &engine.plan.prompts[key];
            fields.put("dependencyType", "PROMPT");
            fields.put("folder", "/");
            fields.put("promptName", prompt.name.as_ref());
            fields.put("text", prompt.text.as_ref());
            fields.put("promptStatus", prompt.state.text());
            fields.put("promptType", prompt.kind.text());
            fields.put("number", prompt.number);
            let may = role != Role::Viewer && prompt.state == Answer::Asked;
            let keys: &[&str] = if may { &["reply"] } else { &[] };
            fields.put("actions", actions(keys));
        }
        Target::File(key) => {
            let file = &engine.plan.files[key];
            let status = if done { "Exists" } else { "Not Checked" };
            fields.put("dependencyType", "FILE");
            fields.put(
                "file",
                json!({
                    "name": file.path,
                    "qualifier": "-f %p",
                    "workstation": station(file.station),
                    "status": status,
                }),
            );
        }
    }
    fields.value()
}

fn stream_fields(engine: &Engine, fields: &mut Fields, key: StreamKey) {
    let stream = &engine.plan.streams[key];
    fields.put("jobStreamName", stream.name());
    fields.put(
        "jobStreamWorkstation",
        engine.catalogue.stations[stream.model.station].path(),
    );
    fields.put("jobStreamFolder", stream.model.folder.as_str());
    fields.put("jobStreamSchedTime", iso(stream.sched));
}

fn dependency_stats(links: &[Link]) -> Value {
    let count = |test: fn(&Link) -> bool| links.iter().filter(|link| test(link)).count();
    let open = |link: &Link| !link.satisfied && !link.released;
    json!({
        "numberOfDependencies": links.len(),
        "numberOfJobDependencies":
            count(|link| matches!(link.target, Target::Internal(_) | Target::Job(_))),
        "numberOfJobStreamDependencies": count(|link| matches!(link.target, Target::Stream(_))),
        "numberOfResourceDependencies":
            count(|link| matches!(link.target, Target::Resource(..))),
        "numberOfPromptDependencies": count(|link| matches!(link.target, Target::Prompt(_))),
        "numberOfFileDependencies": count(|link| matches!(link.target, Target::File(_))),
        "numberOfUnresolvedDependencies": count(open),
        "numberOfNonResourceUnresolvedDependencies": count(Link::blocks),
    })
}

pub(super) fn actions(keys: &[&str]) -> Value {
    keys.iter()
        .map(|key| json!({"key": key, "id": key}))
        .collect()
}

fn job_actions(engine: &Engine, key: JobKey, role: Role) -> Value {
    if role == Role::Viewer {
        return json!([]);
    }
    let all = [
        Command::Hold(key),
        Command::Release(key),
        Command::ReleaseAll(key),
        Command::Kill(key),
        Command::Cancel(key),
        Command::CancelPending(key),
        Command::Rerun(key, RerunDetails::default()),
        Command::Confirm(key, true),
        Command::Confirm(key, false),
        Command::Priority(key, 10),
    ];
    let allowed = all.iter().filter(|command| engine.allows(command, key));
    actions(&allowed.map(Command::name).collect::<Vec<_>>())
}

pub(super) fn stream(engine: &Engine, key: StreamKey, scope: Scope, role: Role) -> Value {
    let stream = &engine.plan.streams[key];
    let station = &engine.catalogue.stations[stream.model.station];
    let estimated: i64 = stream
        .jobs
        .iter()
        .map(|job| engine.plan.jobs[*job].model.estimated)
        .sum();
    let mut time = Fields::of(json!({"estimatedDuration": iso_duration(estimated)}));
    time.some("actualStartTime", stream.started.map(iso));
    time.some(
        "elapsedTime",
        engine
            .elapsed(stream.started, stream.ended)
            .map(iso_duration),
    );
    time.some(
        "actualEndTime",
        stream.ended.filter(|_| stream.started.is_some()).map(iso),
    );
    let late = stream
        .jobs
        .iter()
        .any(|job| engine.is_late(&engine.plan.jobs[*job]));
    let model = &stream.model;
    let model_path = format!("{}#{}{}", station.path(), model.folder, model.name);
    let mut fields = Fields::of(json!({
        "flowNodeType": "JOBSTREAM",
        "engineId": engine_id(),
        "id": stream.id,
        "persistentId": stream.persistent_id,
        "planId": engine.plan.id,
        "folderId": folder_id(&stream.model.folder),
        "folder": stream.model.folder,
        "name": stream.name(),
        "originalJobStreamName": stream.model.name,
        "workstationId": station.id(),
        "workstation": station.path(),
        "jobStreamModelId": id("stream definition", &model_path),
        "key": stream.path,
        "schedTime": iso(stream.sched),
        "scheduledDate": iso(engine.plan.start),
        "timeZone": ZONE.name(),
        "internalIdentifier": stream.internal_id,
        "compositeStatus": stream_composite(engine, stream),
        "commonStatus": stream_common(stream),
        "priority": stream.priority,
        "origPriority": stream.orig_priority,
        "limit": stream.limit.map_or(-1, i64::from),
        "timeInfo": time.value(),
        "jsDefinitionFlags": {
            "aliased": stream.alias.is_some(),
            "carriedForward": stream.carried > 0,
            "isService": false,
        },
        "jsStatusFlags": {"released": stream.released, "lateJobStream": late, "pendingPredecessor": false},
        "jsOptions": {"monitored": false, "carryForward": true},
        "timeRestrictions": {
            "startTime": iso(stream.start.unwrap_or(stream.sched)),
            "timeDependent": true,
        },
        "jobStreamStats": stream_stats(engine, stream),
        "archived": false,
    }));
    if scope.dependencies {
        let links = stream.links.iter();
        let links = links.map(|link| dependency(engine, &stream.id, link, role));
        fields.put("dependencies", links.collect::<Vec<_>>());
    }
    fields.put("dependenciesStats", dependency_stats(&stream.links));
    fields.some("aliasJobStreamName", stream.alias.as_deref());
    fields.some("submitter", stream.submitter.as_deref());
    if let Some(deadline) = stream.deadline {
        // Beside the start, which every stream has.
        if let Some(Value::Object(times)) = fields.0.get_mut("timeRestrictions") {
            times.insert("deadlineTime".to_owned(), iso(deadline).into());
        }
    }
    fields.put("actions", stream_actions(engine, key, role));
    fields.value()
}

fn stream_actions(engine: &Engine, key: StreamKey, role: Role) -> Value {
    if role == Role::Viewer {
        return json!([]);
    }
    let all = [
        Command::HoldStream(key),
        Command::ReleaseStream(key),
        Command::ReleaseAllOf(key),
        Command::CancelStream(key),
        Command::CancelPendingStream(key),
        Command::Patch(Waiter::Stream(key), Patch::default()),
    ];
    let allowed = all
        .iter()
        .filter(|command| engine.allows_stream(command, key) && !needless_hold(engine, command));
    actions(&allowed.map(Command::name).collect::<Vec<_>>())
}

/// Holding what is held is allowed and not worth offering.
fn needless_hold(engine: &Engine, command: &Command) -> bool {
    match command {
        Command::HoldStream(key) => engine.plan.streams[*key].priority == 0,
        _ => false,
    }
}

fn stream_stats(engine: &Engine, stream: &Stream) -> Value {
    let count = |test: fn(Status) -> bool| {
        stream
            .jobs
            .iter()
            .filter(|job| test(engine.plan.jobs[**job].status()))
            .count()
    };
    json!({
        "numberOfJob": stream.jobs.len(),
        "numberOfCurrentNodes": stream.jobs.len(),
        "numberOfSuccessfullJob": count(|status| status == Status::Succ),
        "numberOfExecutingJob": count(Status::is_active),
        "numberOfAbendedJob": count(|status| status == Status::Abend),
        "numberOfFailedJob": count(|status| status == Status::Fail),
        "numberOfNotRunningJob": count(Status::waits),
        "numberOfUndecidedJob": 0,
    })
}
