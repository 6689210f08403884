//! The values of the fields that queries name, straight from the plan.
//!
//! A field of the schema that an object does not have has no value; it is never a guess.

use super::{
    places,
    status::{common_status, stream_common, substatus},
    view,
};
use crate::{
    engine::Engine,
    model::{Job, Link, Run, Status, Target, Waiter},
    names::Id,
    oql::Scalar,
    table::{JobKey, PromptKey, ResourceKey, StationKey, StreamKey},
};

fn text(value: &str) -> Vec<Scalar> {
    vec![Scalar::from(value)]
}

fn id(value: Id) -> Vec<Scalar> {
    vec![Scalar::Text(value.to_string())]
}

fn number(value: impl Into<i64>) -> Vec<Scalar> {
    vec![Scalar::Number(value.into())]
}

fn count(value: usize) -> Vec<Scalar> {
    vec![Scalar::Number(i64::try_from(value).unwrap_or(i64::MAX))]
}

fn flag(value: bool) -> Vec<Scalar> {
    vec![Scalar::Bool(value)]
}

fn maybe(value: Option<i64>) -> Vec<Scalar> {
    value.map(Scalar::Number).into_iter().collect()
}

pub(super) fn of_job(engine: &Engine, key: JobKey, field: &str) -> Vec<Scalar> {
    let job = &engine.plan.jobs[key];
    if let Some(field) = field.strip_prefix("jobruns.") {
        return job
            .runs()
            .flat_map(|run| of_run(engine, job, run, field))
            .collect();
    }
    if let Some(field) = field.strip_prefix("dependencies.") {
        return of_links(engine, &job.links, field);
    }
    let stream = &engine.plan.streams[job.stream];
    let station = |key| engine.catalogue.stations[key].path();
    match field {
        "id" => id(job.id),
        "persistentId" => id(job.persistent_id),
        "planId" => id(engine.plan.id),
        "key" => text(&job.path().to_string()),
        "name" => text(&job.model.name),
        "folder" => text(&stream.model.folder),
        "folderId" => id(view::folder_id(&stream.model.folder)),
        "workstation" => text(station(job.model.station)),
        "workstationId" => id(engine.catalogue.stations[job.model.station].id()),
        "jobStreamId" => id(stream.id),
        "jobStreamName" => text(stream.name()),
        "jobStreamWorkstation" => text(station(stream.model.station)),
        "position" => number(job.position),
        "priority" => number(job.priority),
        "origPriority" => number(job.orig_priority),
        "schedTime" => number(stream.sched),
        "lastRunCommonStatus" => text(common_status(job.status(), job.priority == 0, job.canceled)),
        "lastRunCompositeStatus.status" => text(job.status().text()),
        "lastRunCompositeStatus.substatus" => substatus(engine, key)
            .map(Scalar::from)
            .into_iter()
            .collect(),
        "lastRunCompositeStatus.canceled" => flag(job.canceled),
        "jobOptions.critical" => flag(job.model.critical),
        "jobOptions.every" => flag(job.model.every.is_some()),
        "jobOptions.noOperation" => flag(false),
        "jobOptions.requiresConfirmation" => flag(job.confirm),
        "jobStatusFlags.jobLate" => flag(engine.is_late(job)),
        "jobDefinition.taskType" => text("UNIX"),
        "jobDefinition.userLogin" => text(&job.model.user),
        "jobDefinition.recoveryOption" => text(view::recovery_text(job.model.recovery)),
        "timeRestrictions.startTime" => maybe(job.start),
        "timeRestrictions.deadlineTime" => maybe(job.deadline),
        "dependenciesStats.numberOfPromptDependencies" => count(prompts(&job.links)),
        "dependenciesStats.numberOfUnresolvedDependencies" => count(
            job.links
                .iter()
                .filter(|link| !link.satisfied && !link.released)
                .count(),
        ),
        _ => Vec::new(),
    }
}

