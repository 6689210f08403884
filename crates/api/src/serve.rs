//! The accept loop: HTTP/1.1 with the timers and bounds that `axum::serve` does not install.
//!
//! 1. `a_silent_client_is_let_go`: a head that is not complete within the header timeout ends its connection.
//! 2. `connections_are_bounded`: over the limit a connection is closed at once, without a byte.
//! 3. A client that asks and does not read is let go, see `patience`.
//! 4. `shutdown_lets_a_request_finish`: after the token is cancelled nothing new is accepted, a
//!    request in flight is answered, idle connections close, and what is left after the grace is cut.

mod patience;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use patience::Patience;

/// The bounds of the listener.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// How long a request's head may take, also on a kept-alive connection.
    pub header_timeout: Duration,
    /// How long a client may leave an answer unread before its connection is dropped.
    pub write_timeout: Duration,
    /// How many connections at once.
    pub max_connections: usize,
    /// How long requests in flight may take once shutdown began.
    pub shutdown_grace: Duration,
}

/// The greatest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 100;

/// Serves `router` until `shutdown` is cancelled and what was in flight has ended.
///
/// # Errors
/// None after the listener is bound: an accept that fails (no descriptors left) is logged and tried
/// again after a moment.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                    tracing::warn!("too many connections; one was closed");
                    continue;
                };
                let (router, shutdown, cut) = (router.clone(), shutdown.clone(), cut.clone());
                let limits = limits.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = connection(stream, peer, router, &limits, shutdown) => {}
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(error = %error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.shutdown_grace, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            "cutting connections that did not end in time"
        );
        cut.cancel();
        connections.wait().await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &ServeLimits,
    shutdown: CancellationToken,
) {
    // Small answers must not wait for Nagle; where the option is refused, they are only slower.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "TCP_NODELAY was refused");
    }
    let service = router.map_request(
        move |mut request: axum::http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new)
        },
    );
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(
            TokioIo::new(Patience::new(stream, limits.write_timeout)),
            TowerToHyperService::new(service),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, peer = %peer, "the connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    struct Running {
        address: SocketAddr,
        shutdown: CancellationToken,
        ended: tokio::task::JoinHandle<()>,
    }

    async fn start(router: Router, header_timeout: Duration, max_connections: usize) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let limits = ServeLimits {
            header_timeout,
            write_timeout: Duration::from_millis(200),
            max_connections,
            shutdown_grace: Duration::from_secs(5),
        };
        let tasks = TaskTracker::new();
        let ended = tasks.spawn(serve(listener, router, limits, shutdown.clone()));
        Running {
            address,
            shutdown,
            ended,
        }
    }

    async fn read_all(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn a_silent_client_is_let_go() {
        let running = start(Router::new(), Duration::from_millis(50), 10).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(10), read_all(&mut stream))
            .await
            .unwrap();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_let_go() {
        let router = Router::new().route("/", get(|| async { vec![b'a'; 64 << 20] }));
        let running = start(router, Duration::from_secs(30), 1).await;
        let mut deaf = TcpStream::connect(running.address).await.unwrap();
        deaf.write_all(ASK).await.unwrap();
        // Its slot is the only one, so the next client is served only once it is gone.
        let served = async {
            loop {
                let mut next = TcpStream::connect(running.address).await.unwrap();
                let mut byte = [0; 1];
                if next.write_all(ASK).await.is_ok() && next.read_exact(&mut byte).await.is_ok() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), served)
            .await
            .unwrap();
        drop(deaf);
    }

    #[tokio::test]
    async fn connections_are_bounded() {
        let running = start(Router::new(), Duration::from_secs(30), 1).await;
        let mut first = TcpStream::connect(running.address).await.unwrap();
        first.write_all(ASK).await.unwrap();
        let mut byte = [0; 12];
        first.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"HTTP/1.1 404");
        let mut second = TcpStream::connect(running.address).await.unwrap();
        let mut text = Vec::new();
        // Closed with unread bytes may show as a reset; either way nothing was answered.
        let _closed = second.read_to_end(&mut text).await;
        assert!(text.is_empty());
    }

    #[tokio::test]
    async fn shutdown_lets_a_request_finish() {
        let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (at_handler, leave) = (Arc::clone(&entered), Arc::clone(&go));
        let router = Router::new().route(
            "/",
            get(move || async move {
                at_handler.notify_one();
                leave.notified().await;
                "done"
            }),
        );
        let running = start(router, Duration::from_secs(30), 10).await;
        let mut busy = TcpStream::connect(running.address).await.unwrap();
        busy.write_all(ASK).await.unwrap();
        entered.notified().await;
        running.shutdown.cancel();
        go.notify_one();
        assert!(read_all(&mut busy).await.ends_with("done"));
        running.ended.await.unwrap();
        assert!(TcpStream::connect(running.address).await.is_err());
    }
}
