//! Ports of `resync-auth`.
//!
//! Ids are 16-byte blobs, times milliseconds since 1970. A role or a name that does not parse names its
//! table, column and row, and is never read as something else.

mod api_keys;
mod feed;
mod identities;
mod sessions;
mod setup;
mod users;

pub use api_keys::SqliteApiKeyRepository;
pub use feed::SqliteSessionFeed;
pub use identities::SqliteIdentityStore;
pub use sessions::SqliteSessionStore;
pub use setup::SqliteSetupTokenStore;
pub use users::SqliteUserRepository;
