//! A job stream of the wire: `JobStreamInPlanV2`.

use resync_tws::model::{JobStatus, JobStream, StreamId};
use resync_tws::ports::GatewayError;
use serde::Deserialize;

use super::job::WireTimes;
use super::{
    Object, Place, Scalar, WireComposite, bare_workstation, folder, required_id, required_name,
    status_from_common,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WireStream {
    id: Scalar,
    name: Scalar,
    original_job_stream_name: Scalar,
    folder: Scalar,
    workstation: Scalar,
    composite_status: Object<WireComposite>,
    common_status: Scalar,
    sched_time: Scalar,
    time_restrictions: Object<WireTimes>,
    priority: Scalar,
    limit: Scalar,
}

impl WireStream {
    /// The stream, or the place of what it cannot do without. Flags beat its status.
    pub(crate) fn read(self, place: Place) -> Result<JobStream, GatewayError> {
        let composite = self.composite_status.get();
        let status = match composite {
            Some(composite) if composite.canceled.is_set() => JobStatus::Cancl,
            Some(composite) if composite.cancel_pending.is_set() => JobStatus::CanclPending,
            _ => composite
                .and_then(WireComposite::status)
                .or_else(|| {
                    self.common_status
                        .str()
                        .map(|word| status_from_common(&word))
                })
                .unwrap_or(JobStatus::Undecided),
        };
        let name = match self.name.into_text() {
            Some(name) => name,
            None => required_name(self.original_job_stream_name, place)?,
        };
        Ok(JobStream {
            id: required_id(&self.id, place, StreamId::parse)?,
            name,
            folder: folder(self.folder),
            workstation: bare_workstation(&self.workstation),
            status,
            scheduled_at: self.sched_time.instant(),
            deadline: self
                .time_restrictions
                .get()
                .and_then(|times| times.deadline_time.instant()),
            priority: self.priority.number(),
            limit: self.limit.number(),
        })
    }
}
