//! Proving who asks, and ending sessions.
//!
//! Invariants:
//! - A request is somebody's only while token, session and user say the same: the session is stored and
//!   not idle, the user exists with that session version and role. What cannot be asked is refused.
//! - A session that was ended is dead at the very next request: what is remembered of it is dropped
//!   before the use case returns.
//! - While the store does not answer, who asks to read is known for a minute after the last answer;
//!   nobody changes anything.
//! - A failed revocation is an error to the caller, never a silent success.

use std::time::Duration;

use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use thiserror::Error;

use super::AuthPorts;
use crate::memory::{Digest, Found};
use crate::model::{Origin, Principal, Session, SessionId};
use crate::ports::{AuthEventKind, AuthEventsError, SessionStoreError, UserRepositoryError};
use crate::token::{TokenError, TokenVerifier};

/// How long a session may lie idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// A session that was not used for longer is over.
    pub idle: Duration,
}

impl SessionPolicy {
    /// Use is noted when the last note is at least this old, which spares a write a request.
    pub const NOTE_EVERY: Duration = Duration::from_mins(1);
}

impl Default for SessionPolicy {
    /// 60 minutes.
    fn default() -> Self {
        Self {
            idle: Duration::from_hours(1),
        }
    }
}

/// What a request is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// It changes nothing, as `GET` and `HEAD` do.
    Read,
    /// It may change something.
    Change,
}

/// Proves who asks. The server builds one, before there is traffic.
pub struct SessionService {
    ports: AuthPorts,
    verifier: TokenVerifier,
    policy: SessionPolicy,
}

