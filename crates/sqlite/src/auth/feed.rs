//! Whether another process changed the database file.
//!
//! Invariants:
//! - `PRAGMA data_version` of one connection is another number after each commit by any other connection.
//!   It is asked on the writer's, so that our own commits, all of which go through it, do not count.
//! - A change by another process shows within 100 ms, for it is asked every 50. When there was no good
//!   answer for a second, because the writer is held or the file is away, changes are not being followed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use resync_auth::SessionFeed;
use resync_kernel::{Clock, Monotonic};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{SqliteDatabase, SqliteError};

const EVERY: Duration = Duration::from_millis(50);
/// How old a good answer may be.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// Follows the changes of a database file. It follows nothing until [`SqliteSessionFeed::run`] runs.
pub struct SqliteSessionFeed {
    database: SqliteDatabase,
    clock: Arc<dyn Clock>,
    /// Changes seen so far.
    generation: AtomicU64,
    /// The last answer.
    version: AtomicI64,
    /// When that was, in milliseconds of the monotonic clock, plus one; zero before the first answer.
    answered_ms: AtomicU64,
}

impl SqliteSessionFeed {
    /// A feed of the file of `database`.
    #[must_use]
    pub fn new(database: SqliteDatabase, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            generation: AtomicU64::new(0),
            version: AtomicI64::new(0),
            answered_ms: AtomicU64::new(0),
        }
    }

    /// Asks every 50 ms, until the end.
    ///
    /// Cancel safe: dropped, it follows nothing from a second later on.
    pub async fn run(&self, until: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fails = false;
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                _ = tick.tick() => {}
            }
            match self.poll().await {
                Ok(()) => fails = false,
                Err(error) if !fails => {
                    fails = true;
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "changes of the database are not being followed; each request asks it"
                    );
                }
                Err(_) => {}
            }
        }
    }

    /// Asks once. Calls of one feed must not overlap.
    ///
    /// # Errors
    /// [`SqliteError`] when the database does not answer; changes are then not followed until it does.
    pub async fn poll(&self) -> Result<(), SqliteError> {
        // The time before the question: what is answered holds at least up to then.
        let asked = self.clock.monotonic();
        match self.database.version().await {
            Ok(version) => {
                if self.version.swap(version, Ordering::SeqCst) != version {
                    self.generation.fetch_add(1, Ordering::SeqCst);
                }
                self.answered_ms
                    .store(asked.millis().saturating_add(1), Ordering::SeqCst);
                Ok(())
            }
            Err(error) => {
                self.answered_ms.store(0, Ordering::SeqCst);
                Err(error)
            }
        }
    }
}

impl SessionFeed for SqliteSessionFeed {
    fn generation(&self) -> Option<u64> {
        let answered = self.answered_ms.load(Ordering::SeqCst).checked_sub(1)?;
        let answered = Monotonic::from_start(Duration::from_millis(answered));
        let age = self.clock.monotonic() - answered;
        (age < GOOD_FOR).then(|| self.generation.load(Ordering::SeqCst))
    }
}
