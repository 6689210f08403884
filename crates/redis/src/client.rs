//! One connection that all callers share, and whether Redis answers.
//!
//! 1. `a_call_ends_within_its_timeout`: connecting, asking and loading a script together.
//! 2. `after_a_failure_nobody_asks_until_a_probe_got_through`: the state changes by the first failed
//!    call and by [`RedisClient::check`], by nothing else.
//! 3. `a_change_is_logged_once`: however many calls fail at once.
//! 4. A probe writes and runs a script, as the real calls do: a Redis that is full or only a replica
//!    does not count as answering.
//!
//! The mutex guards the handle of the connection, cloned or replaced in a line; the state is a watch
//! channel, so that others can wait for a change.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, FromRedisValue, RedisError, Script, ScriptInvocation, TlsCertificates};
use resync_kernel::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often [`RedisClient::watch`] probes.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// What a certificate in PEM form begins with.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/probe.lua")));

/// Where Redis is.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/db]`, or `rediss://…` over TLS. A secret, since it may
    /// carry a password.
    pub url: SecretString,
    /// Certificates in PEM form that alone are trusted; without them, those of the system are. Goes
    /// with `rediss://` only.
    pub ca_pem: Option<Vec<u8>>,
    /// The longest that one call may take.
    pub timeout: Duration,
}

/// Why no client can be made. It does not repeat the URL, which may carry a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedisConfigError {
    /// The URL is none of Redis.
    #[error(
        "is not a URL of Redis, such as redis://host:6379/0 or rediss://user:password@host:6380/0"
    )]
    Url,
    /// The certificates are none, or the URL does not ask for TLS.
    #[error("holds certificates in PEM form, and goes with a URL that begins with rediss://")]
    Ca,
}

/// Whether Redis answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisStatus {
    /// The last call got through.
    Ok,
    /// The last call did not, and no probe since.
    Degraded,
}

/// Why a call brought no answer.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// It took longer than the timeout.
    #[error("redis did not answer in time")]
    Late,
    /// It was not made: Redis did not answer before.
    #[error("redis is away")]
    Away,
    /// Redis, or the way to it, said no.
    #[error("redis failed")]
    Failed(#[source] RedisError),
}

/// What is done in this process while Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Attempts on passwords are counted, with half the limits.
    Lockout,
    /// Requests are counted, with half the limits.
    Limits,
    /// Answers to requests are kept.
    Answers,
}

impl Fallback {
    /// Each of them, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Lockout, Self::Limits, Self::Answers];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lockout => "lockout",
            Self::Limits => "limits",
            Self::Answers => "idempotency",
        }
    }
}

/// Milliseconds, as scripts take them.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One connection to Redis, shared by all clones.
#[derive(Clone)]
pub struct RedisClient(Arc<Inner>);

struct Inner {
    client: Client,
    settings: ConnectionManagerConfig,
    manager: Mutex<ConnectionManager>,
    timeout: Duration,
    status: watch::Sender<RedisStatus>,
    changes: AtomicU64,
    fallbacks: [AtomicU64; Fallback::ALL.len()],
}

