//! An async once-cell: one initialisation at a time, success kept, failure not.
//!
//! 1. `init_once_under_100_tasks`: while one runs no second one starts, and after a success none.
//! 2. `init_retries_after_error`: an error reaches those who waited; who comes later tries anew.
//! 3. `init_survives_cancelled_first_caller`: a dropped (or panicking) initialiser hands over to
//!    the next who waits.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A value that is made at its first use.
#[derive(Debug)]
pub struct OnceInit<T, E> {
    value: OnceLock<T>,
    /// Held across the initialisation, so an async mutex; it guards the right to run one.
    gate: tokio::sync::Mutex<()>,
    /// The count of failures and the last one, for those who waited at the gate meanwhile. A
    /// `std::sync::Mutex`, since nobody awaits under it.
    failures: Mutex<(u64, Option<E>)>,
}

impl<T, E> Default for OnceInit<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E> OnceInit<T, E> {
    /// An empty cell.
    #[must_use]
    pub fn new() -> Self {
        let (gate, failures) = (tokio::sync::Mutex::new(()), Mutex::new((0, None)));
        Self {
            value: OnceLock::new(),
            gate,
            failures,
        }
    }

    /// The value, if it has been made. Takes no lock.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }
}

impl<T, E: Clone> OnceInit<T, E> {
    /// The value; `init` makes it if it is not there and no other caller's initialisation is.
    ///
    /// Cancel safe: `init` runs within the caller, and when that is dropped the next who waits
    /// runs its own.
    ///
    /// # Errors
    /// What `init` gave, or what the initialisation gave that ended while this caller waited: the
    /// error of a slow failure is shared, not repeated by each who waited for it. It is not kept.
    pub async fn get_or_try_init<F, Fut>(&self, init: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let (failures_before, _) = self.failures();
        let _right = self.gate.lock().await;
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        if let (failures, Some(error)) = self.failures()
            && failures > failures_before
        {
            return Err(error);
        }
        match init().await {
            // Only the holder of the gate writes, so this is its own value.
            Ok(value) => Ok(self.value.get_or_init(|| value)),
            Err(error) => {
                let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                *failures = (failures.0 + 1, Some(error.clone()));
                Err(error)
            }
        }
    }

    fn failures(&self) -> (u64, Option<E>) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
