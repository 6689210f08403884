//! A job, its definition and its runs.

use serde::Serialize;

use super::{
    Actions, Scope,
    dependency::{DependencyStats, DependencyView, dependency, of_prompt},
    engine_id, folder_id,
};
use crate::{
    dice::scaled,
    engine::{Command, Engine, RerunDetails},
    model::{Job, JobModel, JobPath, Recovery, Run, Stream},
    names::{Id, Iso, Span, ZONE, id},
    table::JobKey,
    wire::{
        Role,
        status::{Composite, common_status, composite, substatus},
    },
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::wire) struct JobView<'a> {
    actions: Actions,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_time: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependencies: Option<Vec<DependencyView<'a>>>,
    dependencies_stats: DependencyStats,
    engine_id: Id,
    flow_node_type: &'static str,
    folder: &'a str,
    folder_id: Id,
    id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_definition: Option<DefinitionView<'a>>,
    job_definition_flags: DefinitionFlags,
    job_definition_ref_id: Id,
    job_options: JobOptions,
    job_status_flags: StatusFlags,
    job_stream_id: Id,
    job_stream_name: &'a str,
    job_stream_workstation: &'a str,
    job_stream_workstation_id: Id,
    jobruns: Vec<RunView<'a>>,
    key: JobPath<'a>,
    last_run_common_status: &'static str,
    last_run_composite_status: Composite,
    name: &'a str,
    orig_priority: u32,
    persistent_id: Id,
    plan_id: Id,
    position: u32,
    priority: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_interval: Option<Span>,
    sched_time: Iso,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_restrictions: Option<Restrictions>,
    time_zone: &'static str,
    workstation: &'a str,
    workstation_id: Id,
}

#[derive(Debug, Serialize)]
struct DefinitionFlags {
    aliased: bool,
    interactive: bool,
    monitored: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the wire, each free of the others"
)]
struct JobOptions {
    critical: bool,
    every: bool,
    no_operation: bool,
    requires_confirmation: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the wire, each free of the others"
)]
struct StatusFlags {
    deadline_has_passed: bool,
    job_late: bool,
    job_stream_cancelled: bool,
    restarted: bool,
    until_gone: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionView<'a> {
    command: bool,
    description: String,
    estimated_duration: Span,
    folder: &'a str,
    id: Id,
    is_command: bool,
    job_definition_model_id: Id,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_job_name: Option<&'static str>,
    recovery_option: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_repeat_interval: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_repeat_occurrences: Option<u32>,
    task: Task<'a>,
    user_logins: [&'a str; 1],
    workstation: &'a str,
}

#[derive(Debug, Serialize)]
struct Task<'a> {
    #[serde(rename = "UNIX")]
    unix: Script<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Script<'a> {
    is_command: &'static str,
    task_string: String,
    user_name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the wire, each free of the others"
)]
struct RunView<'a> {
    actual_workstation: &'a str,
    common_status: &'static str,
    composite_status: Composite,
    confirmed: bool,
    id: Id,
    job_id: Id,
    job_key: JobPath<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_number: Option<u32>,
    last_in_rerun_chain: bool,
    max_duration_gone: bool,
    min_duration_not_reached: bool,
    name: &'a str,
    released: bool,
    rerun_job: bool,
    rerun_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_code: Option<i32>,
    run_attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_time: Option<Iso>,
    time_info: TimeInfo,
}

/// When something ran, and how long.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimeInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_end_time: Option<Iso>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_start_time: Option<Iso>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_time: Option<Span>,
    estimated_duration: Span,
}

