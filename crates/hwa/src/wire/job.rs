//! A job of the wire: `JobInPlanV2` with its runs and dependencies.

use resync_tws::model::{
    Dependency, DependencyKind, Job, JobId, JobStatus, Run, RunId, StreamId, StreamRef,
};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::{
    List, Object, Scalar, WireComposite, bare_workstation, folder, required_id, required_name,
    status_from_common,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireJob {
    id: Scalar,
    name: Scalar,
    folder: Scalar,
    workstation: Scalar,
    job_stream_id: Scalar,
    job_stream_name: Scalar,
    job_stream_workstation: Scalar,
    last_run_composite_status: Object<WireComposite>,
    last_run_common_status: Scalar,
    jobruns: List<Object<WireRun>>,
    priority: Scalar,
    sched_time: Scalar,
    time_restrictions: Object<WireTimes>,
    job_definition: Object<WireDefinition>,
    job_options: Object<WireOptions>,
    job_status_flags: Object<WireFlags>,
    dependencies: List<Object<WireDependency>>,
    dependencies_stats: Object<WireStats>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireTimes {
    pub(crate) start_time: Scalar,
    pub(crate) deadline_time: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireDefinition {
    estimated_duration: Scalar,
    recovery_option: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireOptions {
    critical: Scalar,
    requires_confirmation: Scalar,
    every: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireFlags {
    job_late: Scalar,
    deadline_has_passed: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireStats {
    number_of_unresolved_dependencies: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireRun {
    id: Scalar,
    job_number: Scalar,
    actual_workstation: Scalar,
    composite_status: Object<WireComposite>,
    common_status: Scalar,
    return_code: Scalar,
    time_info: Object<WireRunTimes>,
    submitted_time: Scalar,
    rerun_type: Scalar,
    last_in_rerun_chain: Scalar,
    max_duration_gone: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireRunTimes {
    estimated_duration: Scalar,
    actual_start_time: Scalar,
    elapsed_time: Scalar,
    actual_end_time: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireDependency {
    dependency_type: Scalar,
    id: Scalar,
    dependency_status: Scalar,
    satisfied: Scalar,
    is_satisfied: Scalar,
    job_id: Scalar,
    job_name: Scalar,
    job_workstation_name: Scalar,
    job_stream_id: Scalar,
    job_stream_name: Scalar,
    job_stream_workstation: Scalar,
    file: Object<WireFile>,
    name: Scalar,
    quantity: Scalar,
    prompt_name: Scalar,
    text: Scalar,
    prompt_status: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireFile {
    name: Scalar,
    workstation: Scalar,
}

impl WireJob {
    /// The job, or the place of what it cannot do without.
    pub(crate) fn read(self, place: &str) -> Result<Job, GatewayError> {
        let id = required_id(&self.id, place, JobId::parse)?;
        let name = required_name(&self.name, place)?;
        let listed = self.jobruns.items();
        let runs: Vec<Run> = listed
            .iter()
            .filter_map(|run| run.get().and_then(WireRun::read))
            .collect();
        if runs.len() < listed.len() {
            tracing::warn!(job.id = %id, left_out = listed.len() - runs.len(), "runs without a usable id");
        }
        let composite = self.last_run_composite_status.get();
        let times = self.time_restrictions.get();
        let definition = self.job_definition.get();
        let options = self.job_options.get();
        let flags = self.job_status_flags.get();
        let mut job = Job {
            id,
            name,
            folder: folder(&self.folder),
            workstation: bare_workstation(&self.workstation),
            stream: StreamRef {
                id: optional_id(&self.job_stream_id, StreamId::parse),
                name: self.job_stream_name.text(),
                workstation: bare_workstation(&self.job_stream_workstation),
            },
            status: JobStatus::Undecided,
            substatus: composite.and_then(|c| c.substatus.text()),
            cancelled: composite.is_some_and(|c| c.canceled.is_set()),
            cancel_pending: composite.is_some_and(|c| c.cancel_pending.is_set()),
            priority: self.priority.number(),
            scheduled_at: self.sched_time.instant(),
            deadline: times.and_then(|t| t.deadline_time.instant()),
            earliest_start: times.and_then(|t| t.start_time.instant()),
            estimated_seconds: definition.and_then(|d| d.estimated_duration.seconds()),
            late: flags.is_some_and(|f| f.job_late.is_set() || f.deadline_has_passed.is_set()),
            long_running: false,
            critical: options.is_some_and(|o| o.critical.is_set()),
            requires_confirmation: options.is_some_and(|o| o.requires_confirmation.is_set()),
            every: options.is_some_and(|o| o.every.is_set()),
            recovery: definition.and_then(|d| d.recovery_option.text()),
            unresolved_dependencies: self
                .dependencies_stats
                .get()
                .and_then(|s| s.number_of_unresolved_dependencies.number()),
            runs,
            dependencies: self
                .dependencies
                .items()
                .iter()
                .filter_map(|d| d.get().map(WireDependency::read))
                .collect(),
        };
        let latest = job.latest_run();
        let latest_wire = latest.and_then(|latest| {
            listed
                .iter()
                .filter_map(Object::get)
                .find(|run| run.id.text().as_deref() == Some(latest.id.as_str()))
        });
        let status = composite
            .and_then(WireComposite::status)
            .or_else(|| latest.map(|run| run.status.clone()))
            .or_else(|| {
                self.last_run_common_status
                    .text()
                    .map(|word| status_from_common(&word))
            })
            .unwrap_or(JobStatus::Undecided);
        // A list without definitions still tells the estimate of each run.
        let estimated = latest_wire
            .and_then(|run| run.time_info.get())
            .and_then(|times| times.estimated_duration.seconds());
        job.long_running = latest_wire.is_some_and(|run| run.max_duration_gone.is_set());
        job.status = status;
        job.estimated_seconds = job.estimated_seconds.or(estimated);
        Ok(job)
    }
}

impl WireRun {
    fn read(&self) -> Option<Run> {
        let times = self.time_info.get();
        Some(Run {
            id: optional_id(&self.id, RunId::parse)?,
            number: self.job_number.number(),
            workstation: bare_workstation(&self.actual_workstation),
            status: self
                .composite_status
                .get()
                .and_then(WireComposite::status)
                .or_else(|| {
                    self.common_status
                        .text()
                        .map(|word| status_from_common(&word))
                })
                .unwrap_or(JobStatus::Undecided),
            return_code: self.return_code.number(),
            submitted_at: self.submitted_time.instant(),
            started_at: times.and_then(|t| t.actual_start_time.instant()),
            ended_at: times.and_then(|t| t.actual_end_time.instant()),
            elapsed_seconds: times.and_then(|t| t.elapsed_time.seconds()),
            kind: self.rerun_type.text(),
            last_in_chain: self.last_in_rerun_chain.is_set(),
        })
    }
}

impl WireDependency {
    fn read(&self) -> Dependency {
        let kind = self.dependency_type.text().unwrap_or_default();
        Dependency {
            id: self.id.text(),
            satisfied: self.satisfied(),
            kind: match kind.as_str() {
                "INTERNAL" | "EXTERNAL_JOB" => DependencyKind::Job {
                    job_id: optional_id(&self.job_id, JobId::parse),
                    name: self.job_name.text(),
                    stream: self.job_stream_name.text(),
                    workstation: bare_workstation(&self.job_workstation_name)
                        .or_else(|| bare_workstation(&self.job_stream_workstation)),
                },
                "EXTERNAL_JOBSTREAM" => DependencyKind::Stream {
                    stream_id: optional_id(&self.job_stream_id, StreamId::parse),
                    name: self.job_stream_name.text(),
                    workstation: bare_workstation(&self.job_stream_workstation),
                },
                "FILE" => DependencyKind::File {
                    name: self.file.get().and_then(|file| file.name.text()),
                    workstation: self
                        .file
                        .get()
                        .and_then(|file| bare_workstation(&file.workstation)),
                },
                "RESOURCE" => DependencyKind::Resource {
                    name: self.name.text(),
                    quantity: self.quantity.number(),
                },
                "PROMPT" => DependencyKind::Prompt {
                    name: self.prompt_name.text(),
                    text: self.text.text(),
                    status: self.prompt_status.text(),
                },
                _ => DependencyKind::Other { kind },
            },
        }
    }

    /// The status says more than the boolean, which some releases leave at its default.
    fn satisfied(&self) -> Option<bool> {
        match self.dependency_status.text().as_deref() {
            Some("SATISFIED") => Some(true),
            Some("UNSATISFIED") => Some(false),
            Some(_) => None,
            None => self.satisfied.flag().or_else(|| self.is_satisfied.flag()),
        }
    }
}

fn optional_id<T, E>(value: &Scalar, parse: fn(&str) -> Result<T, E>) -> Option<T> {
    value.text().and_then(|text| parse(&text).ok())
}
