//! Values for the tests of this crate.

use crate::model::{Job, JobId, JobStatus, Run, RunId, StreamRef};

/// A job of that name in that status, with nothing else said.
pub(crate) fn job(name: &str, status: JobStatus) -> Job {
    Job {
        id: JobId::parse(name).unwrap(),
        name: name.to_owned(),
        folder: None,
        workstation: None,
        stream: StreamRef {
            id: None,
            name: None,
            workstation: None,
        },
        status,
        substatus: None,
        cancelled: false,
        cancel_pending: false,
        priority: None,
        scheduled_at: None,
        deadline: None,
        earliest_start: None,
        estimated_seconds: None,
        late: false,
        long_running: false,
        critical: false,
        requires_confirmation: false,
        every: false,
        recovery: None,
        unresolved_dependencies: None,
        runs: Vec::new(),
        dependencies: Vec::new(),
    }
}

/// A run of that id that ended in `ABEND` with 12.
pub(crate) fn run(id: &str) -> Run {
    Run {
        id: RunId::parse(id).unwrap(),
        number: None,
        workstation: None,
        status: JobStatus::Abend,
        return_code: Some(12),
        submitted_at: None,
        started_at: None,
        ended_at: None,
        elapsed_seconds: None,
        kind: None,
        last_in_chain: false,
    }
}
