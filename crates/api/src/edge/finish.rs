//! The outermost layer: request id, trace, load shedding, problems, panics, security headers, metrics
//! and one line of the log.
//!
//! 1. Every answer carries `X-Request-Id`, `traceparent`, the security headers and, for an error, a
//!    problem body with both ids; also when a handler panicked (P2-10).
//! 2. A request that its client dropped is no error and logs none; a body that comes too slowly is
//!    the client's 408, and an answer that takes too long is our 504.
//! 3. Two `Host` headers are refused: a proxy before us may have believed the other one. A URL of
//!    more than 8 KiB is a 414.
//! 4. Over the limit of requests under way the answer is a 503 at once; health, readiness and
//!    metrics are answered all the same, also on a connection over the limit of connections (L2).
//!
//! It stands around the router as one service, with one boxed future: what each request passes must
//! cost little.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use resync_kernel::{IdGenerator, error_chain};
use tower::{Service, ServiceExt};
use tracing::Instrument;

use super::request_id::{RequestId, X_REQUEST_ID};
use super::trace::{TRACEPARENT, TraceContext};
use super::trail::Trail;
use super::waiting::Waiting;
use crate::metrics::{Metrics, Shed};
use crate::openai;
use crate::problem::Problem;

/// The longest path and query, in bytes.
const MAX_URL_BYTES: usize = 8 * 1024;
/// When a client that was turned away may come back.
const COME_BACK: Duration = Duration::from_secs(1);
/// The target of the line that each request leaves in the log.
const ACCESS: &str = "resync_api::access";

/// What is answered whatever the load.
const ALWAYS: [&str; 4] = ["/healthz", "/livez", "/readyz", "/metrics"];

/// On a request whose connection is over the limit of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverLimit;

/// How [`Edge`] is set.
#[derive(Clone)]
pub struct Finish {
    /// Makes the ids of requests.
    pub ids: Arc<dyn IdGenerator>,
    /// The longest that a handler may take.
    pub handler_timeout: Duration,
    /// Requests under way at once.
    pub max_requests: usize,
    /// Whether browsers are to come back by https only.
    pub hsts: bool,
    /// What is counted.
    pub metrics: Metrics,
}

/// The router and everything around it. Cheap to clone.
#[derive(Clone)]
pub struct Edge(Arc<Shared>);

struct Shared {
    router: Router,
    set: Finish,
    /// The security headers, with room for those of an answer.
    headers: HeaderMap,
    // Only a count; nothing is ordered by it.
    under_way: AtomicUsize,
}

impl Edge {
    /// The edge around `router`.
    #[must_use]
    pub fn new(router: Router, set: Finish) -> Self {
        let headers = security_headers(set.hsts);
        Self(Arc::new(Shared {
            router,
            set,
            headers,
            under_way: AtomicUsize::new(0),
        }))
    }

    /// Requests under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::Relaxed)
    }
}

impl Service<Request> for Edge {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { Ok(shared.run(request).await) })
    }
}

