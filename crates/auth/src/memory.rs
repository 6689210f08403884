//! What was lately found out about tokens and API keys, so that a request need not ask the stores.
//!
//! 1. `what_was_forgotten_is_not_remembered_by_a_reader_of_before`: what was read from a store before
//!    somebody was forgotten is not remembered after it, so a revocation that has returned holds.
//! 2. `nothing_is_remembered_while_changes_are_not_followed`: without a healthy [`SessionFeed`], and after
//!    any change by somebody else, the stores are asked.
//! 3. `an_entry_is_good_for_a_minute_at_most`: by the monotonic clock, and never beyond its own end, before
//!    its beginning or while idle by the wall clock.
//! 4. `the_memory_is_bounded`: a full shard remembers no more until its entries are old.
//! 5. `no_text_of_a_credential_is_kept`: keys are SHA-256 digests.
//!
//! Each shard's mutex guards a map, held for a few lines without `await`. A reader takes one of 16, for a
//! look-up and a clone of an `Arc`.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use resync_kernel::{Clock, Monotonic, UserId};
use sha2::{Digest as _, Sha256};

use crate::model::{Principal, SessionId};
use crate::ports::{NotFollowed, SessionFeed};

const SHARDS: usize = 16;
/// 16 times as many in all: some 10 MB.
const MAX_ENTRIES_A_SHARD: usize = 1024;
/// How long what a store said is believed without asking it again.
const BELIEVED: Duration = Duration::from_mins(1);

/// What was found out about credentials. Cheap to clone; all clones are one memory.
#[derive(Clone)]
pub struct SessionMemory {
    inner: Arc<Inner>,
}

struct Inner {
    shards: [Mutex<HashMap<Digest, Arc<Entry>>>; SHARDS],
    /// Grows before anybody is forgotten.
    forgotten: AtomicU64,
    feed: Arc<dyn SessionFeed>,
    clock: Arc<dyn Clock>,
}

/// The SHA-256 of a credential's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(credential: &str) -> Self {
        Self(Sha256::digest(credential).into())
    }
}

/// A credential that was good.
pub(crate) struct Entry {
    pub(crate) principal: Principal,
    /// The token's `nbf`, less the leeway.
    not_before: DateTime<Utc>,
    /// When it was last used, in milliseconds since 1970; a note in the store may be a minute older.
    last_used: AtomicI64,
    /// How long it may lie idle.
    idle: Option<Duration>,
    checked_at: Monotonic,
    generation: Option<u64>,
}

/// What a store said, on its way into the memory.
pub(crate) struct Found {
    pub(crate) principal: Principal,
    pub(crate) not_before: DateTime<Utc>,
    pub(crate) last_used: DateTime<Utc>,
    pub(crate) idle: Option<Duration>,
}

/// The state before a store is asked; what it answers counts only if nobody was forgotten since.
#[derive(Clone, Copy)]
pub(crate) struct Before {
    forgotten: u64,
    generation: Option<u64>,
    at: Monotonic,
}

