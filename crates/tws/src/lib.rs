//! The plan of a workload automation engine: jobs, streams, workstations, and actions on them.
mod action;
mod audit;
mod blocking;
#[cfg(feature = "contract")]
pub mod contract;
mod diagnosis;
mod engines;
pub mod model;
mod plan;
pub mod ports;
mod redact;
#[cfg(test)]
mod test_support;
mod text;

pub use action::{
    ActionActor, ActionParts, ActionService, ConfirmError, ConfirmRequest, ConfirmationKey,
    Confirmed, EntropyMissing, Impact, NotAllowed, Proposal, ProposalHandle, ProposeError,
    ProposeRequest, Reason, ReasonError, Target, Ticket, TicketError,
};
pub use audit::{AuditPage, AuditService, AuditVerdict};
pub use blocking::Blocking;
pub use diagnosis::{Cause, Diagnosis, Evidence, EvidenceKind, Transience, Verdict};
pub use engines::{Engine, Engines, EnginesError, UnknownEngine};
pub use plan::{
    CachePolicy, CacheStatus, Category, EngineHealth, EngineState, FailedJob, FoundJobs, JobCount,
    JobPage, JobView, Live, LogRequest, LogView, Meta, NeighboursView, OffWorkstation, PlanKey,
    PlanParts, PlanScope, PlanService, ReadError, Snapshot, StreamPage, StuckStream, Summary,
    WaitingPrompt, WorkstationCount, WorkstationList, WorkstationView, offset_of_cursor,
};
pub use redact::{Redacted, redact_line};
pub use resync_sync::{CacheLimits, CacheStats, ETag, Windows};
pub use text::Text;
