//! The stale-while-revalidate cache.
//!
//! 1. `coalesce_100_waiters_one_fetch`: one fetch a key at a time; its callers share the outcome.
//! 2. `coalesce_leader_cancelled_the_fetch_goes_on`: a fetch is a task of its own and survives
//!    every caller.
//! 3. `an_old_fetch_does_not_write_after_an_invalidation`.
//! 4. `stale_hit_triggers_single_refresh`.
//! 5. `an_outage_within_the_stale_window_serves_stale_and_says_so`.
//! 6. `a_refresh_ahead_keeps_what_is_asked_for_fresh`: asked for often enough, an entry never turns stale;
//!    `nobody_asks_nothing_is_fetched`.
//! 7. `what_another_replica_fetched_is_as_old_as_it_is`: an entry's age begins with that of what came.
//! 8. `a_fetch_looks_at_no_entry`: who cannot trust entries still shares the one fetch.
//! 9. `lock_table_empty_after_success`, `_error`, `_cancel`, `_panic`: nothing stays behind.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use resync_kernel::Clock;
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::cached::{Cached, ETag, Freshness};
use crate::counters::{CacheStats, Counters, Event};
use crate::entry::{Entry, KeyHash, Stamp};
use crate::flight::Flight;
use crate::state::{EntryState, FlightArc, Role};
use crate::store::{Outcome, SHARDS, Shard, Store};
use crate::tick::Tick;

/// How coarse a hit's time is while [`Cache::run_maintenance`] runs.
const TICK: Duration = Duration::from_millis(25);
/// Beats between two shards' sweeps: every shard once in 4 seconds.
const SWEEP_BEATS: usize = 10;
/// Pause after a failed refresh before a stale hit may try again.
const REFRESH_RETRY_MS: u64 = 1_000;

/// What an entry is found by: a structured value, never a digest of one.
pub trait CacheKey: Hash + Eq + Clone + Send + Sync + 'static {
    /// A set of keys that is invalidated at once, such as an engine or a category of one.
    type Scope: ?Sized;

    /// Whether the key belongs to `scope`.
    fn is_within(&self, scope: &Self::Scope) -> bool;
}

/// How long an entry is served, from the end of its fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Younger than this it is served as it is.
    pub fresh: Duration,
    /// Younger than this it is served while one refresh runs; at least `fresh`, at most 49 days.
    pub stale: Duration,
}

/// How much a cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Entries.
    pub max_entries: usize,
    /// Bytes: the serialised bytes of each entry and a fixed part. An entry that is heavier alone
    /// is handed to its callers and not kept.
    pub max_bytes: usize,
}

impl Default for CacheLimits {
    /// 100,000 entries, 128 MiB.
    fn default() -> Self {
        Self {
            max_entries: 100_000,
            max_bytes: 128 << 20,
        }
    }
}

/// What a [`Cache`] is built from.
pub struct CacheParts {
    /// Ages by its monotonic side, `fetched_at` by its wall side.
    pub clock: Arc<dyn Clock>,
    /// Runs the fetches, so that shutdown can wait for them.
    pub tracker: TaskTracker,
    /// Bounds.
    pub limits: CacheLimits,
}

/// What a fetch brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<V> {
    /// The typed value.
    pub value: V,
    /// The value as it is sent; its entity tag is computed once, here.
    pub bytes: Bytes,
    /// How long ago it was right: zero for what was asked for just now, more for what another replica
    /// asked for. The entry's age begins with it.
    pub age: Duration,
}

/// A fetch that ended without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FetchLost {
    /// It panicked; the panic itself was reported by the panic hook.
    #[error("the fetch panicked")]
    Panicked,
    /// Its task was dropped, as when the runtime shuts down.
    #[error("the fetch was cancelled")]
    Cancelled,
}

