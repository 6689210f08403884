//! Ports of `resync-auth`.
//!
//! A role or a name that does not parse names its table, column and row, and is never read as something
//! else. Who may be an administrator is decided under a lock of its own, so that two replicas cannot
//! both take away the last but one.

mod api_keys;
mod feed;
mod identities;
mod sessions;
mod setup;
mod users;

pub use api_keys::PgApiKeyRepository;
pub use feed::PgSessionFeed;
pub use identities::PgIdentityStore;
pub use sessions::PgSessionStore;
pub use setup::PgSetupTokenStore;
pub use users::PgUserRepository;
