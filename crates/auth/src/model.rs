//! Who may do what: names, roles, permissions, users, principals and sessions.
//!
//! Nothing here does I/O; a value that exists is valid.

mod api_key;
mod client;
mod ids;
mod origin;
mod password;
mod principal;
mod role;
mod session;
mod user;
mod username;

pub use api_key::{ApiKey, ApiKeyDigest, ApiKeyId};
pub use client::{AgentLabel, Client};
pub use ids::{SessionId, TokenId};
pub use origin::{Actor, LocalUser, Origin};
pub use password::{
    BreachList, BreachListError, PasswordHash, PasswordPolicy, PasswordPolicyError,
    PasswordSuggestion, PasswordWarning, Strength,
};
pub use principal::Principal;
pub use role::{Permission, Role, UnknownPermission, UnknownRole};
pub use session::Session;
pub use user::User;
pub use username::{Username, UsernameError};