/// A bounded cache that fetches what it lacks, one fetch a key at a time.
///
/// Cheap to clone; clones share their entries, two caches share nothing. `E` must be built from
/// [`FetchLost`], since a fetch that panics still owes its callers an answer.
pub struct Cache<K, V, E> {
    inner: Arc<Inner<K, V, E>>,
}

/// A fetch that runs, shared by its task and those who wait.
type SharedFlight<V, E> = FlightArc<Flight<Outcome<V, E>>>;

/// What a caller that missed is to the fetch of its key.
type Part<V, E> = Role<Flight<Outcome<V, E>>>;

struct Inner<K, V, E> {
    store: Store<K, V, E>,
    tick: Tick,
    tracker: TaskTracker,
    counters: Counters,
}

impl<K, V, E> Clone for Cache<K, V, E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K, V, E> Cache<K, V, E>
where
    K: CacheKey,
    V: Send + Sync + 'static,
    E: Clone + Send + Sync + From<FetchLost> + 'static,
{
    /// An empty cache. It starts nothing; see [`Self::run_maintenance`].
    #[must_use]
    pub fn new(parts: CacheParts) -> Self {
        let CacheParts {
            clock,
            tracker,
            limits,
        } = parts;
        let store = Store::new(limits.max_entries, limits.max_bytes);
        let (tick, counters) = (Tick::new(clock), Counters::new());
        Self {
            inner: Arc::new(Inner {
                store,
                tick,
                tracker,
                counters,
            }),
        }
    }

    /// The entry of `key` if it is within its stale window. Starts no fetch.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<Cached<V>> {
        let hit = self.inner.read(self.inner.store.hash(key), key);
        if hit.is_none() {
            self.inner.counters.count(Event::Miss);
        }
        hit
    }

    /// The entry of `key`, or what `fetch` brings.
    ///
    /// Fresh: at once. Stale: at once, and `fetch` runs in the background unless a refresh of the
    /// key runs already or failed less than a second ago. Else the caller waits for the one fetch
    /// of the key, its own or another's. `windows` are those of the entry that `fetch` makes.
    ///
    /// `fetch` runs in its own task on the tracker and should have a timeout. Cancel safe: a fetch
    /// that was started goes on for the others, and its result is kept.
    ///
    /// # Errors
    /// The fetch's error, shared by all who waited for it and not kept; one made from
    /// [`FetchLost`] when it panicked or the runtime shut down.
    pub fn get_or_fetch<F, Fut>(
        &self,
        key: &K,
        windows: Windows,
        fetch: F,
    ) -> impl Future<Output = Result<Cached<V>, E>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        self.get_or_fetch_ahead(key, windows, Duration::MAX, fetch)
    }

    /// As [`Self::get_or_fetch`], and a fresh entry of at least the age `ahead` is refreshed in the
    /// background, too, as a stale one is: so one that somebody keeps asking for is replaced before it
    /// turns stale. Nobody asks, nothing is fetched. A refresh ahead that fails leaves the entry fresh
    /// until its time; the next asker tries again a second later.
    ///
    /// # Errors
    /// As [`Self::get_or_fetch`].
    pub fn get_or_fetch_ahead<F, Fut>(
        &self,
        key: &K,
        windows: Windows,
        ahead: Duration,
        fetch: F,
    ) -> impl Future<Output = Result<Cached<V>, E>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        self.answer(key, windows, Some(ahead), fetch)
    }

    /// What the one fetch of `key` brings, whatever entry there is: for a caller who cannot tell whether
    /// the entry still holds. What comes is kept as after [`Self::get_or_fetch`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Self::get_or_fetch`].
    pub fn fetch<F, Fut>(
        &self,
        key: &K,
        windows: Windows,
        fetch: F,
    ) -> impl Future<Output = Result<Cached<V>, E>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        self.answer(key, windows, None, fetch)
    }

    /// The entry, refreshed from the age `ahead` on, or a fetch; without `ahead` no entry counts.
    async fn answer<F, Fut>(
        &self,
        key: &K,
        windows: Windows,
        ahead: Option<Duration>,
        fetch: F,
    ) -> Result<Cached<V>, E>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        let hash = self.inner.store.hash(key);
        let found = if let Some(ahead) = ahead {
            if let Some(hit) = self.inner.read(hash, key) {
                let due = hit.freshness() == Freshness::Stale || hit.age() >= ahead;
                if due && hit.entry().state.try_begin(millis(hit.age())) {
                    self.refresh(key, Arc::clone(hit.entry()), windows, fetch);
                }
                return Ok(hit);
            }
            self.inner.join_or_lead(hash, key)
        } else {
            Ok(self.inner.role(&mut self.inner.store.lock(hash), key))
        };
        let (flight, freshness) = match found {
            Ok(Role::Follows(flight)) => {
                // Not needed any more, and what it captured should not be held while waiting.
                drop(fetch);
                (flight, Freshness::Coalesced)
            }
            Ok(Role::Leads(flight)) => {
                let landing = self.landing(FlightArc::clone(&flight), hash, key, None);
                self.launch(landing, windows, fetch);
                (flight, Freshness::Fetched)
            }
            Err(landed) => return Ok(landed),
        };
        let entry = flight.wait().await?;
        let age_ms = entry.age_ms(self.inner.tick.now_ms());
        Ok(Cached::new(entry, age_ms, freshness, false))
    }

    /// Removes `key`; whether there was an entry. A fetch of it that runs does not write any more:
    /// those who wait for it get its result, those who come later fetch anew.
    pub fn invalidate(&self, key: &K) -> bool {
        let removed = {
            let hash = self.inner.store.hash(key);
            let mut shard = self.inner.store.lock(hash);
            shard.flights.detach_key(key);
            self.inner.store.remove_key(&mut shard, hash, key)
        };
        removed.is_some()
    }

    /// Removes every key within `scope`, as [`Self::invalidate`]; how many entries went. Looks at
    /// every entry, shard by shard: a few milliseconds for 100,000.
    pub fn invalidate_scope(&self, scope: &K::Scope) -> usize {
        self.inner.store.invalidate(|key| key.is_within(scope))
    }

    /// Removes everything, as [`Self::invalidate`]; how many entries went.
    #[expect(
        clippy::must_use_candidate,
        reason = "the removal is the point, the count is news"
    )]
    pub fn clear(&self) -> usize {
        self.inner.store.invalidate(|_| true)
    }

    /// Removes the entries past their stale window; how many went.
    #[expect(
        clippy::must_use_candidate,
        reason = "the count is news, the removal is the point"
    )]
    pub fn sweep(&self) -> usize {
        (0..SHARDS).map(|at| self.inner.sweep_shard(at)).sum()
    }

    /// Brings the coarse time up to the clock. Of no effect while no maintenance runs, when every
    /// read asks the clock itself.
    pub fn tick(&self) {
        self.inner.tick.exact_ms();
    }

    /// Keeps the coarse time and sweeps, until `cancel`.
    ///
    /// While it runs a hit reads the time from one atomic word, late by up to 25 ms and by as much
    /// as this task is kept from running; before it starts and after it ends, hits ask the clock.
    /// Cancel safe.
    pub async fn run_maintenance(&self, cancel: CancellationToken) {
        let _coarse = Coarse(&self.inner.tick);
        let mut beats = interval(TICK);
        beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut shards = (0..SHARDS).cycle();
        loop {
            for _ in 0..SWEEP_BEATS {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => return,
                    _ = beats.tick() => self.inner.tick.step(),
                }
            }
            if let Some(at) = shards.next() {
                self.inner.sweep_shard(at);
            }
        }
    }

    /// What happened since the cache was built. The counts are read one after the other, so a sum
    /// over them may be off by what runs meanwhile.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let Inner {
            store, counters, ..
        } = &*self.inner;
        CacheStats {
            hits: counters.sum(Event::Hit),
            stale_hits: counters.sum(Event::StaleHit),
            misses: counters.sum(Event::Miss),
            coalesced: counters.sum(Event::Coalesced),
            refreshes: counters.sum(Event::Refresh),
            fetch_errors: counters.sum(Event::FetchError),
            evictions: counters.sum(Event::Eviction),
            expired: counters.sum(Event::Expired),
            entries: store.entries(),
            bytes: store.bytes(),
            in_flight: store.in_flight(),
        }
    }

    /// Panics unless map, lists and gauges agree.
    #[cfg(all(test, not(resync_loom)))]
    pub(crate) fn check(&self) {
        self.inner.store.check();
    }

    /// Starts the refresh of `stale`, whose flag the caller holds.
    fn refresh<F, Fut>(&self, key: &K, stale: Arc<Entry<V>>, windows: Windows, fetch: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        let role = {
            let mut shard = self.inner.store.lock(stale.hash);
            // An entry that was replaced or invalidated meanwhile needs no refresh of ours.
            let is_it = |found: &Entry<V>| std::ptr::eq(found, Arc::as_ptr(&stale));
            let current = self.inner.store.find(stale.hash, key, is_it);
            current.map(|_| shard.flights.join_or_lead(key, Flight::new))
        };
        if let Some(Role::Leads(flight)) = role {
            self.inner.counters.count(Event::Refresh);
            let landing = self.landing(flight, stale.hash, key, Some(stale));
            self.launch(landing, windows, fetch);
        } else {
            stale.state.give_up();
        }
    }

    fn landing(
        &self,
        flight: SharedFlight<V, E>,
        hash: KeyHash,
        key: &K,
        stale: Option<Arc<Entry<V>>>,
    ) -> Landing<K, V, E> {
        Landing {
            inner: Arc::clone(&self.inner),
            flight,
            hash,
            key: Some(key.clone()),
            stale,
        }
    }

    /// Runs `fetch` in a task of its own and lands its flight with what it brings.
    fn launch<F, Fut>(&self, landing: Landing<K, V, E>, windows: Windows, fetch: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Fetched<V>, E>> + Send + 'static,
    {
        let task = async move {
            let outcome = fetch().await;
            landing.land(outcome, windows);
        };
        drop(self.inner.tracker.spawn(task.in_current_span()));
    }
}

