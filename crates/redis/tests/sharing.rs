//! The laws of what replicas share, on Redis, and on Valkey, which many run in its place.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use resync_auth::contract::rate_limit::RateLimiterHarness;
use resync_auth::{RateLimiter, RateLimits};
use resync_kernel::{Clock, SystemClock};
use resync_redis::{
    AnswersParts, RedisAnswers, RedisBus, RedisClient, RedisEntries, RedisLeases, RedisRateLimiter,
};
use resync_sync::contract::answers::{AnswersHarness, KEEP};
use resync_sync::contract::lease::LeasesHarness;
use resync_sync::contract::notices::NoticesHarness;
use resync_sync::contract::shared::SharedHarness;
use resync_sync::contract::soon;
use resync_sync::{
    AnswerStore, Asked, InProcessAnswers, Leases, NoticeBus, SharedEntries, TaskTracker,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::server::{client, from_environment, prefix};

/// More patience than in production: many connections at once on a busy machine are no outage.
const PATIENT: Duration = Duration::from_secs(10);
/// How long the work of a request may take.
const CLAIM: Duration = Duration::from_mins(15);

/// The laws wait for hours of the server's clock, which nobody can move: so whatever is under the prefix is
/// made older instead, and goes when its time is over.
const AGE: &str = r"
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    if redis.call('TYPE', key).ok == 'hash' and redis.call('HEXISTS', key, 'b') == 1 then
        redis.call('HINCRBY', key, 't', '-' .. ARGV[2])
    end
    if ARGV[3] == 'limits' then
        redis.call('DECRBY', key, ARGV[2] .. '000')
    end
    local lives = redis.call('PTTL', key)
    if lives > tonumber(ARGV[2]) then
        redis.call('PEXPIRE', key, lives - ARGV[2])
    elseif lives >= 0 then
        redis.call('DEL', key)
    end
end";

/// A server, a prefix of the test's own, and what runs beside the replicas on it.
pub(crate) struct OnServer {
    url: String,
    prefix: String,
    what: &'static str,
    beside: Mutex<JoinSet<()>>,
    tracker: TaskTracker,
}

impl OnServer {
    fn client(&self) -> RedisClient {
        client(&self.url, PATIENT)
    }

    async fn bus(&self) -> RedisBus {
        let bus = RedisBus::new(self.client(), format!("{}:notices", self.prefix));
        let listens = bus.clone().listen(CancellationToken::new());
        self.beside.lock().unwrap().spawn(listens);
        soon(|| async { bus.hearing() }).await;
        bus
    }

    fn answers(&self) -> RedisAnswers {
        RedisAnswers::new(AnswersParts {
            redis: self.client(),
            prefix: self.prefix.clone(),
            keep: KEEP,
            claim: CLAIM,
            away: InProcessAnswers::new(Arc::new(SystemClock::new()), KEEP, 10),
            tracker: self.tracker.clone(),
        })
    }

    async fn age(&self, by: Duration) {
        let mut connection = redis::Client::open(self.url.as_str())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let () = Script::new(AGE)
            .arg(format!("{}:*", self.prefix))
            .arg(u64::try_from(by.as_millis()).unwrap())
            .arg(self.what)
            .invoke_async(&mut connection)
            .await
            .unwrap();
    }
}

#[async_trait]
impl SharedHarness for OnServer {
    async fn replica(&self) -> (Arc<dyn SharedEntries>, Arc<dyn NoticeBus>) {
        let bus = self.bus().await;
        let entries = RedisEntries::new(self.client(), &self.prefix, bus.clone());
        (Arc::new(entries), Arc::new(bus))
    }

    async fn advance(&self, by: Duration) {
        self.age(by).await;
    }
}

#[async_trait]
impl NoticesHarness for OnServer {
    async fn replica(&self) -> Arc<dyn NoticeBus> {
        Arc::new(self.bus().await)
    }
}

#[async_trait]
impl LeasesHarness for OnServer {
    async fn replica(&self) -> Arc<dyn Leases> {
        let tracker = self.tracker.clone();
        Arc::new(RedisLeases::new(self.client(), &self.prefix, tracker))
    }
}

#[async_trait]
impl AnswersHarness for OnServer {
    async fn replica(&self) -> Arc<dyn AnswerStore> {
        Arc::new(self.answers())
    }

    async fn advance(&self, by: Duration) {
        self.age(by).await;
    }
}

#[async_trait]
impl RateLimiterHarness for OnServer {
    fn limiter(&self) -> Arc<dyn RateLimiter> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let limits = RateLimits::default();
        Arc::new(RedisRateLimiter::new(
            self.client(),
            &self.prefix,
            limits,
            &clock,
        ))
    }

    async fn advance(&self, by: Duration) {
        // Rounded up: whole milliseconds have passed at least.
        self.age(by + Duration::from_millis(1)).await;
    }
}

