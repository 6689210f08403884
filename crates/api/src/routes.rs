//! The route table: what is mounted, who may ask, and what the OpenAPI document says of it.
//!
//! 1. Each (method, path) stands once; axum panics at start on an overlap (P0-01).
//! 2. The guard of a row stands around its handler, so the table cannot say one thing and the
//!    router do another (I-01).

mod accounts;
mod plan;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use resync_auth::{Permission, RateClass};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::edge::finish::{Edge, Finish};
use crate::edge::guard::{Gate, Guard, pass};
use crate::edge::{cors, trail::Trail};
use crate::metrics::{self, RouteMeter};
use crate::problem::Problem;
use crate::state::App;
use crate::{audit, cache, chat, openapi, rag, system, ws};

/// Bytes of a body where the row says nothing else.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The pages, which the crate `web` serves: public, and without a handler here.
pub const PAGES: &[(&str, &str)] = &[("GET", "/"), ("GET", "/setup"), ("GET", "/assets/{*path}")];

/// A named schema, put into the list with all it refers to.
pub(crate) type SchemaOf = fn(&mut Vec<(String, RefOr<Schema>)>) -> String;

pub(crate) fn schema_of<T: ToSchema>(into: &mut Vec<(String, RefOr<Schema>)>) -> String {
    let name = T::name().into_owned();
    into.push((name.clone(), T::schema()));
    T::schemas(into);
    name
}

/// One row of the table.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may ask.
    pub guard: Guard,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// Under which limit it is counted; `None` for what anybody may ask as often as they like.
    pub class: Option<RateClass>,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<SchemaOf>,
    pub(crate) answer: (u16, Option<SchemaOf>),
    body_limit: BodyLimit,
    leaves: bool,
    guarded: Box<dyn FnOnce(Gate) -> MethodRouter<App>>,
}

#[derive(Clone, Copy)]
enum BodyLimit {
    Json,
    Upload,
}

impl Route {
    fn new<H, T>(
        method: Method,
        path: &'static str,
        guard: Guard,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self {
            method,
            path,
            guard,
            summary,
            class: (guard != Guard::Public).then_some(RateClass::Api),
            query: &[],
            body: None,
            answer: (200, None),
            body_limit: BodyLimit::Json,
            leaves: false,
            guarded: Box::new(move |gate| {
                let gate = Arc::new(gate);
                // Around the handler itself and not a layer: one future less on the heap a request.
                let guarded = move |State(app): State<App>, request: Request| {
                    let (gate, handler) = (Arc::clone(&gate), handler.clone());
                    async move { pass(&gate, request, |request| handler.call(request, app)).await }
                };
                on(filter, guarded)
            }),
        }
    }

    fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(schema_of::<T>);
        self
    }

    fn gives<T: ToSchema>(mut self, status: u16) -> Self {
        self.answer = (status, Some(schema_of::<T>));
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.answer.0 = status;
        self
    }

    /// Counted apart from the rest.
    fn class(mut self, class: RateClass) -> Self {
        self.class = Some(class);
        self
    }

    /// Ends the session that it comes with.
    fn leaves(mut self) -> Self {
        self.leaves = true;
        self
    }

    fn upload(mut self) -> Self {
        self.body_limit = BodyLimit::Upload;
        self.class(RateClass::Uploads)
    }
}

const LIMIT: (&str, &str) = ("limit", "Items at most, 1 to 500; 50 when absent.");
const CURSOR: (&str, &str) = ("cursor", "`next_cursor` of the page before.");

