//! Who does something to an account, and by which way it came: what an audit row says besides what was done.

use std::fmt;
use std::net::IpAddr;

use resync_kernel::{UserId, is_hidden};

use super::{ApiKeyId, Principal, Username};

/// Who does something. `Display` gives the name that the audit log shows; a user's name holds no colon, so
/// no user looks like somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody that is proven: a login that failed, the link of the first start.
    Unproven,
    /// A user.
    User {
        /// Who.
        id: UserId,
        /// The name.
        username: Username,
        /// The API key that spoke for the user; `None` for somebody who signed in.
        api_key: Option<ApiKeyId>,
    },
    /// Somebody at the command line of the server's own machine.
    Local(LocalUser),
    /// The configuration, at the first start.
    Configuration,
    /// The company's identity provider, whose groups make accounts and roles.
    IdentityProvider,
}

impl Actor {
    /// The user's id, if it is a user.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Unproven | Self::Local(_) | Self::Configuration | Self::IdentityProvider => None,
        }
    }

    /// The API key that spoke, if one did.
    #[must_use]
    pub const fn api_key(&self) -> Option<ApiKeyId> {
        match self {
            Self::User { api_key, .. } => *api_key,
            Self::Unproven | Self::Local(_) | Self::Configuration | Self::IdentityProvider => None,
        }
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self::User {
            id: principal.user_id,
            username: principal.username.clone(),
            api_key: principal
                .scopes
                .is_some()
                .then_some(ApiKeyId(principal.session_id.0)),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unproven => f.write_str("anonymous"),
            Self::User { username, .. } => username.fmt(f),
            Self::Local(name) => write!(f, "local:{name}"),
            Self::Configuration => f.write_str("system:configuration"),
            Self::IdentityProvider => f.write_str("system:identity-provider"),
        }
    }
}

/// The name that the operating system has for somebody: 1 to 64 characters, none of them hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalUser(String);

impl LocalUser {
    /// The greatest length in characters.
    pub const MAX: usize = 64;

    /// What is fit to be shown of `name`; `unknown` when nothing is.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let shown: String = name
            .trim()
            .chars()
            .take(Self::MAX)
            .map(|c| {
                if is_hidden(c) || c.is_control() || c.is_whitespace() {
                    '?'
                } else {
                    c
                }
            })
            .collect();
        Self(if shown.is_empty() {
            "unknown".to_owned()
        } else {
            shown
        })
    }
}

impl fmt::Display for LocalUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who does something, from where, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// From where, when it came by the network.
    pub address: Option<IpAddr>,
    /// The request that it came in, when it came by HTTP.
    pub request_id: Option<String>,
}

impl Origin {
    /// Something that `actor` does, and that came by no network.
    #[must_use]
    pub fn of(actor: impl Into<Actor>) -> Self {
        Self {
            actor: actor.into(),
            address: None,
            request_id: None,
        }
    }

    /// The same from `address`.
    #[must_use]
    pub fn at(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// The same in the request of that id.
    #[must_use]
    pub fn in_request(self, id: Option<String>) -> Self {
        Self {
            request_id: id,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P4, ASVS 16.4.1: what the operating system says is shown on one line, and no user can be taken for it.
    #[test]
    fn a_local_name_is_short_and_shows_what_it_is() {
        let shown = |name: &str| Actor::Local(LocalUser::of(name)).to_string();
        assert_eq!(shown("root"), "local:root");
        assert_eq!(shown("ana\nadmin\u{1b}\u{202e}"), "local:ana?admin??");
        assert_eq!(shown(" "), "local:unknown");
        assert_eq!(
            shown(&"x".repeat(100)).len(),
            "local:".len() + LocalUser::MAX
        );
        for actor in [Actor::Configuration, Actor::IdentityProvider] {
            assert!(Username::parse(&actor.to_string()).is_err());
        }
        assert!(Username::parse(&shown("root")).is_err());
    }
}
