//! Values on their way out of a row.
//!
//! Invariant: what the domain does not take is an error that names table, column and row, and is
//! never read as something else.

use std::fmt::Display;

use resync_kernel::BoxError;

use crate::SqliteError;

/// A row, by the names that an error gives it.
#[derive(Clone, Copy)]
pub(crate) struct RowName<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a dyn Display,
}

impl RowName<'_> {
    pub(crate) fn broken(self, column: &'static str, source: impl Into<BoxError>) -> SqliteError {
        SqliteError::Column {
            table: self.table,
            column,
            id: self.id.to_string(),
            source: source.into(),
        }
    }

    /// A time, stored as milliseconds since 1970.
    #[cfg(any(feature = "auth", feature = "chat", feature = "rag"))]
    pub(crate) fn time(
        self,
        column: &'static str,
        millis: i64,
    ) -> Result<chrono::DateTime<chrono::Utc>, SqliteError> {
        chrono::DateTime::from_timestamp_millis(millis)
            .ok_or_else(|| self.broken(column, "out of range"))
    }

    /// A number without a sign; SQLite's integers have one.
    #[cfg(any(feature = "chat", feature = "rag", feature = "tws"))]
    pub(crate) fn number<T>(self, column: &'static str, stored: i64) -> Result<T, SqliteError>
    where
        T: TryFrom<i64, Error: Into<BoxError>>,
    {
        T::try_from(stored).map_err(|error| self.broken(column, error))
    }

    #[cfg(any(feature = "chat", feature = "rag", feature = "tws"))]
    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        self,
        column: &'static str,
        text: &str,
    ) -> Result<T, SqliteError> {
        serde_json::from_str(text).map_err(|error| self.broken(column, error))
    }
}

/// A number for SQLite. One beyond its range is stored as the greatest it has.
#[cfg(any(feature = "chat", feature = "rag", feature = "tws"))]
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
