//! Nobody reaches a handler that its guard does not let through.
//!
//! The order: who asks (401), whether a page of ours sends it (403), whether they may (403).

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use resync_auth::{Permission, Principal};

use super::client_address::client_address;
use super::cookies::cookie;
use crate::problem::Problem;
use crate::state::App;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Anybody, but no page of a foreign origin.
    Public,
    /// Anybody who signed in.
    Authenticated,
    /// Who signed in and has this permission.
    Permission(Permission),
    /// The same for a WebSocket, whose `Origin` must be ours.
    Socket(Permission),
}

impl Guard {
    /// The word in the table and in the OpenAPI document.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Public => "public".to_owned(),
            Self::Authenticated => "authenticated".to_owned(),
            Self::Permission(permission) => permission.as_str().to_owned(),
            Self::Socket(permission) => format!("{} (socket)", permission.as_str()),
        }
    }
}

/// The layer around every handler of the table.
pub(crate) async fn guard(
    State((app, guard)): State<(App, Guard)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&app, guard, &parts).await {
        Ok(principal) => {
            if let Some(principal) = principal {
                parts.extensions.insert(principal);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(app: &App, guard: Guard, request: &Parts) -> Result<Option<Principal>, Problem> {
    let headers = &request.headers;
    let changes = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let permission = match guard {
        Guard::Public => {
            if changes && !app.edge.origins.allow_anonymous(headers) {
                return Err(foreign_origin());
            }
            return Ok(None);
        }
        Guard::Authenticated => None,
        Guard::Permission(permission) | Guard::Socket(permission) => Some(permission),
    };
    let token = cookie(headers, app.edge.cookies.session()).ok_or_else(Problem::unauthenticated)?;
    let principal = app.sessions.authenticate(token).await?;
    if matches!(guard, Guard::Socket(_)) && !app.edge.origins.allow_socket(headers) {
        return Err(foreign_origin());
    }
    if changes {
        check_change(app, &principal, headers)?;
    }
    if permission.is_some_and(|permission| !principal.can(permission)) {
        return Err(Problem::forbidden(
            "not-permitted",
            "Your role does not allow this",
        ));
    }
    Ok(Some(principal))
}

/// A change that comes with a cookie must come from our page, which can read the CSRF cookie.
fn check_change(app: &App, principal: &Principal, headers: &HeaderMap) -> Result<(), Problem> {
    if !app.edge.origins.allow_change(headers) {
        return Err(foreign_origin());
    }
    let sent = headers
        .get("x-csrf-token")
        .and_then(|value| value.to_str().ok());
    let held = cookie(headers, app.edge.cookies.csrf());
    match (sent, held) {
        (Some(sent), Some(held)) if sent == held && app.csrf.verify(principal.session_id, sent) => {
            Ok(())
        }
        _ => Err(Problem::forbidden(
            "csrf",
            "The request lacks the proof that our page sent it",
        )),
    }
}

fn foreign_origin() -> Problem {
    Problem::forbidden(
        "foreign-origin",
        "Requests from that origin are not accepted",
    )
}

/// Who asks. Present in every handler whose guard is not public.
#[derive(Debug, Clone)]
pub struct Caller(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Principal>()
            .cloned()
            .map(Self)
            .ok_or_else(Problem::unauthenticated)
    }
}

/// From where they ask.
#[derive(Debug, Clone, Copy)]
pub struct From(pub std::net::IpAddr);

impl FromRequestParts<App> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or_else(
                || SocketAddr::from(([0, 0, 0, 0], 0)),
                |connection| connection.0,
            );
        Ok(Self(client_address(
            &parts.headers,
            peer,
            app.edge.trusted_proxies,
        )))
    }
}
