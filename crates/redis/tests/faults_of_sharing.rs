//! What happens to what replicas share when something happens to Redis (F1).
//!
//! After each fault: an action that was answered on one replica never shows its old state on another, reads
//! go on, and sharing is back within two seconds without a restart.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use redis::cmd;
use resync_auth::{InProcessRateLimiter, RateClass, RateKey, RateLimiter, RateLimits};
use resync_kernel::{Clock, ManualClock, SystemClock, UserId};
use resync_redis::{AnswersParts, Fallback, RedisAnswers, RedisRateLimiter, RedisStatus};
use resync_sync::{AnswerStore, Asked, InProcessAnswers, NoticeBus as _, TaskTracker};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::proxy::Proxy;
use crate::replica::{Plan, Replica};
use crate::server::{OwnRedis, TIMEOUT, ask, client, prefix};

/// What a call may take beside its timeout, on a machine that does other things too.
const SLACK: Duration = Duration::from_millis(400);
/// How soon Redis must be in use again.
const BACK: Duration = Duration::from_secs(2);

/// Two replicas that share a Redis of their own.
struct Pair {
    own: OwnRedis,
    one: Replica,
    other: Replica,
    plan: Plan,
}

impl Pair {
    async fn start() -> Self {
        let own = OwnRedis::start().await;
        let url = own.url.clone();
        Self::at(own, &url).await
    }

    async fn at(own: OwnRedis, url: &str) -> Self {
        let (prefix, plan) = (prefix(), Plan::default());
        let pair = Self {
            one: Replica::start(url, &prefix, &plan).await,
            other: Replica::start(url, &prefix, &plan).await,
            own,
            plan,
        };
        pair.shares().await;
        pair
    }

    /// What one fetches the other has.
    async fn shares(&self) {
        let (asked, written) = (self.plan.asked(), self.one.shared.stats().written);
        let now = self.one.read().await;
        self.one.acts(now).await;
        self.one.read().await;
        self.one.has_written(written + 1).await;
        let before = self.plan.asked();
        assert!(before > asked);
        // The notice of the action may still be on its way to the other.
        self.other.read().await;
        assert_eq!(self.plan.asked(), before, "the other asked the engine, too");
    }

    /// An action on one, and its state on both.
    async fn acts(&self, now: u64) {
        self.one.acts(now).await;
        assert_eq!(
            self.other.read().await,
            now,
            "the old state shows on the other"
        );
        assert_eq!(self.one.read().await, now);
    }

    async fn is_back(&self) {
        let back = async {
            for replica in [&self.one, &self.other] {
                // It may not have noticed yet that it was cut off.
                replica.redis.reaches(RedisStatus::Ok).await;
                while replica.redis.check().await != RedisStatus::Ok {
                    replica.redis.reaches(RedisStatus::Ok).await;
                }
                resync_sync::contract::soon(|| async { replica.shared.in_touch().then_some(()) })
                    .await;
            }
        };
        timeout(BACK, back).await.unwrap();
    }

    /// Since when each hears the others.
    fn hearing(&self) -> [Option<NonZeroU64>; 2] {
        [self.one.bus.hearing(), self.other.bus.hearing()]
    }

    async fn reads_in_time(&self, now: u64) {
        for replica in [&self.one, &self.other] {
            let began = Instant::now();
            assert_eq!(replica.read().await, now);
            assert!(began.elapsed() < TIMEOUT + SLACK, "{:?}", began.elapsed());
        }
    }
}

