//! A provider that answers as a test tells it, and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resync_kernel::TestAuthority;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(super) const TOKEN: &str = "/token";
pub(super) const KEYS: &str = "/keys";

/// What is answered at an address.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(Value),
    Status(u16),
    /// To somewhere else.
    Redirect(String),
    /// JSON that never ends, and does not say how long it is.
    Endless,
    /// Not a byte.
    Silence,
    /// A byte a second.
    Drip,
}

#[derive(Default)]
struct State {
    replies: BTreeMap<String, Reply>,
    asked: Vec<(String, String)>,
    /// Bytes that somebody took of an endless answer.
    taken: usize,
}

/// The provider; it ends with the test.
pub(super) struct Fake {
    pub(super) issuer: String,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

fn acceptor(authority: &TestAuthority) -> TlsAcceptor {
    let (certificate, key) = authority.issue("127.0.0.1");
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Fake {
    pub(super) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Behind a certificate of `authority`.
    pub(super) async fn start_tls(authority: &TestAuthority) -> Self {
        Self::start_with(Some(acceptor(authority))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let issuer = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    match tls {
                        Some(tls) => {
                            // Who does not trust us hangs up.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &state).await;
                            }
                        }
                        None => serve(stream, &state).await,
                    }
                });
            }
        });
        let fake = Self {
            issuer: issuer.clone(),
            state,
            _tasks: tasks,
        };
        let at = |path: &str| format!("{issuer}{path}");
        let discovery = json!({
            "issuer": issuer, "authorization_endpoint": at("/authorize"),
            "token_endpoint": at(TOKEN), "jwks_uri": at(KEYS),
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        fake.answers(DISCOVERY, Reply::Json(discovery));
        fake
    }

    pub(super) fn answers(&self, path: &str, reply: Reply) {
        let mut state = self.state.lock().unwrap();
        state.replies.insert(path.to_owned(), reply);
    }

    /// How often that address was asked.
    pub(super) fn asked(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state
            .asked
            .iter()
            .filter(|(asked, _)| asked == path)
            .count()
    }

    /// Everything that came: heads and bodies.
    pub(super) fn heard(&self) -> String {
        let state = self.state.lock().unwrap();
        state.asked.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Bytes that were taken of endless answers.
    pub(super) fn taken(&self) -> usize {
        self.state.lock().unwrap().taken
    }
}

/// Answers one request; who hangs up meanwhile is not missed.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &Mutex<State>) {
    let Some(text) = request(&mut stream).await else {
        return;
    };
    let path = text.split(' ').nth(1).unwrap_or("").to_owned();
    let reply = {
        let mut state = state.lock().unwrap();
        state.asked.push((path.clone(), text));
        state.replies.get(&path).cloned()
    };
    let head = |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    let whole = match reply.unwrap_or(Reply::Status(404)) {
        Reply::Json(value) => {
            let body = value.to_string();
            format!(
                "{}content-length: {}\r\n\r\n{body}",
                head("200 OK"),
                body.len()
            )
        }
        Reply::Status(status) => {
            format!("{}content-length: 0\r\n\r\n", head(&format!("{status} No")))
        }
        Reply::Redirect(to) => format!(
            "{}location: {to}\r\ncontent-length: 0\r\n\r\n",
            head("307 Elsewhere")
        ),
        Reply::Silence => return std::future::pending().await,
        Reply::Endless => {
            let begun = format!("{}\r\n[", head("200 OK"));
            let mut sent = stream.write_all(begun.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(&[b' '; 16 * 1024]).await;
                state.lock().unwrap().taken += 16 * 1024;
            }
            return;
        }
        Reply::Drip => {
            let begun = format!("{}\r\n", head("200 OK"));
            let mut sent = stream.write_all(begun.as_bytes()).await;
            while sent.is_ok() {
                sleep(Duration::from_secs(1)).await;
                sent = stream.write_all(b" ").await;
            }
            return;
        }
    };
    if stream.write_all(whole.as_bytes()).await.is_ok() {
        // An end that was not asked for is none of ours.
        let _closed = stream.shutdown().await;
    }
}

/// The head and the body of a request.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").map_or(0, |(_, rest)| {
                let digits = rest.split("\r\n").next().unwrap_or("");
                digits.parse().unwrap()
            });
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