pub(crate) fn on(variable: &str, what: &'static str) -> OnServer {
    OnServer {
        url: from_environment(variable),
        prefix: prefix(),
        what,
        beside: Mutex::default(),
        tracker: TaskTracker::new(),
    }
}

macro_rules! laws_on {
    ($module:ident, $variable:literal) => {
        mod $module {
            mod entries {
                fn harness() -> std::future::Ready<crate::sharing::OnServer> {
                    std::future::ready(crate::sharing::on($variable, "entries"))
                }
                resync_sync::shared_entries_contract!(harness);
                resync_sync::notice_bus_contract!(harness);
            }
            mod leases {
                fn harness() -> std::future::Ready<crate::sharing::OnServer> {
                    std::future::ready(crate::sharing::on($variable, "leases"))
                }
                resync_sync::leases_contract!(harness);
            }
            mod answers {
                fn harness() -> std::future::Ready<crate::sharing::OnServer> {
                    std::future::ready(crate::sharing::on($variable, "answers"))
                }
                resync_sync::answer_store_contract!(harness);
            }
            mod limits {
                fn harness() -> std::future::Ready<crate::sharing::OnServer> {
                    std::future::ready(crate::sharing::on($variable, "limits"))
                }
                resync_auth::rate_limiter_contract!(harness);
            }
        }
    };
}

laws_on!(on_redis, "RESYNC_TEST_REDIS_URL");
laws_on!(on_valkey, "RESYNC_TEST_VALKEY_URL");

/// A process that died in the middle of a request leaves its key to others after a while.
#[tokio::test]
async fn a_claim_ends_with_its_holder() {
    let server = on("RESYNC_TEST_REDIS_URL", "answers");
    let (one, other) = (server.answers(), server.answers());
    let Asked::New(died) = one.begin("a", [7; 32]).await else {
        panic!("nobody began it");
    };
    std::mem::forget(died);
    assert!(matches!(other.begin("a", [7; 32]).await, Asked::UnderWay));
    server.age(CLAIM).await;
    assert!(matches!(other.begin("a", [7; 32]).await, Asked::New(_)));
}

/// Nothing that is shared stays for ever.
#[tokio::test]
async fn every_key_has_a_time_to_live() {
    use crate::server::ask;
    use redis::cmd;
    use resync_auth::{RateClass, RateKey};
    use resync_sync::{Look, SharedEntry, SharedKey};

    let server = on("RESYNC_TEST_REDIS_URL", "entries");
    let (entries, _bus) = SharedHarness::replica(&server).await;
    let key = SharedKey {
        name: "a".to_owned(),
        scopes: vec!["all".to_owned()],
    };
    entries.invalidate("all").await.unwrap();
    let second = Duration::from_secs(1);
    let Look::Leased(lease) = entries.look(&key, second, second * 60).await.unwrap() else {
        panic!("nothing is there");
    };
    let entry = SharedEntry {
        bytes: "x".into(),
        age: Duration::ZERO,
        lives: second * 60,
    };
    assert!(entries.put(&key, &lease, entry).await.unwrap());
    let leases = LeasesHarness::replica(&server).await;
    let _held = leases.acquire("b", second * 60).await.unwrap().unwrap();
    let _claim = server.answers().begin("c", [7; 32]).await;
    let limiter = server.limiter();
    limiter
        .take(RateClass::Api, RateKey::Overflow)
        .await
        .unwrap();
    let keys: Vec<String> = ask(&server.url, cmd("KEYS").arg(format!("{}:*", server.prefix))).await;
    assert_eq!(keys.len(), 8, "{keys:?}");
    for key in keys {
        let lives: i64 = ask(&server.url, cmd("PTTL").arg(&key)).await;
        assert!(lives > 0, "{key}: {lives}");
    }
}