impl TimeInfo {
    pub(super) fn of(
        engine: &Engine,
        estimated: i64,
        started: Option<i64>,
        ended: Option<i64>,
    ) -> Self {
        Self {
            actual_end_time: ended.filter(|_| started.is_some()).map(Iso),
            actual_start_time: started.map(Iso),
            elapsed_time: engine.elapsed(started, ended).map(Span),
            estimated_duration: Span(estimated),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Restrictions {
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_time: Option<Iso>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_start_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_start_time: Option<Iso>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_duration_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Iso>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_satisfied: Option<bool>,
    time_dependent: bool,
}

pub(in crate::wire) fn job(engine: &Engine, key: JobKey, scope: Scope, role: Role) -> JobView<'_> {
    let job = &engine.plan.jobs[key];
    let stream = &engine.plan.streams[job.stream];
    let stations = &engine.catalogue.stations;
    let (station, parent) = (
        &stations[job.model.station],
        &stations[stream.model.station],
    );
    let why = substatus(engine, key);
    let late = engine.is_late(job);
    let folder = stream.model.folder.as_str();
    let definition = job.model.definition_id(folder);
    let dependencies = scope.dependencies.then(|| {
        let links = job.links.iter();
        let links = links.map(|link| dependency(engine, job.id, link, role));
        let asked = job
            .recovery_prompt
            .map(|prompt| of_prompt(engine, prompt, role));
        links.chain(asked).collect()
    });
    JobView {
        actions: actions(engine, key, role),
        archived: false,
        cpu_time: engine
            .elapsed(job.run.started, job.run.ended)
            .map(|elapsed| Span(scaled(elapsed, 0.4, 0))),
        dependencies,
        dependencies_stats: DependencyStats::of(&job.links),
        engine_id: engine_id(),
        flow_node_type: "JOB",
        folder,
        folder_id: folder_id(folder),
        id: job.id,
        job_definition: scope
            .definitions
            .then(|| definition_of(engine, stream, &job.model, definition)),
        job_definition_flags: DefinitionFlags {
            aliased: job.model.special().defined_as.is_some(),
            interactive: false,
            monitored: false,
        },
        job_definition_ref_id: definition,
        job_options: JobOptions {
            critical: job.model.critical,
            every: job.model.every.is_some(),
            no_operation: false,
            requires_confirmation: job.confirm,
        },
        job_status_flags: StatusFlags {
            deadline_has_passed: late,
            job_late: late,
            job_stream_cancelled: stream.canceled,
            restarted: !job.earlier.is_empty(),
            until_gone: job.until_gone,
        },
        job_stream_id: stream.id,
        job_stream_name: stream.name(),
        job_stream_workstation: parent.path(),
        job_stream_workstation_id: parent.id(),
        jobruns: job.runs().map(|row| run(engine, job, row, why)).collect(),
        key: job.path(),
        last_run_common_status: common_status(job.status(), job.priority == 0, job.canceled),
        last_run_composite_status: composite(job, job.status(), true, why),
        name: &job.model.name,
        orig_priority: job.orig_priority,
        persistent_id: job.persistent_id,
        plan_id: engine.plan.id,
        position: job.position,
        priority: job.priority,
        repeat_interval: job.model.every.map(Span),
        sched_time: Iso(stream.sched),
        time_restrictions: restrictions(engine, job),
        time_zone: ZONE.name(),
        workstation: station.path(),
        workstation_id: station.id(),
    }
}

fn definition_of<'a>(
    engine: &'a Engine,
    stream: &'a Stream,
    model: &'a JobModel,
    model_id: Id,
) -> DefinitionView<'a> {
    let (interval, occurrences, job) = match model.recovery {
        Recovery::Rerun {
            interval,
            occurrences,
            job,
        } => (Some(interval), Some(occurrences), job),
        _ => (None, None, None),
    };
    DefinitionView {
        command: false,
        description: model.description(),
        estimated_duration: Span(model.estimated),
        folder: &stream.model.folder,
        id: id(
            "definition in plan",
            format_args!("{}{model_id}", engine.plan.id),
        ),
        is_command: false,
        job_definition_model_id: model_id,
        name: &model.name,
        recovery_job_name: job,
        recovery_option: recovery_text(model.recovery),
        recovery_repeat_interval: interval.map(Span),
        recovery_repeat_occurrences: occurrences,
        task: Task {
            unix: Script {
                is_command: "false",
                task_string: format!("{} ^RUNDATE^", model.script()),
                user_name: &model.user,
            },
        },
        user_logins: [&model.user],
        workstation: engine.catalogue.stations[model.station].path(),
    }
}

pub(in crate::wire) fn recovery_text(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Stop => "STOP",
        Recovery::Continue => "CONTINUE",
        Recovery::Rerun { .. } => "RERUN",
        Recovery::ContinuePrompt => "CONTINUE_PROMPT",
        Recovery::RerunPrompt => "RERUN_PROMPT",
    }
}

/// Whether a run has lasted longer than its job allows.
pub(in crate::wire) fn max_duration_gone(engine: &Engine, job: &Job, run: &Run) -> bool {
    let elapsed = engine.elapsed(run.started, run.ended);
    elapsed
        .zip(job.model.special().longest)
        .is_some_and(|(elapsed, longest)| elapsed > longest)
}

/// Whether a run has ended sooner than its job should.
pub(in crate::wire) fn min_duration_not_reached(engine: &Engine, job: &Job, run: &Run) -> bool {
    let elapsed = engine.elapsed(run.started, run.ended);
    run.ended.is_some()
        && elapsed
            .zip(job.model.special().shortest)
            .is_some_and(|(elapsed, shortest)| elapsed < shortest)
}

/// A run; `why` is what its job waits for, if it is the latest.
fn run<'a>(
    engine: &'a Engine,
    job: &'a Job,
    run: &'a Run,
    why: Option<&'static str>,
) -> RunView<'a> {
    let latest = run.number == job.run.number;
    let canceled = latest && job.canceled;
    RunView {
        actual_workstation: engine.catalogue.stations[run.station].path(),
        common_status: common_status(run.status, job.priority == 0, canceled),
        composite_status: composite(job, run.status, latest, why.filter(|_| latest)),
        confirmed: run.confirmed,
        id: run.id,
        job_id: job.id,
        job_key: job.path(),
        job_number: run.job_number,
        last_in_rerun_chain: latest,
        max_duration_gone: max_duration_gone(engine, job, run),
        min_duration_not_reached: min_duration_not_reached(engine, job, run),
        name: &job.model.name,
        released: latest && job.released,
        rerun_job: run.number > 1,
        rerun_type: run.kind.text(),
        return_code: run.code,
        run_attempt: run.number,
        step: run.step.as_deref(),
        submitted_time: run.submitted.map(Iso),
        time_info: TimeInfo::of(engine, job.model.estimated, run.started, run.ended),
    }
}

/// What binds a job to the clock; nothing when nothing does.
fn restrictions(engine: &Engine, job: &Job) -> Option<Restrictions> {
    let special = job.model.special();
    let longest = special.longest;
    let bound =
        job.start.is_some() || job.deadline.is_some() || job.latest.is_some() || longest.is_some();
    let late = if special.late_kill {
        "kill"
    } else {
        "continue"
    };
    bound.then(|| Restrictions {
        deadline_time: job.deadline.map(Iso),
        late_action: job.deadline.map(|_| late),
        late_start_action: job.latest.map(|(_, action)| action.text()),
        latest_start_time: job.latest.map(|(latest, _)| Iso(latest)),
        max_duration: longest.map(Span),
        max_duration_action: longest.map(|_| "continue"),
        start_time: job.start.map(Iso),
        start_time_satisfied: job.start.map(|at| engine.now() >= at),
        time_dependent: job.start.is_some(),
    })
}

fn actions(engine: &Engine, key: JobKey, role: Role) -> Actions {
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
    Actions::offered(role, allowed.map(Command::name))
}
