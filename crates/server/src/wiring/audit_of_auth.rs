//! What happens at sign-in, as rows of the audit log.
//!
//! A name that somebody typed is written only when such a user exists: it may be a password in the
//! wrong field.

use async_trait::async_trait;
use resync_auth::{AuthEvent, AuthEventKind, AuthEvents, AuthEventsError};
use resync_tws::AuditService;
use resync_tws::ports::{AuditAction, AuditOutcome};

/// Writes events of `auth` to the audit of `tws`.
pub(super) struct AuditOfAuth(pub(super) AuditService);

#[async_trait]
impl AuthEvents for AuditOfAuth {
    async fn record(&self, event: AuthEvent) -> Result<(), AuthEventsError> {
        use AuditOutcome::{Refused, Succeeded};
        let by = event.actor.map(|id| id.0.to_string());
        let done = |action, target: String| (by, action, Some(target), Succeeded);
        let (actor, action, target, outcome) = match event.kind {
            AuthEventKind::LoginSucceeded {
                username,
                session_id,
            } => (
                Some(username.to_string()),
                AuditAction::Login,
                Some(format!("session {session_id}")),
                Succeeded,
            ),
            AuthEventKind::LoginFailed { user } => (
                user.map(|(_, name)| name.to_string()),
                AuditAction::Login,
                None,
                Refused,
            ),
            AuthEventKind::LockedOut => (
                None,
                AuditAction::Login,
                Some("locked out".to_owned()),
                Refused,
            ),
            AuthEventKind::LoggedOut { session_id } => {
                done(AuditAction::Logout, format!("session {session_id}"))
            }
            AuthEventKind::LoggedOutEverywhere { sessions } => {
                done(AuditAction::Logout, format!("{sessions} sessions"))
            }
            AuthEventKind::SessionRevoked {
                user_id,
                session_id,
            } => done(
                AuditAction::Logout,
                format!("session {session_id} of user {}", user_id.0),
            ),
            AuthEventKind::SessionsRevoked { user_id, sessions } => done(
                AuditAction::Logout,
                format!("{sessions} sessions of user {}", user_id.0),
            ),
            AuthEventKind::ApiKeyCreated { user_id, key_id } => done(
                AuditAction::ApiKeyCreated,
                format!("{}, API key {key_id} made", user_id.0),
            ),
            AuthEventKind::ApiKeyRevoked { user_id, key_id } => done(
                AuditAction::ApiKeyRevoked,
                format!("{}, API key {key_id} ended", user_id.0),
            ),
            AuthEventKind::UserCreated {
                user_id,
                username,
                role,
            } => done(
                AuditAction::UserCreated,
                format!("{username} ({}), {role}", user_id.0),
            ),
            AuthEventKind::PasswordChanged { user_id } => {
                done(AuditAction::PasswordChanged, user_id.0.to_string())
            }
            AuthEventKind::RoleChanged { user_id, role } => {
                done(AuditAction::UserChanged, format!("{}, {role}", user_id.0))
            }
            AuthEventKind::UserDeleted { user_id } => {
                done(AuditAction::UserDeleted, user_id.0.to_string())
            }
            AuthEventKind::UserUnlocked { user_id } => {
                done(AuditAction::UserUnlocked, user_id.0.to_string())
            }
        };
        let mut row = self.0.event(
            actor.unwrap_or_else(|| "anonymous".to_owned()),
            action,
            outcome,
        );
        row.at = event.at;
        row.user_id = event.actor;
        row.target = target;
        row.detail = event.address.map(|address| format!("from {address}"));
        self.0
            .record(row)
            .await
            .map_err(|error| AuthEventsError(Box::new(error)))?;
        Ok(())
    }
}
