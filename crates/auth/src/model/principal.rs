//! Who is asking.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use resync_kernel::UserId;

use super::{Permission, Role, SessionId, TokenId, Username};

/// Who is asking, proven by a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user_id: UserId,
    /// The user's name, in lower case.
    pub username: Username,
    /// The user's role at the time of the request.
    pub role: Role,
    /// What the credential narrows the role to; `None` when it narrows nothing, as a login does.
    pub scopes: Option<BTreeSet<Permission>>,
    /// The session, to which confirmation and CSRF tokens are bound; for an API key the key's id.
    pub session_id: SessionId,
    /// The token that was shown; for an API key the key's id.
    pub token_id: TokenId,
    /// When the session, or the key, ends.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// Whether the principal has `permission`: the role grants it and the scopes do not take it.
    #[must_use]
    pub fn can(&self, permission: Permission) -> bool {
        self.role.can(permission)
            && self
                .scopes
                .as_ref()
                .is_none_or(|scopes| scopes.contains(&permission))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn scopes_narrow_and_never_widen() {
        let mut principal = Principal {
            user_id: UserId(Uuid::nil()),
            username: Username::parse("reporter").unwrap(),
            role: Role::Service,
            scopes: None,
            session_id: SessionId(Uuid::nil()),
            token_id: TokenId(Uuid::nil()),
            expires_at: DateTime::UNIX_EPOCH,
        };
        assert!(principal.can(Permission::Chat));
        principal.scopes = Some(BTreeSet::from([
            Permission::ReadPlan,
            Permission::ManageUsers,
        ]));
        assert!(principal.can(Permission::ReadPlan));
        assert!(!principal.can(Permission::Chat));
        assert!(!principal.can(Permission::ManageUsers));
    }
}
