//! What the map holds: one allocation a key, shared with every answer made from it.
//!
//! An entry is immutable but for its refresh flag, its mark of use and its place in the shard; a
//! refresh replaces it whole. So an answer that is being sent never changes under its reader.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use bytes::Bytes;
use papaya::Equivalent;

use crate::state::RefreshFlag;

/// A value, its serialised form and its times.
#[derive(Debug)]
pub(crate) struct Body<V> {
    pub(crate) value: V,
    pub(crate) bytes: Bytes,
    pub(crate) digest: u64,
    /// On the monotonic clock: ages.
    pub(crate) fetched_ms: u64,
    /// On the wall clock: what the answer says.
    pub(crate) fetched_wall_ms: i64,
}

/// A key with its body and what the cache knows of it.
#[derive(Debug)]
pub(crate) struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) body: Body<V>,
    /// Ages in milliseconds from which the entry is stale, and no longer served.
    pub(crate) fresh_ms: u32,
    pub(crate) stale_ms: u32,
    pub(crate) refresh: RefreshFlag,
    /// Where the entry stands in its shard's list; read and written under the shard's lock only.
    pub(crate) place: AtomicU32,
    /// Whether a hit read it since the evictor last looked.
    pub(crate) used: AtomicBool,
}

impl<K, V> Entry<K, V> {
    pub(crate) fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.body.fetched_ms)
    }

    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        self.age_ms(now_ms) >= u64::from(self.stale_ms)
    }
}

/// An entry seen without its key's type, so that an answer is typed by its value alone.
pub(crate) trait Stored<V>: Send + Sync {
    fn body(&self) -> &Body<V>;
}

impl<K: Send + Sync, V: Send + Sync> Stored<V> for Entry<K, V> {
    fn body(&self) -> &Body<V> {
        &self.body
    }
}

/// The map's key: an entry, found by the key inside it. It saves a second copy of each key.
#[derive(Debug)]
pub(crate) struct Handle<K, V>(pub(crate) Arc<Entry<K, V>>);

impl<K: Hash, V> Hash for Handle<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl<K: PartialEq, V> PartialEq for Handle<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl<K: Eq, V> Eq for Handle<K, V> {}

/// A key that is looked for.
pub(crate) struct Sought<'a, K>(pub(crate) &'a K);

impl<K: Hash> Hash for Sought<'_, K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Eq, V> Equivalent<Handle<K, V>> for Sought<'_, K> {
    fn equivalent(&self, handle: &Handle<K, V>) -> bool {
        *self.0 == handle.0.key
    }
}
