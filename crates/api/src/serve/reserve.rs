//! The few connections over the limit that are held for as long as it takes to tell them so.
//!
//! 1. `the_oldest_makes_room`: of one too many, the one that waits longest is evicted. A probe that
//!    asks at once is answered before enough others come; a silent client is not waited for.
//! 2. `a_place_is_given_back`: whoever leaves takes no place any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The places. Cheap to clone: all clones are one.
#[derive(Clone)]
pub(super) struct Reserve(Arc<Inner>);

struct Inner {
    capacity: usize,
    // Guards a small map for a few instructions, never across an await.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    last: u64,
    /// By number, and thereby by age.
    places: BTreeMap<u64, CancellationToken>,
}

/// A place, given back on drop.
pub(super) struct Place {
    reserve: Reserve,
    number: u64,
    evicted: CancellationToken,
}

impl Reserve {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Arc::new(Inner {
            capacity,
            held: Mutex::default(),
        }))
    }

    // Nothing panics under the lock, so a poisoned one still holds a whole map.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place; with none left the oldest is evicted for it.
    pub(super) fn enter(&self) -> Place {
        let evicted = CancellationToken::new();
        let mut held = self.lock();
        if held.places.len() >= self.0.capacity
            && let Some((_, oldest)) = held.places.pop_first()
        {
            oldest.cancel();
        }
        held.last += 1;
        let number = held.last;
        held.places.insert(number, evicted.clone());
        drop(held);
        Place {
            reserve: self.clone(),
            number,
            evicted,
        }
    }
}

impl Place {
    /// Cancelled when the place is needed.
    pub(super) fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.reserve.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let reserve = Reserve::new(2);
        let places: Vec<Place> = (0..5).map(|_| reserve.enter()).collect();
        let evicted: Vec<bool> = places
            .iter()
            .map(|place| place.evicted.is_cancelled())
            .collect();
        assert_eq!(evicted, [true, true, true, false, false]);
        assert_eq!(reserve.lock().places.len(), 2);
    }

    #[test]
    fn a_place_is_given_back() {
        let reserve = Reserve::new(2);
        let (first, second) = (reserve.enter(), reserve.enter());
        drop(first);
        let third = reserve.enter();
        assert!(!second.evicted.is_cancelled() && !third.evicted.is_cancelled());
        drop((second, third));
        assert!(reserve.lock().places.is_empty());
    }
}
