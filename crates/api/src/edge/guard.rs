//! Nobody reaches a handler that its guard does not let through.
//!
//! 1. The order: a body that says it is too large (413), who asks (401), whether a page of ours sends it
//!    (403), whether they may (403), how often (429).
//! 2. What comes with a session's cookie and changes something needs the proof that our page sent it;
//!    what comes with an API key does not (see `credential`).
//! 3. An API key reaches nothing that outlives it: accounts, sessions, passwords and keys are changed
//!    by somebody who signed in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use resync_auth::{AddressKey, For, Permission, Principal, RateClass, RateKey};

use super::cookies::cookie;
use super::credential::Credential;
use super::limit::Counted;
use super::trail::Trail;
use crate::auth::login;
use crate::metrics::RouteMeter;
use crate::problem::Problem;
use crate::problem::accounts::session_required;
use crate::state::App;

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Anybody, but no page of a foreign origin.
    Public,
    /// Anybody who is proven, by a session or an API key.
    Authenticated,
    /// Anybody who signed in; an API key is refused.
    Session,
    /// Who is proven, by a session or an API key, and has this permission.
    Permission(Permission),
    /// Who signed in and has this permission; an API key is refused.
    SessionWith(Permission),
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
            Self::Session => "session".to_owned(),
            Self::Permission(permission) => permission.as_str().to_owned(),
            Self::SessionWith(permission) => format!("{} (session)", permission.as_str()),
            Self::Socket(permission) => format!("{} (socket)", permission.as_str()),
        }
    }
}

/// Who was let in, and by what.
pub(crate) struct Admitted {
    principal: Principal,
    credential: Credential,
}

impl Admitted {
    fn of(parts: &Parts) -> Option<&Self> {
        parts.extensions.get::<Trail>()?.admitted()
    }
}

/// What stands before one row of the table.
pub(crate) struct Gate {
    pub(crate) app: App,
    pub(crate) guard: Guard,
    pub(crate) class: Option<RateClass>,
    pub(crate) meter: Arc<RouteMeter>,
    /// Bytes of a body at most.
    pub(crate) body_limit: usize,
    /// It ends the session that it comes with.
    pub(crate) leaves: bool,
}

impl Gate {
    /// Whether it is a page of ours that wants to be rid of its cookies while the store does not say
    /// whose they are. Nothing but its own cookies changes, so their own text is proof enough.
    fn may_leave(&self, problem: &Problem, headers: &HeaderMap) -> bool {
        let edge = &self.app.edge;
        self.leaves
            && problem.status() == StatusCode::SERVICE_UNAVAILABLE
            && Credential::of(headers, edge.cookies).is_some_and(|shown| !shown.is_key())
            && edge.origins.allow_change(headers)
    }
}

/// What stands around every handler of the table: `next` is the handler.
pub(crate) async fn pass<F>(
    gate: &Gate,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let (parts, body) = request.into_parts();
    let trail = parts.extensions.get::<Trail>();
    if let Some(trail) = trail {
        trail.reached(&gate.meter);
    }
    let body = match within(body, &parts.headers, gate.body_limit) {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let admitted = match admit(&gate.app, gate.guard, &parts).await {
        Ok(admitted) => admitted,
        Err(problem) if gate.may_leave(&problem, &parts.headers) => {
            return login::left(gate.app.edge.cookies, &problem);
        }
        Err(problem) => return problem.into_response(),
    };
    let counted = match count(
        gate,
        admitted.as_ref().map(|admitted| &admitted.principal),
        &parts,
    )
    .await
    {
        Ok(counted) => counted,
        Err(problem) => return problem.into_response(),
    };
    let mut response = if let Some(refused) = counted.as_ref().and_then(Counted::refused) {
        refused.into_response()
    } else {
        if let (Some(trail), Some(admitted)) = (trail, admitted) {
            trail.admit(admitted);
        }
        next(Request::from_parts(parts, body)).await
    };
    if let Some(counted) = counted {
        counted.show(response.headers_mut());
    }
    response
}

/// The body, refused at once when it says that it is too large, and cut off when it turns out to be.
fn within(body: Body, headers: &HeaderMap, limit: usize) -> Result<Body, Problem> {
    if body.is_end_stream() {
        return Ok(body);
    }
    let said = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is larger than this address takes",
        ));
    }
    Ok(Body::new(Limited::new(body, limit)))
}

