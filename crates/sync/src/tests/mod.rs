//! Races, ages and bounds of the cache and the once-cell.

mod ages;
mod bounds;
mod coalesce;
mod invalidation;
mod model;
mod once;
mod replicas;
mod replicas_in_process;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use resync_kernel::ManualClock;
use thiserror::Error;
use tokio_util::task::TaskTracker;

use crate::{Cache, CacheKey, CacheLimits, CacheParts, FetchLost, Fetched, Windows};

pub(crate) const WINDOWS: Windows = Windows {
    fresh: Duration::from_secs(10),
    stale: Duration::from_secs(30),
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    engine: u8,
    category: u8,
    name: String,
}

pub(crate) enum Scope {
    Engine(u8),
    Category(u8),
    Both(u8, u8),
}

impl CacheKey for Key {
    type Scope = Scope;

    fn is_within(&self, scope: &Scope) -> bool {
        match *scope {
            Scope::Engine(engine) => self.engine == engine,
            Scope::Category(category) => self.category == category,
            Scope::Both(engine, category) => self.engine == engine && self.category == category,
        }
    }
}

pub(crate) fn key(name: &str) -> Key {
    Key {
        engine: 1,
        category: 1,
        name: name.into(),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    #[error("the engine is down")]
    Down,
    #[error(transparent)]
    Lost(#[from] FetchLost),
}

/// A cache on a manual clock, and a count of the fetches it ran.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) cache: Cache<Key, u64, Fault>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tracker: TaskTracker,
    fetches: Arc<AtomicUsize>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::bounded(100_000, 1 << 30)
    }

    pub(crate) fn bounded(max_entries: usize, max_bytes: usize) -> Self {
        let (clock, tracker) = (Arc::new(ManualClock::default()), TaskTracker::new());
        let parts = CacheParts {
            clock: clock.clone(),
            tracker: tracker.clone(),
            limits: CacheLimits {
                max_entries,
                max_bytes,
            },
        };
        Self {
            cache: Cache::new(parts),
            clock,
            tracker,
            fetches: Arc::default(),
        }
    }

    /// A fetch of `value` that takes a second.
    pub(crate) fn slow(&self, value: u64) -> impl FnOnce() -> SlowFetch + Send + 'static + use<> {
        self.fetch(Duration::from_secs(1), Ok(value))
    }

    /// A fetch that takes a second and fails.
    pub(crate) fn failing(&self) -> impl FnOnce() -> SlowFetch + Send + 'static + use<> {
        self.fetch(Duration::from_secs(1), Err(Fault::Down))
    }

    /// A fetch of `value` that takes no time.
    pub(crate) fn quick(&self, value: u64) -> impl FnOnce() -> SlowFetch + Send + 'static + use<> {
        self.fetch(Duration::ZERO, Ok(value))
    }

    fn fetch(
        &self,
        takes: Duration,
        outcome: Result<u64, Fault>,
    ) -> impl FnOnce() -> SlowFetch + Send + 'static + use<> {
        let fetches = Arc::clone(&self.fetches);
        move || {
            fetches.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                if !takes.is_zero() {
                    tokio::time::sleep(takes).await;
                }
                outcome.map(fetched)
            })
        }
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// Waits until no fetch runs; nothing may be left behind then.
    pub(crate) async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
        assert_eq!(
            self.cache.stats().in_flight,
            0,
            "the table of flights is not empty"
        );
        self.cache.check();
    }
}

pub(crate) type SlowFetch = std::pin::Pin<Box<dyn Future<Output = FetchResult> + Send>>;
type FetchResult = Result<Fetched<u64>, Fault>;

pub(crate) fn fetched(value: u64) -> Fetched<u64> {
    Fetched {
        value,
        bytes: value.to_string().into(),
        age: Duration::ZERO,
    }
}

/// P1-02: a cache can be shared by threads, whatever is cloned from it.
#[test]
fn cache_is_send_sync() {
    const fn shared<T: Send + Sync + Clone + 'static>() {}
    const { shared::<Cache<Key, u64, Fault>>() };
    const { shared::<crate::Cached<u64>>() };
}

/// P1-02: a cache is a value; what one holds the other does not.
#[tokio::test(start_paused = true)]
async fn cache_instances_are_independent() {
    let (one, other) = (Rig::new(), Rig::new());
    one.cache
        .get_or_fetch(&key("A"), WINDOWS, one.quick(1))
        .await
        .unwrap();
    assert!(other.cache.get(&key("A")).is_none());
    other
        .cache
        .get_or_fetch(&key("A"), WINDOWS, other.quick(2))
        .await
        .unwrap();
    other.cache.clear();
    assert_eq!(*one.cache.get(&key("A")).unwrap().value(), 1);
    assert_eq!(
        (one.cache.stats().entries, other.cache.stats().entries),
        (1, 0)
    );
}

/// A clone is the same cache.
#[tokio::test(start_paused = true)]
async fn clones_share_their_entries() {
    let rig = Rig::new();
    let clone = rig.cache.clone();
    clone
        .get_or_fetch(&key("A"), WINDOWS, rig.quick(1))
        .await
        .unwrap();
    assert_eq!(*rig.cache.get(&key("A")).unwrap().value(), 1);
}
