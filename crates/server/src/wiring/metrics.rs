//! What is counted beside the requests: by parts of their own, read out at each scrape.
//!
//! 1. No label holds more than the name of an engine or a word of ours (P5).
//! 2. A row of the audit that was not written is counted, whoever wanted to write it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use resync_api::metrics::{Metrics, Reading, Seconds};
use resync_api::ws::Sockets;
use resync_auth::BcryptPool;
use resync_redis::{Fallback, RedisClient, RedisStatus};
use resync_tws::model::{Breaker, BreakerState, CallCounts};
use resync_tws::ports::{AuditEntry, AuditError, AuditLog, SealedRow};
use resync_tws::{CacheStats, Engine, PlanService};

/// What is counted from the start on, before there are metrics. Cheap to clone.
#[derive(Clone)]
pub(super) struct Counts {
    unwritten: Arc<AtomicU64>,
    /// How long passwords wait for a thread.
    pub(super) hash_wait: Seconds,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            unwritten: Arc::default(),
            hash_wait: Seconds::new(
                "hash_wait_seconds",
                "Seconds that a password waited for a hashing thread",
            ),
        }
    }

    /// The log, with what it does not take counted.
    pub(super) fn audit(&self, log: Arc<dyn AuditLog>) -> Arc<dyn AuditLog> {
        Arc::new(CountedAudit {
            log,
            unwritten: Arc::clone(&self.unwritten),
        })
    }
}

struct CountedAudit {
    log: Arc<dyn AuditLog>,
    unwritten: Arc<AtomicU64>,
}

#[async_trait]
impl AuditLog for CountedAudit {
    async fn append(&self, entry: AuditEntry) -> Result<SealedRow, AuditError> {
        let appended = self.log.append(entry).await;
        match appended {
            // The row that was asked for is there.
            Ok(_) | Err(AuditError::OutcomeExists) => {}
            Err(AuditError::Broken(_) | AuditError::Unavailable(_)) => {
                self.unwritten.fetch_add(1, Ordering::Relaxed);
            }
        }
        appended
    }

    async fn after(&self, after: u64, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        self.log.after(after, limit).await
    }

    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        self.log.before(before, limit).await
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        self.log.unfinished(limit).await
    }
}

/// Whose numbers are read out.
pub(super) struct Read<'a> {
    pub(super) llm: Vec<Reading>,
    pub(super) counts: &'a Counts,
    pub(super) hasher: &'a Arc<BcryptPool>,
    pub(super) plan: &'a PlanService,
    /// WebSockets, and answers that are streamed over HTTP.
    pub(super) sockets: (&'a Sockets, &'a Sockets),
    pub(super) redis: Option<&'a RedisClient>,
}

/// The counters, and what is read out of the parts at each scrape.
pub(super) fn metrics(read: Read<'_>) -> Metrics {
    let hasher = Arc::clone(read.hasher);
    let (sockets, streams) = (read.sockets.0.clone(), read.sockets.1.clone());
    let unwritten = Arc::clone(&read.counts.unwritten);
    let mut readings = vec![
        read.counts.hash_wait.reading(),
        Reading::gauge(
            "hash_queue",
            "Passwords that wait for a hashing thread",
            move || count(hasher.waiting()),
        ),
        Reading::counter(
            "audit_write_failures",
            "Rows that the audit log did not take",
            move || unwritten.load(Ordering::Relaxed),
        ),
        Reading::gauge("websockets", "WebSockets that are open", move || {
            count(sockets.count())
        }),
        Reading::gauge(
            "answer_streams",
            "Answers that are being streamed over HTTP",
            move || count(streams.count()),
        ),
    ];
    readings.extend(cache(read.plan));
    readings.extend(engines(read.plan));
    if let Some(redis) = read.redis {
        readings.extend(shared(redis, read.plan));
    }
    readings.extend(read.llm);
    Metrics::new(readings)
}