/// The promise of a healthy pair: within 100 ms of an action the other has dropped what it held.
#[tokio::test]
async fn an_invalidation_reaches_the_other_replica_within_100_ms() {
    let pair = Pair::start().await;
    let mut took = Vec::new();
    for round in 1..=20 {
        pair.other.read().await;
        pair.one.acts(round).await;
        let began = Instant::now();
        resync_sync::contract::soon(|| async { (pair.other.read().await == round).then_some(()) })
            .await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    assert!(
        took[took.len() / 2] < Duration::from_millis(100),
        "{took:?}"
    );
    assert_eq!(pair.one.shared.stats().untold, 0);
}

/// F1: down.
#[tokio::test]
async fn a_killed_redis_is_passed_by_and_comes_back() {
    let mut pair = Pair::start().await;
    pair.own.kill();
    pair.reads_in_time(0).await;
    pair.acts(1).await;
    pair.reads_in_time(1).await;
    assert!(!pair.other.shared.in_touch());
    let asked = pair.plan.asked();
    pair.other.read().await;
    assert_eq!(
        pair.plan.asked(),
        asked + 1,
        "nothing that is held is trusted"
    );
    pair.own.restart().await;
    pair.is_back().await;
    pair.acts_and_shares(2).await;
}

impl Pair {
    async fn acts_and_shares(&self, now: u64) {
        let before = self.one.shared.stats().untold;
        self.one.acts(now).await;
        assert_eq!(self.one.shared.stats().untold, before);
        let seen = resync_sync::contract::soon(|| async {
            (self.other.read().await == now).then_some(())
        });
        timeout(Duration::from_secs(1), seen).await.unwrap();
        self.shares().await;
    }
}

/// F1: slow. The action happens while nothing gets through, and its entry of before is still there after.
#[tokio::test]
async fn a_paused_redis_shows_no_old_state_then_or_later() {
    let pair = Pair::start().await;
    assert_eq!((pair.one.read().await, pair.other.read().await), (0, 0));
    pair.own.pause();
    pair.acts(1).await;
    pair.reads_in_time(1).await;
    pair.own.resume();
    for _ in 0..20 {
        assert_eq!(pair.other.read().await, 1);
    }
    pair.is_back().await;
    assert_eq!(pair.other.read().await, 1);
    pair.acts_and_shares(2).await;
}

/// F1: a pause that is over before anybody can tell it from a slow answer.
#[tokio::test]
async fn an_action_during_a_short_pause_is_told_when_it_is_over() {
    let pair = Pair::start().await;
    assert_eq!(pair.other.read().await, 0);
    pair.own.pause();
    let resumes = async {
        let mut tick = tokio::time::interval(TIMEOUT / 2);
        tick.tick().await;
        tick.tick().await;
        pair.own.resume();
    };
    tokio::join!(pair.one.acts(1), resumes);
    let seen =
        resync_sync::contract::soon(|| async { (pair.other.read().await == 1).then_some(()) });
    timeout(Duration::from_millis(100) + SLACK, seen)
        .await
        .unwrap();
}

/// F1: the connection that hears is gone, and the others are not.
#[tokio::test]
async fn a_replica_that_hears_nothing_asks_the_engine() {
    let pair = Pair::start().await;
    assert_eq!(pair.other.read().await, 0);
    let mut kill = cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    let killed: u32 = ask(&pair.own.url, &kill).await;
    assert_eq!(killed, 2);
    // As soon as they know: a closed connection says so at once.
    let lost =
        resync_sync::contract::soon(|| async { (!pair.other.shared.in_touch()).then_some(()) });
    timeout(Duration::from_millis(200), lost).await.unwrap();
    pair.acts(1).await;
    pair.is_back().await;
    assert_eq!(pair.other.read().await, 1);
    assert_eq!(pair.one.redis.outages() + pair.other.redis.outages(), 0);
    pair.acts_and_shares(2).await;
}

/// F1: flushed, with its scripts. Entries are gone; what was being fetched is not written; nothing fails.
#[tokio::test]
async fn a_flushed_redis_is_filled_anew() {
    let pair = Pair::start().await;
    let _: String = ask(&pair.own.url, &cmd("FLUSHALL")).await;
    let mut scripts = cmd("SCRIPT");
    scripts.arg("FLUSH");
    let _: String = ask(&pair.own.url, &scripts).await;
    pair.reads_in_time(0).await;
    pair.acts_and_shares(1).await;
    assert_eq!(pair.one.redis.outages(), 0);
}

/// F1: full.
#[tokio::test]
async fn a_full_redis_is_passed_by_until_it_has_room() {
    let pair = Pair::start().await;
    let limit = |bytes: &str| {
        let mut set = cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(bytes);
        set
    };
    let _: String = ask(&pair.own.url, &limit("1")).await;
    // What frees memory is never refused, and so the others are told, and every entry is void.
    pair.one.acts(1).await;
    assert_eq!(pair.one.shared.stats().untold, 0);
    let seen =
        resync_sync::contract::soon(|| async { (pair.other.read().await == 1).then_some(()) });
    timeout(Duration::from_millis(100) + SLACK, seen)
        .await
        .unwrap();
    pair.reads_in_time(1).await;
    let _: String = ask(&pair.own.url, &limit("0")).await;
    pair.is_back().await;
    pair.acts_and_shares(2).await;
}

/// F1: the address leads to another Redis, which knows nothing.
#[tokio::test]
async fn after_a_failover_replicas_share_on_the_new_one() {
    let (old, new) = (OwnRedis::start().await, OwnRedis::start().await);
    let proxy = Proxy::before(old.port()).await;
    let pair = Pair::at(old, &proxy.url).await;
    let before = pair.hearing();
    proxy.fail_over(new.port());
    pair.acts(1).await;
    // Until then they are still taken to hear each other over the connections that were cut.
    let anew = resync_sync::contract::soon(|| async {
        let mut both = pair.hearing().into_iter().zip(before);
        both.all(|(now, before)| now.is_some() && now != before)
            .then_some(())
    });
    timeout(BACK, anew).await.unwrap();
    pair.is_back().await;
    pair.acts_and_shares(2).await;
}

/// A replica that starts before its Redis reads, and shares once it is there.
#[tokio::test]
async fn a_replica_without_its_redis_reads_and_shares_later() {
    let mut own = OwnRedis::start().await;
    own.kill();
    let (prefix, plan) = (prefix(), Plan::default());
    let one = Replica::alone(&own.url, &prefix, &plan);
    assert_eq!(one.read().await, 0);
    assert!(!one.shared.in_touch());
    own.restart().await;
    let other = Replica::start(&own.url, &prefix, &plan).await;
    let pair = Pair {
        own,
        one,
        other,
        plan,
    };
    pair.is_back().await;
    pair.acts_and_shares(1).await;
}

async fn passes(limiter: &dyn RateLimiter, user: u128, count: usize) -> usize {
    let key = RateKey::User(UserId(uuid::Uuid::from_u128(user)));
    let mut passed = 0;
    for _ in 0..count {
        let began = Instant::now();
        let decision = limiter.take(RateClass::Uploads, key).await.unwrap();
        assert!(began.elapsed() < TIMEOUT + SLACK);
        passed += usize::from(decision.retry_after.is_none());
    }
    passed
}

/// F1 for the limits: half of each, at once, and the whole again within 2 s.
#[tokio::test]
async fn without_redis_half_of_each_limit_passes() {
    let mut own = OwnRedis::start().await;
    let redis = client(&own.url, TIMEOUT);
    let mut beside = tokio::task::JoinSet::new();
    beside.spawn(redis.clone().watch(CancellationToken::new()));
    // The clock of the process stands still, so that nothing is earned meanwhile.
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let limits = RateLimits::default();
    let limiter = RedisRateLimiter::new(redis.clone(), prefix(), limits, &clock);
    assert_eq!(passes(&limiter, 1, 30).await, 20);
    own.kill();
    assert_eq!(passes(&limiter, 2, 30).await, 10);
    assert_eq!(redis.fallbacks(Fallback::Limits), 30);
    own.restart().await;
    timeout(BACK, redis.reaches(RedisStatus::Ok)).await.unwrap();
    assert_eq!(passes(&limiter, 3, 30).await, 20);
    own.pause();
    assert_eq!(passes(&limiter, 4, 30).await, 10);
    own.resume();
    timeout(BACK, redis.reaches(RedisStatus::Ok)).await.unwrap();
    assert_eq!(
        passes(&limiter, 3, 30).await,
        0,
        "what was counted still counts"
    );
    // Two processes alone are no more than one limit.
    let alone = InProcessRateLimiter::new(&limits.halved(), &clock);
    assert_eq!(2 * passes(&alone, 1, 30).await, 20);
}

/// F1 for answers: each process knows its own meanwhile, and what Redis knew is there again.
#[tokio::test]
async fn without_redis_each_process_keeps_its_own_answers() {
    let own = OwnRedis::start().await;
    let keep = Duration::from_hours(1);
    let redis = client(&own.url, TIMEOUT);
    let mut beside = tokio::task::JoinSet::new();
    beside.spawn(redis.clone().watch(CancellationToken::new()));
    let answers = RedisAnswers::new(AnswersParts {
        redis: redis.clone(),
        prefix: prefix(),
        keep,
        claim: keep,
        away: InProcessAnswers::new(Arc::new(SystemClock::new()), keep, 10),
        tracker: TaskTracker::new(),
    });
    let begin = async |key: &str| {
        let began = Instant::now();
        let asked = answers.begin(key, [7; 32]).await;
        assert!(began.elapsed() < TIMEOUT + SLACK);
        asked
    };
    let Asked::New(before) = begin("before").await else {
        panic!("nobody began it");
    };
    before.finish("known".into()).await;
    let Asked::New(interrupted) = begin("interrupted").await else {
        panic!("nobody began it");
    };
    own.pause();
    interrupted.finish("lost".into()).await;
    for key in ["during", "before"] {
        let Asked::New(claim) = begin(key).await else {
            panic!("{key}: this process did nothing under it");
        };
        claim.finish("alone".into()).await;
        assert!(matches!(begin(key).await, Asked::Answered(told) if told == "alone"));
    }
    assert!(redis.fallbacks(Fallback::Answers) >= 5);
    own.resume();
    timeout(BACK, redis.reaches(RedisStatus::Ok)).await.unwrap();
    assert!(matches!(begin("before").await, Asked::Answered(told) if told == "known"));
    // The work was done, and its answer may or may not have got there: it is not done again.
    let asked = begin("interrupted").await;
    assert!(
        matches!(asked, Asked::UnderWay | Asked::Answered(_)),
        "{asked:?}"
    );
}
