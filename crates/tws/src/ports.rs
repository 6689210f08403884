//! What the plan needs from outside.

mod audit;
mod gateway;
mod objects;
mod proposals;

pub use audit::{
    AuditAction, AuditEntry, AuditError, AuditEvent, AuditId, AuditLog, AuditOutcome, AuditRecord,
    BrokenRow, GENESIS, SealedRow, Tip,
};
pub use gateway::{ActionError, ActionGateway, GatewayError, LogGateway, PlanGateway};
pub use objects::{DefinitionGateway, EngineMonitor, ObjectGateway, SubmitGateway, Unsupported};
pub use proposals::{ProposalError, ProposalId, ProposalStore, Redemption, StoredProposal};
#[cfg(any(test, feature = "mocks"))]
pub use {
    audit::MockAuditLog,
    gateway::{MockActionGateway, MockLogGateway, MockPlanGateway},
    objects::{MockDefinitionGateway, MockEngineMonitor, MockObjectGateway, MockSubmitGateway},
    proposals::MockProposalStore,
};
