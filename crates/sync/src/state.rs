//! Who leads, who may write, who refreshes: plain state, without `async`, run under loom.
//!
//! 1. `loom_two_leaders_race_for_one_slot`: of callers that find no entry, exactly one leads.
//! 2. `loom_a_follower_of_a_leaving_leader_is_served`: a caller that comes while the leader leaves
//!    either joins a flight that lands, or sees what the leader wrote.
//! 3. `loom_an_invalidated_flight_does_not_write`: after an invalidation the map holds nothing that
//!    was fetched before it.
//! 4. `loom_one_of_many_stale_readers_refreshes`: one reader wins the flag until it is given back.
//!
//! The table stands behind the mutex of its shard; "a generation" is the identity of the flight in
//! it. An invalidation takes the flight out, so a flight that is no longer there may not write, and
//! nobody can join it any more.

use std::collections::HashMap;
use std::hash::Hash;
#[cfg(not(resync_loom))]
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(resync_loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

#[cfg(not(resync_loom))]
pub(crate) use std::sync::Arc as FlightArc;

#[cfg(resync_loom)]
pub(crate) use loom::sync::Arc as FlightArc;

/// What a caller is to a flight.
#[derive(Debug)]
pub(crate) enum Role<F> {
    /// It runs the fetch and must land the flight.
    Leads(FlightArc<F>),
    /// It waits for the result of another's fetch.
    Follows(FlightArc<F>),
}

/// The fetches that run, at most one a key.
#[derive(Debug)]
pub(crate) struct FlightTable<K, F> {
    flights: HashMap<K, FlightArc<F>, foldhash::fast::RandomState>,
}

impl<K, F> Default for FlightTable<K, F> {
    fn default() -> Self {
        Self {
            flights: HashMap::default(),
        }
    }
}

impl<K: Hash + Eq + Clone, F> FlightTable<K, F> {
    /// Joins the flight of `key`, or registers the one that `make` gives and leads it.
    pub(crate) fn join_or_lead(&mut self, key: &K, make: impl FnOnce() -> F) -> Role<F> {
        if let Some(flight) = self.flights.get(key) {
            return Role::Follows(FlightArc::clone(flight));
        }
        let flight = FlightArc::new(make());
        self.flights.insert(key.clone(), FlightArc::clone(&flight));
        Role::Leads(flight)
    }

    /// Takes `flight` out; whether it was still there, so that its leader may write.
    pub(crate) fn leave(&mut self, key: &K, flight: &FlightArc<F>) -> bool {
        let current = self
            .flights
            .get(key)
            .is_some_and(|current| FlightArc::ptr_eq(current, flight));
        if current {
            self.flights.remove(key);
            self.give_back_room();
        }
        current
    }

    /// Cuts the flights of these keys off: they land for those who wait, and write nothing.
    pub(crate) fn detach(&mut self, matches: impl Fn(&K) -> bool) {
        self.flights.retain(|key, _| !matches(key));
        self.give_back_room();
    }

    /// Cuts the flight of `key` off, as [`Self::detach`].
    pub(crate) fn detach_key(&mut self, key: &K) {
        self.flights.remove(key);
    }

    /// How many flights run.
    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    /// A burst of misses must not keep its table for ever.
    fn give_back_room(&mut self) {
        if self.flights.is_empty() && self.flights.capacity() > 64 {
            self.flights.shrink_to(0);
        }
    }
}

const RUNNING: u32 = 1 << 31;
const USED: u32 = 1 << 30;
/// The greatest age in milliseconds that fits: 12 days.
const RETRY: u32 = USED - 1;

/// Whether an entry is being refreshed, from what age that may be tried again, and whether it was
/// read since the evictor last looked.
///
/// One word: the top bit says "a refresh runs", the next one "it was read"; the rest is the age in
/// milliseconds from which the next try is allowed, zero while none has failed. A refresh that
/// succeeds replaces the entry, so only a failure is recorded.
#[derive(Debug)]
pub(crate) struct EntryState(AtomicU32);

impl EntryState {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Takes the refresh for a reader that saw the entry at `age_ms`; at most one holds it.
    pub(crate) fn try_begin(&self, age_ms: u64) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        if seen & RUNNING != 0 || age_ms < u64::from(seen & RETRY) {
            return false;
        }
        // What the refresh reads it reads under the shard's lock, so this orders nothing else.
        self.0.fetch_or(RUNNING, Ordering::AcqRel) & RUNNING == 0
    }

    /// Gives the refresh back after a failure; no new try before the entry is `retry_age_ms` old.
    pub(crate) fn fail(&self, retry_age_ms: u64) {
        let retry = u32::try_from(retry_age_ms).unwrap_or(RETRY).clamp(1, RETRY);
        self.0.store(retry | USED, Ordering::Release);
    }

    /// Gives the refresh back without a try.
    pub(crate) fn give_up(&self) {
        self.0.fetch_and(!RUNNING, Ordering::AcqRel);
    }

    /// Whether the last refresh that ended failed.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & RETRY != 0
    }

    /// Marks a read. Written once between two looks of the evictor, so the line of a hot entry is
    /// not fought over.
    #[inline]
    pub(crate) fn mark_used(&self) {
        if self.0.load(Ordering::Relaxed) & USED == 0 {
            self.0.fetch_or(USED, Ordering::Relaxed);
        }
    }

    /// Whether it was read since [`Self::forget_use`].
    pub(crate) fn is_used(&self) -> bool {
        self.0.load(Ordering::Relaxed) & USED != 0
    }

    /// The evictor's look.
    pub(crate) fn forget_use(&self) {
        self.0.fetch_and(!USED, Ordering::Relaxed);
    }
}

