//! Keys for machines.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use resync_kernel::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Permission;

/// Names an API key; it is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKeyId(pub Uuid);

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is stored of a key's text: an HMAC-SHA256 under our own key, so that rows alone neither give
/// keys away nor let one be made. `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiKeyDigest(pub [u8; 32]);

impl fmt::Debug for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyDigest([REDACTED])")
    }
}

/// A key that speaks for a user within its scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key.
    pub id: ApiKeyId,
    /// For whom it speaks.
    pub user_id: UserId,
    /// What its owner calls it, 1 to 64 characters.
    pub label: String,
    /// What is stored of its text.
    pub digest: ApiKeyDigest,
    /// What it may do, if the user's role may.
    pub scopes: BTreeSet<Permission>,
    /// The user's session version when it was made: another password or role ends it.
    pub user_version: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is over.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}
