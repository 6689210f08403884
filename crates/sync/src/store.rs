//! Where entries live: a lock-free map for readers, shards with a mutex for writers.
//!
//! 1. `bounds_hold_with_many_keys`: after a write the cache is within both limits, but for the
//!    writes that run at that moment.
//! 2. `expired_entries_leave_without_being_read`: a sweep finds every one.
//! 3. `the_map_and_the_lists_agree`: every entry of the map stands once in its shard's list, at
//!    the place it remembers, and the gauges are their sums.
//!
//! Each write of a key (put, remove, invalidate) happens under its shard's lock, so flights, map
//! and list change together; no two shards are ever locked at once. Readers see the map alone.
//! A panic of a key's `Hash` or `Eq` under a lock does not poison it: no step leaves it half done
//! in a way that the next one could not bear.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::entry::{ByEntry, ByKey, Entry, Handle, KeyHash, Prehashed};
use crate::flight::Flight;
use crate::state::FlightTable;

pub(crate) const SHARDS: usize = 16;

/// Entries that an eviction looks at to find its victim.
const SAMPLE: usize = 8;

/// What a flight brings to those who wait.
pub(crate) type Outcome<V, E> = Result<Arc<Entry<V>>, E>;

/// What one mutex guards: the flights of some keys and the list of their entries. A
/// `std::sync::Mutex`, since it is held for a few lines without `await`.
pub(crate) struct Shard<K, V, E> {
    pub(crate) flights: FlightTable<K, Flight<Outcome<V, E>>>,
    /// In no order; the evictor draws from it, which a hash map does not allow.
    list: Vec<Arc<Entry<V>>>,
}

pub(crate) struct Store<K, V, E> {
    map: papaya::HashMap<Handle<K, V>, (), Prehashed>,
    shards: [Mutex<Shard<K, V, E>>; SHARDS],
    seed: foldhash::quality::RandomState,
    max_entries: usize,
    max_bytes: usize,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    dice: AtomicU64,
}

impl<K: Hash + Eq + Clone, V, E> Store<K, V, E> {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        let shard = || {
            Mutex::new(Shard {
                flights: FlightTable::default(),
                list: Vec::new(),
            })
        };
        Self {
            map: papaya::HashMap::with_hasher(Prehashed::default()),
            shards: std::array::from_fn(|_| shard()),
            seed: foldhash::quality::RandomState::default(),
            max_entries,
            max_bytes,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            dice: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// The hash of `key` in this store.
    #[inline]
    pub(crate) fn hash(&self, key: &K) -> KeyHash {
        KeyHash::of(key, &self.seed)
    }

    /// The entry of `key` if `wanted` says so: the hit path.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: KeyHash,
        key: &K,
        wanted: impl FnOnce(&Entry<V>) -> bool,
    ) -> Option<Arc<Entry<V>>> {
        let map = self.map.pin();
        let (Handle { entry, .. }, ()) = map.get_key_value(&ByKey(hash, key))?;
        wanted(entry).then(|| Arc::clone(entry))
    }

