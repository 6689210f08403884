//! Who asks: Basic with a password, or Bearer with the token of an API key.
//!
//! 1. A locked user is refused with the right password, too, until a reset.
//! 2. An API key is refused from its expiry on, by virtual time.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

use super::World;
use crate::{names::Secs, wire::Role};

/// A user of the interface.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) secret: Secret,
    pub(crate) role: Role,
    /// Folders whose objects the user may not see.
    pub(crate) hidden: Vec<String>,
}

/// What a user shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Password(String),
    /// The token of an API key, and when it expires.
    Token(String, Option<Secs>),
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// What a request brings.
pub(super) enum Credentials {
    None,
    Basic { name: String, password: String },
    Bearer(String),
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::read(headers).unwrap_or(Self::None)
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, code) = value.split_once(' ')?;
        let code = code.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(code.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(code).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Basic {
            name: name.to_owned(),
            password: password.to_owned(),
        })
    }

    /// Who it says it is; a token that nobody knows is nobody's.
    pub(super) fn claim<'a>(&'a self, users: &'a [User]) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Basic { name, .. } => Some(name),
            Self::Bearer(token) => {
                let mut holders = users.iter();
                let holder = holders
                    .find(|user| matches!(&user.secret, Secret::Token(known, _) if known == token));
                holder.map(|user| user.name.as_str())
            }
        }
    }

    /// The user, when everything is right; wrong passwords are counted.
    pub(super) fn check<'a>(
        &self,
        users: &'a [User],
        world: &mut World,
        forgiven: Option<u32>,
    ) -> Option<&'a User> {
        let now = world.now().timestamp();
        match self {
            Self::None => None,
            Self::Bearer(token) => users.iter().find(|user| match &user.secret {
                Secret::Token(known, expiry) => {
                    known == token && expiry.is_none_or(|expiry| now < expiry)
                }
                Secret::Password(_) => false,
            }),
            Self::Basic { name, password } => {
                let with_password =
                    |user: &&User| user.name == *name && matches!(user.secret, Secret::Password(_));
                let user = users.iter().find(with_password)?;
                let tries = world.bad_tries.entry(name.clone()).or_default();
                if forgiven.is_some_and(|forgiven| *tries >= forgiven) {
                    return None;
                }
                if user.secret == Secret::Password(password.clone()) {
                    *tries = 0;
                    return Some(user);
                }
                *tries = tries.saturating_add(1);
                None
            }
        }
    }
}
