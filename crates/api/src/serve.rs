//! The accept loop: HTTP/1.1 with the timers and bounds that `axum::serve` does not install.
//!
//! 1. `a_silent_client_is_let_go`: a head that is not complete within the header timeout ends its
//!    connection; so does a TLS handshake.
//! 2. `over_the_limit_only_health_is_answered`: a connection over the limit gets a 503 and is closed,
//!    but health, readiness and metrics are answered on it. Those connections are few, too: of one
//!    too many the oldest is closed, so whoever asks at once is answered and whoever waits is not.
//! 3. A client that asks and does not read is let go, see `patience`.
//! 4. `shutdown_lets_a_request_finish`: after the token is cancelled nothing new is accepted, a
//!    request in flight is answered, idle connections close, and what is left after the grace is cut.
//! 5. `while_draining_each_connection_gets_one_more_answer`: new connections are accepted, but each is
//!    told to close with its next answer. Who connected before the listener closed is still answered, so
//!    a proxy that keeps no connection longer than that loses no request.

mod drain;
mod patience;
mod reserve;
pub mod tls;

pub use drain::Draining;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::edge::finish::OverLimit;
use crate::metrics::{Metrics, Shed};
use patience::Patience;
use reserve::Reserve;
use tls::Tls;

/// The bounds of the listener.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// How long a request's head may take, also on a kept-alive connection, and a TLS handshake.
    pub header_timeout: Duration,
    /// How long a client may leave an answer unread before its connection is dropped.
    pub write_timeout: Duration,
    /// How many connections at once.
    pub max_connections: usize,
    /// How long requests in flight may take once shutdown began.
    pub shutdown_grace: Duration,
}

/// What is served, and how.
pub struct Serving<S> {
    /// Bound already.
    pub listener: TcpListener,
    /// Answers the requests.
    pub service: S,
    /// The bounds.
    pub limits: ServeLimits,
    /// With it every connection is TLS.
    pub tls: Option<Tls>,
    /// Counts connections.
    pub metrics: Metrics,
    /// Whether the end is near.
    pub draining: Draining,
}

/// The greatest head of a request, in bytes. Of headers it may have 100, which is hyper's own bound:
/// naming it would put the table of each head on the heap.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Connections over the limit that are held to be told so.
const RESERVED: usize = 64;
/// How long the head may take there.
const RESERVED_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until `shutdown` is cancelled and what was in flight has ended.
///
/// An accept that fails (no descriptors left) is logged and tried again after a moment.
pub async fn serve<S>(serving: Serving<S>, shutdown: CancellationToken)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let Serving {
        listener,
        service,
        limits,
        tls,
        metrics,
        draining,
    } = serving;
    let grace = limits.shutdown_grace;
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let reserve = Reserve::new(RESERVED);
    let over = ServeLimits {
        header_timeout: limits.header_timeout.min(RESERVED_TIMEOUT),
        ..limits.clone()
    };
    let (limits, over) = (Arc::new(limits), Arc::new(over));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Whoever is connected by now is taken first.
            () = shutdown.cancelled() => match listener.accept().now_or_never() {
                Some(accepted) => accepted,
                None => break,
            },
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let slot = Arc::clone(&slots).try_acquire_owned().ok();
        let place = slot.is_none().then(|| {
            metrics.shed(Shed::Connections);
            reserve.enter()
        });
        let evicted = place.as_ref().map(reserve::Place::evicted);
        let connection = Connection {
            peer,
            service: service.clone(),
            limits: Arc::clone(if slot.is_some() { &limits } else { &over }),
            over_limit: slot.is_none(),
            draining: draining.clone(),
        };
        // A connection that comes this late closes by itself with its first answer; asked to close before,
        // it would do so without one.
        let asked = if draining.has_begun() {
            CancellationToken::new()
        } else {
            shutdown.clone()
        };
        let (tls, end) = (tls.clone(), End(asked, cut.clone()));
        let counted = metrics.connection();
        connections.spawn(async move {
            let run = connection.run(stream, tls, end);
            match evicted {
                None => run.await,
                Some(evicted) => {
                    evicted.run_until_cancelled(run).await;
                }
            }
            drop((slot, place, counted));
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait())
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

/// How a connection ends: the first asks it to, the second does not ask. The second comes after the
/// first, so that a connection at work looks at one of them.
struct End(CancellationToken, CancellationToken);

struct Connection<S> {
    peer: SocketAddr,
    service: S,
    limits: Arc<ServeLimits>,
    over_limit: bool,
    draining: Draining,
}

impl<S> Connection<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    async fn run(self, stream: TcpStream, tls: Option<Tls>, end: End) {
        // Small answers must not wait for Nagle; where the option is refused, they are only slower.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY was refused");
        }
        let stream = Patience::new(stream, self.limits.write_timeout);
        let Some(tls) = tls else {
            return self.http(stream, end).await;
        };
        let handshake = tokio::time::timeout(self.limits.header_timeout, tls.accept(stream));
        let Some(shaken) = end.0.run_until_cancelled(handshake).await else {
            return;
        };
        match shaken {
            Ok(Ok(stream)) => self.http(stream, end).await,
            Ok(Err(error)) => {
                tracing::debug!(error = %error, peer = %self.peer, "the TLS handshake failed");
            }
            Err(_) => tracing::debug!(peer = %self.peer, "the TLS handshake took too long"),
        }
    }

    async fn http<I>(self, stream: I, End(shutdown, cut): End)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (peer, over_limit) = (self.peer, self.over_limit);
        let (service, draining) = (self.service, self.draining);
        // The edge is ready at any time, so nobody is asked whether it is.
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let answer = service.clone().call(ours(request, peer, over_limit));
            draining.clone().last(answer)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let mut ended = shutdown.run_until_cancelled(connection.as_mut()).await;
        if ended.is_none() {
            connection.as_mut().graceful_shutdown();
            ended = cut.run_until_cancelled(connection).await;
        }
        if let Some(Err(error)) = ended {
            tracing::debug!(error = %error, peer = %peer, "the connection ended early");
        }
    }
}

