//! A fetch that runs, and those who wait for it.
//!
//! 1. `lock_table_empty_after_panic`: a flight that is dropped without a result lands with
//!    [`FetchLost`], so that no waiter sleeps for ever.
//! 2. `coalesce_shares_error`: every waiter gets the one result, value or error.

use std::sync::OnceLock;

use tokio::sync::Notify;

/// One result for all who wait.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    /// Set once, before `landed` is rung; a waiter that registered and then reads misses nothing.
    result: OnceLock<T>,
    landed: Notify,
}

impl<T: Clone> Flight<T> {
    pub(crate) fn new() -> Self {
        Self {
            result: OnceLock::new(),
            landed: Notify::new(),
        }
    }

    /// Gives `result` to all who wait and to all who come later; the first result stands.
    pub(crate) fn land(&self, result: T) {
        if self.result.set(result).is_ok() {
            self.landed.notify_waiters();
        }
    }

    /// The result. Cancel safe: a dropped waiter leaves no trace.
    pub(crate) async fn wait(&self) -> T {
        loop {
            let landed = self.landed.notified();
            if let Some(result) = self.result.get() {
                return result.clone();
            }
            landed.await;
        }
    }
}
