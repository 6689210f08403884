//! What a cache counts, in slots by thread: two cores that hit do not share a line.
//!
//! 1. `counts_of_all_threads_add_up`: nothing is lost, whichever slot a thread has.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SLOTS: usize = 16;

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
pub(crate) struct Counters([Slot; SLOTS]);

impl Counters {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Slot::default()))
    }

    pub(crate) fn count(&self, event: Event) {
        self.add(event, 1);
    }

    pub(crate) fn add(&self, event: Event, n: u64) {
        let count = self
            .0
            .get(thread_slot())
            .and_then(|slot| slot.0.get(event as usize));
        if let Some(count) = count {
            count.fetch_add(n, Ordering::Relaxed);
        }
    }

    pub(crate) fn sum(&self, event: Event) -> u64 {
        let counts = self.0.iter().filter_map(|slot| slot.0.get(event as usize));
        counts
            .map(|count| count.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// The slot of this thread. A property of threads, not of caches: the one counter of the process
/// here only hands out numbers, and two threads with the same one are slower, not wrong.
fn thread_slot() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    const NONE: usize = usize::MAX;
    thread_local! {
        static SLOT: Cell<usize> = const { Cell::new(NONE) };
    }
    SLOT.with(|slot| {
        if slot.get() == NONE {
            slot.set(THREADS.fetch_add(1, Ordering::Relaxed) % SLOTS);
        }
        slot.get() % SLOTS
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
            for _ in 0..(SLOTS + 3) {
                scope.spawn(|| (0..100).for_each(|_| counters.count(Event::Hit)));
            }
        });
        assert_eq!(counters.sum(Event::Hit), 100 * (SLOTS as u64 + 3));
        assert_eq!(counters.sum(Event::Miss), 0);
    }
}