/// One request under way, until it is dropped.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    async fn run(&self, mut request: Request) -> Response {
        let started = Instant::now();
        let own = self.set.ids.next();
        let id = RequestId::of(request.headers(), own);
        let trace = TraceContext::of(request.headers(), own);
        let uri = request.uri().clone();
        let method = request.method().clone();
        let trail = Trail::new(id, trace);
        request.extensions_mut().insert(trail.clone());
        // At the level of errors, so that no `log.level` parts a failure from its request's ids.
        let span = tracing::error_span!(
            "http.request",
            request.id = %trail.id(),
            trace.id = %trace.trace_id(),
        );
        let response = self.answer(request, &uri).instrument(span.clone()).await;
        span.in_scope(|| self.finish(response, &trail, &method, &uri, started.elapsed()))
    }

    /// The router's answer, or why it was not asked.
    async fn answer(&self, mut request: Request, uri: &Uri) -> Response {
        if let Some(problem) = malformed(&request, uri) {
            return problem.into_response();
        }
        let always = ALWAYS.contains(&uri.path());
        if !always && request.extensions().get::<OverLimit>().is_some() {
            return closing(overloaded().into_response());
        }
        let under_way = UnderWay(&self.under_way);
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= self.set.max_requests && !always {
            self.set.metrics.shed(Shed::Requests);
            return overloaded().into_response();
        }
        let (waiting, body) = Waiting::watch(std::mem::take(request.body_mut()));
        *request.body_mut() = body;
        let answer = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        let mut answer = pin!(answer);
        // Most answers are there at once; only one that is not costs a timer.
        let first =
            std::future::poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        let answered = match first {
            Poll::Ready(answered) => answered,
            Poll::Pending => match tokio::time::timeout(self.set.handler_timeout, answer).await {
                Ok(answered) => answered,
                Err(_) => return too_slow(&waiting).into_response(),
            },
        };
        drop(under_way);
        match answered {
            Ok(Ok(response)) => response,
            Err(panic) => on_panic(&*panic).into_response(),
        }
    }

    fn finish(
        &self,
        mut response: Response,
        trail: &Trail,
        method: &Method,
        uri: &Uri,
        took: Duration,
    ) -> Response {
        let status = response.status();
        let metrics = &self.set.metrics;
        let route = trail.route();
        if status.is_client_error() || status.is_server_error() {
            let (with_body, code) = with_problem_body(response, uri.path(), trail);
            metrics.problem(code, route);
            response = with_body;
        }
        route
            .unwrap_or_else(|| metrics.unmatched())
            .answered(status, took);
        // What the answer says of itself goes over ours; a copy costs less than as many insertions.
        let said = std::mem::replace(response.headers_mut(), self.headers.clone());
        let headers = response.headers_mut();
        headers.extend(said);
        headers.insert(X_REQUEST_ID, trail.id().header().clone());
        if let Some(value) = trail.trace().header() {
            headers.insert(TRACEPARENT, value);
        }
        log(
            method,
            uri,
            status,
            route.map_or("unmatched", |route| route.template),
            took,
        );
        response
    }
}

/// A read that went well is not worth a line of its own at `info`.
fn log(method: &Method, uri: &Uri, status: StatusCode, route: &'static str, took: Duration) {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let status_code = status.as_u16();
    if method.is_safe() && !status.is_client_error() && !status.is_server_error() {
        tracing::debug!(name: "answered", target: ACCESS, { http.method = %method, http.route = route, http.path = uri.path(), http.status = status_code, took_ms }, "answered");
    } else {
        tracing::info!(name: "answered", target: ACCESS, { http.method = %method, http.route = route, http.path = uri.path(), http.status = status_code, took_ms }, "answered");
    }
}

fn malformed(request: &Request, uri: &Uri) -> Option<Problem> {
    if uri
        .path_and_query()
        .is_some_and(|url| url.as_str().len() > MAX_URL_BYTES)
    {
        return Some(Problem::new(
            StatusCode::URI_TOO_LONG,
            "url-too-long",
            "The address is longer than 8 KiB",
        ));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    (hosts.next().is_some() && hosts.next().is_some())
        .then(|| Problem::bad_request("there is more than one Host header"))
}

fn overloaded() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "There is more to do than can be done; come back in a moment",
    )
    .retry_after(COME_BACK)
}

fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
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
fn with_problem_body(
    mut response: Response,
    path: &str,
    trail: &Trail,
) -> (Response, &'static str) {
    let status = response.status();
    let mut problem = response
        .extensions_mut()
        .remove::<Problem>()
        .unwrap_or_else(|| of_status(status));
    // Turning away under load is what we are told to do, and a line each would be load of its own.
    if status.is_server_error() && problem.code() != "overloaded" {
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
    let trace = trail.trace().trace_id().to_string();
    problem
        .0
        .members
        .insert("trace_id".to_owned(), trace.into());
    let id = trail.id().as_str();
    let (body, media_type) = if openai::speaks(path) {
        let body = serde_json::to_vec(&openai::error_body(&problem.0, id));
        (body, "application/json")
    } else {
        let body = serde_json::to_vec(&problem.body(path, id));
        (body, "application/problem+json")
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
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
    let body = body.map_or_else(|_| Body::empty(), Body::from);
    (Response::from_parts(parts, body), problem.code())
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
fn security_headers(hsts: bool) -> HeaderMap {
    let always = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let two_years = (
        STRICT_TRANSPORT_SECURITY,
        "max-age=63072000; includeSubDomains",
    );
    let mut headers = HeaderMap::with_capacity(24);
    for (name, value) in always.into_iter().chain(hsts.then_some(two_years)) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// Turns a panic into a 500.
fn on_panic(payload: &(dyn Any + Send)) -> Problem {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Problem::internal().caused_by(text)
}
