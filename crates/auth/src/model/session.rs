//! A login session.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use resync_kernel::UserId;

use super::{AgentLabel, SessionId, TokenId};

/// A login session: it is active while its row exists and its time has not run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names the session.
    pub id: SessionId,
    /// Whose session it is.
    pub user_id: UserId,
    /// The one token that speaks for the session.
    pub token_id: TokenId,
    /// When the user logged in.
    pub created_at: DateTime<Utc>,
    /// When a request was last seen, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// From when on the session is over, whatever happens.
    pub expires_at: DateTime<Utc>,
    /// From where the user logged in, if that is known.
    pub address: Option<IpAddr>,
    /// What the user's client called itself then.
    pub agent: Option<AgentLabel>,
}
