//! What became of a proposal, for who may not confirm it: a program that prepared an action and waits for
//! a person.
//!
//! Invariants:
//! - It only reads. What it tells of an outcome is from the audit, where a confirmation alone writes.
//! - A proposal of another user is one that is not there.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use resync_kernel::UserId;
use serde::Serialize;
use thiserror::Error;
use tracing::instrument;
use uuid::Uuid;

use super::{ActionService, audited_target};
use crate::model::{ActionKind, EngineName, Target};
use crate::ports::{
    AuditAction, AuditError, AuditId, AuditOutcome, AuditRecord, ProposalError, ProposalId,
    StoredProposal,
};

/// Rows of the audit that are read at once.
const PAGE: u32 = 200;
/// Rows of the audit that are looked through at most.
const MAX_ROWS: usize = 4_000;

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Followed {
    /// The proposal.
    pub proposal_id: ProposalId,
    /// The engine.
    pub engine: EngineName,
    /// What it is about.
    #[serde(skip)]
    pub target: Target,
    /// The target as operators write it.
    pub label: String,
    /// What is to be done.
    pub action: ActionKind,
    /// Since when it stands.
    pub proposed_at: DateTime<Utc>,
    /// Until when a person may confirm it.
    pub expires_at: DateTime<Utc>,
    /// The same action on the same target that a person confirmed since; `None` while nobody has.
    pub confirmed: Option<ConfirmedBy>,
    /// Its time is over.
    pub expired: bool,
}

/// An action that a person confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfirmedBy {
    /// Who, as people know them.
    pub by: String,
    /// When it went out.
    pub at: DateTime<Utc>,
    /// What came of it: `intended` while it is under way.
    pub outcome: AuditOutcome,
    /// More of it, in words.
    pub detail: Option<String>,
    /// The row of the audit.
    pub audit_id: AuditId,
}

/// Why nothing is known of a proposal.
#[derive(Debug, Error)]
pub enum FollowError {
    /// There is no such proposal of that user, or it is forgotten: an hour after its end.
    #[error("there is no such proposal")]
    Unknown,
    /// The store of proposals failed.
    #[error("the proposal cannot be read")]
    Store(#[from] ProposalError),
    /// The audit failed.
    #[error("the audit cannot be read")]
    Audit(#[from] AuditError),
}

impl ActionService {
    /// What became of a proposal of that user.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`FollowError`].
    #[instrument(name = "tws.follow", skip_all, fields(proposal.id = %id))]
    pub async fn follow(&self, user: UserId, id: ProposalId) -> Result<Followed, FollowError> {
        let found = self.parts.proposals.find(id).await?;
        let proposal = found
            .filter(|proposal| proposal.user == user)
            .ok_or(FollowError::Unknown)?;
        let proposed_at = proposal.expires_at - Duration::seconds(Self::PROPOSAL_SECONDS);
        let confirmed = self.confirmation_since(&proposal, proposed_at).await?;
        Ok(Followed {
            proposal_id: proposal.id,
            expired: proposal.expires_at <= self.parts.clock.now(),
            engine: proposal.engine,
            target: proposal.target,
            label: proposal.label,
            action: proposal.action.kind(),
            proposed_at,
            expires_at: proposal.expires_at,
            confirmed,
        })
    }

    /// The first such action since then, with its outcome when there is one.
    async fn confirmation_since(
        &self,
        proposal: &StoredProposal,
        since: DateTime<Utc>,
    ) -> Result<Option<ConfirmedBy>, AuditError> {
        let what = audited_target(proposal.action.kind(), proposal);
        let with = serde_json::to_string(&proposal.action).ok();
        let (mut before, mut looked_at) = (None, 0);
        let mut outcomes: HashMap<Uuid, AuditRecord> = HashMap::new();
        let mut found = None;
        'pages: while looked_at < MAX_ROWS {
            let rows = self.parts.audit.before(before, PAGE).await?;
            let Some(last) = rows.last() else { break };
            before = Some(last.seq);
            looked_at += rows.len();
            for row in &rows {
                let record = row.open()?;
                let event = &record.event;
                if event.at < since {
                    break 'pages;
                }
                if event.engine.as_ref() != Some(&proposal.engine)
                    || event.target.as_deref() != Some(what.as_str())
                {
                    continue;
                }
                match (event.action, event.action_id) {
                    // Newest first, so an outcome comes before its intent.
                    (AuditAction::ActionOutcome, Some(action)) => {
                        outcomes.insert(action, record);
                    }
                    (AuditAction::ActionIntent, Some(action)) if event.detail == with => {
                        let outcome = outcomes.remove(&action);
                        let (at, told) = (event.at, outcome.unwrap_or(record));
                        found = Some(ConfirmedBy {
                            by: told.event.actor,
                            at,
                            outcome: told.event.outcome,
                            detail: told.event.detail,
                            audit_id: told.id,
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(found)
    }
}
