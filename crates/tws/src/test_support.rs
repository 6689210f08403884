//! Values for the tests of this crate.

use crate::model::{Dependency, DependencyKind, Job, JobId, JobStatus, Run, RunId};

/// A job of that name in that status, with nothing else said.
pub(crate) fn job(name: &str, status: JobStatus) -> Job {
    Job::bare(JobId::parse(name).unwrap(), name, status)
}

/// A run of that id that ended in `ABEND` with 12.
pub(crate) fn run(id: &str) -> Run {
    Run {
        return_code: Some(12),
        ..Run::bare(RunId::parse(id).unwrap(), JobStatus::Abend)
    }
}

/// A dependency on the job of that id, met or not.
pub(crate) fn dependency_on(id: &str, satisfied: bool) -> Dependency {
    Dependency {
        id: None,
        satisfied: Some(satisfied),
        kind: DependencyKind::Job {
            job_id: Some(JobId::parse(id).unwrap()),
            name: None,
            stream: None,
            workstation: None,
        },
    }
}
