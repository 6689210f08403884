//! Entries that replicas share, behind the cache that each of them has.
//!
//! 1. `one_fetch_for_all_replicas`: who misses looks here first; of those who find nothing one fetches,
//!    under a lease that ends with its holder, and the others wait for the entry. A wait ends by itself.
//! 2. `an_invalidation_is_seen_by_every_replica`: it makes entries and running fetches of the scope void
//!    for all replicas in one step, and the others drop what they hold when they are told.
//! 3. `who_cannot_hear_trusts_nothing_it_holds`: a replica that may have missed an invalidation answers from
//!    nothing that was fetched before; it asks the engine, one fetch a key at a time, until it hears again.
//! 4. `who_could_not_tell_waits_until_the_others_must_have_noticed`: an invalidation that did not get out
//!    ends only after each replica that shares that store knows that it cannot hear.
//! 5. `what_is_shared_speeds_up_and_stops_nobody`: away, slow, full, or with an entry that cannot be read,
//!    it is passed by.
//!
//! A hit costs two loads more: [`SharedCache::in_touch`].

mod in_process;

use std::future::Future;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use resync_kernel::BoxError;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::{Fetched, Windows};
use crate::notices::{Heard, NoticeBus};

pub use in_process::InProcessEntries;

/// The topic of a notice whose body is the scope that was made void.
pub const INVALIDATED: &str = "cache.invalidated";

/// Pauses between two looks of one who waits, first and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(150));
/// Pause between two tries to tell the others.
const TELL_AGAIN: Duration = Duration::from_millis(50);
/// How often what could not be told is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// How many scopes that could not be told are remembered; more than there are engines and categories.
const MOST_UNTOLD: usize = 64;

/// What an entry is found by, and what makes it void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKey {
    /// Tells it apart from every other, and from those of replicas of another version.
    pub name: String,
    /// Every scope that it is within.
    pub scopes: Vec<String>,
}

/// The right to write one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryLease {
    /// Tells the holder apart from others.
    pub token: String,
    /// What the scopes were at when it began.
    pub generations: String,
}

/// An entry to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedEntry {
    /// The packed value.
    pub bytes: Bytes,
    /// How long ago it was fetched.
    pub age: Duration,
    /// How long it is kept from now on.
    pub lives: Duration,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// An entry of this age, by the store's own clock and never less than nothing.
    Found {
        /// The packed value.
        bytes: Bytes,
        /// How long ago it was fetched.
        age: Duration,
    },
    /// None that is young enough; the asker is to fetch it, and to put or release.
    Leased(EntryLease),
    /// None, and another replica fetches it.
    Busy,
}