impl Entry {
    /// Whether a use at `now` is to be noted: the caller that gets `true` notes it.
    pub(crate) fn claims_note(&self, now: DateTime<Utc>, every: Duration) -> bool {
        let now = now.timestamp_millis();
        let last = self.last_used.load(Ordering::Relaxed);
        let due = u64::try_from(now.saturating_sub(last))
            .is_ok_and(|unused| u128::from(unused) >= every.as_millis());
        due && self
            .last_used
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn holds_at(&self, now: DateTime<Utc>) -> bool {
        let idle = self.idle.is_none_or(|idle| {
            let unused = now.timestamp_millis() - self.last_used.load(Ordering::Relaxed);
            u64::try_from(unused).is_ok_and(|unused| u128::from(unused) <= idle.as_millis())
                || unused < 0
        });
        self.not_before <= now && now < self.principal.expires_at && idle
    }
}

impl SessionMemory {
    /// A memory that believes what it holds while `feed` is healthy.
    #[must_use]
    pub fn new(feed: Arc<dyn SessionFeed>, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            shards: std::array::from_fn(|_| Mutex::default()),
            forgotten: AtomicU64::new(0),
            feed,
            clock,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A memory that is never believed, so that each request asks the stores.
    #[must_use]
    pub fn off(clock: Arc<dyn Clock>) -> Self {
        Self::new(Arc::new(NotFollowed), clock)
    }

    /// What is known of `credential` without asking anybody.
    pub(crate) fn recall(&self, credential: Digest, now: DateTime<Utc>) -> Option<Arc<Entry>> {
        let generation = self.inner.feed.generation()?;
        let entry = self.entry(credential, now)?;
        (entry.generation == Some(generation)).then_some(entry)
    }

    /// What was known of `credential` at most a minute ago, for reading while the store does not answer
    /// (F1). What this process has ended is not among it.
    pub(crate) fn last_good(&self, credential: Digest, now: DateTime<Utc>) -> Option<Arc<Entry>> {
        self.entry(credential, now)
    }

    fn entry(&self, credential: Digest, now: DateTime<Utc>) -> Option<Arc<Entry>> {
        let entry = self.shard(credential).get(&credential).cloned()?;
        let fresh = self.inner.clock.monotonic() - entry.checked_at < BELIEVED;
        (fresh && entry.holds_at(now)).then_some(entry)
    }

    /// To be called before a store is asked.
    pub(crate) fn before(&self) -> Before {
        Before {
            forgotten: self.inner.forgotten.load(Ordering::SeqCst),
            generation: self.inner.feed.generation(),
            at: self.inner.clock.monotonic(),
        }
    }

    /// Remembers what a store said, unless somebody was forgotten since `before`.
    pub(crate) fn remember(&self, credential: Digest, found: Found, before: Before) {
        let entry = Entry {
            principal: found.principal,
            not_before: found.not_before,
            last_used: AtomicI64::new(found.last_used.timestamp_millis()),
            idle: found.idle,
            checked_at: before.at,
            generation: before.generation,
        };
        let now = self.inner.clock.monotonic();
        let mut shard = self.shard(credential);
        // Under the lock: whoever forgets raises the count first and then takes each lock, so it either
        // shows here or finds the entry.
        if self.inner.forgotten.load(Ordering::SeqCst) != before.forgotten {
            return;
        }
        if shard.len() >= MAX_ENTRIES_A_SHARD {
            shard.retain(|_, entry| now - entry.checked_at < BELIEVED);
        }
        if shard.len() < MAX_ENTRIES_A_SHARD || shard.contains_key(&credential) {
            shard.insert(credential, Arc::new(entry));
        }
    }

    /// Forgets a session, or the API key whose id stands for one.
    pub(crate) fn forget_session(&self, id: SessionId) {
        self.forget(|principal| principal.session_id == id);
    }

    /// Forgets all sessions and keys of a user.
    pub(crate) fn forget_user(&self, id: UserId) {
        self.forget(|principal| principal.user_id == id);
    }

    fn forget(&self, who: impl Fn(&Principal) -> bool) {
        self.inner.forgotten.fetch_add(1, Ordering::SeqCst);
        for shard in &self.inner.shards {
            lock(shard).retain(|_, entry| !who(&entry.principal));
        }
    }

    fn shard(&self, credential: Digest) -> MutexGuard<'_, HashMap<Digest, Arc<Entry>>> {
        let [first, ..] = credential.0;
        let [one, .., _] = &self.inner.shards;
        lock(
            self.inner
                .shards
                .get(usize::from(first) % SHARDS)
                .unwrap_or(one),
        )
    }
}

// Nothing panics under these locks, so a poisoned one still holds whole entries.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for SessionMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: usize = self
            .inner
            .shards
            .iter()
            .map(|shard| lock(shard).len())
            .sum();
        f.debug_struct("SessionMemory")
            .field("entries", &entries)
            .field("generation", &self.inner.feed.generation())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
