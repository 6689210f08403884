//! Values for the tests of this crate.

use crate::model::{Job, JobId, JobStatus, StreamRef};

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
