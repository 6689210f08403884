//! Users, credentials, tokens, lockout and permissions.
//!
//! Invariants:
//! - Rights come from [`Role::permissions`] alone; whoever asks is a [`Principal`].
//! - One password hasher, one token minter, one token verifier; none can exist without a good key.
//! - An attempt on a password is counted before the password is looked at.
//! - What guards never fails open: a store that does not answer lets nobody in.
//! - Nothing here is global, and nothing here knows HTTP or a database.

mod bcrypt_pool;
mod csrf;
mod keys;
mod lockout;
mod model;
mod ports;
mod service;
mod token;
mod workers;

#[cfg(feature = "contract")]
pub mod contract;

pub use bcrypt_pool::{BcryptConfig, BcryptPool, BcryptPoolError};
pub use csrf::{CsrfKeyError, CsrfTokens};
pub use keys::{AuthKeys, AuthKeysError, DerivedKey};
pub use lockout::InProcessLockout;
pub use model::*;
pub use ports::*;
pub use service::*;
pub use token::{
    Claims, Minted, TokenConfig, TokenError, TokenMinter, TokenSetupError, TokenSubject,
    TokenVerifier,
};
