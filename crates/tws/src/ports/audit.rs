//! The audit: rows that are only ever added, each sealed by the hash of the one before it.
//!
//! Invariants:
//! - The hash of a row is SHA-256 over the hash before it and the row's own text, so no row can be
//!   changed, taken out or put in between without breaking every later one.
//! - What is read is what was hashed: a record is parsed from the sealed text, not from other columns.
//! - Rows cut off the end leave a whole chain; who must notice that keeps the last hash elsewhere.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::model::EngineName;

/// The hash before the first row.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Names a row of the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditId(pub Uuid);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AuditAction {
    /// A write to an engine is about to go out.
    #[serde(rename = "action.intent")]
    ActionIntent,
    /// What came of it; one for each intent.
    #[serde(rename = "action.outcome")]
    ActionOutcome,
    /// A login, good or bad.
    #[serde(rename = "auth.login")]
    Login,
    /// A logout.
    #[serde(rename = "auth.logout")]
    Logout,
    /// A user was made.
    #[serde(rename = "user.created")]
    UserCreated,
    /// A user was changed.
    #[serde(rename = "user.changed")]
    UserChanged,
    /// A user was removed.
    #[serde(rename = "user.deleted")]
    UserDeleted,
    /// A user was unlocked.
    #[serde(rename = "user.unlocked")]
    UserUnlocked,
    /// A password was changed.
    #[serde(rename = "user.password")]
    PasswordChanged,
    /// An API key was made.
    #[serde(rename = "api_key.created")]
    ApiKeyCreated,
    /// An API key was ended.
    #[serde(rename = "api_key.revoked")]
    ApiKeyRevoked,
    /// A document was added.
    #[serde(rename = "knowledge.added")]
    KnowledgeAdded,
    /// A document was removed.
    #[serde(rename = "knowledge.deleted")]
    KnowledgeDeleted,
    /// The plan cache was invalidated by hand.
    #[serde(rename = "cache.invalidated")]
    CacheInvalidated,
    /// An engine was added.
    #[serde(rename = "engine.added")]
    EngineAdded,
    /// An engine was changed.
    #[serde(rename = "engine.changed")]
    EngineChanged,
    /// An engine was removed.
    #[serde(rename = "engine.removed")]
    EngineRemoved,
    /// A threshold was set.
    #[serde(rename = "threshold.changed")]
    ThresholdChanged,
    /// A threshold was removed.
    #[serde(rename = "threshold.removed")]
    ThresholdRemoved,
}

impl AuditAction {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActionIntent => "action.intent",
            Self::ActionOutcome => "action.outcome",
            Self::Login => "auth.login",
            Self::Logout => "auth.logout",
            Self::UserCreated => "user.created",
            Self::UserChanged => "user.changed",
            Self::UserDeleted => "user.deleted",
            Self::UserUnlocked => "user.unlocked",
            Self::PasswordChanged => "user.password",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::KnowledgeAdded => "knowledge.added",
            Self::KnowledgeDeleted => "knowledge.deleted",
            Self::CacheInvalidated => "cache.invalidated",
            Self::EngineAdded => "engine.added",
            Self::EngineChanged => "engine.changed",
            Self::EngineRemoved => "engine.removed",
            Self::ThresholdChanged => "threshold.changed",
            Self::ThresholdRemoved => "threshold.removed",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// Not yet known: the row of an intent.
    Intended,
    /// Done; for an action: the plan shows it.
    Succeeded,
    /// The engine accepted the action, and the plan did not show it in time.
    SucceededUnverified,
    /// The engine or a rule refused it.
    Refused,
    /// It was not done.
    Failed,
    /// It may have been done.
    Unknown,
}

/// What happened, told by who knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When, in whole milliseconds.
    pub at: DateTime<Utc>,
    /// Who, as people know them.
    pub actor: String,
    /// Who, by id; `None` for those without an account.
    pub user_id: Option<UserId>,
    /// What was done.
    pub action: AuditAction,
    /// To what.
    pub target: Option<String>,
    /// On which engine.
    pub engine: Option<EngineName>,
    /// Why.
    pub reason: Option<String>,
    /// A ticket number.
    pub ticket: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// More of it, in words. No secret.
    pub detail: Option<String>,
    /// The request that it came from.
    pub request_id: Option<String>,
    /// Joins an outcome to its intent.
    pub action_id: Option<Uuid>,
}

/// A row to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// What it says.
    pub event: AuditEvent,
}

/// The end of the chain that the next row is tied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The number of the last row, 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Tip {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
        }
    }
}

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// Its id.
    pub id: AuditId,
    /// The word of the action, for look-ups; the text is what counts.
    pub action: String,
    /// Joins an outcome to its intent, for look-ups.
    pub action_id: Option<Uuid>,
    /// Canonical JSON of number, id and event: the fields in the order of their declaration.
    pub body: String,
    /// The hash of the row before, in hex.
    pub prev_hash: String,
    /// This row's hash, in hex.
    pub hash: String,
}

/// A row that was read and whose hash was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditId,
    /// Its number, from 1.
    pub seq: u64,
    /// What it says.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// The hash of the row before, in hex.
    pub prev_hash: String,
    /// This row's hash, in hex.
    pub hash: String,
}

/// A row whose text does not have its hash, or is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("row {seq} of the audit is broken")]
pub struct BrokenRow {
    /// The row's number.
    pub seq: u64,
}

#[derive(Serialize)]
struct BodyRef<'a> {
    seq: u64,
    id: AuditId,
    event: &'a AuditEvent,
}

#[derive(Deserialize)]
struct Body {
    seq: u64,
    id: AuditId,
    event: AuditEvent,
}

