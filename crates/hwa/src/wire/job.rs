//! A job of the wire: `JobInPlanV2` with its runs and dependencies.

use resync_tws::model::{
    Dependency, DependencyKind, Job, JobId, JobStatus, Run, RunId, StreamId, StreamRef,
};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::{
    List, Object, Place, Scalar, WireComposite, bare_workstation, folder, optional_id, required_id,
    required_name, status_from_common,
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
    critical_start: Scalar,
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
pub(crate) struct WireDependency {
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
    pub(crate) fn read(self, place: Place) -> Result<Job, GatewayError> {
        let id = required_id(&self.id, place, JobId::parse)?;
        let name = required_name(self.name, place)?;
        let composite = self.last_run_composite_status.or_default();
        let times = self.time_restrictions.or_default();
        let definition = self.job_definition.or_default();
        let options = self.job_options.or_default();
        let flags = self.job_status_flags.or_default();
        let mut job = Job {
            folder: folder(self.folder),
            workstation: bare_workstation(&self.workstation),
            stream: StreamRef {
                id: optional_id(&self.job_stream_id, StreamId::parse),
                name: self.job_stream_name.into_text(),
                workstation: bare_workstation(&self.job_stream_workstation),
            },
            cancelled: composite.canceled.is_set(),
            cancel_pending: composite.cancel_pending.is_set(),
            priority: self.priority.number(),
            scheduled_at: self.sched_time.instant(),
            deadline: times.deadline_time.instant(),
            critical_start: self.critical_start.instant(),
            earliest_start: times.start_time.instant(),
            estimated_seconds: definition.estimated_duration.seconds(),
            late: flags.job_late.is_set() || flags.deadline_has_passed.is_set(),
            critical: options.critical.is_set(),
            requires_confirmation: options.requires_confirmation.is_set(),
            every: options.every.is_set(),
            recovery: definition.recovery_option.into_text(),
            unresolved_dependencies: self
                .dependencies_stats
                .or_default()
                .number_of_unresolved_dependencies
                .number(),
            dependencies: self
                .dependencies
                .into_items()
                .into_iter()
                .filter_map(|dependency| dependency.0.map(WireDependency::read))
                .collect(),
            ..Job::bare(id, name, JobStatus::Undecided)
        };
        let listed = self.jobruns.into_items();
        let mut left_out = listed.len();
        // What only the latest run tells of its job.
        let mut extras = Vec::with_capacity(listed.len());
        job.runs.reserve_exact(listed.len());
        for run in listed {
            if let Some((run, extra)) = run.0.and_then(WireRun::read) {
                left_out -= 1;
                job.runs.push(run);
                extras.push(extra);
            }
        }
        if left_out > 0 {
            tracing::warn!(job.id = %job.id, left_out, "runs without a usable id");
        }
        let status = composite.status();
        let latest = job.latest_run().and_then(|latest| {
            let at = job.runs.iter().position(|run| std::ptr::eq(run, latest))?;
            Some((latest.status.clone(), *extras.get(at)?))
        });
        let (run_status, extra) = latest.map_or((None, RunExtra::default()), |(status, extra)| {
            (Some(status), extra)
        });
        job.status = status
            .or(run_status)
            .or_else(|| {
                self.last_run_common_status
                    .str()
                    .map(|word| status_from_common(&word))
            })
            .unwrap_or(JobStatus::Undecided);
        job.substatus = composite.substatus.into_text();
        job.long_running = extra.max_duration_gone;
        // A list without definitions still tells the estimate of each run.
        job.estimated_seconds = job.estimated_seconds.or(extra.estimated_seconds);
        Ok(job)
    }
}

/// What a run tells of its job.
#[derive(Debug, Clone, Copy, Default)]
struct RunExtra {
    estimated_seconds: Option<u64>,
    max_duration_gone: bool,
}

impl WireRun {
    fn read(self) -> Option<(Run, RunExtra)> {
        let times = self.time_info.or_default();
        let run = Run {
            id: optional_id(&self.id, RunId::parse)?,
            number: self.job_number.number(),
            workstation: bare_workstation(&self.actual_workstation),
            status: self
                .composite_status
                .get()
                .and_then(WireComposite::status)
                .or_else(|| {
                    self.common_status
                        .str()
                        .map(|word| status_from_common(&word))
                })
                .unwrap_or(JobStatus::Undecided),
            return_code: self.return_code.number(),
            submitted_at: self.submitted_time.instant(),
            started_at: times.actual_start_time.instant(),
            ended_at: times.actual_end_time.instant(),
            elapsed_seconds: times.elapsed_time.seconds(),
            kind: self.rerun_type.into_text(),
            last_in_chain: self.last_in_rerun_chain.is_set(),
        };
        let extra = RunExtra {
            estimated_seconds: times.estimated_duration.seconds(),
            max_duration_gone: self.max_duration_gone.is_set(),
        };
        Some((run, extra))
    }
}

impl WireDependency {
    pub(crate) fn read(self) -> Dependency {
        let satisfied = self.satisfied();
        let kind = self.dependency_type.into_text().unwrap_or_default();
        Dependency {
            id: self.id.into_text(),
            satisfied,
            kind: match kind.as_str() {
                "INTERNAL" | "EXTERNAL_JOB" => DependencyKind::Job {
                    job_id: optional_id(&self.job_id, JobId::parse),
                    name: self.job_name.into_text(),
                    stream: self.job_stream_name.into_text(),
                    workstation: bare_workstation(&self.job_workstation_name)
                        .or_else(|| bare_workstation(&self.job_stream_workstation)),
                },
                "EXTERNAL_JOBSTREAM" => DependencyKind::Stream {
                    stream_id: optional_id(&self.job_stream_id, StreamId::parse),
                    name: self.job_stream_name.into_text(),
                    workstation: bare_workstation(&self.job_stream_workstation),
                },
                "FILE" => {
                    let file = self.file.or_default();
                    DependencyKind::File {
                        workstation: bare_workstation(&file.workstation),
                        name: file.name.into_text(),
                    }
                }
                "RESOURCE" => DependencyKind::Resource {
                    name: self.name.into_text(),
                    quantity: self.quantity.number(),
                },
                "PROMPT" => DependencyKind::Prompt {
                    name: self.prompt_name.into_text(),
                    text: self.text.into_text(),
                    status: self.prompt_status.into_text(),
                },
                _ => DependencyKind::Other { kind },
            },
        }
    }

    /// The status says more than the boolean, which some releases leave at its default.
    fn satisfied(&self) -> Option<bool> {
        match self.dependency_status.str().as_deref() {
            Some("SATISFIED") => Some(true),
            Some("UNSATISFIED") => Some(false),
            Some(_) => None,
            None => self.satisfied.flag().or_else(|| self.is_satisfied.flag()),
        }
    }
}
