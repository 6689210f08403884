//! What happens to accounts, as rows of the audit log.
//!
//! - Each row says who, from where and in which request; nobody who is not proven is named as an actor.
//! - A name that somebody typed is written only when such a user exists: it may be a password in the
//!   wrong field.

use async_trait::async_trait;
use resync_auth::{AccountChange, Actor, AuthEvent, AuthEventKind, AuthEvents, AuthEventsError};
use resync_tws::AuditService;
use resync_tws::ports::{AuditAction, AuditOutcome};

/// Writes events of `auth` to the audit of `tws`.
pub(super) struct AuditOfAuth(pub(super) AuditService);

/// What a row says besides who, when and from where.
struct Row {
    action: AuditAction,
    outcome: AuditOutcome,
    target: Option<String>,
    /// Why it was refused.
    why: Option<&'static str>,
    /// Whose account was tried, when nobody is proven.
    tried: Option<String>,
}

impl Row {
    fn done(action: AuditAction, target: impl Into<String>) -> Self {
        Self {
            action,
            outcome: AuditOutcome::Succeeded,
            target: Some(target.into()),
            why: None,
            tried: None,
        }
    }

    fn refused(action: AuditAction, target: Option<String>, why: Option<&'static str>) -> Self {
        Self {
            action,
            outcome: AuditOutcome::Refused,
            target,
            why,
            tried: None,
        }
    }

    fn of(kind: AuthEventKind) -> Self {
        use AuditAction::{Login, Logout};
        match kind {
            AuthEventKind::LoginSucceeded { session_id } => {
                Self::done(Login, format!("session {session_id}"))
            }
            AuthEventKind::LoginFailed { user } => Self {
                tried: user.map(|(_, name)| name.to_string()),
                ..Self::refused(Login, None, None)
            },
            AuthEventKind::LockedOut => Self::refused(Login, Some("locked out".to_owned()), None),
            AuthEventKind::ExternalLoginFailed { reason } => {
                let target = Some("identity provider".to_owned());
                Self::refused(Login, target, Some(reason.as_str()))
            }
            AuthEventKind::LoggedOut { session_id } => {
                Self::done(Logout, format!("session {session_id}"))
            }
            AuthEventKind::LoggedOutEverywhere { sessions } => {
                Self::done(Logout, format!("{sessions} sessions"))
            }
            AuthEventKind::SessionRevoked {
                user_id,
                session_id,
            } => Self::done(
                Logout,
                format!("session {session_id} of user {}", user_id.0),
            ),
            AuthEventKind::SessionsRevoked { user_id, sessions } => {
                Self::done(Logout, format!("{sessions} sessions of user {}", user_id.0))
            }
            AuthEventKind::ApiKeyCreated { user_id, key_id } => Self::done(
                AuditAction::ApiKeyCreated,
                format!("{}, API key {key_id} made", user_id.0),
            ),
            AuthEventKind::ApiKeyRevoked { user_id, key_id } => Self::done(
                AuditAction::ApiKeyRevoked,
                format!("{}, API key {key_id} ended", user_id.0),
            ),
            AuthEventKind::UserCreated {
                user_id,
                username,
                role,
            } => Self::done(
                AuditAction::UserCreated,
                format!("{username} ({}), {role}", user_id.0),
            ),
            AuthEventKind::PasswordChanged { user_id } => {
                Self::done(AuditAction::PasswordChanged, user_id.0.to_string())
            }
            AuthEventKind::RoleChanged { user_id, role } => {
                Self::done(AuditAction::UserChanged, format!("{}, {role}", user_id.0))
            }
            AuthEventKind::UserDeleted { user_id } => {
                Self::done(AuditAction::UserDeleted, user_id.0.to_string())
            }
            AuthEventKind::UserUnlocked { user_id } => {
                Self::done(AuditAction::UserUnlocked, user_id.0.to_string())
            }
            AuthEventKind::Refused {
                change,
                user_id,
                reason,
            } => {
                let action = match change {
                    AccountChange::Create => AuditAction::UserCreated,
                    AccountChange::Update => AuditAction::UserChanged,
                    AccountChange::Delete => AuditAction::UserDeleted,
                    AccountChange::CreateApiKey => AuditAction::ApiKeyCreated,
                };
                let target = user_id.map(|id| id.0.to_string());
                Self::refused(action, target, Some(reason.as_str()))
            }
        }
    }
}

#[async_trait]
impl AuthEvents for AuditOfAuth {
    async fn record(&self, event: AuthEvent) -> Result<(), AuthEventsError> {
        let (said, origin) = (Row::of(event.kind), event.origin);
        let actor = match (&origin.actor, said.tried) {
            (Actor::Unproven, Some(tried)) => tried,
            (actor, _) => actor.to_string(),
        };
        let key = origin.actor.api_key();
        let details = [
            origin.address.map(|address| format!("from {address}")),
            key.map(|key| format!("by API key {key}")),
            said.why.map(str::to_owned),
        ];
        let details: Vec<_> = details.into_iter().flatten().collect();
        let mut row = self.0.event(actor, said.action, said.outcome);
        row.at = event.at;
        row.user_id = origin.actor.user_id();
        row.target = said.target;
        row.detail = (!details.is_empty()).then(|| details.join(", "));
        row.request_id = origin.request_id;
        let recorded = self.0.record(row).await;
        recorded.map_err(|error| AuthEventsError(Box::new(error)))?;
        Ok(())
    }
}
