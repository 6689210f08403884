//! HTTP/1.1 by hand's length from the socket, so that a connection can be dropped unanswered.

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The connection is to be closed without an answer.
#[derive(Debug, Error)]
#[error("the connection is closed on purpose")]
pub(super) struct Dropped;

pub(super) type Body = BoxBody<Bytes, io::Error>;

/// Accepts connections until cancelled; each is a task of `tracker` and ends with the token too.
pub(super) async fn accept<F, R>(
    listener: TcpListener,
    token: CancellationToken,
    tracker: TaskTracker,
    respond: F,
) where
    F: Fn(http::Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<Body>, Dropped>> + Send,
{
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait for some connection to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (respond, stop) = (respond.clone(), token.clone());
        tracker.spawn(async move {
            let service = service_fn(respond);
            let mut server = http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30));
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                result = connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
            }
        });
    }
}

/// A body that is there whole.
pub(super) fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes))
        .map_err(|never: Infallible| match never {})
        .boxed()
}

/// A body that breaks off: `bytes` arrive, and then the connection is closed.
pub(super) fn broken(bytes: Vec<u8>) -> Body {
    let first = stream::iter([Ok(Frame::data(Bytes::from(bytes)))]);
    let error = stream::once(async {
        // The pause lets what came before reach the socket.
        tokio::task::yield_now().await;
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, Dropped))
    });
    BodyExt::boxed(StreamBody::new(first.chain(error)))
}

/// An answer with one body type.
pub(super) fn response(status: StatusCode, content_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(content_type)
        && !content_type.is_empty()
    {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}
