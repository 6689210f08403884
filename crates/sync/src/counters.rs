//! What a cache counts, in slots by thread: two cores that hit do not share a line.
//!
//! 1. `counts_of_all_threads_add_up`: nothing is lost, whichever slot a thread has.
//!
//! The first threads of the process own a slot each, which they alone write, so that counting is a
//! load and a store and no locked instruction. All later threads share the last slot and add
//! atomically.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads with a slot of their own.
const OWN: usize = 31;

/// What happened in a cache since it was built, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads answered by a fresh entry.
    pub hits: u64,
    /// Reads answered by a stale entry.
    pub stale_hits: u64,
    /// Reads that found nothing to serve and started a fetch, or had none to start ([`get`]).
    ///
    /// [`get`]: crate::Cache::get
    pub misses: u64,
    /// Reads that waited for the fetch of another.
    pub coalesced: u64,
    /// Refreshes started by stale hits.
    pub refreshes: u64,
    /// Fetches that failed, panicked or were cancelled.
    pub fetch_errors: u64,
    /// Entries removed for want of room.
    pub evictions: u64,
    /// Entries removed because they were past their stale window.
    pub expired: u64,
    /// Entries held now.
    pub entries: usize,
    /// Weight of the entries held now, in bytes.
    pub bytes: usize,
    /// Fetches that run now.
    pub in_flight: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Hit,
    StaleHit,
    Miss,
    Coalesced,
    Refresh,
    FetchError,
    Eviction,
    Expired,
}

const EVENTS: usize = 8;

/// One thread's counts; 128 bytes, since cores fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot([AtomicU64; EVENTS]);

#[derive(Debug)]
pub(crate) struct Counters {
    own: [Slot; OWN],
    shared: Slot,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            own: std::array::from_fn(|_| Slot::default()),
            shared: Slot::default(),
        }
    }

    #[inline]
    pub(crate) fn count(&self, event: Event) {
        self.add(event, 1);
    }

    #[inline]
    pub(crate) fn add(&self, event: Event, n: u64) {
        let event = event as usize;
        if let Some(count) = self
            .own
            .get(thread_number())
            .and_then(|slot| slot.0.get(event))
        {
            // Nobody else writes this one, so nothing can come between the load and the store.
            count.store(
                count.load(Ordering::Relaxed).wrapping_add(n),
                Ordering::Relaxed,
            );
        } else if let Some(count) = self.shared.0.get(event) {
            count.fetch_add(n, Ordering::Relaxed);
        }
    }

    pub(crate) fn sum(&self, event: Event) -> u64 {
        let slots = self.own.iter().chain([&self.shared]);
        let counts = slots.filter_map(|slot| slot.0.get(event as usize));
        counts
            .map(|count| count.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// The number of this thread, given at its first count and never again to another. A property of
/// threads, not of caches: the one counter of the process here only hands out numbers.
#[inline]
fn thread_number() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    const NONE: usize = usize::MAX;
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    }
    NUMBER.with(|number| {
        if number.get() == NONE {
            number.set(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_threads_add_up() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..(2 * OWN) {
                scope.spawn(|| (0..100).for_each(|_| counters.count(Event::Hit)));
            }
        });
        assert_eq!(counters.sum(Event::Hit), 200 * OWN as u64);
        assert_eq!(counters.sum(Event::Miss), 0);
    }
}
