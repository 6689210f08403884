//! What a job or a stream waits for.

use serde::Serialize;

use super::Actions;
use crate::{
    engine::Engine,
    model::{Answer, Link, Target},
    names::{Id, Iso, id},
    table::{PromptKey, StationKey, StreamKey},
    wire::{
        Role,
        status::{Composite, composite, stream_composite},
    },
};

/// The number that a question after a failure has among its job's dependencies.
const RECOVERY: u32 = 9999;

/// A dependency of any type: each type fills its own fields.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DependencyView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Actions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<u32>,
    dep_sequence: u32,
    dependency_status: &'static str,
    dependency_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'static str>,
    id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_stream_folder: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_stream_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_stream_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_stream_sched_time: Option<Iso>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_stream_workstation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_workstation_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor_status: Option<Composite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_held: Option<u32>,
    satisfied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workstation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zombie: Option<bool>,
}

#[derive(Debug, Serialize)]
struct FileView<'a> {
    name: &'a str,
    qualifier: &'static str,
    status: &'static str,
    workstation: &'a str,
}

/// How many dependencies there are, by sort.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "the names of the vendor's document"
)]
pub(super) struct DependencyStats {
    number_of_dependencies: usize,
    number_of_file_dependencies: usize,
    number_of_job_dependencies: usize,
    number_of_job_stream_dependencies: usize,
    number_of_non_resource_unresolved_dependencies: usize,
    number_of_prompt_dependencies: usize,
    number_of_resource_dependencies: usize,
    number_of_unresolved_dependencies: usize,
}

impl DependencyStats {
    pub(super) fn of(links: &[Link]) -> Self {
        let count = |test: fn(&Link) -> bool| links.iter().filter(|link| test(link)).count();
        let of = |test: fn(Target) -> bool| links.iter().filter(|link| test(link.target)).count();
        Self {
            number_of_dependencies: links.len(),
            number_of_file_dependencies: of(|target| matches!(target, Target::File(_))),
            number_of_job_dependencies: of(|target| {
                matches!(target, Target::Internal(_) | Target::Job(_))
            }),
            number_of_job_stream_dependencies: of(|target| matches!(target, Target::Stream(_))),
            number_of_non_resource_unresolved_dependencies: count(Link::blocks),
            number_of_prompt_dependencies: of(|target| matches!(target, Target::Prompt(_))),
            number_of_resource_dependencies: of(|target| matches!(target, Target::Resource(..))),
            number_of_unresolved_dependencies: count(|link| !link.satisfied && !link.released),
        }
    }
}

/// The id of an object's dependency; a prompt's is the prompt's own.
pub(in crate::wire) fn dependency_id(engine: &Engine, owner: Id, link: &Link) -> Id {
    match link.target {
        Target::Prompt(key) => engine.plan.prompts[key].id,
        _ => id("dependency", format_args!("{owner}#{}", link.number)),
    }
}

/// The question that was asked after a failure, as one of the job's dependencies.
pub(super) fn of_prompt(engine: &Engine, prompt: PromptKey, role: Role) -> DependencyView<'_> {
    let link = Link {
        number: RECOVERY,
        ..Link::to(Target::Prompt(prompt))
    };
    dependency(engine, engine.plan.prompts[prompt].id, &link, role)
}

pub(super) fn dependency<'a>(
    engine: &'a Engine,
    owner: Id,
    link: &Link,
    role: Role,
) -> DependencyView<'a> {
    let done = link.satisfied || link.released;
    let station = |key: StationKey| Some(engine.catalogue.stations[key].path());
    let common = DependencyView {
        dep_sequence: link.number.saturating_mul(1000),
        dependency_status: if done { "SATISFIED" } else { "UNSATISFIED" },
        id: dependency_id(engine, owner, link),
        satisfied: done,
        ..DependencyView::default()
    };
    match link.target {
        Target::Internal(key) | Target::Job(key) => {
            let other = &engine.plan.jobs[key];
            let external = matches!(link.target, Target::Job(_));
            DependencyView {
                dependency_type: if external { "EXTERNAL_JOB" } else { "INTERNAL" },
                job_id: Some(other.id),
                job_name: Some(&other.model.name),
                job_stream_id: external.then(|| engine.plan.streams[other.stream].id),
                job_workstation_name: station(other.model.station).filter(|_| external),
                pending: external.then_some(false),
                predecessor_status: Some(composite(other, other.status(), true, None)),
                zombie: external.then_some(false),
                ..common.of_stream(engine, other.stream)
            }
        }
        Target::Stream(key) => {
            let other = &engine.plan.streams[key];
            DependencyView {
                dependency_type: "EXTERNAL_JOBSTREAM",
                job_stream_id: Some(other.id),
                pending: Some(false),
                predecessor_status: Some(stream_composite(engine, other)),
                zombie: Some(false),
                ..common.of_stream(engine, key)
            }
        }
        Target::Resource(key, quantity) => {
            let resource = &engine.catalogue.resources[key];
            let mut holders = resource.holders.iter();
            let held = holders.find(|(job, _)| engine.plan.jobs[*job].id == owner);
            DependencyView {
                available: Some(resource.available()),
                dependency_type: "RESOURCE",
                folder: Some("/"),
                name: Some(&resource.name),
                quantity: Some(quantity),
                quantity_held: Some(held.map_or(0, |(_, held)| *held)),
                workstation: station(resource.station),
                ..common
            }
        }
        Target::Prompt(key) => {
            let prompt = &engine.plan.prompts[key];
            let reply = (prompt.state == Answer::Asked).then_some("reply");
            DependencyView {
                actions: Some(Actions::offered(role, reply)),
                dependency_type: "PROMPT",
                folder: Some("/"),
                number: Some(prompt.number),
                prompt_name: Some(&prompt.name),
                prompt_status: Some(prompt.state.text()),
                prompt_type: Some(prompt.kind.text()),
                text: Some(&prompt.text),
                ..common
            }
        }
        Target::File(key) => {
            let file = &engine.plan.files[key];
            DependencyView {
                dependency_type: "FILE",
                file: Some(FileView {
                    name: &file.path,
                    qualifier: "-f %p",
                    status: if done { "Exists" } else { "Not Checked" },
                    workstation: engine.catalogue.stations[file.station].path(),
                }),
                ..common
            }
        }
    }
}

impl<'a> DependencyView<'a> {
    /// The same with what is told of a stream.
    fn of_stream(self, engine: &'a Engine, key: StreamKey) -> Self {
        let stream = &engine.plan.streams[key];
        let station = &engine.catalogue.stations[stream.model.station];
        Self {
            job_stream_folder: Some(&stream.model.folder),
            job_stream_name: Some(stream.name()),
            job_stream_sched_time: Some(Iso(stream.sched)),
            job_stream_workstation: Some(station.path()),
            ..self
        }
    }
}
