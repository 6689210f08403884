//! What a message wants.

use serde::{Deserialize, Serialize};

/// What a message wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// The plan as a whole.
    PlanSummary,
    /// Jobs by status, workstation, stream or pattern.
    ListByStatus,
    /// Why a job ended badly.
    WhyFailed,
    /// Why a job does not start.
    WhyWaiting,
    /// How a job stands.
    JobStatus,
    /// The log of a job.
    JobLog,
    /// Who waits for a job.
    Impact,
    /// Whether workstations are reached and work.
    WorkstationStatus,
    /// What the documents say.
    Knowledge,
    /// To act on a job: prepared as a proposal, never done.
    Action,
    /// An attempt to confirm by a message, which cannot be done.
    Confirmation,
    /// What can be asked.
    Help,
    /// A greeting or thanks.
    Greeting,
    /// Not understood: ask back.
    Unclear,
}

impl Intent {
    /// The word in answers and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlanSummary => "plan_summary",
            Self::ListByStatus => "list_by_status",
            Self::WhyFailed => "why_failed",
            Self::WhyWaiting => "why_waiting",
            Self::JobStatus => "job_status",
            Self::JobLog => "job_log",
            Self::Impact => "impact",
            Self::WorkstationStatus => "workstation_status",
            Self::Knowledge => "knowledge",
            Self::Action => "action",
            Self::Confirmation => "confirmation",
            Self::Help => "help",
            Self::Greeting => "greeting",
            Self::Unclear => "unclear",
        }
    }

    /// Whether it is about one job.
    #[must_use]
    pub const fn needs_job(self) -> bool {
        matches!(
            self,
            Self::WhyFailed
                | Self::WhyWaiting
                | Self::JobStatus
                | Self::JobLog
                | Self::Impact
                | Self::Action
        )
    }
}
