//! An account.

use chrono::{DateTime, Utc};
use resync_kernel::UserId;

use super::{PasswordHash, Role, Username};

/// An account. `Debug` hides the password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account's id; it outlives a change of name.
    pub id: UserId,
    /// The name to log in with; no two users share one.
    pub username: Username,
    /// What the user may do.
    pub role: Role,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// Claim `ver`: a token with another number is dead. Grows with each change of password or role.
    pub session_version: u32,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}
