//! The error of a port on its way through a transaction, where statements fail with the driver's own.
//!
//! A port says what the store's error means to it by `From<PgError>`.

use crate::PgError;

/// Carries the port's error `E`, so that `?` takes it, [`PgError`] and the driver's alike.
pub(crate) struct Failed<E>(pub(crate) E);

impl<E> Failed<E> {
    /// The port's error.
    pub(crate) fn port(self) -> E {
        self.0
    }
}

impl<E: From<PgError>> From<PgError> for Failed<E> {
    fn from(error: PgError) -> Self {
        Self(error.into())
    }
}

impl<E: From<PgError>> From<sqlx::Error> for Failed<E> {
    fn from(error: sqlx::Error) -> Self {
        PgError::from(error).into()
    }
}