#[cfg(all(test, resync_loom))]
mod loom_models {
    use super::*;
    use loom::sync::atomic::AtomicUsize;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// A flight is its result: 0 while it runs.
    type Flight = AtomicUsize;

    /// A shard with one key: the flights, and what a reader would find in the map.
    #[derive(Default)]
    struct Model {
        shard: Mutex<FlightTable<u8, Flight>>,
        map: AtomicUsize,
    }

    impl Model {
        /// What a caller does: `Err` is a flight to wait for, `Ok(None)` a fetch of its own.
        fn miss(&self) -> Result<Option<Arc<Flight>>, Option<Arc<Flight>>> {
            let mut shard = self.shard.lock().unwrap();
            if self.map.load(Ordering::Acquire) != 0 {
                return Ok(None);
            }
            match shard.join_or_lead(&1, || AtomicUsize::new(0)) {
                Role::Leads(flight) => Ok(Some(flight)),
                Role::Follows(flight) => Err(Some(flight)),
            }
        }

        /// What a leader does when its fetch gave `value`.
        fn land(&self, flight: &Arc<Flight>, value: usize) {
            {
                let mut shard = self.shard.lock().unwrap();
                if shard.leave(&1, flight) {
                    self.map.store(value, Ordering::Release);
                }
            }
            flight.store(value, Ordering::Release);
        }

        fn invalidate(&self) {
            let mut shard = self.shard.lock().unwrap();
            shard.detach_key(&1);
            self.map.store(0, Ordering::Release);
        }
    }

    #[test]
    fn loom_two_leaders_race_for_one_slot() {
        loom::model(|| {
            let model = Arc::new(Model::default());
            let led = Arc::new(AtomicUsize::new(0));
            let callers: Vec<_> = (0..2)
                .map(|_| {
                    let (model, led) = (Arc::clone(&model), Arc::clone(&led));
                    thread::spawn(move || match model.miss() {
                        Ok(Some(flight)) => {
                            led.fetch_add(1, Ordering::Relaxed);
                            model.land(&flight, 7);
                            None
                        }
                        Ok(None) => None,
                        Err(flight) => flight,
                    })
                })
                .collect();
            let joined: Vec<_> = callers
                .into_iter()
                .filter_map(|c| c.join().unwrap())
                .collect();
            assert_eq!(led.load(Ordering::Relaxed), 1, "one fetch");
            assert!(
                joined
                    .iter()
                    .all(|flight| flight.load(Ordering::Acquire) == 7),
                "served"
            );
            assert_eq!(model.shard.lock().unwrap().len(), 0, "the table is empty");
        });
    }

    #[test]
    fn loom_a_follower_of_a_leaving_leader_is_served() {
        loom::model(|| {
            let model = Arc::new(Model::default());
            let Ok(Some(flight)) = model.miss() else {
                unreachable!("the map is empty")
            };
            let leader = {
                let model = Arc::clone(&model);
                thread::spawn(move || model.land(&flight, 7))
            };
            let follower = model.miss();
            leader.join().unwrap();
            match follower {
                Err(Some(flight)) => assert_eq!(flight.load(Ordering::Acquire), 7),
                Ok(None) => assert_eq!(model.map.load(Ordering::Acquire), 7),
                _ => unreachable!("a second fetch of a key that is there"),
            }
            assert_eq!(model.shard.lock().unwrap().len(), 0);
        });
    }

    #[test]
    fn loom_an_invalidated_flight_does_not_write() {
        loom::model(|| {
            let model = Arc::new(Model::default());
            let Ok(Some(old)) = model.miss() else {
                unreachable!("the map is empty")
            };
            let leader = {
                let (model, old) = (Arc::clone(&model), Arc::clone(&old));
                thread::spawn(move || model.land(&old, 7))
            };
            model.invalidate();
            // A caller after the invalidation fetches anew, whatever the old leader does.
            let Ok(Some(new)) = model.miss() else {
                unreachable!("joined the old flight")
            };
            model.land(&new, 8);
            leader.join().unwrap();
            assert_eq!(model.map.load(Ordering::Acquire), 8, "the old fetch wrote");
            assert_eq!(
                old.load(Ordering::Acquire),
                7,
                "its waiters still get its value"
            );
            assert_eq!(model.shard.lock().unwrap().len(), 0);
        });
    }

    #[test]
    fn loom_one_of_many_stale_readers_refreshes() {
        loom::model(|| {
            let flag = Arc::new(EntryState::new());
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let flag = Arc::clone(&flag);
                    thread::spawn(move || flag.try_begin(10))
                })
                .collect();
            let won = readers
                .into_iter()
                .map(|r| r.join().unwrap())
                .filter(|won| *won)
                .count();
            assert_eq!(won, 1);
            flag.fail(20);
            assert!(flag.has_failed() && !flag.try_begin(19) && flag.try_begin(20));
        });
    }
}
