//! One's own account: signing in and out, password, sessions, API keys, and the first administrator.
//!
//! - A token leaves in `Set-Cookie` alone (P1-09); a key's text leaves once, in the answer that made it.
//! - Another user's session or key reads as one that does not exist.

pub(crate) mod api_keys;
pub(crate) mod login;
pub(crate) mod oidc;
pub(crate) mod origin;
pub(crate) mod password;
pub(crate) mod sessions;
pub(crate) mod setup;
