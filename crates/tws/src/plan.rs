//! Reads of the plan, through the cache.

mod cache;
mod graph;
mod impact;
mod list;
mod service;
mod shared;
mod snapshot;
mod summary;
mod view;
mod waiting;

pub use cache::{CachePolicy, CacheStatus, Category, Live, Meta, PlanKey, PlanScope, ReadError};
pub(crate) use cache::{Derived, Question};
pub use graph::{GraphDirection, GraphEdge, GraphNode, GraphNodeKind, GraphView};
pub use impact::{DeadlineKind, FallenDeadline, HeldUp, ImpactView, StreamImpact};
pub use list::{JobListQuery, ListCursor, ListSort};
pub use service::{PlanParts, PlanService, offset_of_cursor};
pub use snapshot::Snapshot;
pub use summary::{
    FailedJob, JobCount, OffWorkstation, StuckStream, Summary, WaitingPrompt, WorkstationCount,
};
pub use view::{
    EngineHealth, EngineState, FoundJobs, JobDefinitionPage, JobPage, JobView, LogRequest, LogView,
    PromptList, ResourceList, StreamDefinitionPage, StreamPage, StreamView, WorkstationList,
    WorkstationView,
};
pub(crate) use waiting::waits_by_stream;
