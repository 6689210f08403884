//! What replicas share: with `redis.url` the limits on guessing are counted for all of them.

use std::sync::Arc;
use std::time::Duration;

use resync_api::state::SideProbe;
use resync_auth::{AuthPorts, LockoutStore};
use resync_kernel::Clock;
use resync_redis::{RedisClient, RedisConfig, RedisConfigError, RedisLockout, RedisStatus};
use tokio_util::sync::CancellationToken;

use super::{StartError, auth};
use crate::config::{Config, ConfigError};

/// What the keys of the lockout begin with; in a cluster the tag keeps them on one node.
const LOCKOUT: &str = "resync:{lockout}";

/// How often a process that does one thing tries to reach Redis.
const CONNECTING: u32 = 5;

/// With `redis.url`, lets the ports that replicas share go there and watches whether Redis answers,
/// until the end. Nothing is asked yet: a Redis that is away does not keep the server from starting.
pub(super) fn share(
    config: &Config,
    ports: &mut AuthPorts,
    until: &CancellationToken,
) -> Result<Option<RedisClient>, StartError> {
    let Some(redis) = client(config)? else {
        return Ok(None);
    };
    let limits = auth::lockout_limits(config);
    let lockout = RedisLockout::new(redis.clone(), LOCKOUT, limits, ports.clock.clone());
    ports.lockout = Arc::new(lockout);
    ports.tracker.spawn(redis.clone().watch(until.clone()));
    Ok(Some(redis))
}

/// What tells readiness whether Redis answers.
pub(super) fn probe(redis: &RedisClient) -> Arc<dyn SideProbe> {
    Arc::new(Probe(redis.clone()))
}

/// The lockout that replicas share, for a process that unlocks and ends; `None` without `redis.url`. A
/// Redis that is away shows in what is asked of it.
pub(super) async fn lockout(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<dyn LockoutStore>>, StartError> {
    let Some(redis) = client(config)? else {
        return Ok(None);
    };
    // Connecting may take as long as one call has time for.
    for _ in 0..CONNECTING {
        if redis.check().await == RedisStatus::Ok {
            break;
        }
    }
    let limits = auth::lockout_limits(config);
    Ok(Some(Arc::new(RedisLockout::new(
        redis, LOCKOUT, limits, clock,
    ))))
}

fn client(config: &Config) -> Result<Option<RedisClient>, StartError> {
    let Some(url) = &config.redis.url else {
        return Ok(None);
    };
    let ca_pem = config.redis.ca_file.as_ref().map(std::fs::read);
    let ca_pem = ca_pem
        .transpose()
        .map_err(|error| ConfigError::new("redis.ca_file", format!("cannot be read: {error}")))?;
    let client = RedisClient::new(&RedisConfig {
        url: url.clone(),
        ca_pem,
        timeout: Duration::from_millis(config.redis.timeout_ms),
    })
    .map_err(|error| {
        let key = match error {
            RedisConfigError::Url => "redis.url",
            RedisConfigError::Ca => "redis.ca_file",
        };
        ConfigError::new(key, error.to_string())
    })?;
    Ok(Some(client))
}

/// Readiness asks through this; without Redis the server goes on with less, and says so.
struct Probe(RedisClient);

impl SideProbe for Probe {
    fn answers(&self) -> bool {
        self.0.status() == RedisStatus::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrong_url_names_its_key_and_keeps_its_password() {
        let mut config = Config::default();
        assert!(client(&config).unwrap().is_none());
        config.redis.url = Some("http://:canary@redis".into());
        let error = client(&config).unwrap_err().to_string();
        assert!(error.starts_with("redis.url: is not a URL"), "{error}");
        assert!(!error.contains("canary"), "{error}");
        config.redis.url = Some("redis://:canary@127.0.0.1:1/".into());
        assert!(client(&config).unwrap().is_some(), "away is no error");
        config.redis.ca_file = Some("/no/such/file".into());
        let error = client(&config).unwrap_err().to_string();
        assert!(
            error.starts_with("redis.ca_file: cannot be read"),
            "{error}"
        );
    }
}
