//! HTTP/1.1 by hand's length from the socket, so that a connection can be dropped unanswered.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Shared, body::Response};
use crate::fault::Effect;

/// The connection is to be closed without an answer.
#[derive(Debug, Error)]
#[error("the connection is closed on purpose")]
pub(super) struct Dropped;

/// How a connection is to end; shared by the connection and the answers on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    reset: Arc<AtomicBool>,
    hang_up: Arc<AtomicBool>,
}

impl Ending {
    /// The peer gets a reset instead of an end.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// Nothing more is read: the connection ends after the answer at hand.
    pub(super) fn hang_up(&self) {
        self.hang_up.store(true, Ordering::Relaxed);
    }
}

/// A socket that ends the way its [`Ending`] says.
struct Socket {
    stream: TcpStream,
    ending: Ending,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.ending.reset.load(Ordering::Relaxed) {
            // A peer that has gone already needs no reset.
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ending.hang_up.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where connections come from and what ends them.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    /// Whether new connections are taken at all; while they are not, nobody listens.
    pub(super) open: watch::Receiver<bool>,
    /// Whose rules on connections are asked; none for the control plane.
    pub(super) rules: Option<Arc<Shared>>,
    pub(super) token: CancellationToken,
    pub(super) tracker: TaskTracker,
}

/// Accepts connections until cancelled; each is a task of the tracker and ends with the token too.
pub(super) async fn accept<F, R>(door: Door, respond: F)
where
    F: Fn(Request<Incoming>, Ending) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Response, Dropped>> + Send + 'static,
{
    let Door {
        listener,
        tls,
        mut open,
        rules,
        token,
        tracker,
    } = door;
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = Some(listener);
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            changed = open.changed() => {
                if changed.is_err() {
                    return;
                }
                let wanted = *open.borrow_and_update();
                listener = if wanted { TcpListener::bind(address).await.ok() } else { None };
                continue;
            }
            accepted = next(listener.as_ref()) => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait for some connection to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let ending = Ending::default();
        if let Some(shared) = &rules {
            let effect = shared.world.lock().await.greet();
            match effect {
                Some(Effect::Refuse) => {
                    ending.reset();
                    drop(Socket { stream, ending });
                    continue;
                }
                Some(_) => continue,
                None => {}
            }
        }
        let (respond, stop, tls) = (respond.clone(), token.clone(), tls.clone());
        tracker.spawn(async move {
            let socket = Socket {
                stream,
                ending: ending.clone(),
            };
            let serve = async {
                match tls {
                    None => serve(socket, ending, respond).await,
                    Some(tls) => match tls.accept(socket).await {
                        Ok(stream) => serve(stream, ending, respond).await,
                        Err(error) => tracing::debug!(%error, "a handshake failed"),
                    },
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = serve => {}
            }
        });
    }
}

/// The next connection; for ever pending while nobody listens.
async fn next(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn serve<S, F, R>(stream: S, ending: Ending, respond: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    F: Fn(Request<Incoming>, Ending) -> R + Send + Sync,
    R: Future<Output = Result<Response, Dropped>> + Send,
{
    let service = service_fn(|request| respond(request, ending.clone()));
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30));
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
