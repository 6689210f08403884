//! Values for the tests of this crate.

use crate::model::{Job, JobId, JobStatus, Run, RunId};

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
