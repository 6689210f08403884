//! Logging in with a password.
//!
//! Invariants:
//! - The attempt is counted before the password is looked at.
//! - Whether the user exists shows neither in the answer nor in the work: an unknown name, a name that
//!   could not exist and a machine's account cost one hash and give [`LoginError::BadCredentials`].
//! - Nobody gets a token whose session or whose audit row is not stored.

use std::time::Duration;

use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, SecretString, UserId};
use thiserror::Error;

use super::AuthPorts;
use crate::csrf::CsrfTokens;
use crate::model::{
    Actor, Client, Origin, Principal, Role, Session, SessionId, TokenId, User, Username,
};
use crate::ports::{Attempt, AuthEventKind, HasherError, Outcome, Reservation, ReserveError};
use crate::token::{TokenMinter, TokenSubject};

/// Logs users in.
pub struct LoginService {
    ports: AuthPorts,
    minter: TokenMinter,
    csrf: CsrfTokens,
}

/// A login that succeeded. `Debug` shows neither token.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The session token, for the `HttpOnly` cookie alone.
    pub token: SecretString,
    /// The CSRF token, for the cookie that scripts read.
    pub csrf: SecretString,
    /// Who logged in.
    pub principal: Principal,
    /// When the session ends.
    pub expires_at: DateTime<Utc>,
}

/// Why nobody was logged in.
#[derive(Debug, Error)]
pub enum LoginError {
    /// No such user, or another password; there is no telling which.
    #[error("user name or password is wrong")]
    BadCredentials,
    /// Too many attempts; the password was not looked at.
    #[error("too many attempts")]
    Locked {
        /// When the next attempt will be looked at, at the earliest.
        retry_after: Duration,
    },
    /// Too many logins at once; the attempt does not count.
    #[error("too many logins at once")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// Something that a login needs did not answer.
    #[error("logging in is not possible now")]
    Unavailable(#[from] BoxError),
}

/// The session that a login takes the place of.
pub(crate) struct OldSession {
    user_id: UserId,
    session_id: SessionId,
    actor: Actor,
}

impl OldSession {
    /// The session of `principal`; `None` for an API key, which is no session.
    pub(crate) fn of(principal: &Principal) -> Option<Self> {
        principal.scopes.is_none().then(|| Self {
            user_id: principal.user_id,
            session_id: principal.session_id,
            actor: principal.into(),
        })
    }
}

/// A user that has just proven who they are otherwise than by a login; only this crate makes one.
#[derive(Debug)]
pub struct ProvenUser(pub(crate) User);

fn unavailable(error: impl Into<BoxError>) -> LoginError {
    LoginError::Unavailable(error.into())
}

impl LoginService {
    /// A service that signs with `minter`.
    #[must_use]
    pub const fn new(ports: AuthPorts, minter: TokenMinter, csrf: CsrfTokens) -> Self {
        Self {
            ports,
            minter,
            csrf,
        }
    }

    /// Logs in whoever shows the right password.
    ///
    /// Cancel safe: dropped before the password was looked at, the attempt stays counted and nothing else
    /// happened; dropped later, storing the session and the audit row runs to its end.
    ///
    /// # Errors
    /// [`LoginError`]. A failed audit row is [`LoginError::Unavailable`], of a failed login too.
    pub async fn log_in(
        &self,
        username: &str,
        password: SecretString,
        client: impl Into<Client>,
    ) -> Result<LoggedIn, LoginError> {
        self.check(username, password, client.into(), None).await
    }

    /// As [`LoginService::log_in`]; a login that succeeds ends the session of `old`, which came with the
    /// request (ASVS 7.2.4). One that fails ends nothing.
    ///
    /// Cancel safe: as [`LoginService::log_in`].
    ///
    /// # Errors
    /// As [`LoginService::log_in`]. When the old session cannot be ended there is no new one.
    pub async fn log_in_instead_of(
        &self,
        old: &Principal,
        username: &str,
        password: SecretString,
        client: impl Into<Client>,
    ) -> Result<LoggedIn, LoginError> {
        let old = OldSession::of(old);
        self.check(username, password, client.into(), old).await
    }

    /// Opens a session for somebody who has just proven who they are.
    ///
    /// Cancel safe: as [`LoginService::log_in`].
    ///
    /// # Errors
    /// [`LoginError::Unavailable`]; there is no session then.
    pub async fn open_for(
        &self,
        user: ProvenUser,
        client: impl Into<Client>,
    ) -> Result<LoggedIn, LoginError> {
        self.open(user.0, client.into(), None).await
    }

    #[tracing::instrument(name = "auth.log_in", skip_all)]
    async fn check(
        &self,
        username: &str,
        password: SecretString,
        client: Client,
        old: Option<OldSession>,
    ) -> Result<LoggedIn, LoginError> {
        let attempt = Attempt::new(username, client.address);
        let reservation = match self.ports.lockout.reserve(attempt).await {
            Ok(reservation) => reservation,
            Err(ReserveError::Locked { retry_after }) => {
                self.record_failure(&client, AuthEventKind::LockedOut)
                    .await?;
                return Err(LoginError::Locked { retry_after });
            }
            Err(ReserveError::Store(error)) => return Err(unavailable(error)),
        };
        let user = match self.find(username).await {
            Ok(user) => user,
            Err(error) => {
                self.settle(reservation, Outcome::NotLooked).await;
                return Err(error);
            }
        };
        // A machine's account has no password login, so it verifies as an unknown one does.
        let candidate = user.as_ref().filter(|user| user.role != Role::Service);
        let stored = candidate.map(|user| user.password_hash.clone());
        let fits = match self.ports.hasher.verify(&password, stored).await {
            Ok(fits) => fits,
            Err(HasherError::Unhashable) => false,
            Err(error) => {
                self.settle(reservation, Outcome::NotLooked).await;
                return Err(match error {
                    HasherError::Overloaded { retry_after } => {
                        LoginError::Overloaded { retry_after }
                    }
                    other => unavailable(other),
                });
            }
        };
        match user {
            Some(user) if fits && user.role != Role::Service => {
                self.settle(reservation, Outcome::Succeeded).await;
                self.rehash(&user, &password).await;
                self.open(user, client, old).await
            }
            other => {
                let user = other.map(|user| (user.id, user.username));
                self.record_failure(&client, AuthEventKind::LoginFailed { user })
                    .await?;
                Err(LoginError::BadCredentials)
            }
        }
    }

