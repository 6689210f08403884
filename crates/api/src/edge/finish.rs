//! The outermost layer: request id, problems, panics, security headers, one log line for a 5xx.
//!
//! 1. Every answer carries `X-Request-Id`, the security headers and, for an error, a problem body
//!    with that id; also when a handler panicked (P2-10).
//! 2. A request that its client dropped is no error and logs none; a body that comes too slowly is
//!    the client's 408, and an answer that takes too long is our 504.
//! 3. Two `Host` headers are refused: a proxy before us may have believed the other one.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use resync_kernel::{IdGenerator, error_chain};
use tracing::Instrument;

use super::request_id::{RequestId, X_REQUEST_ID};
use super::waiting::Waiting;
use crate::problem::Problem;

/// What the layer needs.
#[derive(Clone)]
pub struct Finish {
    /// Makes the ids of requests that bring none.
    pub ids: Arc<dyn IdGenerator>,
    /// The longest that a handler may take.
    pub handler_timeout: Duration,
}

/// Runs the rest under a span with the request's id, and finishes whatever comes back.
pub async fn finish(State(this): State<Finish>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), &*this.ids);
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    // At the level of errors, so that no `log.level` parts a failure from its request's id.
    let span = tracing::error_span!("http.request", request.id = %id, http.method = %method, http.path = %path);
    let mut response = if request.headers().get_all(HOST).iter().count() > 1 {
        Problem::bad_request("there is more than one Host header").into_response()
    } else {
        let waiting = Waiting::default();
        let answer = next.run(request.map(|body| waiting.watch(body)));
        tokio::time::timeout(this.handler_timeout, answer)
            .instrument(span.clone())
            .await
            .unwrap_or_else(|_| too_slow(&waiting).into_response())
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = span.in_scope(|| with_problem_body(response, &path, &id));
    }
    let headers = response.headers_mut();
    if let Some(value) = id.header() {
        headers.insert(X_REQUEST_ID, value);
    }
    secure(headers);
    response
}

/// Who was too slow: the client with its body, or we with the answer.
fn too_slow(waiting: &Waiting) -> Problem {
    if waiting.is_on() {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-timed-out",
            "The body took too long to arrive",
        )
    } else {
        Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timed-out",
            "The answer took too long",
        )
    }
}

/// Gives an error its problem body; one without a [`Problem`] came from axum itself.
fn with_problem_body(mut response: Response, path: &str, id: &RequestId) -> Response {
    let status = response.status();
    let problem = response
        .extensions_mut()
        .remove::<Problem>()
        .unwrap_or_else(|| of_status(status));
    if status.is_server_error() {
        let source = problem
            .0
            .source
            .as_ref()
            .map(|source| error_chain(source.as_ref().as_ref()));
        tracing::error!(
            http.status = status.as_u16(),
            problem.code = problem.0.code,
            error = source,
            "the request failed"
        );
    }
    let body = serde_json::to_vec(&problem.body(path, id.as_str()));
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    parts
        .headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Some(after) = problem.0.retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        parts
            .headers
            .insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    // Plain strings, numbers and maps always serialise; an empty body would still carry the status.
    Response::from_parts(parts, body.map_or_else(|_| Body::empty(), Body::from))
}

/// The problem of a bare status.
fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => {
            Problem::not_found("no-such-route", "There is nothing at this address")
        }
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            "method-not-allowed",
            "This address does not know that method",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            status,
            "too-large",
            "The body is larger than this address takes",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            status,
            "unsupported-media-type",
            "This address does not take that kind of body",
        ),
        status if status.is_client_error() => {
            Problem::new(status, "bad-request", "The request is malformed")
        }
        status => Problem::new(status, "internal", "Something went wrong inside Resync"),
    }
}

/// What the browser may do with an answer that brought no policy of its own.
fn secure(headers: &mut HeaderMap) {
    let defaults = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in defaults {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Turns a panic into a 500; for `CatchPanicLayer::custom`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the payload over"
)]
#[must_use]
pub fn on_panic(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Problem::internal().caused_by(text).into_response()
}
