//! What the map holds: a handle with the key in its own node, and one shared allocation behind it.
//!
//! An entry is immutable but for its [`EntryState`] and its place in the shard's list; a refresh
//! replaces it whole. So an answer that is being sent never changes under its reader. The key
//! stands in the map's node, so that a lookup compares it before it touches the entry.
//!
//! 1. `a_stamp_keeps_its_times`: both clocks in twelve bytes, for any uptime and date to come.
//! 2. `an_entry_is_small`: the overhead that `benches/` states comes from here.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use bytes::Bytes;
use papaya::Equivalent;

use crate::state::EntryState;

/// A value, its serialised form, its times and what the cache knows of it.
///
/// In this order: what a hit reads stands behind the counts of its `Arc`, in one line of the cache.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Entry<V> {
    pub(crate) fetched: Stamp,
    /// Ages in milliseconds from which the entry is stale, and no longer served.
    pub(crate) fresh_ms: u32,
    pub(crate) stale_ms: u32,
    pub(crate) state: EntryState,
    /// Where the entry stands in its shard's list; read and written under the shard's lock only.
    pub(crate) place: AtomicU32,
    /// Of the key, so that the evictor finds the handle of an entry.
    pub(crate) hash: KeyHash,
    pub(crate) bytes: Bytes,
    pub(crate) digest: u64,
    pub(crate) value: V,
}

impl<V> Entry<V> {
    #[inline]
    pub(crate) fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.fetched.mono_ms())
    }

    #[inline]
    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        self.age_ms(now_ms) >= u64::from(self.stale_ms)
    }
}

/// When a fetch ended, in milliseconds by both clocks: 48 bits each, 8,900 years of uptime and
/// 4,400 years to both sides of 1970. It saves the four bytes that keep an entry in its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    mono_low: u32,
    wall_low: u32,
    mono_high: u16,
    wall_high: u16,
}

impl Stamp {
    pub(crate) fn new(mono_ms: u64, wall_ms: i64) -> Self {
        let (mono_low, mono_high) = split(mono_ms);
        let (wall_low, wall_high) = split(wall_ms.cast_unsigned());
        Self {
            mono_low,
            wall_low,
            mono_high,
            wall_high,
        }
    }

    /// On the monotonic clock: for ages.
    #[inline]
    pub(crate) fn mono_ms(self) -> u64 {
        u64::from(self.mono_high) << 32 | u64::from(self.mono_low)
    }

    /// On the wall clock: what the answer says.
    pub(crate) fn wall_ms(self) -> i64 {
        // The sign goes up with the shift and comes back down.
        let high = i64::from(self.wall_high.cast_signed()) << 32;
        high | i64::from(self.wall_low)
    }
}

fn split(ms: u64) -> (u32, u16) {
    let [b0, b1, b2, b3, b4, b5, _, _] = ms.to_le_bytes();
    (
        u32::from_le_bytes([b0, b1, b2, b3]),
        u16::from_le_bytes([b4, b5]),
    )
}

/// The hash of a key, computed once for map, shard and evictor. 32 bits are enough for a table of
/// some millions; two keys that share one are told apart by `Eq`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

impl KeyHash {
    #[inline]
    pub(crate) fn of<K: Hash>(key: &K, seed: &foldhash::quality::RandomState) -> Self {
        let [b0, b1, b2, b3, ..] = seed.hash_one(key).to_le_bytes();
        Self(u32::from_le_bytes([b0, b1, b2, b3]))
    }

    /// One of 16 shards, from bits that the map's table index uses last.
    pub(crate) fn shard(self) -> usize {
        (self.0 >> 28) as usize
    }

    /// Spread over 64 bits: the map takes its index from the low and its tag from the high ones.
    #[inline]
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The map's key: a key and its entry.
#[derive(Debug)]
pub(crate) struct Handle<K, V> {
    pub(crate) key: K,
    pub(crate) entry: Arc<Entry<V>>,
}

impl<K, V> Hash for Handle<K, V> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.entry.hash.spread());
    }
}

impl<K: PartialEq, V> PartialEq for Handle<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Eq, V> Eq for Handle<K, V> {}

/// A key that is looked for.
pub(crate) struct ByKey<'a, K>(pub(crate) KeyHash, pub(crate) &'a K);

impl<K> Hash for ByKey<'_, K> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.spread());
    }
}

impl<K: Eq, V> Equivalent<Handle<K, V>> for ByKey<'_, K> {
    fn equivalent(&self, handle: &Handle<K, V>) -> bool {
        *self.1 == handle.key
    }
}

/// An entry whose handle is looked for.
pub(crate) struct ByEntry<'a, V>(pub(crate) &'a Arc<Entry<V>>);

impl<V> Hash for ByEntry<'_, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash.spread());
    }
}

impl<K, V> Equivalent<Handle<K, V>> for ByEntry<'_, V> {
    fn equivalent(&self, handle: &Handle<K, V>) -> bool {
        Arc::ptr_eq(self.0, &handle.entry)
    }
}

/// The map's hasher: what it is given is a hash already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prehashed(u64);

impl BuildHasher for Prehashed {
    type Hasher = Self;

    #[inline]
    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Prehashed {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not reached by the types above; still a hash, should one of them change.
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_keeps_its_times() {
        let times = [
            (0, 0),
            (1, -1),
            (u64::from(u32::MAX) + 7, 1_772_409_600_123),
            (1 << 47, -(1 << 46)),
        ];
        for (mono, wall) in times {
            let stamp = Stamp::new(mono, wall);
            assert_eq!((stamp.mono_ms(), stamp.wall_ms()), (mono, wall));
        }
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry<()>>(), 72);
    }
}
