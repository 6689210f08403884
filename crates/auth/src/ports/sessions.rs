//! Where sessions are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use thiserror::Error;

use crate::model::{Session, SessionId, TokenId};

/// Keeps sessions. A session that is not in here is over: what is lost is refused, never let in.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a new session.
    async fn create(&self, session: &Session) -> Result<(), SessionStoreError>;

    /// The session `id`, if `token_id` is its token and `now` is before its end; else `None`.
    async fn find_active(
        &self,
        id: SessionId,
        token_id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, SessionStoreError>;

    /// Notes that the session was used. Never brings one back, never goes back in time.
    async fn touch(&self, id: SessionId, now: DateTime<Utc>) -> Result<(), SessionStoreError>;

    /// Ends the session `id` of `user_id`, from the next question on; `false` when that user has no
    /// such session.
    async fn revoke(&self, user_id: UserId, id: SessionId) -> Result<bool, SessionStoreError>;

    /// Ends all sessions of a user and says how many there were.
    async fn revoke_all(&self, user_id: UserId) -> Result<u64, SessionStoreError>;

    /// The user's sessions that are active at `now`, oldest first.
    async fn list_active(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>, SessionStoreError>;

    /// Drops sessions that ended before `now` and says how many.
    async fn remove_expired(&self, now: DateTime<Utc>) -> Result<u64, SessionStoreError>;
}

/// What went wrong with sessions.
#[derive(Debug, Error)]
pub enum SessionStoreError {
    /// The store did not do it; nothing may be concluded about any session.
    #[error("the session store is unavailable")]
    Unavailable(#[source] BoxError),
}