impl fmt::Debug for RedisClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client: its address carries the password.
        f.debug_struct("RedisClient")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl RedisClient {
    /// A client that connects at the first call. Must be called within a tokio runtime. Somebody has to
    /// run [`RedisClient::watch`], or the first failure is the last call.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the URL or the certificates are none. An address where nobody listens
    /// is no error.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisConfigError> {
        let client = open(config)?;
        // Whoever asks after a lost connection starts the next try; more patience than one call has
        // would only delay it.
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(config.timeout))
            .set_response_timeout(Some(config.timeout));
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), settings.clone())
            .map_err(|_| RedisConfigError::Url)?;
        Ok(Self(Arc::new(Inner {
            client,
            settings,
            manager: Mutex::new(manager),
            timeout: config.timeout,
            status: watch::Sender::new(RedisStatus::Ok),
            changes: AtomicU64::new(0),
            fallbacks: Default::default(),
        })))
    }

    /// Whether the last call got through; asks nobody.
    #[must_use]
    pub fn status(&self) -> RedisStatus {
        *self.0.status.borrow()
    }

    /// How often Redis went away since the start.
    #[must_use]
    pub fn outages(&self) -> u64 {
        self.0.changes.load(Ordering::Relaxed)
    }

    /// How often this process did by itself what it does with Redis.
    #[must_use]
    pub fn fallbacks(&self, kind: Fallback) -> u64 {
        self.fallback(kind).load(Ordering::Relaxed)
    }

    pub(crate) fn fell_back(&self, kind: Fallback) {
        self.fallback(kind).fetch_add(1, Ordering::Relaxed);
    }

    fn fallback(&self, kind: Fallback) -> &AtomicU64 {
        let [lockout, limits, answers] = &self.0.fallbacks;
        match kind {
            Fallback::Lockout => lockout,
            Fallback::Limits => limits,
            Fallback::Answers => answers,
        }
    }

    /// The longest that one call takes.
    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// A connection that hears notices; takes as long as the network does.
    pub(crate) async fn pubsub(&self) -> Result<PubSub, RedisError> {
        self.0.client.get_async_pubsub().await
    }

    /// Waits until the status is `wanted`. Cancel safe.
    pub async fn reaches(&self, wanted: RedisStatus) {
        // The sender lives as long as `self`, so there is always an answer.
        let mut status = self.0.status.subscribe();
        let _seen = status.wait_for(|status| *status == wanted).await;
    }

    /// Asks Redis whether it takes writes and runs scripts, whatever the status was, and remembers the
    /// answer. Takes no longer than the timeout. Cancel safe.
    pub async fn check(&self) -> RedisStatus {
        let key = format!("resync:{{probe}}:{}", std::process::id());
        let mut call = PROBE.prepare_invoke();
        call.key(key);
        match self.call::<()>(&call).await {
            Ok(()) => self.set(RedisStatus::Ok, None),
            Err(error) => {
                if matches!(error, CallError::Late) {
                    // The peer may be gone without a word; a new connection finds out.
                    self.reconnect();
                }
                self.set(RedisStatus::Degraded, Some(&error));
            }
        }
        self.status()
    }

    /// Probes twice a second until the end, so that Redis counts as back within a second of being so.
    pub async fn watch(self, until: CancellationToken) {
        let mut tick = interval(PROBE_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                _ = tick.tick() => {
                    self.check().await;
                }
            }
        }
    }

    /// Runs a script, in one round trip where Redis knows it; unless Redis is known to be away.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, CallError> {
        if self.status() == RedisStatus::Degraded {
            return Err(CallError::Away);
        }
        let answer = self.call(call).await;
        if let Err(error) = &answer {
            self.set(RedisStatus::Degraded, Some(error));
        }
        answer
    }

    /// Runs a script also while Redis counts as away; whether it does is left to the probe.
    pub(crate) async fn insist<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, CallError> {
        self.call(call).await
    }

    async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, CallError> {
        let mut connection = self
            .0
            .manager
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match timeout(self.0.timeout, call.invoke_async(&mut connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_timeout() => Err(CallError::Late),
            Ok(Err(error)) => Err(CallError::Failed(error)),
            Err(_) => Err(CallError::Late),
        }
    }

    fn reconnect(&self) {
        let new =
            ConnectionManager::new_lazy_with_config(self.0.client.clone(), self.0.settings.clone());
        // It was made of the same parts before, so it can be made again.
        if let Ok(new) = new {
            *self
                .0
                .manager
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = new;
        }
    }

    fn set(&self, now: RedisStatus, error: Option<&CallError>) {
        let changed = self.0.status.send_if_modified(|status| {
            let before = std::mem::replace(status, now);
            before != now
        });
        if !changed {
            return;
        }
        if let Some(error) = error {
            self.0.changes.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "redis is away; this process goes on by itself, with half the limits"
            );
        } else {
            tracing::info!("redis is back");
        }
    }
}

