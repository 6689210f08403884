//! The error of a port on its way through a write, where statements fail with the driver's own.
//!
//! A port says what the store's error means to it by `From<SqliteError>`.

use crate::SqliteError;

/// Carries the port's error `E`, so that `?` takes it, [`SqliteError`] and the driver's alike.
pub(crate) struct Failed<E>(pub(crate) E);

impl<E> Failed<E> {
    /// The port's error.
    pub(crate) fn port(self) -> E {
        self.0
    }
}

impl<E: From<SqliteError>> From<SqliteError> for Failed<E> {
    fn from(error: SqliteError) -> Self {
        Self(error.into())
    }
}

impl<E: From<SqliteError>> From<sqlx::Error> for Failed<E> {
    fn from(error: sqlx::Error) -> Self {
        SqliteError::from(error).into()
    }
}
