//! The laws of the lockout on Redis, and on Valkey, which many run in its place.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use resync_auth::LockoutStore;
use resync_auth::contract::lockout::LockoutHarness;

use crate::server::{client, from_environment, lockout, prefix};

/// The laws wait for minutes of the server's clock, which nobody can move: so each attempt under the
/// prefix is made older instead, with the time that its key has to live.
const AGE: &str = r"
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        redis.call('ZINCRBY', key, -ARGV[2], member)
    end
    local lives = redis.call('PTTL', key)
    if lives > 0 then
        redis.call('PEXPIRE', key, math.max(lives - math.floor(ARGV[2] / 1000), 1))
    end
end";

struct OnServer {
    url: String,
    prefix: String,
}

#[async_trait]
impl LockoutHarness for OnServer {
    fn store(&self) -> Arc<dyn LockoutStore> {
        // More patience than in production: forty connections at once on a busy machine are no outage.
        lockout(&client(&self.url, Duration::from_secs(10)), &self.prefix)
    }

    async fn advance(&self, by: Duration) {
        let mut connection = redis::Client::open(self.url.as_str())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let () = Script::new(AGE)
            .arg(format!("{}:*", self.prefix))
            .arg(u64::try_from(by.as_micros()).unwrap())
            .invoke_async(&mut connection)
            .await
            .unwrap();
    }
}

fn on(variable: &str) -> OnServer {
    OnServer {
        url: from_environment(variable),
        prefix: prefix(),
    }
}

/// A2, A3
mod on_redis {
    fn harness() -> std::future::Ready<super::OnServer> {
        std::future::ready(super::on("RESYNC_TEST_REDIS_URL"))
    }

    resync_auth::lockout_store_contract!(harness);
}

/// A2, A3
mod on_valkey {
    fn harness() -> std::future::Ready<super::OnServer> {
        std::future::ready(super::on("RESYNC_TEST_VALKEY_URL"))
    }

    resync_auth::lockout_store_contract!(harness);
}
