//! Actions on jobs, streams, workstations, resources and prompts: proposed, confirmed by a person, audited, executed once, verified.
//!
//! Invariants:
//! - No call goes out without a proposal that was redeemed for it (I-08): a proposal is used once, by
//!   the user and the session that made it, in its time, on the target in the state that was shown.
//! - No call goes out before its intent is in the audit, and each intent gets exactly one outcome
//!   (I-09): at the end, or by [`crate::AuditService::reconcile_unfinished`] after a crash.
//! - A call is made once and never again; a caller that hangs up changes nothing.
//! - What the action changed is out of the cache before its answer is given (I-10).

mod confirm;
mod follow;
mod propose;
mod request;
mod rules;
mod token;

pub use confirm::{ConfirmError, ConfirmRequest, Confirmed};
pub use follow::{ConfirmedBy, FollowError, Followed};
pub use propose::{Impact, Proposal, ProposalHandle, ProposeError, ProposeRequest, ProposedTarget};
pub use request::{ActionActor, Reason, ReasonError, Ticket, TicketError};
pub use rules::NotAllowed;
pub use token::{ConfirmationKey, EntropyMissing};

use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{Clock, IdGenerator};
use tokio_util::task::TaskTracker;

use crate::model::ActionKind;
use crate::plan::PlanService;
use crate::ports::{AuditLog, ProposalStore, StoredProposal};

/// What an [`ActionService`] is built from.
pub struct ActionParts {
    /// For the engines, the impact, and the cache to invalidate.
    pub plan: PlanService,
    /// Keeps proposals.
    pub proposals: Arc<dyn ProposalStore>,
    /// Keeps the audit.
    pub audit: Arc<dyn AuditLog>,
    /// Binds tokens.
    pub key: ConfirmationKey,
    /// For expiry and records.
    pub clock: Arc<dyn Clock>,
    /// Names proposals and rows.
    pub ids: Arc<dyn IdGenerator>,
    /// Runs the actions, so that shutdown can wait for them.
    pub tracker: TaskTracker,
    /// How long an answer waits for the plan to show the effect; 10 s by custom.
    pub verify: Duration,
}

/// The use cases that write to an engine. Cheap to clone.
#[derive(Clone)]
pub struct ActionService {
    parts: Arc<ActionParts>,
}

impl ActionService {
    /// How long a proposal can be confirmed.
    pub const PROPOSAL_SECONDS: i64 = 300;

    /// The service. It starts nothing.
    #[must_use]
    pub fn new(parts: ActionParts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }
}

/// How the audit names what an action was done to.
fn audited_target(kind: ActionKind, proposal: &StoredProposal) -> String {
    format!("{} {} ({})", kind.as_str(), proposal.label, proposal.target)
}