fn of_run(engine: &Engine, job: &Job, run: &Run, field: &str) -> Vec<Scalar> {
    let latest = run.number == job.run.number;
    match field {
        "id" => id(run.id),
        "compositeStatus.status" => text(run.status.text()),
        "compositeStatus.canceled" => flag(latest && job.canceled),
        "commonStatus" => text(common_status(
            run.status,
            job.priority == 0,
            latest && job.canceled,
        )),
        "returnCode" => maybe(run.code.map(i64::from)),
        "jobNumber" => maybe(run.job_number.map(i64::from)),
        "rerunType" => text(run.kind.text()),
        "actualWorkstation" => text(engine.catalogue.stations[run.station].path()),
        "timeInfo.actualStartTime" => maybe(run.started),
        "timeInfo.actualEndTime" => maybe(run.ended),
        "elapsedTime" => maybe(engine.elapsed(run.started, run.ended)),
        "maxDurationGone" => flag(view::max_duration_gone(engine, job, run)),
        "minDurationNotReached" => flag(view::min_duration_not_reached(engine, job, run)),
        "step" => run.step.as_deref().map(text).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn of_links(engine: &Engine, links: &[Link], field: &str) -> Vec<Scalar> {
    let plan = &engine.plan;
    let of = |link: &Link| -> Option<String> {
        let (job, stream) = match link.target {
            Target::Internal(job) | Target::Job(job) => (Some(job), Some(plan.jobs[job].stream)),
            Target::Stream(stream) => (None, Some(stream)),
            Target::Resource(..) | Target::Prompt(_) | Target::File(_) => (None, None),
        };
        match field {
            "jobId" => job.map(|job| plan.jobs[job].id.to_string()),
            "jobStreamId" => stream.map(|stream| plan.streams[stream].id.to_string()),
            "jobStreamName" => stream.map(|stream| plan.streams[stream].name().to_owned()),
            "dependencyStatus" => {
                let done = link.satisfied || link.released;
                Some(if done { "SATISFIED" } else { "UNSATISFIED" }.to_owned())
            }
            _ => None,
        }
    };
    links.iter().filter_map(of).map(Scalar::Text).collect()
}

fn prompts(links: &[Link]) -> usize {
    let prompt = |link: &&Link| matches!(link.target, Target::Prompt(_));
    links.iter().filter(prompt).count()
}

pub(super) fn of_stream(engine: &Engine, key: StreamKey, field: &str) -> Vec<Scalar> {
    let stream = &engine.plan.streams[key];
    if let Some(field) = field.strip_prefix("dependencies.") {
        return of_links(engine, &stream.links, field);
    }
    let jobs = |test: fn(Status) -> bool| {
        count(
            stream
                .jobs
                .iter()
                .filter(|job| test(engine.plan.jobs[**job].status()))
                .count(),
        )
    };
    let station = &engine.catalogue.stations[stream.model.station];
    match field {
        "id" => id(stream.id),
        "persistentId" => id(stream.persistent_id),
        "planId" => id(engine.plan.id),
        "key" => text(&stream.path),
        "name" => text(stream.name()),
        "originalJobStreamName" => text(&stream.model.name),
        "aliasJobStreamName" => stream.alias.as_deref().map(text).unwrap_or_default(),
        "folder" => text(&stream.model.folder),
        "folderId" => id(view::folder_id(&stream.model.folder)),
        "workstation" => text(station.path()),
        "workstationId" => id(station.id()),
        "internalIdentifier" => text(&stream.internal_id),
        "schedTime" => number(stream.sched),
        "timeRestrictions.startTime" => number(stream.start.unwrap_or(stream.sched)),
        "timeRestrictions.deadlineTime" => maybe(stream.deadline),
        "commonStatus" => text(stream_common(stream)),
        "compositeStatus.status" => text(stream.status.text()),
        "compositeStatus.canceled" => flag(stream.canceled),
        "priority" => number(stream.priority),
        "origPriority" => number(stream.orig_priority),
        "limit" => number(stream.limit.map_or(-1, i64::from)),
        "timeInfo.actualStartTime" => maybe(stream.started),
        "timeInfo.actualEndTime" => maybe(stream.ended),
        "jobStreamStats.numberOfJob" => count(stream.jobs.len()),
        "jobStreamStats.numberOfSuccessfullJob" => jobs(|status| status == Status::Succ),
        "jobStreamStats.numberOfExecutingJob" => jobs(Status::is_active),
        "jobStreamStats.numberOfAbendedJob" => jobs(|status| status == Status::Abend),
        "jobStreamStats.numberOfFailedJob" => jobs(|status| status == Status::Fail),
        "jobStreamStats.numberOfNotRunningJob" => jobs(Status::waits),
        "dependenciesStats.numberOfPromptDependencies" => count(prompts(&stream.links)),
        "jsOptions.monitored" | "pendingPredecessor" => flag(false),
        "jsDefinitionFlags.carriedForward" => flag(stream.carried > 0),
        _ => Vec::new(),
    }
}

pub(super) fn of_station(engine: &Engine, key: StationKey, field: &str) -> Vec<Scalar> {
    let station = &engine.catalogue.stations[key];
    match field {
        "id" => id(station.id()),
        "key" => text(station.path()),
        "name" => text(&station.name),
        "folder" => text("/"),
        "type" => text(station.kind),
        "domainName" => text("MASTERDM"),
        "activeStates" => places::active_states(engine, key)
            .into_iter()
            .map(Scalar::from)
            .collect(),
        "jobmanUp" => flag(station.running),
        _ => Vec::new(),
    }
}

pub(super) fn of_prompt(engine: &Engine, key: PromptKey, field: &str) -> Vec<Scalar> {
    let prompt = &engine.plan.prompts[key];
    match field {
        "id" => id(prompt.id),
        "name" => text(&prompt.name),
        "folder" => text("/"),
        "text" => text(&prompt.text),
        "status" => text(prompt.state.text()),
        "number" => number(prompt.number),
        "jobId" => match prompt.owner {
            Waiter::Job(job) => id(engine.plan.jobs[job].id),
            Waiter::Stream(_) => Vec::new(),
        },
        "jobStreamId" => id(engine.plan.streams[engine.stream_of(prompt.owner)].id),
        _ => Vec::new(),
    }
}

pub(super) fn of_resource(engine: &Engine, key: ResourceKey, field: &str) -> Vec<Scalar> {
    let resource = &engine.catalogue.resources[key];
    let station = engine.catalogue.stations[resource.station].path();
    match field {
        "id" => id(places::resource_id(engine, key)),
        "key" => text(&format!("{station}#/{}", resource.name)),
        "name" => text(&resource.name),
        "folder" => text("/"),
        "workstation" => text(station),
        "quantity" => number(resource.quantity),
        "quantityInUse" => number(resource.used),
        "quantityAvailable" => number(resource.available()),
        "status" => text(if resource.available() > 0 {
            "AVAILABLE"
        } else {
            "NOT_AVAILABLE"
        }),
        _ => Vec::new(),
    }
}
