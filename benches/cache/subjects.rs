//! Our cache and its peers behind one trait, so that each runs the same workload.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use resync_kernel::SystemClock;
use resync_sync::{
    Cache, CacheKey, CacheLimits, CacheParts, CancellationToken, FetchLost, Fetched, TaskTracker,
    Windows,
};

/// Long enough that nothing expires while a bench runs.
const FRESH: Duration = Duration::from_mins(50);

/// The shape of a plan's key: an engine, a category and a job's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    engine: u16,
    category: u8,
    pub(crate) job: String,
}

impl Key {
    pub(crate) fn new(number: usize) -> Self {
        let engine = u16::try_from(number % 3).unwrap_or(0);
        Self {
            engine,
            category: 1,
            job: format!("LX_PRD{engine:02}#/FIN/JOB_{number:07}"),
        }
    }
}

impl CacheKey for Key {
    type Scope = u16;

    fn is_within(&self, engine: &u16) -> bool {
        self.engine == *engine
    }
}

/// A fetch that was lost; none is in these workloads.
#[derive(Debug, Clone, thiserror::Error)]
#[error("a fetch was lost")]
pub(crate) struct Lost;

impl From<FetchLost> for Lost {
    fn from(_: FetchLost) -> Self {
        Self
    }
}

/// What each cache holds: a small typed value and its serialised form.
pub(crate) fn payload(len: usize) -> Bytes {
    vec![b'x'; len].into()
}

/// A cache under test. A clone shares the entries.
pub(crate) trait Subject: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    /// An empty cache with room for `keys`; called inside the runtime.
    fn new(keys: usize) -> Self;

    /// The value of `key`, or what `fetch` brings, once for all who ask meanwhile; the length of
    /// its bytes.
    fn read<F>(&self, key: &Key, fetch: F) -> impl Future<Output = usize> + Send
    where
        F: Future<Output = Bytes> + Send + 'static;

    /// Ends what the cache runs in the background.
    fn stop(&self) {}
}

/// Ours, with its maintenance running as in the server.
#[derive(Clone)]
pub(crate) struct Ours {
    cache: Cache<Key, u64, Lost>,
    /// Shared, since a clone of a token takes a lock, which is no part of a read.
    cancel: Arc<CancellationToken>,
}

impl Subject for Ours {
    const NAME: &'static str = "resync-sync";

    fn new(keys: usize) -> Self {
        let tracker = TaskTracker::new();
        let cache = Cache::new(CacheParts {
            clock: Arc::new(SystemClock::new()),
            tracker: tracker.clone(),
            limits: CacheLimits {
                max_entries: keys * 2,
                max_bytes: usize::MAX,
            },
        });
        let cancel = CancellationToken::new();
        let maintained = (cache.clone(), cancel.clone());
        drop(tracker.spawn(async move { maintained.0.run_maintenance(maintained.1).await }));
        Self {
            cache,
            cancel: Arc::new(cancel),
        }
    }

    async fn read<F>(&self, key: &Key, fetch: F) -> usize
    where
        F: Future<Output = Bytes> + Send + 'static,
    {
        let windows = Windows {
            fresh: FRESH,
            stale: FRESH,
        };
        let fetch = || async {
            Ok(Fetched {
                value: 1,
                bytes: fetch.await,
                age: Duration::ZERO,
            })
        };
        let answer = self.cache.get_or_fetch(key, windows, fetch).await;
        answer.map_or(0, |answer| answer.bytes().len())
    }

    fn stop(&self) {
        self.cancel.cancel();
    }
}

/// What the peers hold.
pub(crate) struct PeerEntry {
    _value: u64,
    bytes: Bytes,
    fetched_ms: u64,
    fetched_at: Instant,
}

impl PeerEntry {
    fn new(bytes: Bytes, fetched_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            _value: 1,
            bytes,
            fetched_ms,
            fetched_at: Instant::now(),
        })
    }
}

/// The barest code that could be right: a papaya read, a check of the age against a coarse tick,
/// and a shared value handed out. It cannot coalesce. Its hasher is ours.
#[derive(Clone)]
pub(crate) struct Limit {
    map: Arc<papaya::HashMap<Key, Arc<PeerEntry>, foldhash::quality::RandomState>>,
    now_ms: Arc<AtomicU64>,
}

impl Subject for Limit {
    const NAME: &'static str = "limit: papaya + tick";

    fn new(_: usize) -> Self {
        let map = papaya::HashMap::with_hasher(foldhash::quality::RandomState::default());
        Self {
            map: Arc::new(map),
            now_ms: Arc::new(AtomicU64::new(1)),
        }
    }

    async fn read<F>(&self, key: &Key, fetch: F) -> usize
    where
        F: Future<Output = Bytes> + Send + 'static,
    {
        if let Some(entry) = self.hit(key) {
            return entry.bytes.len();
        }
        let entry = PeerEntry::new(fetch.await, self.now_ms.load(Ordering::Relaxed));
        self.map.pin().insert(key.clone(), Arc::clone(&entry));
        entry.bytes.len()
    }
}

impl Limit {
    fn hit(&self, key: &Key) -> Option<Arc<PeerEntry>> {
        let map = self.map.pin();
        let entry = map.get(key)?;
        let age = self
            .now_ms
            .load(Ordering::Relaxed)
            .saturating_sub(entry.fetched_ms);
        (u128::from(age) < FRESH.as_millis()).then(|| Arc::clone(entry))
    }
}

/// `quick_cache` with the check of an age that a user of expiring entries pays.
#[derive(Clone)]
pub(crate) struct QuickCache(Arc<quick_cache::sync::Cache<Key, Arc<PeerEntry>>>);

impl Subject for QuickCache {
    const NAME: &'static str = "quick_cache + age";

    fn new(keys: usize) -> Self {
        Self(Arc::new(quick_cache::sync::Cache::new(keys * 2)))
    }

    async fn read<F>(&self, key: &Key, fetch: F) -> usize
    where
        F: Future<Output = Bytes> + Send + 'static,
    {
        if let Some(entry) = self.0.get(key) {
            if entry.fetched_at.elapsed() < FRESH {
                return entry.bytes.len();
            }
            self.0.remove(key);
        }
        let fetch = async { Ok::<_, Lost>(PeerEntry::new(fetch.await, 0)) };
        let entry = self.0.get_or_insert_async(key, fetch).await;
        entry.map_or(0, |entry| entry.bytes.len())
    }
}

/// moka with a time to live.
#[derive(Clone)]
pub(crate) struct Moka(moka::future::Cache<Key, Arc<PeerEntry>>);

impl Subject for Moka {
    const NAME: &'static str = "moka + TTL";

    fn new(keys: usize) -> Self {
        let room = u64::try_from(keys * 2).unwrap_or(u64::MAX);
        Self(
            moka::future::Cache::builder()
                .max_capacity(room)
                .time_to_live(FRESH)
                .build(),
        )
    }

    async fn read<F>(&self, key: &Key, fetch: F) -> usize
    where
        F: Future<Output = Bytes> + Send + 'static,
    {
        let fetch = async { PeerEntry::new(fetch.await, 0) };
        self.0.get_with_by_ref(key, fetch).await.bytes.len()
    }
}
