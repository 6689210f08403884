//! Two services that share entries before one engine, as two replicas do.

use std::sync::Arc;
use std::time::Duration;

use resync_kernel::ManualClock;
use resync_memory::tws::ScriptedEngine;
use resync_sync::{
    InProcessBus, InProcessEntries, InProcessHub, SharedCache, SharedParts, SharedSettings,
};
use resync_tws::model::{Job, JobStatus};
use resync_tws::{
    CacheLimits, CachePolicy, Engines, GraphDirection, LogRequest, PlanParts, PlanScope,
    PlanService,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fixture::{ended, engine, id, waiting};

struct Replicas {
    hub: InProcessHub,
    entries: InProcessEntries,
    engine: Arc<ScriptedEngine>,
}

impl Replicas {
    fn new(jobs: Vec<Job>) -> Self {
        let hub = InProcessHub::default();
        Self {
            entries: InProcessEntries::new(hub.join()),
            hub,
            engine: Arc::new(ScriptedEngine::with_jobs(jobs)),
        }
    }

    async fn join(&self) -> (PlanService, InProcessBus) {
        let (bus, tracker) = (self.hub.join(), TaskTracker::new());
        let shared = SharedCache::new(SharedParts {
            entries: Arc::new(self.entries.replica(bus.clone())),
            bus: Arc::new(bus.clone()),
            tracker: tracker.clone(),
            settings: SharedSettings {
                lease: Duration::from_secs(20),
                patience: Duration::from_secs(5),
                max_bytes: 1 << 20,
            },
        });
        let plan = PlanService::new(PlanParts {
            engines: Engines::new(vec![engine("prod", &self.engine, false)]).unwrap(),
            clock: Arc::new(ManualClock::default()),
            tracker: tracker.clone(),
            policy: CachePolicy::default(),
            limits: CacheLimits::default(),
        })
        .sharing(shared);
        let maintained = plan.clone();
        drop(tracker.spawn(async move {
            maintained.run_maintenance(CancellationToken::new()).await;
        }));
        // Its first look at the bus.
        sleep(Duration::from_millis(1)).await;
        (plan, bus)
    }
}

/// Until what was fetched is packed, on a thread of its own, and written for the others.
async fn written(plan: &PlanService, count: u64) {
    resync_sync::contract::soon(|| async {
        (plan.shared_stats().unwrap().written >= count).then_some(())
    })
    .await;
}

/// C1 over replicas: the same bytes and tag, as old as they are, and no call to the engine.
#[tokio::test]
async fn what_one_service_read_the_other_answers_with() {
    let replicas = Replicas::new(vec![ended("a", JobStatus::Abend, 12), waiting("b")]);
    let ((one, _a), (other, _b)) = (replicas.join().await, replicas.join().await);
    let a = id("a");
    let board = one.summary(None).await.unwrap();
    let job = one.job(None, &a).await.unwrap();
    // The board, the job, and its workstation where it has one.
    written(&one, 2).await;
    let reads = replicas.engine.reads();

    let same = other.summary(None).await.unwrap();
    assert_eq!((&same.bytes, same.etag), (&board.bytes, board.etag));
    assert_eq!(same.value, board.value);
    let same = other.job(None, &a).await.unwrap();
    assert_eq!((&same.bytes, &same.value), (&job.bytes, &job.value));
    let graph = other.graph(None, &a, GraphDirection::Both, 3).await;
    assert!(graph.is_ok(), "what is worked out is each replica's own");
    assert_eq!(replicas.engine.reads(), reads);
    assert!(other.shared_stats().unwrap().hits >= 2);
    // Each finds out for itself whether it reaches the engine.
    other.engines_status().await;
    assert!(replicas.engine.reads() > reads);
}

/// I-10 over replicas, also for what is worked out of the plan.
#[tokio::test]
async fn what_is_invalidated_on_one_service_is_read_anew_on_the_other() {
    let replicas = Replicas::new(vec![waiting("a")]);
    let ((one, _a), (other, deaf)) = (replicas.join().await, replicas.join().await);
    let jobs = async |plan: &PlanService| plan.summary(None).await.unwrap().value.total;
    assert_eq!((jobs(&one).await, jobs(&other).await), (1, 1));
    replicas.engine.put(waiting("b"));
    assert_eq!(jobs(&other).await, 1, "it is fresh");
    one.invalidate(&PlanScope::default()).await;
    sleep(Duration::from_millis(5)).await;
    assert_eq!((jobs(&other).await, jobs(&one).await), (2, 2));

    deaf.cut_off();
    replicas.engine.put(waiting("c"));
    one.invalidate(&PlanScope::default()).await;
    assert_eq!(jobs(&other).await, 3, "what it holds is not trusted");
}

/// What is not there is an error on each, and none is kept.
#[tokio::test]
async fn an_error_is_not_shared() {
    let replicas = Replicas::new(vec![waiting("a")]);
    let ((one, _a), (other, _b)) = (replicas.join().await, replicas.join().await);
    for plan in [&one, &other] {
        assert!(plan.job(None, &id("nowhere")).await.is_err());
        let log = plan.log(None, &id("a"), LogRequest::default()).await;
        assert!(log.is_err());
    }
    replicas.engine.put(waiting("nowhere"));
    assert!(other.job(None, &id("nowhere")).await.is_ok());
}
