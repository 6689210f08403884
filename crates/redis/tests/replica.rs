//! A replica with a cache of its own, over entries in Redis that it shares with others.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use resync_kernel::SystemClock;
use resync_redis::{RedisBus, RedisClient, RedisEntries};
use resync_sync::contract::soon;
use resync_sync::{
    Cache, CacheKey, CacheLimits, CacheParts, Codec, FetchLost, Fetched, Pack, SharedCache,
    SharedKey, SharedParts, SharedSettings, TaskTracker, Windows,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::server::{TIMEOUT, client};

const WINDOWS: Windows = Windows {
    fresh: Duration::from_mins(5),
    stale: Duration::from_mins(10),
};

/// The one question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question;

impl CacheKey for Question {
    type Scope = ();

    fn is_within(&self, (): &()) -> bool {
        true
    }
}

/// The engine of these tests never fails.
#[derive(Debug, Clone)]
struct Lost(#[expect(dead_code, reason = "shown when a test fails")] FetchLost);

impl From<FetchLost> for Lost {
    fn from(lost: FetchLost) -> Self {
        Self(lost)
    }
}

impl From<Infallible> for Lost {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

struct Text;

fn fetched(value: u64) -> Fetched<u64> {
    Fetched {
        value,
        bytes: value.to_string().into(),
        age: Duration::ZERO,
    }
}

#[async_trait]
impl Codec<u64> for Text {
    fn pack(&self, fetched: &Fetched<u64>) -> Option<Pack> {
        let bytes = fetched.bytes.clone();
        Some(Box::new(|| Some(bytes)))
    }

    async fn unpack(&self, bytes: Bytes) -> Option<Fetched<u64>> {
        std::str::from_utf8(&bytes).ok()?.parse().ok().map(fetched)
    }
}

/// What the engine would say, and how often it was asked.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    now: Arc<AtomicU64>,
    asked: Arc<AtomicUsize>,
}

impl Plan {
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(crate) struct Replica {
    pub(crate) redis: RedisClient,
    pub(crate) shared: SharedCache,
    pub(crate) bus: RedisBus,
    cache: Cache<Question, u64, Lost>,
    plan: Plan,
    _beside: JoinSet<()>,
}

impl Replica {
    /// A replica that is in touch with the others.
    pub(crate) async fn start(url: &str, prefix: &str, plan: &Plan) -> Self {
        let replica = Self::alone(url, prefix, plan);
        soon(|| async { replica.shared.in_touch().then_some(()) }).await;
        replica
    }

    pub(crate) fn alone(url: &str, prefix: &str, plan: &Plan) -> Self {
        let redis = client(url, TIMEOUT);
        let bus = RedisBus::new(redis.clone(), format!("{prefix}:notices"));
        let tracker = TaskTracker::new();
        let shared = SharedCache::new(SharedParts {
            entries: Arc::new(RedisEntries::new(redis.clone(), prefix, bus.clone())),
            bus: Arc::new(bus.clone()),
            tracker: tracker.clone(),
            settings: SharedSettings {
                lease: Duration::from_secs(20),
                patience: Duration::from_secs(5),
                max_bytes: 1000,
            },
        });
        let cache = Cache::new(CacheParts {
            clock: Arc::new(SystemClock::new()),
            tracker,
            limits: CacheLimits::default(),
        });
        let mut beside = JoinSet::new();
        beside.spawn(redis.clone().watch(CancellationToken::new()));
        beside.spawn(bus.clone().listen(CancellationToken::new()));
        let (listens, forgets) = (shared.clone(), cache.clone());
        beside.spawn(async move {
            let forget = |_: Option<&str>| {
                forgets.clear();
            };
            listens.run(forget, CancellationToken::new()).await;
        });
        Self {
            redis,
            shared,
            bus,
            cache,
            plan: plan.clone(),
            _beside: beside,
        }
    }

    pub(crate) async fn read(&self) -> u64 {
        let (shared, plan) = (self.shared.clone(), self.plan.clone());
        let name = SharedKey {
            name: "plan".to_owned(),
            scopes: vec!["all".to_owned()],
        };
        let engine = move || async move {
            plan.asked.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Lost>(fetched(plan.now.load(Ordering::SeqCst)))
        };
        let through = move || async move { shared.fetch(name, WINDOWS, Text, engine).await };
        let answer = if self.shared.in_touch() {
            self.cache.get_or_fetch(&Question, WINDOWS, through).await
        } else {
            self.cache.fetch(&Question, WINDOWS, through).await
        };
        *answer.unwrap().value()
    }

    /// An action that changes the plan, up to its answer.
    pub(crate) async fn acts(&self, now: u64) {
        self.plan.now.store(now, Ordering::SeqCst);
        self.cache.clear();
        self.shared.invalidate("all").await;
        self.cache.clear();
    }

    /// Once what it fetched is written for the others.
    pub(crate) async fn has_written(&self, count: u64) {
        soon(|| async { (self.shared.stats().written >= count).then_some(()) }).await;
    }
}