impl<K, V, E> Inner<K, V, E>
where
    K: CacheKey,
    V: Send + Sync + 'static,
    E: Clone,
{
    /// The hit path: no lock, no await.
    #[inline]
    fn read(&self, hash: KeyHash, key: &K) -> Option<Cached<V>> {
        let now_ms = self.tick.now_ms();
        let entry = self
            .store
            .find(hash, key, |entry| !entry.is_expired(now_ms))?;
        entry.state.mark_used();
        let age_ms = entry.age_ms(now_ms);
        if age_ms < u64::from(entry.fresh_ms) {
            self.counters.count(Event::Hit);
            return Some(Cached::new(entry, age_ms, Freshness::Fresh, false));
        }
        self.counters.count(Event::StaleHit);
        let failed = entry.state.has_failed();
        Some(Cached::new(entry, age_ms, Freshness::Stale, failed))
    }

    /// A caller that found nothing joins the key's flight or leads one; `Err` is the entry that
    /// was written between its look at the map and the lock.
    fn join_or_lead(&self, hash: KeyHash, key: &K) -> Result<Part<V, E>, Cached<V>> {
        let now_ms = self.tick.now_ms();
        let mut shard = self.store.lock(hash);
        if let Some(entry) = self
            .store
            .find(hash, key, |entry| !entry.is_expired(now_ms))
        {
            drop(shard);
            self.counters.count(Event::Coalesced);
            let age_ms = entry.age_ms(now_ms);
            return Err(Cached::new(entry, age_ms, Freshness::Coalesced, false));
        }
        Ok(self.role(&mut shard, key))
    }

    /// Joins the key's flight or leads one; its shard is locked by the caller.
    fn role(&self, shard: &mut Shard<K, V, E>, key: &K) -> Part<V, E> {
        let role = shard.flights.join_or_lead(key, Flight::new);
        self.counters.count(match role {
            Role::Leads(_) => Event::Miss,
            Role::Follows(_) => Event::Coalesced,
        });
        role
    }

    fn sweep_shard(&self, at: usize) -> usize {
        let swept = self.store.sweep_shard(at, self.tick.exact_ms());
        self.counters.add(Event::Expired, swept as u64);
        swept
    }
}

