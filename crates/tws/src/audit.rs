//! Reading, proving and writing the audit.
//!
//! Invariant: nothing here changes a row; a row that is written is written once.

use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{Clock, IdGenerator};
use serde::Serialize;

use crate::ports::{
    AuditAction, AuditEntry, AuditError, AuditEvent, AuditId, AuditLog, AuditOutcome, AuditRecord,
    SealedRow, Tip,
};

/// How many rows are read at once.
const BATCH: u32 = 500;

/// The audit's use cases. Cheap to clone.
#[derive(Clone)]
pub struct AuditService {
    log: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
}

/// A page of the audit, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// The rows.
    pub items: Vec<AuditRecord>,
    /// The number to ask the next page with, `None` on the last.
    pub next_before: Option<u64>,
}

/// Whether the chain is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditVerdict {
    /// No row is broken.
    pub valid: bool,
    /// How many rows were looked at.
    pub rows: u64,
    /// The number of the first row that does not belong where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_broken: Option<u64>,
}

impl AuditVerdict {
    fn broken(whole_to: &Tip, first_broken: u64) -> Self {
        Self {
            valid: false,
            rows: whole_to.seq,
            first_broken: Some(first_broken),
        }
    }
}

impl AuditService {
    /// The service.
    #[must_use]
    pub fn new(log: Arc<dyn AuditLog>, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { log, clock, ids }
    }

    /// An event that happens now, with nothing said but who, what and how it ended.
    #[must_use]
    pub fn event(
        &self,
        actor: impl Into<String>,
        action: AuditAction,
        outcome: AuditOutcome,
    ) -> AuditEvent {
        AuditEvent {
            at: self.clock.now(),
            actor: actor.into(),
            user_id: None,
            action,
            target: None,
            engine: None,
            reason: None,
            ticket: None,
            outcome,
            detail: None,
            request_id: None,
            action_id: None,
        }
    }

    /// Writes one row, durable when this returns.
    ///
    /// # Errors
    /// [`AuditError`] when it was not written.
    pub async fn record(&self, event: AuditEvent) -> Result<AuditId, AuditError> {
        let id = AuditId(self.ids.next());
        Ok(self.log.append(AuditEntry { id, event }).await?.id)
    }

    /// A page, newest first; `limit` is brought within 1 to 500.
    ///
    /// # Errors
    /// [`AuditError::Broken`] when a row of the page is broken, [`AuditError::Unavailable`].
    pub async fn list(&self, before: Option<u64>, limit: u32) -> Result<AuditPage, AuditError> {
        let limit = limit.clamp(1, BATCH);
        let mut rows = self.log.before(before, limit + 1).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_before = rows.last().map(|row| row.seq).filter(|_| more);
        let items = rows.iter().map(SealedRow::open).collect::<Result<_, _>>()?;
        Ok(AuditPage { items, next_before })
    }

    /// Proves the chain from its first row to its last; reads all of it.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] when the rows cannot be read.
    pub async fn verify(&self) -> Result<AuditVerdict, AuditError> {
        let mut tip = Tip::default();
        loop {
            let rows = match self.log.after(tip.seq, BATCH).await {
                Ok(rows) => rows,
                Err(AuditError::Broken(row)) => return Ok(AuditVerdict::broken(&tip, row.seq)),
                Err(error) => return Err(error),
            };
            if rows.is_empty() {
                return Ok(AuditVerdict {
                    valid: true,
                    rows: tip.seq,
                    first_broken: None,
                });
            }
            for row in rows {
                let in_place = row.seq == tip.seq + 1 && row.prev_hash == tip.hash;
                if !in_place || row.open().is_err() {
                    return Ok(AuditVerdict::broken(&tip, row.seq));
                }
                tip = row.tip();
            }
        }
    }

    /// Writes an `unknown` outcome for each intent that has none, as a crash leaves it, and is older than
    /// `older_than`. Zero is right at the start of the one process that acts, before any action runs;
    /// where others act on the same log, it has to be more than the longest action takes. Returns how
    /// many were written.
    ///
    /// # Errors
    /// [`AuditError`] when the rows cannot be read or written; those written before stay.
    pub async fn reconcile_unfinished(&self, older_than: Duration) -> Result<u64, AuditError> {
        let mut written = 0;
        loop {
            let intents = self.log.unfinished(BATCH).await?;
            let before = written;
            for intent in intents {
                let intent = intent.open()?;
                let age = (self.clock.now() - intent.event.at).to_std();
                if age.unwrap_or_default() < older_than {
                    continue;
                }
                let event = AuditEvent {
                    at: self.clock.now(),
                    action: AuditAction::ActionOutcome,
                    outcome: AuditOutcome::Unknown,
                    detail: Some("the process ended before the outcome was known".to_owned()),
                    ..intent.event
                };
                let id = AuditId(self.ids.next());
                match self.log.append(AuditEntry { id, event }).await {
                    Ok(_) => written += 1,
                    // Another replica reconciled it at the same time.
                    Err(AuditError::OutcomeExists) => {}
                    Err(error) => return Err(error),
                }
            }
            // Nothing was left, or another writes the rest.
            if written == before {
                return Ok(written);
            }
        }
    }
}
