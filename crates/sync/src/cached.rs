//! An answer from the cache: the shared value, its bytes, and how old it is.
//!
//! 1. `values_are_shared_not_copied`: an answer holds the entry itself; nobody can change it.
//! 2. `equal_bytes_have_equal_etags`: the tag depends on the bytes alone, on every replica.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::entry::{Entry, KeyHash, Stamp};
use crate::state::EntryState;

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// From the cache, younger than the fresh window.
    Fresh,
    /// From the cache, older than the fresh window and within the stale one.
    Stale,
    /// This caller's fetch brought it.
    Fetched,
    /// Another caller's fetch brought it, for which this one waited.
    Coalesced,
}

/// A strong entity tag of the serialised bytes; `Display` gives the header's value with its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ETag(u64);

impl ETag {
    /// The tag of `bytes`: 64 bits, the same in every process of this version.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(foldhash::quality::FixedState::with_seed(0x7265_7379_6e63).hash_one(bytes))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{:016x}\"", self.0)
    }
}

/// A value with its bytes and its age. Cheap to clone: the parts are shared.
pub struct Cached<V> {
    entry: Arc<Entry<V>>,
    seen: Seen,
}

/// How the entry was when it was read: age in milliseconds, freshness, failure, in one word. An
/// answer is two words then and travels in registers; as four fields it cost a hit some 8 ns in
/// stores and loads of different widths.
#[derive(Clone, Copy)]
struct Seen(u64);

impl Seen {
    fn new(age_ms: u64, freshness: Freshness, refresh_failed: bool) -> Self {
        Self(age_ms << 3 | (freshness as u64) << 1 | u64::from(refresh_failed))
    }

    fn age_ms(self) -> u64 {
        self.0 >> 3
    }

    fn freshness(self) -> Freshness {
        match self.0 >> 1 & 3 {
            0 => Freshness::Fresh,
            1 => Freshness::Stale,
            2 => Freshness::Fetched,
            _ => Freshness::Coalesced,
        }
    }

    fn refresh_failed(self) -> bool {
        self.0 & 1 == 1
    }
}

impl<V> Cached<V> {
    pub(crate) fn new(
        entry: Arc<Entry<V>>,
        age_ms: u64,
        freshness: Freshness,
        refresh_failed: bool,
    ) -> Self {
        Self {
            entry,
            seen: Seen::new(age_ms, freshness, refresh_failed),
        }
    }

    /// The entry, for a refresh of it.
    pub(crate) fn entry(&self) -> &Arc<Entry<V>> {
        &self.entry
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &V {
        &self.entry.value
    }

    /// The value as it was serialised when it was fetched.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.entry.bytes
    }

    /// The entity tag of [`Self::bytes`], computed once at the fetch.
    #[must_use]
    pub fn etag(&self) -> ETag {
        ETag(self.entry.digest)
    }

    /// When the fetch ended, by the wall clock; for people and headers, not for ages.
    #[must_use]
    pub fn fetched_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.entry.fetched.wall_ms()).unwrap_or_default()
    }

    /// How long ago the fetch ended when this answer was given, by the monotonic clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.seen.age_ms())
    }

    /// How the answer came about.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.seen.freshness()
    }

    /// Whether the last refresh of this entry failed, so that it is served in place of a newer one.
    #[must_use]
    pub fn refresh_failed(&self) -> bool {
        self.seen.refresh_failed()
    }
}

impl<V: Send + Sync + 'static> Cached<V> {
    /// An answer that no cache keeps, fetched at `now`: for callers that bypass it, and for tests.
    #[must_use]
    pub fn uncached(value: V, bytes: Bytes, now: DateTime<Utc>) -> Self {
        let digest = ETag::of(&bytes).0;
        let entry = Entry {
            value,
            bytes,
            digest,
            fetched: Stamp::new(0, now.timestamp_millis()),
            fresh_ms: 0,
            stale_ms: 0,
            state: EntryState::new(),
            place: 0.into(),
            hash: KeyHash::default(),
        };
        Self::new(Arc::new(entry), 0, Freshness::Fetched, false)
    }
}

impl ETag {
    pub(crate) fn digest(self) -> u64 {
        self.0
    }
}

impl<V> Clone for Cached<V> {
    fn clone(&self) -> Self {
        Self {
            entry: Arc::clone(&self.entry),
            seen: self.seen,
        }
    }
}

impl<V: fmt::Debug> fmt::Debug for Cached<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("value", self.value())
            .field("age", &self.age())
            .field("freshness", &self.freshness())
            .field("refresh_failed", &self.refresh_failed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests {
    use super::*;

    /// I-06: an answer and its clone are one value.
    #[test]
    fn values_are_shared_not_copied() {
        let answer = Cached::uncached(vec![1, 2, 3], "[1,2,3]".into(), DateTime::UNIX_EPOCH);
        let again = answer.clone();
        assert!(std::ptr::eq(answer.value(), again.value()));
        assert_eq!(again.bytes(), "[1,2,3]");
        assert_eq!(again.fetched_at(), DateTime::UNIX_EPOCH);
    }

    #[test]
    fn a_word_keeps_all_that_was_seen() {
        use Freshness::{Coalesced, Fetched, Fresh, Stale};
        for freshness in [Fresh, Stale, Fetched, Coalesced] {
            for (age_ms, failed) in [(0, true), (1, false), (1 << 60, true)] {
                let seen = Seen::new(age_ms, freshness, failed);
                let read = (seen.age_ms(), seen.freshness(), seen.refresh_failed());
                assert_eq!(read, (age_ms, freshness, failed));
            }
        }
    }

    #[test]
    fn equal_bytes_have_equal_etags() {
        assert_eq!(ETag::of(b"{}"), ETag::of(&Bytes::from_static(b"{}")));
        assert_ne!(ETag::of(b"{}"), ETag::of(b"[]"));
        let text = ETag::of(b"{}").to_string();
        assert!(
            text.len() == 18 && text.starts_with('"') && text.ends_with('"'),
            "{text}"
        );
    }
}
