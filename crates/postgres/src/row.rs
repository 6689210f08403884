//! Values on their way into a row and out of it.
//!
//! Invariants:
//! - What the domain does not take is an error that names table, column and row, and is never read as
//!   something else.
//! - A text that comes from outside goes in through [`storable`], for PostgreSQL has no NUL.

use std::borrow::Cow;
use std::fmt::Display;

use resync_kernel::BoxError;

use crate::PgError;

/// A row, by the names that an error gives it.
#[derive(Clone, Copy)]
pub(crate) struct RowName<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a dyn Display,
}

impl RowName<'_> {
    pub(crate) fn broken(self, column: &'static str, source: impl Into<BoxError>) -> PgError {
        PgError::Column {
            table: self.table,
            column,
            id: self.id.to_string(),
            source: source.into(),
        }
    }

    /// A time, stored as milliseconds since 1970.
    pub(crate) fn time(
        self,
        column: &'static str,
        millis: i64,
    ) -> Result<chrono::DateTime<chrono::Utc>, PgError> {
        chrono::DateTime::from_timestamp_millis(millis)
            .ok_or_else(|| self.broken(column, "out of range"))
    }

    /// A number without a sign; PostgreSQL's integers have one.
    pub(crate) fn number<T>(self, column: &'static str, stored: i64) -> Result<T, PgError>
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
    ) -> Result<T, PgError> {
        serde_json::from_str(text).map_err(|error| self.broken(column, error))
    }
}

/// A number for PostgreSQL. One beyond its range is stored as the greatest it has.
#[cfg(any(feature = "chat", feature = "rag", feature = "tws"))]
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `text` with U+FFFD for each NUL, which no text of PostgreSQL can hold.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_nul_is_as_it_was() {
        assert!(matches!(storable("ação"), Cow::Borrowed("ação")));
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
    }
}
