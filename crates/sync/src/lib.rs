//! Every lock we write: the stale-while-revalidate cache with its single flight, and the once-cell.
//!
//! Invariants:
//! - A hit takes no lock and has no await: one lock-free map read, one coarse tick, one counter.
//! - While a fetch of a key runs, no second one of that key starts; its callers share the result
//!   or the error, and none of them can strand the others.
//! - What was fetched before an invalidation is never written after it.
//! - What replicas share (entries, notices, leases, answers) are ports here, with adapters for one process.
//! - Nothing here is global: a [`Cache`] or [`OnceInit`] is a value that `server` builds and shares.
//! - Plain state (who leads, who may write, who refreshes) is free of `async` and run under loom.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use resync_kernel::SystemClock;
//! use resync_sync::{
//!     Cache, CacheKey, CacheLimits, CacheParts, FetchLost, Fetched, Freshness, TaskTracker, Windows,
//! };
//!
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! struct JobKey { engine: u16, job: String }
//!
//! impl CacheKey for JobKey {
//!     type Scope = u16;
//!     fn is_within(&self, engine: &u16) -> bool { self.engine == *engine }
//! }
//!
//! #[derive(Debug, Clone, thiserror::Error)]
//! #[error("the plan cannot be read")]
//! struct PlanError;
//! impl From<FetchLost> for PlanError {
//!     fn from(_: FetchLost) -> Self { Self }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), PlanError> {
//! let cache: Cache<JobKey, u32, PlanError> = Cache::new(CacheParts {
//!     clock: Arc::new(SystemClock::new()),
//!     tracker: TaskTracker::new(),
//!     limits: CacheLimits { max_entries: 1_000, max_bytes: 1 << 20 },
//! });
//! let windows = Windows { fresh: Duration::from_secs(10), stale: Duration::from_secs(30) };
//! let key = JobKey { engine: 1, job: "PAYROLL".into() };
//! let fetch = || async { Ok(Fetched { value: 7, bytes: "7".into(), age: Duration::ZERO }) };
//!
//! let first = cache.get_or_fetch(&key, windows, fetch).await?;
//! assert_eq!((*first.value(), first.freshness()), (7, Freshness::Fetched));
//! let again = cache.get_or_fetch(&key, windows, fetch).await?;
//! assert_eq!(again.freshness(), Freshness::Fresh);
//!
//! cache.invalidate_scope(&1);
//! assert!(cache.get(&key).is_none());
//! # Ok(())
//! # }
//! ```

mod answers;
mod cache;
mod cached;
mod counters;
mod entry;
mod flight;
mod lease;
mod ledger;
mod notices;
mod once;
mod shared;
mod state;
mod store;
mod tick;

#[cfg(any(test, feature = "contract"))]
pub mod contract;

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests;

pub use answers::{AnswerClaim, AnswerStore, Asked, InProcessAnswers, KeepAnswer};
pub use cache::{Cache, CacheKey, CacheLimits, CacheParts, FetchLost, Fetched, Windows};
pub use cached::{Cached, ETag, Freshness};
pub use counters::CacheStats;
pub use lease::{InProcessLeases, Lease, LeaseError, Leases, lead};
pub use ledger::{Begun, Claim, Fingerprint, Ledger};
pub use notices::{
    Heard, InProcessBus, InProcessHub, Listeners, Notice, NoticeBus, NoticeError, Notices,
};
pub use once::OnceInit;
pub use shared::{
    Codec, EntryLease, INVALIDATED, InProcessEntries, Look, Pack, SharedCache, SharedEntries,
    SharedEntry, SharedKey, SharedParts, SharedSettings, SharedStats, SharedUnavailable,
};
/// Ends [`Cache::run_maintenance`]; re-exported so that a caller need not name its crate.
pub use tokio_util::sync::CancellationToken;
/// Where a [`Cache`] runs its fetches; re-exported as above.
pub use tokio_util::task::TaskTracker;