/// Ends coarse time when the maintenance ends, in whatever way.
struct Coarse<'a>(&'a Tick);

impl Drop for Coarse<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The duty to land a flight: kept by [`Landing::land`], or by the drop of a fetch that is lost.
struct Landing<K: CacheKey, V: Send + Sync + 'static, E: Clone + From<FetchLost>> {
    inner: Arc<Inner<K, V, E>>,
    flight: SharedFlight<V, E>,
    hash: KeyHash,
    /// Taken when the flight has landed.
    key: Option<K>,
    /// The entry that a refresh is for; its flag is ours.
    stale: Option<Arc<Entry<V>>>,
}

impl<K: CacheKey, V: Send + Sync + 'static, E: Clone + From<FetchLost>> Landing<K, V, E> {
    fn land(mut self, outcome: Result<Fetched<V>, E>, windows: Windows) {
        let Some(key) = self.key.take() else { return };
        match outcome {
            Ok(fetched) => self.keep(key, fetched, windows),
            Err(error) => self.fail(&key, error),
        }
    }

    /// Writes before it leaves, under one lock: who comes then finds the entry or the flight.
    fn keep(&self, key: K, fetched: Fetched<V>, windows: Windows) {
        let Inner {
            store,
            tick,
            counters,
            ..
        } = &*self.inner;
        let now_ms = tick.exact_ms();
        let digest = ETag::of(&fetched.bytes).digest();
        let wall_ms = tick.clock().now().timestamp_millis();
        let age_ms = millis(fetched.age);
        let entry = Arc::new(Entry {
            value: fetched.value,
            bytes: fetched.bytes,
            digest,
            fetched: Stamp::new(
                now_ms.saturating_sub(age_ms),
                wall_ms.saturating_sub_unsigned(age_ms),
            ),
            fresh_ms: window_ms(windows.fresh),
            stale_ms: window_ms(windows.stale.max(windows.fresh)),
            state: EntryState::new(),
            place: 0.into(),
            hash: self.hash,
        });
        let displaced = {
            let mut shard = store.lock(self.hash);
            let may_write = shard.flights.leave(&key, &self.flight);
            may_write.then(|| store.put(&mut shard, key, Arc::clone(&entry)))
        };
        self.flight.land(Ok(entry));
        drop(displaced);
        let evicted = store.enforce_limits(now_ms);
        if evicted > 0 {
            counters.add(Event::Eviction, evicted);
        }
    }

    fn fail(&self, key: &K, error: E) {
        let Inner {
            store,
            tick,
            counters,
            ..
        } = &*self.inner;
        store.lock(self.hash).flights.leave(key, &self.flight);
        if let Some(stale) = &self.stale {
            stale
                .state
                .fail(stale.age_ms(tick.exact_ms()) + REFRESH_RETRY_MS);
        }
        counters.count(Event::FetchError);
        self.flight.land(Err(error));
    }
}

impl<K: CacheKey, V: Send + Sync + 'static, E: Clone + From<FetchLost>> Drop for Landing<K, V, E> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let panicked = std::thread::panicking();
            let lost = if panicked {
                FetchLost::Panicked
            } else {
                FetchLost::Cancelled
            };
            tracing::warn!(reason = %lost, "a cache fetch was lost; its callers get an error");
            self.fail(&key, lost.into());
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn window_ms(window: Duration) -> u32 {
    u32::try_from(window.as_millis()).unwrap_or(u32::MAX)
}
