//! The route table: what is mounted, who may ask, and what the OpenAPI document says of it.
//!
//! 1. Each (method, path) stands once; axum panics at start on an overlap (P0-01).
//! 2. The guard of a row is the layer around its handler, so the table cannot say one thing and the
//!    router do another (I-01).

use std::convert::Infallible;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use resync_auth::Permission;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::edge::finish::{Finish, finish, on_panic};
use crate::edge::guard::{Guard, guard};
use crate::problem::Problem;
use crate::state::App;
use crate::{audit, auth, cache, chat, openapi, rag, system, tws, ws};

/// Bytes of a body where the row says nothing else.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The pages, which the crate `web` serves: public, and without a handler here.
pub const PAGES: &[(&str, &str)] = &[("GET", "/"), ("GET", "/assets/{*path}")];

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
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<SchemaOf>,
    pub(crate) answer: (u16, Option<SchemaOf>),
    body_limit: BodyLimit,
    handler: MethodRouter<App>,
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
            query: &[],
            body: None,
            answer: (200, None),
            body_limit: BodyLimit::Json,
            handler: on(filter, handler),
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

    fn upload(mut self) -> Self {
        self.body_limit = BodyLimit::Upload;
        self
    }
}

const ENGINE: (&str, &str) = ("engine", "The engine's name; the first one when absent.");
const LIMIT: (&str, &str) = ("limit", "Items at most, 1 to 500; 50 when absent.");
const CURSOR: (&str, &str) = ("cursor", "`next_cursor` of the page before.");