/// Every route but the pages.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one row a route, and nothing else")]
pub fn table() -> Vec<Route> {
    use Guard::{Public, Socket};
    use Permission as P;
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    let rest = vec![
        Route::new(Method::POST, "/api/v1/chat", can(P::Chat), "Ask", chat::ask)
            .class(RateClass::Chat)
            .takes::<chat::ChatRequest>(),
        Route::new(
            Method::POST,
            "/api/v1/chat/analyze",
            can(P::Chat),
            "How a question is understood",
            chat::analyze,
        )
        .class(RateClass::Chat)
        .takes::<chat::AnalyzeRequest>(),
        get(
            "/api/v1/chat/sessions",
            can(P::Chat),
            "One's own conversations",
        )
        .by(chat::sessions)
        .query(&[LIMIT, CURSOR]),
        get(
            "/api/v1/chat/history",
            can(P::Chat),
            "What was said in a conversation of one's own",
        )
        .by(chat::history)
        .query(&[("session_id", "The conversation."), LIMIT, CURSOR]),
        Route::new(
            Method::DELETE,
            "/api/v1/chat/history",
            can(P::Chat),
            "Forget a conversation of one's own",
            chat::forget,
        )
        .query(&[("session_id", "The conversation.")])
        .gives::<chat::ForgetAnswer>(200),
        get("/api/v1/ws/chat", Socket(P::Chat), "Ask over a WebSocket")
            .by(ws::upgrade)
            .status(101),
        get(
            "/ws/{agent_id}",
            Socket(P::Chat),
            "The same, at the address of older clients",
        )
        .by(ws::upgrade)
        .status(101),
        Route::new(
            Method::POST,
            "/api/v1/rag/documents",
            can(P::ManageKnowledge),
            "Upload a document",
            rag::upload,
        )
        .upload()
        .gives::<rag::UploadAnswer>(202),
        get(
            "/api/v1/rag/documents",
            can(P::ReadKnowledge),
            "Documents, newest first",
        )
        .by(rag::list)
        .query(&[LIMIT, CURSOR])
        .gives::<rag::DocumentPage>(200),
        get(
            "/api/v1/rag/documents/{id}",
            can(P::ReadKnowledge),
            "A document",
        )
        .by(rag::get)
        .gives::<rag::DocumentDto>(200),
        get(
            "/api/v1/rag/documents/{id}/text",
            can(P::ReadKnowledge),
            "A document's text",
        )
        .by(rag::text)
        .gives::<rag::TextAnswer>(200),
        Route::new(
            Method::DELETE,
            "/api/v1/rag/documents/{id}",
            can(P::ManageKnowledge),
            "Delete a document",
            rag::delete,
        )
        .gives::<rag::DeleteAnswer>(200),
        get(
            "/api/v1/rag/search",
            can(P::ReadKnowledge),
            "Search the documents",
        )
        .by(rag::search)
        .gives::<rag::SearchAnswer>(200)
        .query(&[
            ("q", "The question."),
            ("k", "Hits at most, 1 to 50; 5 when absent."),
            ("collection", "Only documents of this collection."),
            ("explain", "`true` adds why each hit was found."),
        ]),
        get(
            "/api/v1/rag/stats",
            can(P::ReadKnowledge),
            "How much there is to search",
        )
        .by(rag::stats)
        .gives::<rag::StatsAnswer>(200),
        get(
            "/api/v1/audit",
            can(P::ReadAudit),
            "What was done, newest first",
        )
        .by(audit::list)
        .query(&[LIMIT, CURSOR]),
        get(
            "/api/v1/audit/verify",
            can(P::ReadAudit),
            "Whether the audit log is whole",
        )
        .by(audit::verify),
        get(
            "/api/v1/cache/stats",
            can(P::ManageCache),
            "Counters of the plan cache",
        )
        .by(cache::stats),
        Route::new(
            Method::POST,
            "/api/v1/cache/invalidate",
            can(P::ManageCache),
            "Drop what was read from engines",
            cache::invalidate,
        )
        .takes::<cache::InvalidateRequest>()
        .gives::<cache::InvalidateAnswer>(200),
        get("/healthz", Public, "Whether the process lives")
            .by(system::health)
            .gives::<system::HealthAnswer>(200),
        get("/livez", Public, "The same")
            .by(system::health)
            .gives::<system::HealthAnswer>(200),
        get(
            "/readyz",
            Public,
            "Whether it can serve, and how the engines are",
        )
        .by(system::ready)
        .gives::<system::ReadyAnswer>(200),
        // Its own guard: a token of its own, or this machine.
        get(
            "/metrics",
            Public,
            "What is counted, in the text format of OpenMetrics",
        )
        .by(metrics::get),
        get("/openapi.json", Public, "This document").by(openapi::get),
    ];
    let mut table = accounts::ways_in();
    table.extend(accounts::own());
    table.extend(accounts::administration());
    table.extend(plan::plan());
    table.extend(plan::administration());
    table.extend(rest);
    table
}

/// The first half of a GET row, so that the handler's type is inferred by [`Get::by`].
struct Get(&'static str, Guard, &'static str);

impl Get {
    fn by<H, T>(self, handler: H) -> Route
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Route::new(Method::GET, self.0, self.1, self.2, handler)
    }
}