/// What replicas share.
fn shared(redis: &RedisClient, plan: &PlanService) -> [Reading; 4] {
    let (up, outages, fallbacks) = (redis.clone(), redis.clone(), redis.clone());
    let (passed_by, stats) = (plan.clone(), plan.clone());
    [
        Reading::gauge(
            "redis_up",
            "Whether Redis answers; while it does not, each process goes on by itself",
            move || u64::from(up.status() == RedisStatus::Ok),
        ),
        Reading::counter("redis_outages", "How often Redis went away", move || {
            outages.outages()
        }),
        Reading::counters(
            "redis_fallbacks",
            "What this process did by itself, since Redis was away",
            "kind",
            move || {
                let kinds = Fallback::ALL.map(|kind| (kind.as_str(), fallbacks.fallbacks(kind)));
                let mut counts = named(kinds);
                let passed_by = passed_by.shared_stats().unwrap_or_default().passed_by;
                counts.push(("cache".to_owned(), passed_by));
                counts
            },
        ),
        Reading::counters(
            "shared_cache",
            "Reads of entries that replicas share, and what was written and could not be told",
            "kind",
            move || {
                let stats = stats.shared_stats().unwrap_or_default();
                named([
                    ("hit", stats.hits),
                    ("miss", stats.misses),
                    ("waited", stats.waited),
                    ("written", stats.written),
                    ("untold", stats.untold),
                ])
            },
        ),
    ]
}

fn cache(plan: &PlanService) -> [Reading; 3] {
    let stats = |plan: &PlanService, read: fn(&CacheStats) -> Vec<(String, u64)>| {
        let plan = plan.clone();
        move || read(&plan.cache_stats())
    };
    [
        Reading::counters(
            "cache_reads",
            "Reads of the plan cache",
            "kind",
            stats(plan, |stats| {
                named([
                    ("hit", stats.hits),
                    ("stale", stats.stale_hits),
                    ("miss", stats.misses),
                    ("coalesced", stats.coalesced),
                ])
            }),
        ),
        Reading::counters(
            "cache_events",
            "What happened in the plan cache",
            "kind",
            stats(plan, |stats| {
                named([
                    ("refresh", stats.refreshes),
                    ("fetch_error", stats.fetch_errors),
                    ("eviction", stats.evictions),
                    ("expired", stats.expired),
                ])
            }),
        ),
        Reading::gauges(
            "cache_held",
            "What the plan cache holds",
            "unit",
            stats(plan, |stats| {
                named([
                    ("entries", count(stats.entries)),
                    ("bytes", count(stats.bytes)),
                    ("in_flight", count(stats.in_flight)),
                ])
            }),
        ),
    ]
}

fn engines(plan: &PlanService) -> [Reading; 7] {
    let breaker = |name, help, number: fn(&Breaker) -> u64| {
        let plan = plan.clone();
        Reading::gauges(name, help, "engine", move || {
            by_engine(&plan, |engine| number(&engine.monitor.breaker()))
        })
    };
    let calls = |name, help, number: fn(&CallCounts) -> u64| {
        let plan = plan.clone();
        Reading::counters(name, help, "engine", move || {
            by_engine(&plan, |engine| number(&engine.monitor.calls()))
        })
    };
    [
        breaker(
            "engine_breaker",
            "Whether calls go out to an engine: 0 closed, 1 half open, 2 open",
            |breaker| match breaker.state {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            },
        ),
        breaker(
            "engine_failures",
            "Calls to an engine that failed in a row",
            |breaker| breaker.consecutive_failures.into(),
        ),
        calls(
            "engine_calls",
            "Requests sent to an engine, repeated ones too",
            |calls| calls.attempts,
        ),
        calls(
            "engine_retries",
            "Requests sent to an engine again after one that failed",
            |calls| calls.retries,
        ),
        calls(
            "engine_call_failures",
            "Requests to an engine that failed",
            |calls| calls.failures,
        ),
        calls(
            "engine_turned_away",
            "Calls that an open breaker answered in the place of the engine",
            |calls| calls.turned_away,
        ),
        calls(
            "engine_rejected",
            "Calls for which too many others waited",
            |calls| calls.rejected,
        ),
    ]
}

/// A number of each engine, by its name.
fn by_engine(plan: &PlanService, number: impl Fn(&Engine) -> u64) -> Vec<(String, u64)> {
    let engines = plan.engines().list();
    let numbers = engines
        .iter()
        .map(|engine| (engine.name.to_string(), number(engine)));
    numbers.collect()
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn named<const N: usize>(values: [(&str, u64); N]) -> Vec<(String, u64)> {
    values.map(|(name, value)| (name.to_owned(), value)).into()
}
