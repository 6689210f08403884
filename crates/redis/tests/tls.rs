//! The lockout over TLS, before a real server with certificates made for the occasion.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use resync_auth::{Attempt, LockoutStore, ReserveError};
use resync_kernel::{SecretString, TestAuthority};
use resync_redis::{RedisClient, RedisConfig, RedisStatus};

use crate::server::{lockout, prefix};

/// A Redis that speaks TLS alone, with a certificate for `localhost`.
struct TlsRedis {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl TlsRedis {
    async fn start(authority: &TestAuthority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = authority.issue("localhost");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let cert = write("cert.pem", &cert);
        let key = write("key.pem", &key);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let child = spawn(port, folder.path(), &cert, &key);
        let own = Self {
            port,
            child,
            _folder: folder,
        };
        let client = own.client(Some(authority.pem().into_bytes()), "localhost");
        let answers = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tick.tick().await;
                if client.check().await == RedisStatus::Ok {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), answers)
            .await
            .unwrap();
        own
    }

    fn client(&self, ca_pem: Option<Vec<u8>>, host: &str) -> RedisClient {
        let url = format!("rediss://{host}:{}/", self.port);
        RedisClient::new(&RedisConfig {
            url: SecretString::from(url),
            ca_pem,
            timeout: Duration::from_secs(2),
        })
        .unwrap()
    }
}

fn spawn(port: u16, folder: &Path, cert: &Path, key: &Path) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--port", "0", "--tls-port", &port.to_string()])
        .args(["--tls-auth-clients", "no", "--tls-cert-file"])
        .arg(cert)
        .arg("--tls-key-file")
        .arg(key)
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for TlsRedis {
    fn drop(&mut self) {
        // It may be dead already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// How many of ten attempts are looked at.
async fn looked_at(redis: &RedisClient) -> usize {
    let lockout = lockout(redis, &prefix());
    let attempt = Attempt::new("ana", IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut looked_at = 0;
    for _ in 0..10 {
        match lockout.reserve(attempt).await {
            Ok(_) => looked_at += 1,
            Err(ReserveError::Locked { .. }) => {}
            Err(ReserveError::Store(error)) => panic!("{error:?}"),
        }
    }
    looked_at
}

/// F1: over TLS to whom it trusts it counts in Redis; to anybody else it says nothing, and counts in
/// process with half the limits.
#[tokio::test]
async fn it_speaks_tls_to_whom_it_trusts_and_to_nobody_else() {
    let (authority, stranger) = (TestAuthority::new(), TestAuthority::new());
    let redis = TlsRedis::start(&authority).await;
    let trusted = redis.client(Some(authority.pem().into_bytes()), "localhost");
    assert_eq!(looked_at(&trusted).await, 5);
    assert_eq!(trusted.status(), RedisStatus::Ok);

    let plain = RedisClient::new(&RedisConfig {
        url: SecretString::from(format!("redis://localhost:{}/", redis.port)),
        ca_pem: None,
        timeout: Duration::from_secs(2),
    });
    for (who, client) in [
        (
            "another authority",
            redis.client(Some(stranger.pem().into_bytes()), "localhost"),
        ),
        ("the system's authorities", redis.client(None, "localhost")),
        (
            "another name",
            redis.client(Some(authority.pem().into_bytes()), "127.0.0.1"),
        ),
        ("no TLS", plain.unwrap()),
    ] {
        assert_eq!(looked_at(&client).await, 2, "{who}");
        assert_eq!(client.status(), RedisStatus::Degraded, "{who}");
        assert_eq!(client.check().await, RedisStatus::Degraded, "{who}");
    }
}
