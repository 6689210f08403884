//! The route table: what is mounted, who may ask, and what the OpenAPI document says of it.
//!
//! 1. Each (method, path) stands once; axum panics at start on an overlap (P0-01).
//! 2. The guard of a row stands around its handler, so the table cannot say one thing and the
//!    router do another (I-01).

mod accounts;
mod plan;
mod talk;

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
use crate::{audit, cache, openapi, rag, system};

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
    use Guard::Public;
    use Permission as P;
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    let rest = vec![
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
        .query(&[
            ("collection", "Only of this collection."),
            ("tag", "Only with this tag."),
            ("language", "Only of this language, `en` or `pt`."),
            ("path", "Only with this path."),
            ("stage", "Only in this stage."),
            LIMIT,
            CURSOR,
        ])
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
        get(
            "/api/v1/rag/documents/{id}/section",
            can(P::ReadKnowledge),
            "The section around a place of a document",
        )
        .by(rag::section)
        .query(&[
            ("start_char", "The first character of the place, from 0."),
            ("end_char", "One past its last character; one character when absent."),
        ])
        .gives::<rag::SectionAnswer>(200),
        get(
            "/api/v1/rag/documents/{id}/events",
            can(P::ReadKnowledge),
            "How a document gets on, as server-sent events",
        )
        .by(rag::events),
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
            (
                "widen",
                "Adds to each hit its text with neighbours, of so many characters at most, to 8000.",
            ),
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
    table.extend(talk::talk());
    table.extend(talk::interfaces());
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
mod tests;
