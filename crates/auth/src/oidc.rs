//! Signing in at the company's identity provider (`OpenID` Connect).
//!
//! Invariants:
//! - A sign-in that began in one browser ends in that browser: what came back is compared with a sealed
//!   value that only this browser's cookie holds, for [`PENDING`]. Any replica with the same secret can end
//!   it.
//! - An account is known by (issuer, subject) alone. A name that a local account has already is refused,
//!   so that nobody becomes somebody by choosing a name elsewhere.
//! - The role is what the provider's groups say now; one that changed ends the sessions of before. Without
//!   a group that we know nobody signs in.
//! - What the browser is sent back to is a path of ours.
//!
//! An account that came this way has a password that nobody ever saw.

mod pending;
mod ports;
mod service;

pub use pending::{PENDING, Pending, ReturnTo, SignInKeyError, SignInSeal};
pub use ports::{
    ExternalAccount, ExternalIdentity, IdentityProvider, IdentityStore, IdentityStoreError,
    ProviderError, RedeemError, SignInRequest,
};
#[cfg(any(test, feature = "mocks"))]
pub use ports::{MockIdentityProvider, MockIdentityStore};
pub use service::{BeginError, Begun, CompleteError, ExternalSignIn, GroupRoles};
