//! Prepared actions that wait for their confirmation.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::model::{Action, EngineName, RunId, Target};

/// Names a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProposalId(pub Uuid);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is kept of a proposal. The token is not in it, only a code that the token and the fields
/// prove together; so who reads the store can confirm nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredProposal {
    /// Its id.
    pub id: ProposalId,
    /// Who made it.
    pub user: UserId,
    /// HMAC-SHA-256 over token, user, session and all that the action is about, in hex.
    pub mac: String,
    /// The engine.
    pub engine: EngineName,
    /// What the action is about.
    pub target: Target,
    /// The target as operators write it.
    pub label: String,
    /// The run that a rerun starts from.
    pub run: Option<RunId>,
    /// What to do.
    pub action: Action,
    /// The target's state when it was proposed, as a digest in hex.
    pub fingerprint: String,
    /// Why.
    pub reason: String,
    /// A ticket number.
    pub ticket: Option<String>,
    /// When it ends, in whole milliseconds.
    pub expires_at: DateTime<Utc>,
    /// Whether it was redeemed.
    pub used: bool,
}

/// What a redemption came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redemption {
    /// This call used it, and no other ever will.
    Redeemed,
    /// An earlier call used it.
    AlreadyUsed,
    /// It is past its time, and was not used.
    Expired,
    /// There is none.
    Unknown,
}

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum ProposalError {
    /// There is a proposal of that id.
    #[error("a proposal of that id exists")]
    AlreadyExists,
    /// The store failed.
    #[error("the store of proposals is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Keeps proposals. What it says is used stays used, also over a restart.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ProposalStore: Send + Sync {
    /// Keeps a new one.
    async fn insert(&self, proposal: &StoredProposal) -> Result<(), ProposalError>;

    /// The proposal of that id, used or not, expired or not.
    async fn find(&self, id: ProposalId) -> Result<Option<StoredProposal>, ProposalError>;

    /// Uses it, once: of any number of calls at the same time one gets [`Redemption::Redeemed`].
    /// One that ends at `now` or before is expired.
    async fn redeem(&self, id: ProposalId, now: DateTime<Utc>)
    -> Result<Redemption, ProposalError>;

    /// Forgets those that ended before `before`, used or not; returns how many.
    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, ProposalError>;
}
