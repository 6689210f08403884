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

fn schema_of<T: ToSchema>(into: &mut Vec<(String, RefOr<Schema>)>) -> String {
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
    fn new<H, T>(method: Method, path: &'static str, guard: Guard, summary: &'static str, handler: H) -> Self
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
    let finish_with = Finish { ids: app.ids.clone(), handler_timeout: app.edge.handler_timeout };
    router
        .with_state(app)
        .merge(pages)
        .fallback(|| async { Problem::not_found("no-such-route", "There is nothing at this address") })
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