fn open(config: &RedisConfig) -> Result<Client, RedisConfigError> {
    let url = config.url.expose_secret();
    let client = Client::open(url).map_err(|_| RedisConfigError::Url)?;
    let Some(pem) = &config.ca_pem else {
        return Ok(client);
    };
    // A file without a certificate would trust nobody, and say so only at the first call.
    if !pem
        .windows(CERTIFICATE.len())
        .any(|text| text == CERTIFICATE)
    {
        return Err(RedisConfigError::Ca);
    }
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(pem.clone()),
    };
    Client::build_with_tls(url, certificates).map_err(|_| RedisConfigError::Ca)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    fn client(url: &str, timeout: Duration) -> RedisClient {
        RedisClient::new(&RedisConfig {
            url: SecretString::from(url),
            ca_pem: None,
            timeout,
        })
        .unwrap()
    }

    /// A listener that takes connections and says nothing.
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        (listener, url)
    }

    fn probe() -> ScriptInvocation<'static> {
        let mut call = PROBE.prepare_invoke();
        call.key("key");
        call
    }

    #[tokio::test]
    async fn a_call_ends_within_its_timeout() {
        let (_listener, url) = silent().await;
        let client = client(&url, Duration::from_millis(100));
        let began = Instant::now();
        let answer = client.run::<()>(&probe()).await;
        assert!(matches!(answer, Err(CallError::Late)), "{answer:?}");
        assert!(began.elapsed() < Duration::from_millis(400));
    }

    #[tokio::test]
    async fn after_a_failure_nobody_asks_until_a_probe_got_through() {
        let (listener, url) = silent().await;
        let client = client(&url, Duration::from_millis(50));
        assert_eq!(client.status(), RedisStatus::Ok);
        assert!(client.run::<()>(&probe()).await.is_err());
        drop(listener);
        for _ in 0..100 {
            let answer = client.run::<()>(&probe()).await;
            assert!(matches!(answer, Err(CallError::Away)), "{answer:?}");
        }
        assert_eq!(client.check().await, RedisStatus::Degraded);
    }

    #[tokio::test]
    async fn a_change_is_logged_once() {
        let (_listener, url) = silent().await;
        let client = client(&url, Duration::from_millis(50));
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let client = client.clone();
            calls.spawn(async move { client.run::<()>(&probe()).await.is_err() });
        }
        assert!(calls.join_all().await.into_iter().all(|failed| failed));
        assert_eq!(client.outages(), 1);
        client.reaches(RedisStatus::Degraded).await;
    }

    #[tokio::test]
    async fn certificates_go_with_tls_and_must_be_some() {
        let with = |url: &str, pem: &str| {
            RedisClient::new(&RedisConfig {
                url: SecretString::from(url),
                ca_pem: Some(pem.as_bytes().to_vec()),
                timeout: Duration::from_secs(1),
            })
            .map(|_| ())
        };
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "no certificate", broken] {
            assert_eq!(
                with("rediss://host/", pem),
                Err(RedisConfigError::Ca),
                "{pem}"
            );
        }
        assert_eq!(with("redis://host/", broken), Err(RedisConfigError::Ca));
        assert_eq!(with("https://host/", broken), Err(RedisConfigError::Url));
    }

    #[tokio::test]
    async fn a_password_shows_in_no_error_and_no_debug() {
        let wrong = RedisConfig {
            url: SecretString::from("http://:canary@host"),
            ca_pem: None,
            timeout: Duration::from_secs(1),
        };
        let error = RedisClient::new(&wrong).unwrap_err();
        assert!(!format!("{error} {error:?} {wrong:?}").contains("canary"));
        let client = client("redis://:canary@127.0.0.1:1/", Duration::from_secs(1));
        assert!(!format!("{client:?}").contains("canary"));
        let error = client.run::<()>(&probe()).await.unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
