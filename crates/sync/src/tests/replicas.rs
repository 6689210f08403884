//! Two replicas, each with its cache, over entries that they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use super::{Fault, Rig, WINDOWS, fetched, key};
use crate::{
    Codec, Fetched, InProcessBus, InProcessEntries, InProcessHub, Pack, SharedCache, SharedKey,
    SharedParts, SharedSettings, SharedStats,
};

const SETTINGS: SharedSettings = SharedSettings {
    lease: Duration::from_secs(20),
    patience: Duration::from_secs(5),
    max_bytes: 10,
};

/// Numbers as text; not those of another version.
#[derive(Clone, Default)]
struct Text {
    unreadable: Arc<AtomicBool>,
}

#[async_trait]
impl Codec<u64> for Text {
    fn pack(&self, fetched: &Fetched<u64>) -> Option<Pack> {
        let bytes = fetched.bytes.clone();
        Some(Box::new(|| Some(bytes)))
    }

    async fn unpack(&self, bytes: Bytes) -> Option<Fetched<u64>> {
        let text = std::str::from_utf8(&bytes).ok()?;
        let readable = !self.unreadable.load(Ordering::SeqCst);
        readable.then(|| fetched(text.parse().unwrap()))
    }
}

/// What the engine would answer, and how often it was asked.
#[derive(Clone, Default)]
struct Plan {
    now: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Plan {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn becomes(&self, now: usize) {
        self.now.store(now, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Replica {
    rig: Rig,
    bus: InProcessBus,
    shared: SharedCache,
    codec: Text,
    plan: Plan,
}

/// Replicas that hear each other, of one plan.
struct World {
    hub: InProcessHub,
    entries: InProcessEntries,
    plan: Plan,
    end: CancellationToken,
}

impl World {
    fn new() -> Self {
        let hub = InProcessHub::default();
        Self {
            entries: InProcessEntries::new(hub.join()),
            hub,
            plan: Plan::default(),
            end: CancellationToken::new(),
        }
    }

    async fn replica(&self) -> Replica {
        let (rig, bus) = (Rig::new(), self.hub.join());
        let shared = SharedCache::new(SharedParts {
            entries: Arc::new(self.entries.replica(bus.clone())),
            bus: Arc::new(bus.clone()),
            tracker: rig.tracker.clone(),
            settings: SETTINGS,
        });
        assert!(!shared.in_touch(), "nobody listens yet");
        let (listens, cache, end) = (shared.clone(), rig.cache.clone(), self.end.clone());
        drop(rig.tracker.spawn(async move {
            let forget = |scope: Option<&str>| {
                if scope.is_some() {
                    cache.invalidate(&key("A"));
                } else {
                    cache.clear();
                }
            };
            listens.run(forget, end).await;
        }));
        // Its first look at the bus.
        sleep(Duration::from_millis(1)).await;
        assert!(shared.in_touch());
        Replica {
            rig,
            bus,
            shared,
            codec: Text::default(),
            plan: self.plan.clone(),
        }
    }
}

impl Replica {
    /// As the plan is read: one second an answer, which is what the plan was in the middle of it.
    async fn read(&self) -> u64 {
        self.read_that(|plan| async move {
            plan.asked.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(500)).await;
            let now = plan.now.load(Ordering::SeqCst);
            sleep(Duration::from_millis(500)).await;
            Ok(fetched(u64::try_from(now).unwrap()))
        })
        .await
        .unwrap()
    }

    async fn read_that<Fut>(&self, fetch: fn(Plan) -> Fut) -> Result<u64, Fault>
    where
        Fut: Future<Output = Result<Fetched<u64>, Fault>> + Send + 'static,
    {
        let (shared, codec, plan) = (self.shared.clone(), self.codec.clone(), self.plan.clone());
        let name = SharedKey {
            name: "A".to_owned(),
            scopes: vec!["all".to_owned()],
        };
        let through = move || async move {
            shared
                .fetch(name, WINDOWS, codec, move || fetch(plan))
                .await
        };
        let cache = &self.rig.cache;
        let answer = if self.shared.in_touch() {
            cache.get_or_fetch(&key("A"), WINDOWS, through).await
        } else {
            cache.fetch(&key("A"), WINDOWS, through).await
        };
        answer.map(|answer| *answer.value())
    }

    async fn acts(&self, now: usize) {
        self.plan.becomes(now);
        self.rig.cache.invalidate(&key("A"));
        self.shared.invalidate("all").await;
        self.rig.cache.invalidate(&key("A"));
    }

    fn stats(&self) -> SharedStats {
        self.shared.stats()
    }
}

#[tokio::test(start_paused = true)]
async fn one_fetch_for_all_replicas() {
    let world = World::new();
    let (one, other) = (world.replica().await, world.replica().await);
    let late = async {
        sleep(Duration::from_millis(20)).await;
        other.read().await
    };
    assert_eq!(tokio::join!(one.read(), late), (0, 0));
    assert_eq!(world.plan.asked(), 1);
    assert_eq!(one.stats().written, 1);
    assert_eq!((other.stats().waited, other.stats().hits), (1, 1));
    // And a replica that comes later has it at once, as old as it is.
    sleep(Duration::from_secs(3)).await;
    let third = world.replica().await;
    assert_eq!(third.read().await, 0);
    let age = third.rig.cache.get(&key("A")).unwrap().age();
    assert!(age < Duration::from_secs(3), "by its own time of hearing");
    assert_eq!(
        world.plan.asked(),
        2,
        "what it could not have heard of it does not take"
    );
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_another_replica_is_as_old_as_it_is() {
    let world = World::new();
    let (one, other) = (world.replica().await, world.replica().await);
    one.read().await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(other.read().await, 0);
    let age = other.rig.cache.get(&key("A")).unwrap().age();
    assert!(age >= Duration::from_secs(3), "{age:?}");
    assert_eq!(world.plan.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_another_replica_ends_by_itself() {
    let world = World::new();
    let (one, other) = (world.replica().await, world.replica().await);
    let hangs = one.read_that(|_| std::future::pending());
    let late = async {
        sleep(Duration::from_millis(20)).await;
        other.read().await
    };
    let began = tokio::time::Instant::now();
    tokio::select! {
        _ = hangs => panic!("it hangs"),
        value = late => assert_eq!(value, 0),
    }
    assert!(began.elapsed() < SETTINGS.patience + Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_panicking_fetch_goes_on_to_the_next() {
    let world = World::new();
    let (one, other) = (world.replica().await, world.replica().await);
    let failed = one.read_that(|_| async { Err(Fault::Down) }).await;
    assert_eq!(failed, Err(Fault::Down));
    let began = tokio::time::Instant::now();
    assert_eq!(other.read().await, 0);
    other.acts(1).await;
    let panicked = one.read_that(|_| async { panic!("the engine's client failed") });
    assert!(panicked.await.is_err());
    assert_eq!(other.read().await, 1);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "nobody waits for a lease"
    );
}

/// I-10 over replicas.
#[tokio::test(start_paused = true)]
async fn an_invalidation_is_seen_by_every_replica() {
    let world = World::new();
    let (one, other) = (world.replica().await, world.replica().await);
    assert_eq!((one.read().await, other.read().await), (0, 0));
    one.acts(1).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!((other.read().await, one.read().await), (1, 1));
    assert_eq!(world.plan.asked(), 2);
}

/// I-10 over replicas: the fetch of one, the invalidation of the other, and a third who comes after both.
#[tokio::test(start_paused = true)]
async fn a_fetch_begun_before_an_invalidation_writes_on_no_replica() {
    let world = World::new();
    let (one, other, third) = (
        world.replica().await,
        world.replica().await,
        world.replica().await,
    );
    let begun = one.read();
    let acted = async {
        sleep(Duration::from_millis(700)).await;
        other.acts(1).await;
    };
    let (old, ()) = tokio::join!(begun, acted);
    assert_eq!(old, 0, "who waited for it gets it");
    for replica in [&third, &one, &other] {
        assert_eq!(replica.read().await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_hear_trusts_nothing_it_holds() {
    let world = World::new();
    let (one, deaf) = (world.replica().await, world.replica().await);
    assert_eq!((one.read().await, deaf.read().await), (0, 0));
    deaf.bus.cut_off();
    one.acts(1).await;
    assert!(!deaf.shared.in_touch());
    assert_eq!(deaf.read().await, 1);
    let asked = world.plan.asked();
    assert_eq!(tokio::join!(deaf.read(), deaf.read()), (1, 1));
    assert_eq!(world.plan.asked(), asked + 1, "one fetch a key at a time");

    one.acts(2).await;
    deaf.bus.rejoin();
    assert_eq!(deaf.read().await, 2, "also before it dropped what it held");
    sleep(Duration::from_millis(1)).await;
    assert!(deaf.shared.in_touch());
    one.read().await;
    let asked = world.plan.asked();
    assert_eq!(deaf.read().await, 2);
    assert_eq!(
        world.plan.asked(),
        asked,
        "what was fetched since then counts"
    );
}

/// A replica that could not tell the others tells them when it can.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_told_is_told_later() {
    let world = World::new();
    let (mute, other) = (world.replica().await, world.replica().await);
    other.read().await;
    mute.bus.cut_off();
    mute.acts(1).await;
    assert_eq!(mute.stats().untold, 1);
    assert_eq!(other.read().await, 0, "it cannot know");
    mute.bus.rejoin();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(other.read().await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_shared_speeds_up_and_stops_nobody() {
    let world = World::new();
    let (one, other) = (world.replica().await, world.replica().await);
    // Of another version.
    one.read().await;
    other.codec.unreadable.store(true, Ordering::SeqCst);
    assert_eq!(other.read().await, 0);
    assert_eq!(other.stats().passed_by, 1);
    // Too large.
    other.codec.unreadable.store(false, Ordering::SeqCst);
    one.acts(12_345_678_901).await;
    assert_eq!(one.read().await, 12_345_678_901);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(other.read().await, 12_345_678_901);
    assert_eq!(one.stats().written, 1, "the first one alone");
}