/// Why nobody is proven.
#[derive(Debug, Error)]
pub enum AuthenticateError {
    /// The token is not good, or its session is over; there is no telling which.
    #[error("the session is not valid")]
    Invalid,
    /// A store did not answer; nobody is let in.
    #[error("the session cannot be checked now")]
    Unavailable(#[source] BoxError),
}

impl From<TokenError> for AuthenticateError {
    fn from(TokenError: TokenError) -> Self {
        Self::Invalid
    }
}

impl From<SessionStoreError> for AuthenticateError {
    fn from(error: SessionStoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<UserRepositoryError> for AuthenticateError {
    fn from(error: UserRepositoryError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Why ending a session is not known to have worked. The caller clears the cookie all the same.
#[derive(Debug, Error)]
pub enum LogOutError {
    /// The session may live on: the store did not end it.
    #[error("the session could not be ended")]
    NotRevoked(#[source] BoxError),
    /// The session is over, but the audit log does not have it.
    #[error("the session was ended, but not recorded")]
    NotRecorded(#[source] AuthEventsError),
}

impl From<BoxError> for LogOutError {
    fn from(error: BoxError) -> Self {
        Self::NotRevoked(error)
    }
}

impl From<SessionStoreError> for LogOutError {
    fn from(error: SessionStoreError) -> Self {
        Self::NotRevoked(error.into())
    }
}

/// The time from `earlier` to `later`; nothing when the wall clock went back between them.
fn since(earlier: DateTime<Utc>, later: DateTime<Utc>) -> Duration {
    (later - earlier).to_std().unwrap_or(Duration::ZERO)
}

impl SessionService {
    /// A service that checks with `verifier`.
    #[must_use]
    pub const fn new(ports: AuthPorts, verifier: TokenVerifier, policy: SessionPolicy) -> Self {
        Self {
            ports,
            verifier,
            policy,
        }
    }

    /// Who shows `token`, for whatever the request does: as [`SessionService::authenticate_for`] a change.
    ///
    /// Cancel safe: nothing but the time of use is written.
    ///
    /// # Errors
    /// As [`SessionService::authenticate_for`].
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        self.authenticate_for(token, For::Change).await
    }

    /// Who shows `token`. A token that was good within the last minute is known without asking a store,
    /// while changes of the stores are followed; what this process ended is dead at once.
    ///
    /// Cancel safe: nothing but the time of use is written.
    ///
    /// # Errors
    /// [`AuthenticateError::Invalid`] for every token that is not good, without a reason;
    /// [`AuthenticateError::Unavailable`] when a store did not answer, and for [`For::Read`] when it did not
    /// say yes within the last minute either.
    #[tracing::instrument(name = "auth.authenticate", level = "debug", skip_all)]
    pub async fn authenticate_for(
        &self,
        token: &str,
        purpose: For,
    ) -> Result<Principal, AuthenticateError> {
        if token.len() > TokenVerifier::MAX_BYTES {
            return Err(AuthenticateError::Invalid);
        }
        let (memory, now) = (&self.ports.memory, self.ports.clock.now());
        let digest = Digest::of(token);
        if let Some(entry) = memory.recall(digest, now) {
            if entry.claims_note(now, SessionPolicy::NOTE_EVERY) {
                self.note_use(entry.principal.session_id, now).await;
            }
            return Ok(entry.principal.clone());
        }
        let before = memory.before();
        match self.ask(token, now).await {
            Ok(found) => {
                let principal = found.principal.clone();
                memory.remember(digest, found, before);
                Ok(principal)
            }
            Err(AuthenticateError::Unavailable(error)) if purpose == For::Read => {
                let known = memory.last_good(digest, now);
                let known = known.map(|entry| entry.principal.clone());
                known.ok_or(AuthenticateError::Unavailable(error))
            }
            Err(error) => Err(error),
        }
    }

    /// What the token and the stores say.
    async fn ask(&self, token: &str, now: DateTime<Utc>) -> Result<Found, AuthenticateError> {
        let claims = self.verifier.verify(token)?;
        let session = self
            .ports
            .sessions
            .find_active(claims.sid, claims.jti, now)
            .await?
            .ok_or(AuthenticateError::Invalid)?;
        let unused = since(session.last_seen_at, now);
        let user = self.ports.users.find_by_id(claims.sub).await?;
        let user = user.ok_or(AuthenticateError::Invalid)?;
        let same = session.user_id == user.id
            && user.session_version == claims.ver
            && user.role == claims.role;
        if !same || unused > self.policy.idle {
            return Err(AuthenticateError::Invalid);
        }
        let mut last_used = session.last_seen_at;
        if unused >= SessionPolicy::NOTE_EVERY {
            self.note_use(session.id, now).await;
            last_used = now;
        }
        Ok(Found {
            principal: Principal {
                user_id: user.id,
                username: user.username,
                role: user.role,
                scopes: None,
                session_id: session.id,
                token_id: session.token_id,
                expires_at: session.expires_at,
            },
            not_before: claims.good_from()?,
            last_used,
            idle: Some(self.policy.idle),
        })
    }

    /// A use that is not noted ends the session early, which is the safe side.
    async fn note_use(&self, id: SessionId, now: DateTime<Utc>) {
        if let Err(error) = self.ports.sessions.touch(id, now).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the use of a session is not noted");
        }
    }

    /// Ends the principal's own session. Ending it twice is no error.
    ///
    /// Cancel safe: it runs in a task of its own, so a caller that goes away leaves a session that is
    /// ended and recorded, not one or the other.
    ///
    /// # Errors
    /// [`LogOutError`].
    pub async fn log_out(&self, principal: &Principal, origin: Origin) -> Result<(), LogOutError> {
        self.end(principal.user_id, principal.session_id, origin)
            .await
            .map(|_| ())
    }

    /// Ends one of the principal's sessions; `false` when it has no such session.
    ///
    /// Cancel safe: as [`SessionService::log_out`].
    ///
    /// # Errors
    /// [`LogOutError`].
    pub async fn revoke(
        &self,
        principal: &Principal,
        id: SessionId,
        origin: Origin,
    ) -> Result<bool, LogOutError> {
        self.end(principal.user_id, id, origin).await
    }

    #[tracing::instrument(name = "auth.log_out", skip_all, fields(user.id = %user_id))]
    async fn end(
        &self,
        user_id: UserId,
        session_id: SessionId,
        origin: Origin,
    ) -> Result<bool, LogOutError> {
        let ports = self.ports.clone();
        let work = async move {
            let ended = ports.revoke(user_id, session_id).await?;
            if ended {
                let kind = AuthEventKind::LoggedOut { session_id };
                let recorded = ports.record(origin, kind).await;
                recorded.map_err(LogOutError::NotRecorded)?;
            }
            Ok(ended)
        };
        self.ports.to_the_end(work).await
    }

    /// Ends all of the principal's sessions and says how many there were.
    ///
    /// Cancel safe: as [`SessionService::log_out`].
    ///
    /// # Errors
    /// [`LogOutError`].
    #[tracing::instrument(name = "auth.log_out_all", skip_all, fields(user.id = %principal.user_id))]
    pub async fn log_out_all(
        &self,
        principal: &Principal,
        origin: Origin,
    ) -> Result<u64, LogOutError> {
        let (ports, user_id) = (self.ports.clone(), principal.user_id);
        let work = async move {
            let sessions = ports.revoke_all(user_id).await?;
            let kind = AuthEventKind::LoggedOutEverywhere { sessions };
            let recorded = ports.record(origin, kind).await;
            recorded.map_err(LogOutError::NotRecorded)?;
            Ok(sessions)
        };
        self.ports.to_the_end(work).await
    }

    /// Ends a session of any user, as an administrator does (ASVS 7.4.5); `false` when that user has no
    /// such session.
    ///
    /// Cancel safe: as [`SessionService::log_out`].
    ///
    /// # Errors
    /// [`LogOutError`].
    #[tracing::instrument(name = "auth.revoke_session", skip_all, fields(user.id = %user_id))]
    pub async fn revoke_of(
        &self,
        user_id: UserId,
        session_id: SessionId,
        origin: Origin,
    ) -> Result<bool, LogOutError> {
        let ports = self.ports.clone();
        let work = async move {
            let ended = ports.revoke(user_id, session_id).await?;
            if ended {
                let kind = AuthEventKind::SessionRevoked {
                    user_id,
                    session_id,
                };
                let recorded = ports.record(origin, kind).await;
                recorded.map_err(LogOutError::NotRecorded)?;
            }
            Ok(ended)
        };
        self.ports.to_the_end(work).await
    }

    /// Ends all sessions of any user, as an administrator does, and says how many there were.
    ///
    /// Cancel safe: as [`SessionService::log_out`].
    ///
    /// # Errors
    /// [`LogOutError`].
    #[tracing::instrument(name = "auth.revoke_sessions", skip_all, fields(user.id = %user_id))]
    pub async fn revoke_all_of(&self, user_id: UserId, origin: Origin) -> Result<u64, LogOutError> {
        let ports = self.ports.clone();
        let work = async move {
            let sessions = ports.revoke_all(user_id).await?;
            let kind = AuthEventKind::SessionsRevoked { user_id, sessions };
            let recorded = ports.record(origin, kind).await;
            recorded.map_err(LogOutError::NotRecorded)?;
            Ok(sessions)
        };
        self.ports.to_the_end(work).await
    }

    /// The principal's active sessions, oldest first; idle ones are not among them.
    ///
    /// # Errors
    /// [`SessionStoreError`] when the store does not answer.
    pub async fn list(&self, principal: &Principal) -> Result<Vec<Session>, SessionStoreError> {
        self.list_of(principal.user_id).await
    }

    /// The active sessions of any user, for an administrator; as [`SessionService::list`].
    ///
    /// # Errors
    /// [`SessionStoreError`] when the store does not answer.
    pub async fn list_of(&self, user_id: UserId) -> Result<Vec<Session>, SessionStoreError> {
        let now = self.ports.clock.now();
        let mut sessions = self.ports.sessions.list_active(user_id, now).await?;
        sessions.retain(|session| since(session.last_seen_at, now) <= self.policy.idle);
        Ok(sessions)
    }

    /// Drops the rows of sessions that expired and says how many; for the server to call by the hour.
    ///
    /// # Errors
    /// [`SessionStoreError`] when the store does not answer.
    pub async fn remove_expired(&self) -> Result<u64, SessionStoreError> {
        self.ports
            .sessions
            .remove_expired(self.ports.clock.now())
            .await
    }
}
