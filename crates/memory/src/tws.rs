//! Ports of `resync-tws`.
//!
//! Each store is one mutex around plain data, held for a few lines without `await`; what a port
//! promises to do in one step is done under it.

mod engine;
mod objects;
mod stores;

pub use engine::ScriptedEngine;
pub use stores::{InMemoryEngineRepository, InMemoryRunHistory, InMemoryThresholdRepository};

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_tws::ports::{
    AuditAction, AuditEntry, AuditError, AuditLog, ProposalError, ProposalId, ProposalStore,
    Redemption, SealedRow, StoredProposal, Tip,
};

/// No code panics under these locks, so a poisoned one still holds whole data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Proposals in memory.
#[derive(Debug, Default)]
pub struct InMemoryProposalStore {
    proposals: Mutex<HashMap<ProposalId, StoredProposal>>,
}

#[async_trait]
impl ProposalStore for InMemoryProposalStore {
    async fn insert(&self, proposal: &StoredProposal) -> Result<(), ProposalError> {
        let mut proposals = lock(&self.proposals);
        if proposals.contains_key(&proposal.id) {
            return Err(ProposalError::AlreadyExists);
        }
        proposals.insert(proposal.id, proposal.clone());
        Ok(())
    }

    async fn find(&self, id: ProposalId) -> Result<Option<StoredProposal>, ProposalError> {
        Ok(lock(&self.proposals).get(&id).cloned())
    }

    async fn redeem(
        &self,
        id: ProposalId,
        now: DateTime<Utc>,
    ) -> Result<Redemption, ProposalError> {
        Ok(match lock(&self.proposals).get_mut(&id) {
            None => Redemption::Unknown,
            Some(proposal) if proposal.used => Redemption::AlreadyUsed,
            Some(proposal) if proposal.expires_at <= now => Redemption::Expired,
            Some(proposal) => {
                proposal.used = true;
                Redemption::Redeemed
            }
        })
    }

    async fn purge(&self, before: DateTime<Utc>) -> Result<u64, ProposalError> {
        let mut proposals = lock(&self.proposals);
        let held = proposals.len();
        proposals.retain(|_, proposal| proposal.expires_at >= before);
        Ok(u64::try_from(held - proposals.len()).unwrap_or(u64::MAX))
    }
}

/// The audit in memory. It ends with the process, so it is for tests and demos.
#[derive(Debug, Default)]
pub struct InMemoryAuditLog {
    rows: Mutex<Vec<SealedRow>>,
}

impl InMemoryAuditLog {
    /// Puts `row` in the place of the one with its number, as someone with access to the store could:
    /// for tests of the chain.
    pub fn tamper(&self, row: SealedRow) {
        let mut rows = lock(&self.rows);
        if let Some(old) = rows.iter_mut().find(|old| old.seq == row.seq) {
            *old = row;
        }
    }
}

fn has_outcome(rows: &[SealedRow], intent: &SealedRow) -> bool {
    rows.iter().any(|row| {
        row.is(AuditAction::ActionOutcome)
            && row.action_id.is_some()
            && row.action_id == intent.action_id
    })
}

fn first(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl AuditLog for InMemoryAuditLog {
    async fn append(&self, entry: AuditEntry) -> Result<SealedRow, AuditError> {
        let mut rows = lock(&self.rows);
        let tip = rows.last().map_or_else(Tip::default, SealedRow::tip);
        let row = SealedRow::seal(&tip, &entry)?;
        if row.is(AuditAction::ActionOutcome) && has_outcome(&rows, &row) {
            return Err(AuditError::OutcomeExists);
        }
        rows.push(row.clone());
        Ok(row)
    }

    async fn after(&self, after: u64, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = lock(&self.rows);
        let later = rows.iter().filter(|row| row.seq > after);
        Ok(later.take(first(limit)).cloned().collect())
    }

    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = lock(&self.rows);
        let earlier = rows
            .iter()
            .rev()
            .filter(|row| before.is_none_or(|before| row.seq < before));
        Ok(earlier.take(first(limit)).cloned().collect())
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        let rows = lock(&self.rows);
        let open = rows
            .iter()
            .filter(|row| row.is(AuditAction::ActionIntent) && !has_outcome(&rows, row));
        Ok(open.take(first(limit)).cloned().collect())
    }
}
