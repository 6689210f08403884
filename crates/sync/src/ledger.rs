//! What was done under a key, so that asking again tells the result and does nothing twice.
//!
//! 1. Of those who begin under one key at the same time, one does the work; the others are told that
//!    it is under way (`one_of_many_is_first`).
//! 2. A result is told again only to who asks for the same thing; the same key with another question is
//!    refused (`another_question_under_the_key_is_refused`).
//! 3. Work that ended without a result, by error, cancellation or panic, leaves nothing behind
//!    (`what_ends_without_a_result_leaves_nothing`, `a_panic_leaves_nothing`).
//! 4. A result is forgotten after its time, and the oldest one when there are too many; what is under
//!    way is never forgotten (`results_age_and_are_bounded`).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resync_kernel::{Clock, Monotonic};

/// Digest of a question.
pub type Fingerprint = [u8; 32];

enum State<V> {
    UnderWay,
    Done { result: V, at: Monotonic },
}

struct Entry<V> {
    fingerprint: Fingerprint,
    state: State<V>,
}

/// Remembers results by key. Cheap to clone; clones share.
pub struct Ledger<K, V>(Arc<Shared<K, V>>);

struct Shared<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    clock: Arc<dyn Clock>,
    keep: Duration,
    most: usize,
}

impl<K, V> Clone for Ledger<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What [`Ledger::begin`] found.
pub enum Begun<K: Eq + Hash, V> {
    /// Nobody did it yet: do it, and [`Claim::finish`].
    First(Claim<K, V>),
    /// It was done; this came of it.
    Done(V),
    /// Somebody does it right now, or the ledger is full of what is under way.
    UnderWay,
    /// The key was used for another question.
    OtherQuestion,
}

impl<K: Eq + Hash + Clone, V: Clone> Ledger<K, V> {
    /// A ledger that keeps a result for `keep`, and at most `most` entries, at least one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, keep: Duration, most: usize) -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::default(),
            clock,
            keep,
            most: most.max(1),
        }))
    }

    /// Begins the work of `key`, unless it was done or is under way.
    #[must_use]
    pub fn begin(&self, key: K, fingerprint: Fingerprint) -> Begun<K, V> {
        let now = self.0.clock.monotonic();
        let mut entries = self.0.entries();
        if let Some(entry) = entries.get(&key) {
            match &entry.state {
                State::Done { at, .. } if now - *at >= self.0.keep => {}
                _ if entry.fingerprint != fingerprint => return Begun::OtherQuestion,
                State::Done { result, .. } => return Begun::Done(result.clone()),
                State::UnderWay => return Begun::UnderWay,
            }
        }
        if entries.len() >= self.0.most && !entries.contains_key(&key) {
            let keep = self.0.keep;
            entries.retain(
                |_, entry| !matches!(&entry.state, State::Done { at, .. } if now - *at >= keep),
            );
            if entries.len() >= self.0.most {
                let done = entries.iter().filter_map(|(key, entry)| match entry.state {
                    State::Done { at, .. } => Some((at, key)),
                    State::UnderWay => None,
                });
                let Some(oldest) = done.min_by_key(|(at, _)| *at).map(|(_, key)| key.clone())
                else {
                    return Begun::UnderWay;
                };
                entries.remove(&oldest);
            }
        }
        let state = State::UnderWay;
        entries.insert(key.clone(), Entry { fingerprint, state });
        drop(entries);
        Begun::First(Claim {
            shared: Arc::clone(&self.0),
            key: Some(key),
        })
    }

    /// How many results and works under way there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries().len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> Shared<K, V> {
    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        // Held for a few lines without await that leave whole entries.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to do the work of a key. Dropped without [`Claim::finish`], it is as if nobody had begun.
#[must_use = "the work is under way until this is finished or dropped"]
pub struct Claim<K: Eq + Hash, V> {
    shared: Arc<Shared<K, V>>,
    key: Option<K>,
}

impl<K: Eq + Hash, V> Claim<K, V> {
    /// Keeps what came of the work.
    pub fn finish(mut self, result: V) {
        let Some(key) = self.key.take() else { return };
        let at = self.shared.clock.monotonic();
        if let Some(entry) = self.shared.entries().get_mut(&key) {
            entry.state = State::Done { result, at };
        }
    }
}

impl<K: Eq + Hash, V> Drop for Claim<K, V> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.shared.entries().remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resync_kernel::ManualClock;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const HOUR: Duration = Duration::from_hours(1);

    fn ledger(most: usize) -> (Ledger<u32, u32>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (Ledger::new(clock.clone(), HOUR, most), clock)
    }

    fn claim(ledger: &Ledger<u32, u32>, key: u32) -> Claim<u32, u32> {
        match ledger.begin(key, [0; 32]) {
            Begun::First(claim) => claim,
            _ => panic!("{key} is taken"),
        }
    }

    #[test]
    fn one_of_many_is_first() {
        let (ledger, _) = ledger(10);
        let claims: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| ledger.begin(1, [0; 32])))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let mut first: Vec<_> = claims
            .into_iter()
            .filter_map(|begun| match begun {
                Begun::First(claim) => Some(claim),
                Begun::UnderWay => None,
                _ => panic!("nothing is done yet"),
            })
            .collect();
        assert_eq!(first.len(), 1);
        first.remove(0).finish(7);
        assert!(matches!(ledger.begin(1, [0; 32]), Begun::Done(7)));
    }

    #[test]
    fn another_question_under_the_key_is_refused() {
        let (ledger, _) = ledger(10);
        let under_way = claim(&ledger, 1);
        assert!(matches!(ledger.begin(1, [1; 32]), Begun::OtherQuestion));
        under_way.finish(7);
        assert!(matches!(ledger.begin(1, [1; 32]), Begun::OtherQuestion));
    }

    #[test]
    fn what_ends_without_a_result_leaves_nothing() {
        let (ledger, _) = ledger(10);
        drop(claim(&ledger, 1));
        assert!(ledger.is_empty());
        claim(&ledger, 1).finish(7);
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn a_panic_leaves_nothing() {
        let (ledger, _) = ledger(10);
        let work = AssertUnwindSafe(|| {
            let _claim = claim(&ledger, 1);
            panic!("the work failed");
        });
        assert!(catch_unwind(work).is_err());
        assert!(ledger.is_empty());
    }

    #[test]
    fn results_age_and_are_bounded() {
        let (ledger, clock) = ledger(2);
        claim(&ledger, 1).finish(1);
        clock.advance(Duration::from_secs(1));
        claim(&ledger, 2).finish(2);
        let third = claim(&ledger, 3);
        assert!(matches!(ledger.begin(2, [0; 32]), Begun::Done(2)));
        let fourth = claim(&ledger, 1);
        assert!(matches!(ledger.begin(5, [0; 32]), Begun::UnderWay));
        fourth.finish(4);
        clock.advance(HOUR);
        drop(claim(&ledger, 1));
        third.finish(3);
        assert_eq!(ledger.len(), 1);
    }
}
