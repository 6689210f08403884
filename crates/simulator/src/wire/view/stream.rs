//! A job stream.

use serde::Serialize;

use super::{
    Actions, Scope,
    dependency::{DependencyStats, DependencyView, dependency},
    engine_id, folder_id,
    job::{JobView, TimeInfo},
};
use crate::{
    engine::{Command, Engine, Patch},
    model::{Status, Stream, Waiter},
    names::{Id, Iso, ZONE, id},
    table::StreamKey,
    wire::{
        Role,
        status::{Composite, stream_common, stream_composite},
    },
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::wire) struct StreamView<'a> {
    actions: Actions,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_job_stream_name: Option<&'a str>,
    archived: bool,
    common_status: &'static str,
    composite_status: Composite,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependencies: Option<Vec<DependencyView<'a>>>,
    dependencies_stats: DependencyStats,
    engine_id: Id,
    flow_node_type: &'static str,
    folder: &'a str,
    folder_id: Id,
    id: Id,
    internal_identifier: &'a str,
    job_stream_model_id: Id,
    job_stream_stats: JobStats,
    /// When a stream is asked for by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<JobView<'a>>>,
    js_definition_flags: DefinitionFlags,
    js_options: StreamOptions,
    js_status_flags: StatusFlags,
    key: &'a str,
    limit: i64,
    name: &'a str,
    orig_priority: u32,
    original_job_stream_name: &'a str,
    persistent_id: Id,
    plan_id: Id,
    priority: u32,
    sched_time: Iso,
    scheduled_date: Iso,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitter: Option<&'a str>,
    time_info: TimeInfo,
    time_restrictions: Restrictions,
    time_zone: &'static str,
    workstation: &'a str,
    workstation_id: Id,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionFlags {
    aliased: bool,
    carried_forward: bool,
    is_service: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamOptions {
    carry_forward: bool,
    monitored: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusFlags {
    late_job_stream: bool,
    pending_predecessor: bool,
    released: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Restrictions {
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_time: Option<Iso>,
    start_time: Iso,
    time_dependent: bool,
}

/// How many of a stream's jobs there are, by what they do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the names of the vendor's document"
)]
struct JobStats {
    number_of_abended_job: usize,
    number_of_current_nodes: usize,
    number_of_executing_job: usize,
    number_of_failed_job: usize,
    number_of_job: usize,
    number_of_not_running_job: usize,
    number_of_successfull_job: usize,
    number_of_undecided_job: usize,
}

impl<'a> StreamView<'a> {
    /// The same with its jobs.
    pub(in crate::wire) fn with(self, jobs: Vec<JobView<'a>>) -> Self {
        Self {
            jobs: Some(jobs),
            ..self
        }
    }
}

pub(in crate::wire) fn stream(
    engine: &Engine,
    key: StreamKey,
    scope: Scope,
    role: Role,
) -> StreamView<'_> {
    let stream = &engine.plan.streams[key];
    let model = &stream.model;
    let station = &engine.catalogue.stations[model.station];
    let jobs = || stream.jobs.iter().map(|job| &engine.plan.jobs[*job]);
    let estimated = jobs().map(|job| job.model.estimated).sum();
    let dependencies = scope.dependencies.then(|| {
        let links = stream.links.iter();
        let links = links.map(|link| dependency(engine, stream.id, link, role));
        links.collect()
    });
    StreamView {
        actions: actions(engine, key, role),
        alias_job_stream_name: stream.alias.as_deref(),
        archived: false,
        common_status: stream_common(stream),
        composite_status: stream_composite(engine, stream),
        dependencies,
        dependencies_stats: DependencyStats::of(&stream.links),
        engine_id: engine_id(),
        flow_node_type: "JOBSTREAM",
        folder: &model.folder,
        folder_id: folder_id(&model.folder),
        id: stream.id,
        internal_identifier: &stream.internal_id,
        job_stream_model_id: id(
            "stream definition",
            format_args!("{}#{}{}", station.path(), model.folder, model.name),
        ),
        job_stream_stats: stats(engine, stream),
        jobs: None,
        js_definition_flags: DefinitionFlags {
            aliased: stream.alias.is_some(),
            carried_forward: stream.carried > 0,
            is_service: false,
        },
        js_options: StreamOptions {
            carry_forward: true,
            monitored: false,
        },
        js_status_flags: StatusFlags {
            late_job_stream: jobs().any(|job| engine.is_late(job)),
            pending_predecessor: false,
            released: stream.released,
        },
        key: &stream.path,
        limit: stream.limit.map_or(-1, i64::from),
        name: stream.name(),
        orig_priority: stream.orig_priority,
        original_job_stream_name: &model.name,
        persistent_id: stream.persistent_id,
        plan_id: engine.plan.id,
        priority: stream.priority,
        sched_time: Iso(stream.sched),
        scheduled_date: Iso(engine.plan.start),
        submitter: stream.submitter.as_deref(),
        time_info: TimeInfo::of(engine, estimated, stream.started, stream.ended),
        time_restrictions: Restrictions {
            deadline_time: stream.deadline.map(Iso),
            start_time: Iso(stream.start.unwrap_or(stream.sched)),
            time_dependent: true,
        },
        time_zone: ZONE.name(),
        workstation: station.path(),
        workstation_id: station.id(),
    }
}

fn actions(engine: &Engine, key: StreamKey, role: Role) -> Actions {
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
    Actions::offered(role, allowed.map(Command::name))
}

/// Holding what is held is allowed and not worth offering.
fn needless_hold(engine: &Engine, command: &Command) -> bool {
    match command {
        Command::HoldStream(key) => engine.plan.streams[*key].priority == 0,
        _ => false,
    }
}

fn stats(engine: &Engine, stream: &Stream) -> JobStats {
    let count = |test: fn(Status) -> bool| {
        let jobs = stream.jobs.iter();
        jobs.filter(|job| test(engine.plan.jobs[**job].status()))
            .count()
    };
    JobStats {
        number_of_abended_job: count(|status| status == Status::Abend),
        number_of_current_nodes: stream.jobs.len(),
        number_of_executing_job: count(Status::is_active),
        number_of_failed_job: count(|status| status == Status::Fail),
        number_of_job: stream.jobs.len(),
        number_of_not_running_job: count(Status::waits),
        number_of_successfull_job: count(|status| status == Status::Succ),
        number_of_undecided_job: 0,
    }
}
