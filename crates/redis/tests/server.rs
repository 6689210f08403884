//! Redis for one test: the shared one under a prefix of its own, or a child that faults may befall.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd};
use resync_auth::LockoutLimits;
use resync_kernel::{IdGenerator, SecretString, SystemClock, SystemIds};
use resync_redis::{RedisClient, RedisConfig, RedisLockout};
use rustix::process::{Pid, Signal, kill_process};

/// Three times the default of `redis.timeout_ms`: the machine runs other tests beside this one.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(300);

/// What `scripts/services` hands over under this name.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's services are named by its environment"
)]
pub(crate) fn from_environment(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; run the tests by scripts/test"))
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    format!("test:{{{}}}", SystemIds.next())
}

/// A client of its own, as another replica has.
pub(crate) fn client(url: &str, timeout: Duration) -> RedisClient {
    RedisClient::new(&RedisConfig {
        url: SecretString::from(url),
        ca_pem: None,
        timeout,
    })
    .unwrap()
}

/// One replica's lockout with the default limits.
pub(crate) fn lockout(redis: &RedisClient, prefix: &str) -> Arc<RedisLockout> {
    Arc::new(RedisLockout::new(
        redis.clone(),
        prefix,
        LockoutLimits::default(),
        Arc::new(SystemClock::new()),
    ))
}

/// Asks the server for something that no client of ours would.
pub(crate) async fn ask<T: redis::FromRedisValue>(url: &str, command: &Cmd) -> T {
    let mut connection: MultiplexedConnection = Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    command.query_async(&mut connection).await.unwrap()
}

/// A Redis that this test may hurt.
pub(crate) struct OwnRedis {
    pub(crate) url: String,
    port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

fn spawn(port: u16, folder: &tempfile::TempDir) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--port", &port.to_string(), "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl OwnRedis {
    /// Starts it on a free port of the loopback and waits until it answers.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = format!("redis://127.0.0.1:{port}/");
        let child = spawn(port, &folder);
        let own = Self {
            url,
            port,
            folder,
            child,
        };
        own.until_it_answers().await;
        own
    }

    /// Its port on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    async fn until_it_answers(&self) {
        let client = Client::open(self.url.as_str()).unwrap();
        let answers = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                if client.get_multiplexed_async_connection().await.is_ok() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), answers)
            .await
            .unwrap();
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, with nothing in it.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder);
        self.until_it_answers().await;
    }

    /// Stops it in mid-air: connections stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // It may be dead or stopped already; SIGKILL ends it either way.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