/// Counts the request under the row's class: by who asks, or by address when nobody signed in.
async fn count(
    gate: &Gate,
    principal: Option<&Principal>,
    request: &Parts,
) -> Result<Option<Counted>, Problem> {
    let Some(class) = gate.class else {
        return Ok(None);
    };
    let key = principal.map_or_else(
        || RateKey::Address(AddressKey::of(address(request, &gate.app))),
        RateKey::of,
    );
    gate.app.limits.count(class, key).await.map(Some)
}

async fn admit(app: &App, guard: Guard, request: &Parts) -> Result<Option<Admitted>, Problem> {
    let headers = &request.headers;
    let changes = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let permission = match guard {
        Guard::Public => {
            if changes && !app.edge.origins.allow_anonymous(headers) {
                return Err(foreign_origin());
            }
            return Ok(None);
        }
        Guard::Authenticated | Guard::Session => None,
        Guard::Permission(permission)
        | Guard::SessionWith(permission)
        | Guard::Socket(permission) => Some(permission),
    };
    let credential =
        Credential::of(headers, app.edge.cookies).ok_or_else(Problem::unauthenticated)?;
    // A socket asks questions, which are kept: more than reading.
    let purpose = if changes || matches!(guard, Guard::Socket(_)) {
        For::Change
    } else {
        For::Read
    };
    let principal = credential.authenticate(app, purpose).await?;
    if matches!(guard, Guard::Socket(_)) && !may_open(app, &credential, headers) {
        return Err(foreign_origin());
    }
    if credential.is_key() {
        if matches!(guard, Guard::Session | Guard::SessionWith(_)) {
            return Err(session_required());
        }
    } else if changes {
        check_change(app, &principal, headers)?;
    }
    if permission.is_some_and(|permission| !principal.can(permission)) {
        return Err(Problem::forbidden(
            "not-permitted",
            "Your role does not allow this",
        ));
    }
    Ok(Some(Admitted {
        principal,
        credential,
    }))
}

/// A socket that a cookie opens must come from our page; a key is no page's, but what names a foreign
/// one is refused all the same.
fn may_open(app: &App, credential: &Credential, headers: &HeaderMap) -> bool {
    if credential.is_key() {
        app.edge.origins.allow_anonymous(headers)
    } else {
        app.edge.origins.allow_socket(headers)
    }
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

/// Who was let in; `None` where anybody may ask.
pub(crate) fn principal(parts: &Parts) -> Option<&Principal> {
    Admitted::of(parts).map(|admitted| &admitted.principal)
}

/// Who asks. Present in every handler whose guard is not public.
#[derive(Debug, Clone)]
pub struct Caller(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let admitted = Admitted::of(parts).ok_or_else(Problem::unauthenticated)?;
        Ok(Self(admitted.principal.clone()))
    }
}

/// What they proved it with.
#[derive(Debug, Clone)]
pub(crate) struct Shown(pub(crate) Credential);

impl<S: Send + Sync> FromRequestParts<S> for Shown {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let admitted = Admitted::of(parts).ok_or_else(Problem::unauthenticated)?;
        Ok(Self(admitted.credential.clone()))
    }
}

/// From where they ask.
#[derive(Debug, Clone, Copy)]
pub struct From(pub IpAddr);

impl FromRequestParts<App> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(address(parts, app)))
    }
}

/// The client's address, as far as our own proxies vouch for it.
fn address(request: &Parts, app: &App) -> IpAddr {
    let peer = request
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(
            || SocketAddr::from(([0, 0, 0, 0], 0)),
            |connection| connection.0,
        );
    app.edge.proxies.client(&request.headers, peer)
}