fn hash_of(prev_hash: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(prev_hash.as_bytes());
    hash.update(b"\n");
    hash.update(body.as_bytes());
    hex::encode(hash.finalize())
}

impl SealedRow {
    /// Whether it is a row of that action, by its look-up word.
    #[must_use]
    pub fn is(&self, action: AuditAction) -> bool {
        self.action == action.as_str()
    }

    /// Ties `entry` to the end of the chain. An adapter calls it where it appends, so that no two rows
    /// are tied to one end.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] when the entry is no JSON.
    pub fn seal(tip: &Tip, entry: &AuditEntry) -> Result<Self, AuditError> {
        let mut event = entry.event.clone();
        // Stores keep milliseconds; what is hashed must read back the same.
        event.at = DateTime::from_timestamp_millis(event.at.timestamp_millis()).unwrap_or(event.at);
        let seq = tip.seq + 1;
        let body = BodyRef {
            seq,
            id: entry.id,
            event: &event,
        };
        let body =
            serde_json::to_string(&body).map_err(|error| AuditError::Unavailable(error.into()))?;
        Ok(Self {
            seq,
            id: entry.id,
            action: event.action.as_str().to_owned(),
            action_id: event.action_id,
            hash: hash_of(&tip.hash, &body),
            prev_hash: tip.hash.clone(),
            body,
        })
    }

    /// The record, if the text has the hash and belongs to this place.
    ///
    /// # Errors
    /// [`BrokenRow`] when it does not.
    pub fn open(&self) -> Result<AuditRecord, BrokenRow> {
        let broken = BrokenRow { seq: self.seq };
        if hash_of(&self.prev_hash, &self.body) != self.hash {
            return Err(broken);
        }
        let body: Body = serde_json::from_str(&self.body).map_err(|_| broken)?;
        let in_place = body.seq == self.seq && body.id == self.id;
        let as_looked_up =
            body.event.action.as_str() == self.action && body.event.action_id == self.action_id;
        if !in_place || !as_looked_up {
            return Err(broken);
        }
        Ok(AuditRecord {
            id: body.id,
            seq: body.seq,
            event: body.event,
            prev_hash: self.prev_hash.clone(),
            hash: self.hash.clone(),
        })
    }

    /// The end of the chain after this row.
    #[must_use]
    pub fn tip(&self) -> Tip {
        Tip {
            seq: self.seq,
            hash: self.hash.clone(),
        }
    }
}

/// Why the audit did not do it.
#[derive(Debug, Error)]
pub enum AuditError {
    /// That action has its outcome: there is one each.
    #[error("that action has its outcome already")]
    OutcomeExists,
    /// A row that was asked for is broken.
    #[error(transparent)]
    Broken(#[from] BrokenRow),
    /// The store failed; nothing was appended.
    #[error("the audit is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Keeps the audit. There is no way to change or remove a row.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Appends one row, durable when this returns. At most one [`AuditAction::ActionOutcome`] for an
    /// `action_id`: a second one is [`AuditError::OutcomeExists`].
    async fn append(&self, entry: AuditEntry) -> Result<SealedRow, AuditError>;

    /// Rows with a number above `after`, lowest first, at most `limit`.
    async fn after(&self, after: u64, limit: u32) -> Result<Vec<SealedRow>, AuditError>;

    /// Rows with a number below `before` (any, when `None`), highest first, at most `limit`.
    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError>;

    /// Intents without an outcome, oldest first, at most `limit`.
    async fn unfinished(&self, limit: u32) -> Result<Vec<SealedRow>, AuditError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u128) -> AuditEntry {
        AuditEntry {
            id: AuditId(Uuid::from_u128(n)),
            event: AuditEvent {
                at: DateTime::from_timestamp(1_772_409_600, 123_456_789).unwrap(),
                actor: "maria".to_owned(),
                user_id: None,
                action: AuditAction::Login,
                target: None,
                engine: None,
                reason: None,
                ticket: None,
                outcome: AuditOutcome::Succeeded,
                detail: None,
                request_id: None,
                action_id: None,
            },
        }
    }

    #[test]
    fn a_sealed_row_opens_to_what_was_said_in_whole_milliseconds() {
        let row = SealedRow::seal(&Tip::default(), &entry(1)).unwrap();
        let record = row.open().unwrap();
        assert_eq!(record.seq, 1);
        assert_eq!(record.prev_hash, GENESIS);
        assert_eq!(record.event.actor, "maria");
        assert_eq!(record.event.at.timestamp_subsec_nanos(), 123_000_000);
    }

    #[test]
    fn a_changed_row_does_not_open() {
        let row = SealedRow::seal(&Tip::default(), &entry(1)).unwrap();
        let changed = SealedRow {
            body: row.body.replace("maria", "joana"),
            ..row.clone()
        };
        assert_eq!(changed.open(), Err(BrokenRow { seq: 1 }));
        let moved = SealedRow {
            seq: 2,
            ..row.clone()
        };
        assert_eq!(moved.open(), Err(BrokenRow { seq: 2 }));
        let hidden = SealedRow {
            action: "auth.logout".to_owned(),
            ..row.clone()
        };
        assert!(hidden.open().is_err());
        let renamed = SealedRow {
            id: AuditId(Uuid::from_u128(9)),
            ..row
        };
        assert!(renamed.open().is_err());
    }

    #[test]
    fn equal_events_in_two_places_have_two_hashes() {
        let first = SealedRow::seal(&Tip::default(), &entry(1)).unwrap();
        let second = SealedRow::seal(&first.tip(), &entry(1)).unwrap();
        assert_ne!(first.hash, second.hash);
        assert_eq!(second.prev_hash, first.hash);
    }
}