    async fn find(&self, username: &str) -> Result<Option<User>, LoginError> {
        match Username::parse(username) {
            Ok(name) => self
                .ports
                .users
                .find_by_username(&name)
                .await
                .map_err(unavailable),
            Err(_) => Ok(None),
        }
    }

    /// An attempt that could not be given back stays counted, which is the safe side.
    async fn settle(&self, reservation: Reservation, outcome: Outcome) {
        if let Err(error) = self.ports.lockout.settle(reservation, outcome).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an attempt stays counted"
            );
        }
    }

    /// Runs to its end: hanging up at the right moment must not keep a guess out of the audit log.
    async fn record_failure(&self, client: &Client, kind: AuthEventKind) -> Result<(), LoginError> {
        let (ports, origin) = (self.ports.clone(), client.origin(Actor::Unproven));
        let work = async move {
            let recorded = ports.record(origin, kind).await;
            recorded.map_err(unavailable)
        };
        self.ports.to_the_end(work).await
    }

    /// Brings an old hash up to the cost of new ones. The login does not hang on it: the old hash is
    /// as good as before, and the next login tries again.
    async fn rehash(&self, user: &User, password: &SecretString) {
        if !self.ports.hasher.needs_rehash(&user.password_hash) {
            return;
        }
        let new = match self.ports.hasher.hash(password).await {
            Ok(new) => new,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, user.id = %user.id, "an old hash stays");
                return;
            }
        };
        match self
            .ports
            .users
            .update_password_hash(user.id, &user.password_hash, &new)
            .await
        {
            Ok(true) => tracing::info!(user.id = %user.id, "an old hash was renewed"),
            Ok(false) => tracing::info!(user.id = %user.id, "the password changed meanwhile"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, user.id = %user.id, "an old hash stays");
            }
        }
    }

    /// Opens a session for `user`, who is proven, and ends the one that it takes the place of.
    pub(crate) async fn open(
        &self,
        user: User,
        client: Client,
        old: Option<OldSession>,
    ) -> Result<LoggedIn, LoginError> {
        let session_id = SessionId(self.ports.ids.next());
        let token_id = TokenId(self.ports.ids.next());
        let minted = self
            .minter
            .mint(&TokenSubject {
                user_id: user.id,
                session_id,
                token_id,
                version: user.session_version,
                role: user.role,
            })
            .map_err(unavailable)?;
        let expires_at = minted.claims.expires_at().map_err(unavailable)?;
        let now = self.ports.clock.now();
        let principal = Principal {
            user_id: user.id,
            username: user.username,
            role: user.role,
            scopes: None,
            session_id,
            token_id,
            expires_at,
        };
        let origin = client.origin(&principal);
        let session = Session {
            id: session_id,
            user_id: user.id,
            token_id,
            created_at: now,
            last_seen_at: now,
            expires_at,
            address: Some(client.address),
            agent: client.agent,
        };
        let ports = self.ports.clone();
        let work = async move {
            if let Some(old) = old {
                end_old(&ports, old, &origin).await?;
            }
            store(&ports, &session, origin).await
        };
        self.ports.to_the_end(work).await?;
        let csrf = self.csrf.issue(session_id);
        Ok(LoggedIn {
            token: minted.token,
            csrf,
            principal,
            expires_at,
        })
    }
}

/// Ends the session that a login takes the place of.
async fn end_old(ports: &AuthPorts, old: OldSession, by: &Origin) -> Result<(), LoginError> {
    let OldSession {
        user_id,
        session_id,
        actor,
    } = old;
    let ended = ports.revoke(user_id, session_id).await;
    if ended.map_err(unavailable)? {
        let kind = AuthEventKind::LoggedOut { session_id };
        // Its own user's row, from where the new one signs in.
        let origin = Origin {
            actor,
            ..by.clone()
        };
        let recorded = ports.record(origin, kind).await;
        recorded.map_err(unavailable)?;
    }
    Ok(())
}

/// Stores the session and its audit row; a session without its row is ended again.
async fn store(ports: &AuthPorts, session: &Session, origin: Origin) -> Result<(), LoginError> {
    ports.sessions.create(session).await.map_err(unavailable)?;
    let kind = AuthEventKind::LoginSucceeded {
        session_id: session.id,
    };
    let Err(error) = ports.record(origin, kind).await else {
        return Ok(());
    };
    // Its token was given to nobody, so a session that cannot be ended now is idle until it expires.
    if let Err(cause) = ports.revoke(session.user_id, session.id).await {
        let cause = &cause as &dyn std::error::Error;
        tracing::warn!(
            error = cause,
            "a session without an audit row stays until it expires"
        );
    }
    Err(unavailable(error))
}
