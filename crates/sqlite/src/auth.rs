//! Ports of `resync-auth`.
//!
//! Ids are 16-byte blobs, times milliseconds since 1970. A role or a name that does not parse names its
//! table, column and row, and is never read as something else.

mod api_keys;
mod sessions;
mod users;

pub use api_keys::SqliteApiKeyRepository;
pub use sessions::SqliteSessionStore;
pub use users::SqliteUserRepository;

use chrono::{DateTime, Utc};

use crate::SqliteError;

/// A time as it is stored.
fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// A stored time; `id` and the names are for the error.
fn time(
    millis: i64,
    table: &'static str,
    column: &'static str,
    id: uuid::Uuid,
) -> Result<DateTime<Utc>, SqliteError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| SqliteError::Column {
        table,
        column,
        id: id.to_string(),
        source: "out of range".into(),
    })
}
