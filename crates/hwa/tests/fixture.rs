//! A server on a socket that answers each request with bytes of the test's choice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::SecretString;
use resync_tws::model::EngineName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What was received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What a fixture does after the request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Says nothing and keeps the connection.
    Silence,
    /// Closes without a word.
    Close,
}

impl Reply {
    /// A whole answer.
    pub(crate) fn with(status: u16, kind: &str, body: &[u8]) -> Self {
        Self::headed(status, &format!("Content-Type: {kind}\r\n"), body)
    }

    pub(crate) fn json(body: &str) -> Self {
        Self::with(200, "application/json", body.as_bytes())
    }

    pub(crate) fn headed(status: u16, headers: &str, body: &[u8]) -> Self {
        let mut bytes = format!(
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }
}

pub(crate) struct Fixture {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Received>>>,
    /// Aborts the server when the fixture is dropped.
    _tasks: JoinSet<()>,
}

impl Fixture {
    /// Answers every request with the same.
    pub(crate) async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    pub(crate) async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&received), Arc::new(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                connections.spawn(async move {
                    serve(socket, &seen, &*answer).await;
                });
            }
        });
        Self {
            address,
            received,
            _tasks: tasks,
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/twsd/api/v2", self.address)
    }

    pub(crate) fn client(&self) -> HwaClient {
        HwaClient::new(self.config()).unwrap()
    }

    pub(crate) fn config(&self) -> HwaConfig {
        config(&self.base_url())
    }
}

/// A configuration with time enough for a busy machine, and without retries, whose waits are proved
/// under paused time.
pub(crate) fn config(base_url: &str) -> HwaConfig {
    let credentials = Credentials::Basic {
        username: "operator".to_owned(),
        password: SecretString::from("secret"),
    };
    let mut config = HwaConfig::new(EngineName::parse("PROD").unwrap(), base_url, credentials);
    config.limits.retries = 0;
    config.limits.breaker_failures = u32::MAX;
    config
}

/// The same, for calls that are meant to run out of time.
pub(crate) fn hasty(mut config: HwaConfig) -> HwaConfig {
    config.timeout = Duration::from_millis(200);
    config
}

/// An address where nobody listens: it was free a moment ago.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/twsd/api/v2", listener.local_addr().unwrap())
}

async fn serve(
    mut socket: TcpStream,
    seen: &Mutex<Vec<Received>>,
    answer: &(dyn Fn(&Received) -> Reply + Send + Sync),
) {
    let Some(request) = read_request(&mut socket).await else {
        return;
    };
    seen.lock().unwrap().push(request.clone());
    match answer(&request) {
        Reply::Bytes(bytes) => {
            // A client that has read enough may be gone.
            if socket.write_all(&bytes).await.is_ok() {
                drop(socket.shutdown().await);
            }
        }
        Reply::Silence => std::future::pending().await,
        Reply::Close => {}
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .unwrap_or(0);
    while bytes.len() < head_end + 4 + length {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
    Some(Received {
        line,
        headers,
        body,
    })
}