/// The request with its peer, and with the lane that it came by.
fn ours(mut request: hyper::Request<Incoming>, peer: SocketAddr, over_limit: bool) -> Request {
    request.extensions_mut().insert(ConnectInfo(peer));
    if over_limit {
        request.extensions_mut().insert(OverLimit);
    }
    request.map(|body| {
        // An empty one takes no box.
        if body.is_end_stream() {
            Body::empty()
        } else {
            Body::new(body)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::finish::{Edge, Finish};
    use axum::Router;
    use axum::routing::get;
    use resync_kernel::CountingIds;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    pub(super) struct Running {
        pub(super) address: SocketAddr,
        shutdown: CancellationToken,
        draining: Draining,
        ended: tokio::task::JoinHandle<()>,
        metrics: Metrics,
    }

    async fn start(router: Router, header_timeout: Duration, max_connections: usize) -> Running {
        start_with(router, header_timeout, max_connections, None).await
    }

    pub(super) async fn start_with(
        router: Router,
        header_timeout: Duration,
        max_connections: usize,
        tls: Option<Tls>,
    ) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, draining) = (CancellationToken::new(), Draining::default());
        let metrics = Metrics::new(Vec::new());
        let set = Finish {
            ids: Arc::new(CountingIds::default()),
            handler_timeout: Duration::from_secs(30),
            max_requests: 10_000,
            hsts: false,
            metrics: metrics.clone(),
        };
        let serving = Serving {
            listener,
            service: Edge::new(router, set),
            limits: ServeLimits {
                header_timeout,
                write_timeout: Duration::from_millis(200),
                max_connections,
                shutdown_grace: Duration::from_secs(5),
            },
            tls,
            metrics: metrics.clone(),
            draining: draining.clone(),
        };
        let tasks = TaskTracker::new();
        let ended = tasks.spawn(serve(serving, shutdown.clone()));
        Running {
            address,
            shutdown,
            draining,
            ended,
            metrics,
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
                let mut head = [0; 12];
                if next.write_all(ASK).await.is_ok()
                    && next.read_exact(&mut head).await.is_ok()
                    && &head == b"HTTP/1.1 200"
                {
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

    /// L2, L4
    #[tokio::test]
    async fn over_the_limit_only_health_is_answered() {
        let router = Router::new()
            .route("/", get(async || "fine"))
            .route("/healthz", get(async || "alive"));
        let running = start(router, Duration::from_secs(30), 1).await;
        let mut first = TcpStream::connect(running.address).await.unwrap();
        first.write_all(ASK).await.unwrap();
        let mut byte = [0; 12];
        first.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"HTTP/1.1 200");
        // Many that say nothing wait in the reserve, and none of them keeps out who asks.
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(TcpStream::connect(running.address).await.unwrap());
        }
        let ask = async |path: &str| {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            read_all(&mut stream).await
        };
        let shed = ask("/").await;
        assert!(shed.starts_with("HTTP/1.1 503"), "{shed}");
        assert!(
            shed.contains("retry-after: 1") && shed.contains("connection: close"),
            "{shed}"
        );
        assert!(ask("/healthz").await.ends_with("alive"));
        let text = running.metrics.text().unwrap();
        assert!(
            text.contains("resync_shed_total{reason=\"connections\"} 202"),
            "{text}"
        );
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

    #[tokio::test]
    async fn while_draining_each_connection_gets_one_more_answer() {
        let router = Router::new().route("/", get(|| async { "done" }));
        let running = start(router, Duration::from_secs(30), 10).await;
        let connect = async || TcpStream::connect(running.address).await.unwrap();
        let (mut before, mut never_asks) = (connect().await, connect().await);
        before.write_all(ASK).await.unwrap();
        let mut head = [0; 12];
        before.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");

        running.draining.begin();
        for stream in [&mut connect().await, &mut before] {
            stream.write_all(ASK).await.unwrap();
            let text = read_all(stream).await;
            assert!(
                text.contains("connection: close") && text.ends_with("done"),
                "{text}"
            );
        }
        // Whoever is connected when the listener closes is answered, too.
        let mut late = connect().await;
        running.shutdown.cancel();
        late.write_all(ASK).await.unwrap();
        assert!(read_all(&mut late).await.ends_with("done"));
        assert_eq!(read_all(&mut never_asks).await, "");
        running.ended.await.unwrap();
        assert!(TcpStream::connect(running.address).await.is_err());
    }
}
