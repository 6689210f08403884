//! Bodies, whole and broken ones.

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;

use super::http1::{Dropped, Ending};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Response = http::Response<Body>;

/// A body that is there whole.
pub(super) fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes))
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// A body that breaks off: `bytes` arrive, and then the connection is closed.
pub(super) fn broken(bytes: Vec<u8>) -> Body {
    let error = stream::once(async {
        // The pauses let what came before reach the socket.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, Dropped))
    });
    BodyExt::boxed_unsync(StreamBody::new(first(bytes).chain(error)))
}

/// A body that stops arriving while its connection stays.
pub(super) fn stalled(bytes: Vec<u8>) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(first(bytes).chain(stream::pending())))
}

/// A body of unknown length, after which `ending` lets go of the connection.
pub(super) fn last(bytes: Vec<u8>, ending: Ending) -> Body {
    let end = stream::once(async move {
        ending.hang_up();
        Ok(Frame::data(Bytes::new()))
    });
    BodyExt::boxed_unsync(StreamBody::new(first(bytes).chain(end)))
}

/// A body in pieces of `size`, with a pause before each but the first.
pub(super) fn slow(bytes: Vec<u8>, size: usize, pause: Duration) -> Body {
    let bytes = Bytes::from(bytes);
    let size = size.max(1);
    let starts = (0..bytes.len()).step_by(size);
    let pieces = stream::iter(starts).then(move |start| {
        let piece = bytes.slice(start..bytes.len().min(start.saturating_add(size)));
        async move {
            if start > 0 {
                tokio::time::sleep(pause).await;
            }
            Ok(Frame::data(piece))
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(pieces))
}

fn first(bytes: Vec<u8>) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send {
    stream::iter([Ok(Frame::data(Bytes::from(bytes)))])
}

/// An answer with one body type.
pub(super) fn response(status: StatusCode, content_type: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    response
}

/// Sets a header, unless the value is empty or cannot stand in one.
pub(super) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        response.headers_mut().insert(name, value);
    }
}
