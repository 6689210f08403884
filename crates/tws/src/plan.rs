//! Reads of the plan, through the cache.

mod cache;
mod service;
mod snapshot;
mod summary;
mod view;
mod waiting;

pub(crate) use cache::Question;
pub use cache::{CachePolicy, CacheStatus, Category, Live, Meta, PlanKey, PlanScope, ReadError};
pub use service::{PlanParts, PlanService, offset_of_cursor};
pub use snapshot::Snapshot;
pub use summary::{
    FailedJob, JobCount, OffWorkstation, StuckStream, Summary, WaitingPrompt, WorkstationCount,
};
pub use view::{
    EngineHealth, EngineState, FoundJobs, JobPage, JobView, LogRequest, LogView, NeighboursView,
    StreamPage, WorkstationList, WorkstationView,
};
