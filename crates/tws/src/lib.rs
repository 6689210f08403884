//! The plan of a workload automation engine: jobs, streams, workstations, and actions on them.
//!
//! Invariants:
//! - Reads go through one cache an application builds: keys hold the engine and typed ids (I-04), any
//!   number of callers is one call to the engine (P1-03), and every answer says when it was fetched and
//!   whether it is stale (I-15).
//! - A plan is whole or an error. Nothing here makes up a job, a count or a cause.
//! - No action reaches an engine without a proposal that its own user redeemed in its session and time
//!   (I-08), nor before its intent is in the audit; each leaves exactly one outcome there (I-09), and
//!   what it changed is out of the cache before its answer (I-10).
//! - The audit is a chain of hashes; nothing here changes a row.
//! - Lines of a log leave without secrets, and what they say is data: a log gives no orders.
//! - An engine that refuses our credentials is the engine's error, never the caller's (I-11).
//!
//! ```
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! use resync_kernel::{ManualClock, SystemIds, UserId};
//! use resync_memory::tws::{InMemoryAuditLog, InMemoryProposalStore, ScriptedEngine};
//! use resync_tws::model::{Action, EngineName, JobStatus};
//! use resync_tws::{
//!     ActionActor, ActionParts, ActionService, CacheLimits, CachePolicy, ConfirmRequest,
//!     ConfirmationKey, Engine, Engines, PlanParts, PlanService, ProposeRequest, Reason,
//! };
//! # use tokio_util::task::TaskTracker;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let job = ScriptedEngine::plain_job("fin_gl_post", JobStatus::Hold);
//! let scripted = Arc::new(ScriptedEngine::with_jobs(vec![job.clone()]));
//! let engine = Engine::of(EngineName::parse("prod")?, scripted);
//! let (clock, tracker) = (Arc::new(ManualClock::default()), TaskTracker::new());
//! let plan = PlanService::new(PlanParts {
//!     engines: Engines::new(vec![engine])?,
//!     clock: clock.clone(),
//!     tracker: tracker.clone(),
//!     policy: CachePolicy::default(),
//!     limits: CacheLimits { max_entries: 1_000, max_bytes: 1 << 24 },
//! });
//! let board = plan.summary(None).await?;
//! assert_eq!((board.value.total, board.meta.stale), (1, false));
//!
//! let actions = ActionService::new(ActionParts {
//!     plan: plan.clone(),
//!     proposals: Arc::new(InMemoryProposalStore::default()),
//!     audit: Arc::new(InMemoryAuditLog::default()),
//!     key: ConfirmationKey::new([7; 32]),
//!     clock,
//!     ids: Arc::new(SystemIds),
//!     tracker,
//!     verify: Duration::from_secs(10),
//! });
//! let actor = ActionActor {
//!     user: UserId(uuid::Uuid::from_u128(1)),
//!     username: "maria".to_owned(),
//!     session: "session-1".to_owned(),
//! };
//! let proposal = actions
//!     .propose(ProposeRequest {
//!         actor: actor.clone(),
//!         engine: None,
//!         target: job.id.clone().into(),
//!         action: Action::Hold,
//!         reason: Reason::parse("waits for the ledger")?,
//!         ticket: None,
//!         request_id: None,
//!         dry_run: false,
//!     })
//!     .await?;
//! let handle = proposal.handle.ok_or("a dry run has no handle")?;
//! let done = actions
//!     .confirm(ConfirmRequest {
//!         actor,
//!         engine: None,
//!         target: job.id.clone().into(),
//!         kind: proposal.action,
//!         token: handle.confirmation_token,
//!         request_id: None,
//!     })
//!     .await?;
//! assert!(done.verified);
//! assert_eq!(plan.job(None, &job.id).await?.value.job.priority, Some(0));
//! # Ok(())
//! # }
//! ```

mod action;
mod admin;
mod attention;
mod audit;
mod blocking;
#[cfg(feature = "contract")]
pub mod contract;
mod diagnosis;
mod engines;
mod history;
pub mod model;
mod plan;
pub mod ports;
mod redact;
#[cfg(test)]
mod test_support;
mod text;

/// The example of the README runs, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

pub use action::{
    ActionActor, ActionParts, ActionService, ConfirmError, ConfirmRequest, ConfirmationKey,
    Confirmed, ConfirmedBy, EntropyMissing, FollowError, Followed, Impact, NotAllowed, Proposal,
    ProposalHandle, ProposeError, ProposeRequest, ProposedTarget, Reason, ReasonError, Ticket,
    TicketError,
};
pub use admin::{
    Ability, AdminActor, ConfiguredEngine, EngineAdminError, EngineAdminParts, EngineAdminService,
    EngineDraft, EngineEntry, EngineOrigin, Exam, ExamRow, Loaded, LoginKind, Seen, TestFailure,
    TestReason, TestReport, TestStep, examine,
};
pub use attention::{
    AttentionBy, AttentionError, AttentionItem, AttentionList, AttentionParts, AttentionService,
    ThresholdChangeError, ThresholdDraft,
};
pub use audit::{AuditPage, AuditService, AuditVerdict};
pub use blocking::Blocking;
pub use diagnosis::{
    Cause, Causes, CausesError, Diagnosis, Evidence, EvidenceKind, Past, Root, SearchWords,
    Transience, Verdict,
};
pub use engines::{Engine, Engines, EnginesError, UnknownEngine};
pub use history::{HistoryReadError, HistoryService, HistoryView, PastRun, RunStatistics};
pub use plan::{
    CachePolicy, CacheStatus, Category, DeadlineKind, EngineHealth, EngineState, FailedJob,
    FallenDeadline, FoundJobs, GraphDirection, GraphEdge, GraphNode, GraphNodeKind, GraphView,
    HeldUp, ImpactView, JobCount, JobDefinitionPage, JobListQuery, JobPage, JobView, ListCursor,
    ListSort, Live, LogRequest, LogView, Meta, OffWorkstation, PlanKey, PlanParts, PlanScope,
    PlanService, PromptList, ReadError, ResourceList, Snapshot, StreamDefinitionPage, StreamImpact,
    StreamPage, StreamView, StuckStream, Summary, WaitingPrompt, WorkstationCount, WorkstationList,
    WorkstationView, offset_of_cursor,
};
pub use redact::{Redacted, redact_line};
pub use resync_sync::{CacheLimits, CacheStats, ETag, Windows};
pub use text::Text;
