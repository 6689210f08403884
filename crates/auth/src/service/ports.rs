//! What all use cases here share.

use std::sync::Arc;

use resync_kernel::{BoxError, Clock, IdGenerator, UserId};
use thiserror::Error;
use tokio_util::task::TaskTracker;

use crate::memory::SessionMemory;
use crate::model::{Origin, SessionId};
use crate::ports::{
    AccountChange, AccountRefusal, AuthEvent, AuthEventKind, AuthEvents, AuthEventsError,
    LockoutStore, PasswordHasher, SessionStore, SessionStoreError, UserRepository,
};

/// The ports of this domain, built once by the server and shared by its use cases.
#[derive(Clone)]
pub struct AuthPorts {
    /// Users.
    pub users: Arc<dyn UserRepository>,
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// What is remembered of them; one for all use cases.
    pub memory: SessionMemory,
    /// Limits on guessing.
    pub lockout: Arc<dyn LockoutStore>,
    /// The one password hash.
    pub hasher: Arc<dyn PasswordHasher>,
    /// The audit log.
    pub events: Arc<dyn AuthEvents>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Waits at shutdown for what must finish although its caller is gone.
    pub tracker: TaskTracker,
}

/// The task that had to finish did not: it panicked, or the runtime is going down.
#[derive(Debug, Error)]
#[error("the work ended without an answer")]
pub(crate) struct Unfinished(#[source] tokio::task::JoinError);

/// A refusal is not in the audit log.
#[derive(Debug, Error)]
#[error("a refusal could not be recorded")]
pub(crate) struct Unrecorded(#[source] BoxError);

impl From<BoxError> for Unrecorded {
    fn from(error: BoxError) -> Self {
        Self(error)
    }
}

impl AuthPorts {
    pub(crate) async fn record(
        &self,
        origin: Origin,
        kind: AuthEventKind,
    ) -> Result<(), AuthEventsError> {
        let at = self.clock.now();
        let event = AuthEvent { at, origin, kind };
        self.events.record(event).await
    }

    /// Records that a change was refused, to the end although the caller goes away: asking for it and
    /// hanging up must leave its row.
    pub(crate) async fn refuse(
        &self,
        change: AccountChange,
        user_id: Option<UserId>,
        reason: AccountRefusal,
        origin: Origin,
    ) -> Result<(), Unrecorded> {
        let kind = AuthEventKind::Refused {
            change,
            user_id,
            reason,
        };
        let ports = self.clone();
        let work = async move {
            ports
                .record(origin, kind)
                .await
                .map_err(|e| Unrecorded(e.into()))
        };
        self.to_the_end(work).await
    }

    /// Ends a session in the store and in the memory, in this order, so that no request after this is let in.
    /// When the store fails the session may be over or not; the next request asks.
    pub(crate) async fn revoke(
        &self,
        user_id: UserId,
        id: SessionId,
    ) -> Result<bool, SessionStoreError> {
        let ended = self.sessions.revoke(user_id, id).await;
        self.memory.forget_session(id);
        ended
    }

    /// As [`AuthPorts::revoke`], for all sessions of a user. Its API keys are forgotten too, as the change
    /// that ends sessions may have ended them.
    pub(crate) async fn revoke_all(&self, user_id: UserId) -> Result<u64, SessionStoreError> {
        let ended = self.sessions.revoke_all(user_id).await;
        self.memory.forget_user(user_id);
        ended
    }

    /// As [`AuthPorts::revoke_all`], after a change that made the sessions dead by itself, as another session
    /// version or the user's end does: what is left of them in the store lets nobody in.
    pub(crate) async fn sweep(&self, user_id: UserId) {
        if let Err(error) = self.revoke_all(user_id).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, user.id = %user_id, "dead sessions stay in the store");
        }
    }

    /// Runs `work` to its end, whatever becomes of the caller.
    pub(crate) async fn to_the_end<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<BoxError> + Send + 'static,
    {
        match self.tracker.spawn(work).await {
            Ok(result) => result,
            Err(error) => Err(E::from(Box::new(Unfinished(error)))),
        }
    }
}