/// The routes of the table and, beside them, the pages, with the edge around it all.
pub fn router(app: &App, pages: Router) -> Edge {
    let mut router = Router::new();
    for route in table() {
        let body_limit = match route.body_limit {
            BodyLimit::Json => MAX_BODY_BYTES,
            // The parts of a form around the file take some room, too.
            BodyLimit::Upload => app.edge.max_upload_bytes.saturating_add(64 * 1024),
        };
        let mut handler = (route.guarded)(Gate {
            app: app.clone(),
            guard: route.guard,
            class: route.class,
            meter: Arc::new(app.metrics.route(word(&route.method), route.path)),
            body_limit,
            leaves: route.leaves,
        });
        if matches!(route.body_limit, BodyLimit::Upload) {
            // Axum's own limit would end a form earlier than ours.
            handler = handler.layer::<_, Infallible>(DefaultBodyLimit::disable());
        }
        router = router.route(route.path, handler);
    }
    let page = Arc::new(app.metrics.route("GET", "page"));
    let pages = pages.route_layer(from_fn_with_state(page, reached));
    let mut router = with_fallbacks(router.with_state(app.clone()).merge(pages));
    if let Some(cors) = cors::layer(&app.edge.cors_origins) {
        router = router.layer(cors);
    }
    let set = Finish {
        ids: app.ids.clone(),
        handler_timeout: app.edge.handler_timeout,
        max_requests: app.edge.max_requests,
        hsts: app.edge.hsts,
        metrics: app.metrics.clone(),
    };
    Edge::new(router, set)
}

/// The method as a word that lives for ever, for metrics.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Notes that a page was asked for.
async fn reached(State(meter): State<Arc<RouteMeter>>, request: Request, next: Next) -> Response {
    if let Some(trail) = request.extensions().get::<Trail>() {
        trail.reached(&meter);
    }
    next.run(request).await
}

