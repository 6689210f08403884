//! What the plan needs from outside.

mod audit;
mod engines;
mod gateway;
mod history;
mod objects;
mod proposals;
mod thresholds;

pub use audit::{
    AuditAction, AuditEntry, AuditError, AuditEvent, AuditId, AuditLog, AuditOutcome, AuditRecord,
    BrokenRow, GENESIS, SealedRow, Tip,
};
pub use engines::{
    ConnectError, CredentialSealer, EngineConnector, EngineCredentials, EngineDefinition,
    EngineRepository, EngineRepositoryError, OpenedSecret, SealError, SealedSecret, StoredEngine,
};
pub use gateway::{ActionError, ActionGateway, GatewayError, LogGateway, PlanGateway};
pub use history::{EndedRun, HistoryError, JobIdentity, RunHistory};
pub use objects::{DefinitionGateway, EngineMonitor, ObjectGateway, SubmitGateway, Unsupported};
pub use proposals::{ProposalError, ProposalId, ProposalStore, Redemption, StoredProposal};
pub use thresholds::{Threshold, ThresholdError, ThresholdId, ThresholdRepository};
#[cfg(any(test, feature = "mocks"))]
pub use {
    audit::MockAuditLog,
    engines::{MockCredentialSealer, MockEngineConnector, MockEngineRepository},
    gateway::{MockActionGateway, MockLogGateway, MockPlanGateway},
    history::MockRunHistory,
    objects::{MockDefinitionGateway, MockEngineMonitor, MockObjectGateway, MockSubmitGateway},
    proposals::MockProposalStore,
    thresholds::MockThresholdRepository,
};