/// Every route but the pages.
#[must_use]
pub fn table() -> Vec<Route> {
    use Guard::{Authenticated, Public, Socket};
    use Permission as P;
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    vec![
        Route::new(Method::POST, "/api/v1/auth/login", Public, "Sign in", auth::login)
            .takes::<auth::LoginRequest>()
            .gives::<auth::LoginAnswer>(200),
        get("/api/v1/auth/verify", Authenticated, "Who is signed in")
            .by(auth::verify)
            .gives::<auth::VerifyAnswer>(200),
        Route::new(Method::POST, "/api/v1/auth/logout", Authenticated, "Sign out", auth::logout)
            .gives::<auth::LogoutAnswer>(200),
        Route::new(Method::POST, "/api/v1/auth/logout-all", Authenticated, "Sign out everywhere", auth::logout_all)
            .gives::<auth::LogoutAnswer>(200),
        get("/api/v1/tws/engines", can(P::ReadPlan), "The engines and how they are").by(tws::reads::engines),
        get("/api/v1/tws/summary", can(P::ReadPlan), "The plan at a glance").by(tws::reads::summary).query(&[ENGINE]),
        get("/api/v1/tws/jobs", can(P::ReadPlan), "Jobs that match").by(tws::reads::jobs).query(&[
            ENGINE,
            ("status", "One or more of the engine's words, with commas between them."),
            ("job", "The job's name; `*` and `?` are wildcards."),
            ("stream", "The stream's name; `*` and `?` are wildcards."),
            ("workstation", "The workstation's name; `*` and `?` are wildcards."),
            ("folder", "The folder."),
            ("sort", "`plan`, `name` or `priority`."),
            LIMIT,
            CURSOR,
        ]),
        get("/api/v1/tws/jobs/{id}", can(P::ReadPlan), "A job, its runs and why it waits").by(tws::reads::job).query(&[ENGINE]),
        get("/api/v1/tws/jobs/{id}/log", can(P::ReadPlan), "Lines of a run's log").by(tws::reads::log).query(&[
            ENGINE,
            ("run", "The run's id; the latest when absent."),
            ("from", "The first line, from 1."),
            ("lines", "Lines at most, 1 to 2000; 500 when absent."),
            ("search", "Text to look for; the numbers of matching lines are in `matches`."),
        ]),
        get("/api/v1/tws/jobs/{id}/dependencies", can(P::ReadPlan), "What is around a job").by(tws::reads::dependencies).query(&[
            ENGINE,
            ("depth", "1 to 10; 1 when absent."),
            ("direction", "`predecessors` or `successors`; predecessors when absent."),
        ]),
        get("/api/v1/tws/jobs/{id}/diagnosis", can(P::ReadPlan), "Why a job failed").by(tws::reads::diagnosis).query(&[ENGINE]),
        get("/api/v1/tws/job-streams", can(P::ReadPlan), "Job streams of the plan").by(tws::reads::streams).query(&[ENGINE, LIMIT, CURSOR]),
        get("/api/v1/tws/workstations", can(P::ReadPlan), "Workstations of the plan").by(tws::reads::workstations).query(&[ENGINE]),
        get("/api/v1/tws/workstations/{name}", can(P::ReadPlan), "A workstation").by(tws::reads::workstation).query(&[ENGINE]),
        Route::new(
            Method::POST,
            "/api/v1/tws/jobs/{id}/actions/{action}",
            can(P::ProposeActions),
            "Propose an action, then confirm it: rerun, hold, release, cancel, kill, confirm, priority",
            tws::act::act,
        )
        .takes::<tws::act::ActRequest>()
        .query(&[ENGINE, ("dry_run", "`true` stops at the impact.")])
        .status(202),
        Route::new(Method::POST, "/api/v1/chat", can(P::Chat), "Ask", chat::ask)
            .takes::<chat::ChatRequest>(),
        Route::new(Method::POST, "/api/v1/chat/analyze", can(P::Chat), "How a question is understood", chat::analyze)
            .takes::<chat::AnalyzeRequest>(),
        get("/api/v1/chat/sessions", can(P::Chat), "One's own conversations").by(chat::sessions).query(&[LIMIT, CURSOR]),
        get("/api/v1/chat/history", can(P::Chat), "What was said in a conversation of one's own").by(chat::history).query(&[
            ("session_id", "The conversation."),
            LIMIT,
            CURSOR,
        ]),
        Route::new(Method::DELETE, "/api/v1/chat/history", can(P::Chat), "Forget a conversation of one's own", chat::forget)
            .query(&[("session_id", "The conversation.")])
            .gives::<chat::ForgetAnswer>(200),
        get("/api/v1/ws/chat", Socket(P::Chat), "Ask over a WebSocket").by(ws::upgrade).status(101),
        get("/ws/{agent_id}", Socket(P::Chat), "The same, at the address of older clients").by(ws::upgrade).status(101),
        Route::new(Method::POST, "/api/v1/rag/documents", can(P::ManageKnowledge), "Upload a document", rag::upload)
            .upload()
            .gives::<rag::UploadAnswer>(202),
        get("/api/v1/rag/documents", can(P::ReadKnowledge), "Documents, newest first").by(rag::list).query(&[LIMIT, CURSOR]).gives::<rag::DocumentPage>(200),
        get("/api/v1/rag/documents/{id}", can(P::ReadKnowledge), "A document").by(rag::get).gives::<rag::DocumentDto>(200),
        get("/api/v1/rag/documents/{id}/text", can(P::ReadKnowledge), "A document's text").by(rag::text).gives::<rag::TextAnswer>(200),
        Route::new(Method::DELETE, "/api/v1/rag/documents/{id}", can(P::ManageKnowledge), "Delete a document", rag::delete)
            .gives::<rag::DeleteAnswer>(200),
        get("/api/v1/rag/search", can(P::ReadKnowledge), "Search the documents").by(rag::search).gives::<rag::SearchAnswer>(200).query(&[
            ("q", "The question."),
            ("k", "Hits at most, 1 to 50; 5 when absent."),
            ("collection", "Only documents of this collection."),
            ("explain", "`true` adds why each hit was found."),
        ]),
        get("/api/v1/rag/stats", can(P::ReadKnowledge), "How much there is to search").by(rag::stats).gives::<rag::StatsAnswer>(200),
        get("/api/v1/audit", can(P::ReadAudit), "What was done, newest first").by(audit::list).query(&[LIMIT, CURSOR]),
        get("/api/v1/audit/verify", can(P::ReadAudit), "Whether the audit log is whole").by(audit::verify),
        get("/api/v1/cache/stats", can(P::ManageCache), "Counters of the plan cache").by(cache::stats),
        Route::new(Method::POST, "/api/v1/cache/invalidate", can(P::ManageCache), "Drop what was read from engines", cache::invalidate)
            .takes::<cache::InvalidateRequest>()
            .gives::<cache::InvalidateAnswer>(200),
        get("/healthz", Public, "Whether the process lives").by(system::health).gives::<system::HealthAnswer>(200),
        get("/livez", Public, "The same").by(system::health).gives::<system::HealthAnswer>(200),
        get("/readyz", Public, "Whether it can serve, and how the engines are").by(system::ready).gives::<system::ReadyAnswer>(200),
        get("/openapi.json", Public, "This document").by(openapi::get),
    ]
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

/// The routes of the table and, beside them, the pages.
pub fn router(app: App, pages: Router) -> Router {
    let mut router = Router::new();
    for route in table() {
        let limit = match route.body_limit {
            BodyLimit::Json => MAX_BODY_BYTES,
            // The parts of a form around the file take some room, too.
            BodyLimit::Upload => app.edge.max_upload_bytes.saturating_add(64 * 1024),
        };
        let handler = route
            .handler
            .layer::<_, Infallible>(from_fn_with_state((app.clone(), route.guard), guard))
            .layer::<_, Infallible>(DefaultBodyLimit::disable())
            .layer(RequestBodyLimitLayer::new(limit));
        router = router.route(route.path, handler);
    }
    let finish_with = Finish {
        ids: app.ids.clone(),
        handler_timeout: app.edge.handler_timeout,
    };
    finished(router.with_state(app).merge(pages), finish_with)
}

/// Problems for what no route answers, panics caught, and the outermost layer around it all.
fn finished(router: Router, finish_with: Finish) -> Router {
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
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(from_fn_with_state(finish_with, finish))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use axum::response::Response;
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
            .map(|route| format!("{} {} | {}", route.method, route.path, route.guard.name()))
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
        }
    }

    async fn ask(router: Router, path: &str) -> Response {
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

    #[tokio::test]
    async fn every_answer_carries_the_headers_that_keep_a_browser_safe() {
        let router = Router::new().route("/", get(async || "fine"));
        let router = finished(router, finishing(Duration::from_secs(5)));
        for (path, status) in [("/", 200), ("/nothing", 404)] {
            let response = ask(router.clone(), path).await;
            assert_eq!(response.status(), status);
            for name in [
                "x-request-id",
                "x-content-type-options",
                "content-security-policy",
                "x-frame-options",
                "referrer-policy",
                "cache-control",
            ] {
                assert!(response.headers().contains_key(name), "{name} on {path}");
            }
        }
    }

    /// I-17: it takes no state, so there is nothing that could make it fail.
    #[tokio::test]
    async fn livez_needs_nothing() {
        let router: Router = Router::new().route("/livez", get(system::health));
        assert_eq!(ask(router, "/livez").await.status(), 200);
    }
}