/// Problems for what no route answers.
fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(|| async {
            Problem::not_found("no-such-route", "There is nothing at this address")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "This address does not know that method",
            )
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use resync_kernel::CountingIds;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    /// P0-01, I-01: what is mounted, and who may ask, is as it was reviewed.
    #[test]
    fn route_table_is_unique_and_guarded() {
        let table = table();
        let rows: Vec<String> = table
            .iter()
            .map(|route| {
                let class = route.class.map_or("-", RateClass::as_str);
                let guard = route.guard.name();
                format!("{} {} | {guard} | {class}", route.method, route.path)
            })
            .collect();
        let unique: BTreeSet<_> = table
            .iter()
            .map(|route| (route.method.as_str(), route.path))
            .collect();
        assert_eq!(unique.len(), rows.len());
        insta::assert_snapshot!(rows.join("\n"));
    }

    fn finishing(timeout: Duration) -> Finish {
        Finish {
            ids: Arc::new(CountingIds::default()),
            handler_timeout: timeout,
            max_requests: 2,
            hsts: false,
            metrics: crate::metrics::Metrics::new(Vec::new()),
        }
    }

    fn finished(router: Router, set: Finish) -> Edge {
        Edge::new(with_fallbacks(router), set)
    }

    async fn ask(router: Edge, path: &str) -> Response {
        router
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn problem(response: Response) -> Value {
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["request_id"], id);
        problem
    }

    /// P2-10
    #[tokio::test]
    async fn panic_in_handler_is_500_problem() {
        let panicking =
            Router::new().route("/", get(async || -> &'static str { panic!("canary") }));
        let response = ask(finished(panicking, finishing(Duration::from_secs(5))), "/").await;
        assert_eq!(response.status(), 500);
        let problem = problem(response).await;
        assert_eq!(problem["code"], "internal");
        assert!(!problem.to_string().contains("canary"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_takes_too_long_is_the_clients_408() {
        let reads = Router::new().route("/", axum::routing::post(async |body: String| body));
        let dripping = Body::from_stream(futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>("a"), ()))
        }));
        let request = Request::post("/").body(dripping).unwrap();
        let router = finished(reads, finishing(Duration::from_secs(30)));
        let started = tokio::time::Instant::now();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(30));
        assert_eq!(response.status(), 408);
        assert_eq!(problem(response).await["code"], "body-timed-out");
    }

    #[tokio::test]
    async fn two_hosts_are_one_too_many() {
        let router = Router::new().route("/", get(async || "fine"));
        let router = finished(router, finishing(Duration::from_secs(5)));
        for (hosts, status) in [(0, 200), (1, 200), (2, 400)] {
            let mut request = Request::get("/").body(Body::empty()).unwrap();
            for _ in 0..hosts {
                request.headers_mut().append("host", "x".parse().unwrap());
            }
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{hosts} hosts");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_takes_too_long_is_a_504() {
        let slow = Router::new().route(
            "/",
            get(async || std::future::pending::<&'static str>().await),
        );
        let response = ask(finished(slow, finishing(Duration::from_secs(30))), "/").await;
        assert_eq!(response.status(), 504);
        assert_eq!(problem(response).await["code"], "timed-out");
    }

    /// P2-10: a client that hangs up drops its request; nothing is logged as an error.
    #[tokio::test(start_paused = true)]
    async fn client_disconnect_is_not_logged_as_error() {
        let errors = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let subscriber = CountErrors(errors.clone());
        let _guard = tracing::subscriber::set_default(subscriber);
        let slow = Router::new().route(
            "/",
            get(async || std::future::pending::<&'static str>().await),
        );
        let router = finished(slow, finishing(Duration::from_secs(30)));
        let request = ask(router, "/");
        assert!(
            tokio::time::timeout(Duration::from_secs(1), request)
                .await
                .is_err()
        );
        assert_eq!(errors.load(std::sync::atomic::Ordering::SeqCst), 0);
        tracing::error!("the counter counts");
        assert_eq!(errors.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    /// A subscriber that counts events at error level.
    struct CountErrors(Arc<std::sync::atomic::AtomicUsize>);

    impl tracing::Subscriber for CountErrors {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            if *event.metadata().level() == tracing::Level::ERROR {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    /// The exact set, so that none is lost or loosened unseen.
    #[tokio::test]
    async fn every_answer_carries_the_headers_that_keep_a_browser_safe() {
        let mut set = finishing(Duration::from_secs(5));
        set.hsts = true;
        let router = Router::new().route("/", get(async || "fine"));
        let router = finished(router, set);
        for (path, status) in [("/", 200), ("/nothing", 404)] {
            let response = ask(router.clone(), path).await;
            assert_eq!(response.status(), status);
            let mut headers: Vec<String> = response
                .headers()
                .iter()
                .filter(|(name, _)| *name != "content-type" && *name != "content-length")
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            headers.sort();
            let n = if status == 200 { 1 } else { 2 };
            let expected = format!(
                "cache-control: no-store\n\
                 content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\n\
                 cross-origin-opener-policy: same-origin\n\
                 cross-origin-resource-policy: same-origin\n\
                 referrer-policy: no-referrer\n\
                 strict-transport-security: max-age=63072000; includeSubDomains\n\
                 traceparent: 00-0000000000007000800000000000000{n}-800000000000000{n}-00\n\
                 x-content-type-options: nosniff\n\
                 x-frame-options: DENY\n\
                 x-request-id: 00000000-0000-7000-8000-00000000000{n}"
            );
            assert_eq!(headers.join("\n"), expected);
        }
    }

    #[tokio::test]
    async fn a_plain_listener_does_not_ask_for_https() {
        let router = Router::new().route("/", get(async || "fine"));
        let router = finished(router, finishing(Duration::from_secs(5)));
        let response = ask(router, "/").await;
        assert!(!response.headers().contains_key("strict-transport-security"));
    }

    #[tokio::test]
    async fn a_problem_names_the_trace_that_the_client_began() {
        let router = finished(Router::new(), finishing(Duration::from_secs(5)));
        let request = Request::get("/")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(
            response.headers()["traceparent"],
            "00-0af7651916cd43dd8448eb211c80319c-8000000000000001-01"
        );
        let problem = problem(response).await;
        assert_eq!(problem["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    }

    /// L2: more than may be under way are turned away at once, and health is answered meanwhile.
    #[tokio::test(start_paused = true)]
    async fn overload_is_shed_at_once_and_health_is_exempt() {
        let router = Router::new()
            .route(
                "/slow",
                get(async || std::future::pending::<&'static str>().await),
            )
            .route("/healthz", get(system::health));
        let set = finishing(Duration::from_secs(30));
        let metrics = set.metrics.clone();
        let router = finished(router, set);
        let mut slow = tokio::task::JoinSet::new();
        for _ in 0..2 {
            slow.spawn(ask(router.clone(), "/slow"));
        }
        while router.under_way() < 2 {
            tokio::task::yield_now().await;
        }
        let started = tokio::time::Instant::now();
        let shed = ask(router.clone(), "/slow").await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(shed.status(), 503);
        assert_eq!(shed.headers()["retry-after"], "1");
        assert_eq!(problem(shed).await["code"], "overloaded");
        assert_eq!(ask(router.clone(), "/healthz").await.status(), 200);
        assert!(
            metrics
                .text()
                .unwrap()
                .contains("resync_shed_total{reason=\"requests\"} 1")
        );
        // A dropped request gives its place back.
        slow.shutdown().await;
        assert_eq!(router.under_way(), 0);
        assert_eq!(ask(router, "/nothing").await.status(), 404);
    }

    #[tokio::test]
    async fn an_address_of_more_than_8_kib_is_a_414() {
        let router = finished(Router::new(), finishing(Duration::from_secs(5)));
        for (length, status) in [(8 * 1024, 404), (8 * 1024 + 1, 414)] {
            let path = format!("/{}", "a".repeat(length - 1));
            assert_eq!(ask(router.clone(), &path).await.status(), status);
        }
    }

    /// I-17: it takes no state, so there is nothing that could make it fail.
    #[tokio::test]
    async fn livez_needs_nothing() {
        let router: Router = Router::new().route("/livez", get(system::health));
        let router = finished(router, finishing(Duration::from_secs(5)));
        assert_eq!(ask(router, "/livez").await.status(), 200);
    }
}
