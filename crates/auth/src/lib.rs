//! Users, credentials, tokens, lockout and permissions.
//!
//! Invariants:
//! - Rights come from [`Role::permissions`] alone; whoever asks is a [`Principal`].
//! - One password hasher, one token minter, one token verifier; none can exist without a good key.
//! - An attempt on a password is counted before the password is looked at.
//! - What guards never fails open: a store that does not answer lets nobody in who was not let in within
//!   the last minute, and nobody change anything.
//! - What was ended is dead before the call that ended it returns.
//! - Nothing here is global, and nothing here knows HTTP or a database.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::sync::Arc;
//!
//! use resync_auth::*;
//! use resync_kernel::{ExposeSecret, SecretString, SystemClock, SystemIds};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = AuthKeys::derive(&SecretString::from("a secret of 32 bytes or more, from config"))?;
//! let (clock, one) = (Arc::new(SystemClock::new()), NonZeroUsize::MIN);
//! let hasher = Arc::new(BcryptPool::start(BcryptConfig { cost: 4, workers: one, queue: one })?);
//! let ports = resync_memory::auth::ports(hasher, clock.clone(), Arc::new(SystemIds));
//! let minter = TokenMinter::new(&keys, TokenConfig::default(), clock.clone())?;
//! let verifier = TokenVerifier::new(&keys, &TokenConfig::default(), clock)?;
//!
//! let users = UserService::new(ports.clone(), PasswordPolicy::default());
//! let login = LoginService::new(ports.clone(), minter, CsrfTokens::new(&keys)?);
//! let sessions = SessionService::new(ports, verifier, SessionPolicy::default());
//!
//! let password = SecretString::from("correct horse battery");
//! users.ensure_first_admin(Username::parse("ana")?, password.clone()).await?;
//! let address = std::net::IpAddr::from([192, 0, 2, 7]);
//! let logged_in = login.log_in("Ana", password, address).await?;
//!
//! let token = logged_in.token.expose_secret();
//! let who = sessions.authenticate(token).await?;
//! assert!(who.can(Permission::ManageUsers));
//!
//! sessions.log_out(&who, Origin::of(&who)).await?;
//! assert!(matches!(sessions.authenticate(token).await, Err(AuthenticateError::Invalid)));
//! # Ok(())
//! # }
//! ```

mod bcrypt_pool;
mod csrf;
mod keys;
mod lockout;
mod memory;
mod model;
mod oidc;
mod ports;
mod rate_limit;
mod service;
mod token;
mod workers;

#[cfg(feature = "contract")]
pub mod contract;

pub use bcrypt_pool::{BcryptConfig, BcryptPool, BcryptPoolError};
pub use csrf::{CsrfKeyError, CsrfTokens};
pub use keys::{AuthKeys, AuthKeysError, DerivedKey};
pub use lockout::InProcessLockout;
pub use memory::SessionMemory;
pub use model::*;
pub use oidc::*;
pub use ports::*;
#[cfg(any(test, feature = "mocks"))]
pub use rate_limit::MockRateLimiter;
pub use rate_limit::{
    InProcessRateLimiter, RateClass, RateDecision, RateKey, RateLimiter, RateLimiterError,
    RateLimits,
};
pub use service::*;
pub use token::{
    Claims, Minted, TokenConfig, TokenError, TokenMinter, TokenSetupError, TokenSubject,
    TokenVerifier,
};

/// The example in the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