    /// The shard of the keys with `hash`, locked.
    pub(crate) fn lock(&self, hash: KeyHash) -> MutexGuard<'_, Shard<K, V, E>> {
        self.lock_at(hash.shard())
    }

    fn lock_at(&self, at: usize) -> MutexGuard<'_, Shard<K, V, E>> {
        let [first, ..] = &self.shards;
        self.shards
            .get(at)
            .unwrap_or(first)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `entry` in place of the one with its key, which is returned to be dropped unlocked.
    /// An entry heavier than the whole cache is not kept, and what it replaces goes too.
    pub(crate) fn put(
        &self,
        shard: &mut Shard<K, V, E>,
        key: K,
        entry: Arc<Entry<V>>,
    ) -> Option<Arc<Entry<V>>> {
        let old = self.find(entry.hash, &key, |_| true);
        let weight = Self::weight(&entry);
        if weight > self.max_bytes {
            return old.map(|old| self.remove(shard, &old));
        }
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        if let Some(old) = &old {
            let place = old.place.load(Ordering::Relaxed);
            entry.place.store(place, Ordering::Relaxed);
            if let Some(slot) = shard.list.get_mut(place as usize) {
                *slot = Arc::clone(&entry);
            }
            self.bytes.fetch_sub(Self::weight(old), Ordering::Relaxed);
        } else {
            if shard.list.len() == shard.list.capacity() {
                // An eighth more, not twice as much: the room is part of every entry's overhead.
                shard.list.reserve_exact(shard.list.len() / 8 + 8);
            }
            entry
                .place
                .store(place_of(shard.list.len()), Ordering::Relaxed);
            shard.list.push(Arc::clone(&entry));
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        self.map.pin().insert(Handle { key, entry }, ());
        old
    }

    /// Takes out `entry`, which stands in `shard`.
    fn remove(&self, shard: &mut Shard<K, V, E>, entry: &Arc<Entry<V>>) -> Arc<Entry<V>> {
        self.map.pin().remove(&ByEntry(entry));
        let place = entry.place.load(Ordering::Relaxed) as usize;
        let removed = shard.list.swap_remove(place);
        if let Some(moved) = shard.list.get(place) {
            moved.place.store(place_of(place), Ordering::Relaxed);
        }
        if shard.list.capacity() > 64 && shard.list.len() < shard.list.capacity() / 4 {
            let room = shard.list.len() * 2;
            shard.list.shrink_to(room);
        }
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes
            .fetch_sub(Self::weight(&removed), Ordering::Relaxed);
        removed
    }

    /// Takes out the entry of `key`; its shard is locked by the caller.
    pub(crate) fn remove_key(
        &self,
        shard: &mut Shard<K, V, E>,
        hash: KeyHash,
        key: &K,
    ) -> Option<Arc<Entry<V>>> {
        let entry = self.find(hash, key, |_| true)?;
        Some(self.remove(shard, &entry))
    }

    /// Takes out what matches, and cuts off its flights.
    ///
    /// First the flights, shard by shard: from then on nothing that was being fetched can be
    /// written. Then the entries that are there, each under its lock and if it still stands; one
    /// that was written meanwhile is of a fetch that began after the call, and may stay.
    pub(crate) fn invalidate(&self, matches: impl Fn(&K) -> bool) -> usize {
        for at in 0..SHARDS {
            self.lock_at(at).flights.detach(&matches);
        }
        let map = self.map.pin();
        let matching = map.keys().filter(|handle| matches(&handle.key));
        let remove = |handle: &Handle<K, V>| {
            let mut shard = self.lock(handle.entry.hash);
            let place = handle.entry.place.load(Ordering::Relaxed) as usize;
            let stands = shard
                .list
                .get(place)
                .is_some_and(|at| Arc::ptr_eq(at, &handle.entry));
            stands.then(|| self.remove(&mut shard, &handle.entry))
        };
        matching.filter_map(remove).count()
    }

    /// An entry's weight: its bytes, and the fixed parts.
    fn weight(entry: &Entry<V>) -> usize {
        /// Counts of the shared allocation, slots of map and list, and a key's short text.
        const TABLES: usize = 16 + 24 + 9 + 32;
        let fixed = size_of::<Entry<V>>() + size_of::<Handle<K, V>>() + TABLES;
        entry.bytes.len().saturating_add(fixed)
    }

    /// Takes out the expired entries of one shard.
    pub(crate) fn sweep_shard(&self, at: usize, now_ms: u64) -> usize {
        let removed = {
            let mut shard = self.lock_at(at);
            self.remove_where(&mut shard, |entry| entry.is_expired(now_ms))
        };
        removed.len()
    }

    fn remove_where(
        &self,
        shard: &mut Shard<K, V, E>,
        matches: impl Fn(&Entry<V>) -> bool,
    ) -> Vec<Arc<Entry<V>>> {
        let matching = shard.list.iter().filter(|entry| matches(entry));
        let removed: Vec<_> = matching.map(Arc::clone).collect();
        for entry in &removed {
            self.remove(shard, entry);
        }
        removed
    }

    /// Evicts until both limits hold; how many went.
    pub(crate) fn enforce_limits(&self, now_ms: u64) -> u64 {
        let mut evicted = 0;
        while self.is_over() && self.evict_one(now_ms) {
            evicted += 1;
        }
        evicted
    }

    fn is_over(&self) -> bool {
        self.entries.load(Ordering::Relaxed) > self.max_entries
            || self.bytes.load(Ordering::Relaxed) > self.max_bytes
    }

    /// Evicts the worst of a sample of one shard: an expired entry first, then one that is not
    /// marked as used, then the oldest. One other loses its mark, so that a mark lasts
    /// about as many evictions as there are entries.
    fn evict_one(&self, now_ms: u64) -> bool {
        let first = self.roll(SHARDS);
        for step in 0..SHARDS {
            let mut shard = self.lock_at((first + step) % SHARDS);
            let sample = (0..SAMPLE).filter_map(|_| shard.list.get(self.roll(shard.list.len())));
            let victim = sample.max_by_key(|entry| {
                let used = entry.state.is_used();
                (entry.is_expired(now_ms), !used, entry.age_ms(now_ms))
            });
            if let Some(victim) = victim.map(Arc::clone) {
                self.remove(&mut shard, &victim);
                if let Some(spared) = shard.list.get(self.roll(shard.list.len())) {
                    spared.state.forget_use();
                }
                drop(shard);
                return true;
            }
        }
        false
    }

    /// A number below `sides`; zero when there are none. Chance only has to be fair, not secret.
    fn roll(&self, sides: usize) -> usize {
        // SplitMix64.
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.dice.fetch_add(step, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = u128::from(z ^ (z >> 31));
        usize::try_from((z * sides as u128) >> 64).unwrap_or(0)
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> usize {
        (0..SHARDS).map(|at| self.lock_at(at).flights.len()).sum()
    }

    /// Panics unless map, lists, places and gauges agree.
    #[cfg(all(test, not(resync_loom)))]
    pub(crate) fn check(&self) {
        let (mut entries, mut bytes) = (0, 0);
        for at in 0..SHARDS {
            let shard = self.lock_at(at);
            for (place, entry) in shard.list.iter().enumerate() {
                assert_eq!(entry.place.load(Ordering::Relaxed) as usize, place);
                let map = self.map.pin();
                assert!(
                    map.get(&ByEntry(entry)).is_some(),
                    "listed but not in the map"
                );
                bytes += Self::weight(entry);
            }
            entries += shard.list.len();
        }
        assert_eq!((self.entries(), self.bytes()), (entries, bytes));
        assert_eq!(self.map.pin().iter().count(), entries);
    }
}

/// A place as it is remembered; a shard is far from 2^32 entries.
fn place_of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