/// The store did not do it, or it is not known whether it did.
#[derive(Debug, Error)]
#[error("the shared entries cannot be reached")]
pub struct SharedUnavailable(#[source] pub BoxError);

/// Where replicas share entries. The laws are in `contract::shared`.
#[async_trait]
pub trait SharedEntries: Send + Sync {
    /// The entry if it is younger than `younger_than` and not void; else a lease that ends after `lease`,
    /// unless somebody has it. One step.
    async fn look(
        &self,
        key: &SharedKey,
        younger_than: Duration,
        lease: Duration,
    ) -> Result<Look, SharedUnavailable>;

    /// Writes the entry and ends the lease; `false` when the lease is over, or a scope was made void since
    /// it began. One step.
    async fn put(
        &self,
        key: &SharedKey,
        lease: &EntryLease,
        entry: SharedEntry,
    ) -> Result<bool, SharedUnavailable>;

    /// Ends the lease without an entry.
    async fn release(&self, key: &SharedKey, lease: &EntryLease) -> Result<(), SharedUnavailable>;

    /// Makes void what is within `scope`, with the fetches that run, and tells the other replicas, by a
    /// notice of [`INVALIDATED`]. One step.
    async fn invalidate(&self, scope: &str) -> Result<(), SharedUnavailable>;
}

/// Makes bytes of what was fetched, off the async workers; `None` when it is not to be shared.
pub type Pack = Box<dyn FnOnce() -> Option<Bytes> + Send>;

/// How a value travels.
#[async_trait]
pub trait Codec<V>: Send + Sync {
    /// What packs this value later; cheap.
    fn pack(&self, fetched: &Fetched<V>) -> Option<Pack>;
    /// The value of packed bytes; `None` when they are not of this version.
    async fn unpack(&self, bytes: Bytes) -> Option<Fetched<V>>;
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedSettings {
    /// A lease ends after that long, should its holder die; a little more than a fetch may take.
    pub lease: Duration,
    /// How long another replica's fetch is waited for, at most.
    pub patience: Duration,
    /// The greatest packed value that is shared.
    pub max_bytes: usize,
}

/// What a [`SharedCache`] is built from.
pub struct SharedParts {
    /// Where the entries are.
    pub entries: Arc<dyn SharedEntries>,
    /// How replicas tell each other.
    pub bus: Arc<dyn NoticeBus>,
    /// Runs what is written after an answer was given.
    pub tracker: TaskTracker,
    /// Times and sizes.
    pub settings: SharedSettings,
}

/// What happened since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedStats {
    /// Looks that found an entry.
    pub hits: u64,
    /// Looks that found none, so that this replica fetched.
    pub misses: u64,
    /// Looks that waited for another replica's fetch.
    pub waited: u64,
    /// Reads that went past the shared entries, since they could not be used.
    pub passed_by: u64,
    /// Entries written for all.
    pub written: u64,
    /// Invalidations that the others could not be told at once.
    pub untold: u64,
}

/// Reads through shared entries, and tells the other replicas what is void. Cheap to clone.
#[derive(Clone)]
pub struct SharedCache(Arc<Inner>);

struct Inner {
    entries: Arc<dyn SharedEntries>,
    bus: Arc<dyn NoticeBus>,
    tracker: TaskTracker,
    settings: SharedSettings,
    /// The time of hearing for which everything older was dropped; zero for none.
    caught_up: AtomicU64,
    /// Goes up with each invalidation of this replica: what was being fetched is not written then.
    invalidations: AtomicU64,
    /// Held for a line each.
    since: Mutex<Option<Instant>>,
    untold: Mutex<Vec<String>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    waited: AtomicU64,
    passed_by: AtomicU64,
    written: AtomicU64,
    untold: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a reader that found nothing of its own is to do.
enum Part<V> {
    Found(Fetched<V>),
    /// Fetch for all.
    Leads(EntryLease),
    /// Fetch for this replica alone.
    Alone,
}

impl SharedCache {
    /// It hears nothing before [`SharedCache::run`] runs.
    #[must_use]
    pub fn new(parts: SharedParts) -> Self {
        let SharedParts {
            entries,
            bus,
            tracker,
            settings,
        } = parts;
        Self(Arc::new(Inner {
            entries,
            bus,
            tracker,
            settings,
            caught_up: AtomicU64::new(0),
            invalidations: AtomicU64::new(0),
            since: Mutex::default(),
            untold: Mutex::default(),
            counts: Counts::default(),
        }))
    }

    /// Whether what this replica holds can be trusted: every invalidation of others has been or will be
    /// heard. Asks nobody.
    #[must_use]
    pub fn in_touch(&self) -> bool {
        self.touch().is_some()
    }

    /// The time of hearing, when everything older than it was dropped.
    fn touch(&self) -> Option<NonZeroU64> {
        let hearing = self.0.bus.hearing()?;
        (self.0.caught_up.load(Ordering::Acquire) == hearing.get()).then_some(hearing)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> SharedStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.0.counts;
        SharedStats {
            hits: read(&counts.hits),
            misses: read(&counts.misses),
            waited: read(&counts.waited),
            passed_by: read(&counts.passed_by),
            written: read(&counts.written),
            untold: read(&counts.untold),
        }
    }

    /// The entry of `key` that another replica fetched, if it is younger than `windows.fresh`; else what
    /// `fetch` brings, which is written for the others after this answer. Is itself the fetch of a cache, and
    /// should be run as that: not dropped halfway.
    ///
    /// # Errors
    /// Those of `fetch`; nothing else is one.
    pub async fn fetch<V, E, C, F, Fut>(
        &self,
        key: SharedKey,
        windows: Windows,
        codec: C,
        fetch: F,
    ) -> Result<Fetched<V>, E>
    where
        C: Codec<V>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Fetched<V>, E>>,
    {
        // Read before the lease begins: what is made void later makes this void.
        let before = (self.touch(), self.0.invalidations.load(Ordering::Acquire));
        let lease = match self.find(&key, windows.fresh, &codec).await {
            Part::Found(fetched) => return Ok(fetched),
            Part::Alone => {
                count(&self.0.counts.passed_by);
                return fetch().await;
            }
            Part::Leads(lease) => lease,
        };
        count(&self.0.counts.misses);
        let mut held = Held {
            inner: Arc::clone(&self.0),
            lease: Some((key, lease)),
        };
        let fetched = fetch().await?;
        let ended = Instant::now();
        let pack = codec.pack(&fetched);
        if let (Some(pack), Some((key, lease))) = (pack, held.lease.take()) {
            let (shared, lives) = (self.clone(), windows.stale);
            let write = async move {
                shared.write(key, lease, pack, before, ended, lives).await;
            };
            drop(self.0.tracker.spawn(write));
        }
        Ok(fetched)
    }

    async fn find<V>(&self, key: &SharedKey, fresh: Duration, codec: &impl Codec<V>) -> Part<V> {
        let SharedSettings {
            lease, patience, ..
        } = self.0.settings;
        let until = Instant::now() + patience;
        let mut pause = LOOKS.0;
        let mut waits = false;
        loop {
            // What was written before this replica heard may be void without a trace.
            let Some(heard_for) = self.heard_for() else {
                return Part::Alone;
            };
            let looked = self.0.entries.look(key, fresh.min(heard_for), lease).await;
            match looked {
                Ok(Look::Found { bytes, age }) => {
                    let Some(fetched) = codec.unpack(bytes).await else {
                        return Part::Alone;
                    };
                    count(&self.0.counts.hits);
                    return Part::Found(Fetched { age, ..fetched });
                }
                Ok(Look::Leased(lease)) => return Part::Leads(lease),
                Ok(Look::Busy) if Instant::now() < until => {
                    if !std::mem::replace(&mut waits, true) {
                        count(&self.0.counts.waited);
                    }
                    sleep(pause).await;
                    pause = (pause * 3 / 2).min(LOOKS.1);
                }
                Ok(Look::Busy) | Err(_) => return Part::Alone,
            }
        }
    }

    fn heard_for(&self) -> Option<Duration> {
        self.touch()?;
        held(&self.0.since).map(|since| since.elapsed())
    }

    async fn write(
        &self,
        key: SharedKey,
        lease: EntryLease,
        pack: Pack,
        before: (Option<NonZeroU64>, u64),
        ended: Instant,
        lives: Duration,
    ) {
        let inner = &self.0;
        let packed = tokio::task::spawn_blocking(pack).await.ok().flatten();
        let packed = packed.filter(|bytes| bytes.len() <= inner.settings.max_bytes);
        let now = (self.touch(), inner.invalidations.load(Ordering::Acquire));
        // What could not be heard or told meanwhile may have made it void.
        let written = match packed.filter(|_| now == before && now.0.is_some()) {
            Some(bytes) => {
                let entry = SharedEntry {
                    bytes,
                    age: ended.elapsed(),
                    lives,
                };
                inner.entries.put(&key, &lease, entry).await
            }
            None => Ok(false),
        };
        match written {
            Ok(true) => count(&inner.counts.written),
            // A lease that cannot be ended ends by itself.
            Ok(false) | Err(_) => {
                let (Ok(()) | Err(_)) = inner.entries.release(&key, &lease).await;
            }
        }
    }

    /// Makes void what is within `scope`, for every replica; the caller drops its own.
    ///
    /// Returns once the others were told, or, when they cannot be, once each of them has had time to notice
    /// that it hears nothing, and trusts nothing it holds. A replica that is cut off alone cannot help that
    /// the others go on hearing each other: then it tells them when it is back.
    pub async fn invalidate(&self, scope: &str) {
        let inner = &self.0;
        inner.invalidations.fetch_add(1, Ordering::AcqRel);
        let until = Instant::now() + 2 * inner.bus.notices_loss_within();
        loop {
            match inner.entries.invalidate(scope).await {
                Ok(()) => return,
                Err(error) if Instant::now() >= until => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "an invalidation could not be told to the other replicas for now"
                    );
                    break;
                }
                Err(_) => sleep(TELL_AGAIN).await,
            }
        }
        count(&inner.counts.untold);
        let mut untold = held(&inner.untold);
        if untold.len() < MOST_UNTOLD && !untold.iter().any(|known| known == scope) {
            untold.push(scope.to_owned());
        }
    }

    /// Drops what others make void, by `forget`, which is given the scope, or `None` for everything; until
    /// the end. Cancel safe.
    pub async fn run(&self, forget: impl Fn(Option<&str>) + Send + Sync, until: CancellationToken) {
        let mut notices = self.0.bus.subscribe();
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.catch_up(&forget);
        loop {
            tokio::select! {
                () = until.cancelled() => break,
                heard = notices.next() => match heard {
                    Some(Heard::Notice(notice)) if notice.topic == INVALIDATED => forget(Some(&notice.body)),
                    Some(Heard::Notice(_)) => {}
                    Some(Heard::Gap) => self.catch_up(&forget),
                    None => break,
                },
                _ = retry.tick() => self.tell_again().await,
            }
        }
        self.0.caught_up.store(0, Ordering::Release);
    }

    /// Drops everything, since invalidations may have been missed.
    fn catch_up(&self, forget: impl Fn(Option<&str>)) {
        self.0.caught_up.store(0, Ordering::Release);
        let Some(hearing) = self.0.bus.hearing() else {
            return;
        };
        *held(&self.0.since) = Some(Instant::now());
        forget(None);
        self.0.caught_up.store(hearing.get(), Ordering::Release);
    }

    async fn tell_again(&self) {
        let untold = held(&self.0.untold).clone();
        for scope in untold {
            if self.0.entries.invalidate(&scope).await.is_err() {
                return;
            }
            held(&self.0.untold).retain(|known| *known != scope);
        }
    }
}

/// A lease while its fetch runs: ended at once when the fetch fails or panics.
struct Held {
    inner: Arc<Inner>,
    lease: Option<(SharedKey, EntryLease)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((key, lease)) = self.lease.take() else {
            return;
        };
        // Without a runtime the lease ends by itself.
        if Handle::try_current().is_ok() {
            let inner = Arc::clone(&self.inner);
            drop(self.inner.tracker.spawn(async move {
                let (Ok(()) | Err(_)) = inner.entries.release(&key, &lease).await;
            }));
        }
    }
}
