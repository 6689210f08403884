//! Signing in at the company's identity provider, and which ways there are.
//!
//! The browser is sent around, so trouble is a redirect to the page with a code and never a body. Where
//! the browser goes afterwards is a path of ours, and what began is known again by this browser's cookie
//! alone.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use resync_auth::{
    BeginError, Client, CompleteError, ExternalRefusal, PENDING, RedeemError, ReturnTo,
};
use resync_kernel::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::login::{session_of, signed_in};
use super::origin::SignsIn;
use crate::edge::cookies::cookie;
use crate::problem::Problem;
use crate::state::{App, SingleSignOn};

/// The answer of `GET auth/methods`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MethodsAnswer {
    /// Always `true`: accounts of Resync's own sign in with a password.
    pub(crate) password: bool,
    /// The company's identity provider, `null` when there is none.
    pub(crate) oidc: Option<ProviderAnswer>,
    /// There is no administrator yet, and a link to make one is alive.
    pub(crate) setup: bool,
}

/// The company's identity provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderAnswer {
    /// What people call it.
    pub(crate) name: String,
}

/// `GET auth/methods`
pub(crate) async fn methods(State(app): State<App>) -> Result<Json<MethodsAnswer>, Problem> {
    Ok(Json(MethodsAnswer {
        password: true,
        oidc: app.oidc.as_ref().map(|oidc| ProviderAnswer {
            name: oidc.name.clone(),
        }),
        setup: app.setup.is_open().await?,
    }))
}

/// The query of `GET auth/oidc/login`.
#[derive(Debug, Deserialize)]
pub(crate) struct Begin {
    return_to: Option<String>,
}

/// The query of `GET auth/oidc/callback`, as the provider wrote it.
#[derive(Debug, Deserialize)]
pub(crate) struct Back {
    state: Option<String>,
    code: Option<SecretString>,
    error: Option<String>,
}

type Redirect = (StatusCode, HeaderMap);

fn provider(app: &App) -> Result<&SingleSignOn, Problem> {
    app.oidc.as_ref().ok_or_else(|| {
        Problem::not_found(
            "no-single-sign-on",
            "There is no identity provider to sign in at",
        )
    })
}

/// `GET auth/oidc/login`
pub(crate) async fn login(
    State(app): State<App>,
    query: Result<Query<Begin>, QueryRejection>,
) -> Result<Redirect, Problem> {
    let oidc = provider(&app)?;
    let wanted = query.ok().and_then(|Query(query)| query.return_to);
    // Somewhere else is not gone to, and is no reason not to sign in.
    let return_to = wanted
        .and_then(|path| ReturnTo::parse(&path))
        .unwrap_or_default();
    Ok(match oidc.sign_in.begin(return_to).await {
        Ok(begun) => {
            let mut headers = redirect(&begun.url);
            app.edge.cookies.begin(&mut headers, &begun.cookie, PENDING);
            (StatusCode::FOUND, headers)
        }
        Err(error) => {
            let (BeginError::Provider(_) | BeginError::Unavailable(_)) = &error;
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no sign-in began at the identity provider"
            );
            trouble("unavailable")
        }
    })
}

/// `GET auth/oidc/callback`
pub(crate) async fn callback(
    State(app): State<App>,
    SignsIn(client): SignsIn,
    sent: HeaderMap,
    query: Result<Query<Back>, QueryRejection>,
) -> Result<Redirect, Problem> {
    let oidc = provider(&app)?;
    let finished = finish(&app, oidc, &sent, client, query.ok()).await;
    let (status, mut headers) = finished.unwrap_or_else(trouble);
    // What began is over, however it ended.
    app.edge.cookies.end_begun(&mut headers);
    Ok((status, headers))
}

async fn finish(
    app: &App,
    oidc: &SingleSignOn,
    sent: &HeaderMap,
    client: Client,
    query: Option<Query<Back>>,
) -> Result<Redirect, &'static str> {
    let (begun, state, code) = match answered(app, sent, query) {
        Ok(answered) => answered,
        Err((reason, code)) => {
            let recorded = oidc.sign_in.refuse(reason, &client).await;
            return Err(recorded.map_or_else(|error| not_recorded(&error), |()| code));
        }
    };
    let old = session_of(app, sent).await.map_err(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(
            error,
            "a sign-in cannot look at the session that it takes the place of"
        );
        "unavailable"
    })?;
    let completed = oidc
        .sign_in
        .complete(&app.logins, begun, (&state, &code), client, old.as_ref())
        .await;
    let (login, return_to) = completed.map_err(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a sign-in at the identity provider opened no session"
        );
        code_of(&error)
    })?;
    let mut headers = signed_in(app, &login);
    headers.extend(redirect(return_to.as_str()));
    Ok((StatusCode::FOUND, headers))
}

/// The cookie that the sign-in began with, and the state and the code that it came back with; or why there
/// is nothing to complete, for the audit and for the page.
fn answered<'a>(
    app: &App,
    sent: &'a HeaderMap,
    query: Option<Query<Back>>,
) -> Result<(&'a str, String, SecretString), (ExternalRefusal, &'static str)> {
    let expired = (ExternalRefusal::NotBegun, "expired");
    let Query(back) = query.ok_or(expired)?;
    // The provider's own words go nowhere: anybody can write them into a link.
    match back.error.as_deref() {
        Some("access_denied") => return Err((ExternalRefusal::Denied, "denied")),
        Some(_) => return Err((ExternalRefusal::NotProven, "refused")),
        None => {}
    }
    let begun = cookie(sent, app.edge.cookies.begun()).ok_or(expired)?;
    match (back.state, back.code) {
        (Some(state), Some(code)) => Ok((begun, state, code)),
        _ => Err(expired),
    }
}

fn not_recorded(error: &CompleteError) -> &'static str {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a refused sign-in could not be written to the audit log"
    );
    "unavailable"
}

/// What the page is told; it has the words for it.
fn code_of(error: &CompleteError) -> &'static str {
    match error {
        CompleteError::NotBegun => "expired",
        CompleteError::Redeem(RedeemError::Refused | RedeemError::Invalid(_)) => "refused",
        CompleteError::Redeem(RedeemError::Provider(_)) | CompleteError::Unavailable(_) => {
            "unavailable"
        }
        CompleteError::NoName => "no-name",
        CompleteError::NameTaken => "name-taken",
        CompleteError::NoRole => "no-role",
        CompleteError::LastAdmin => "last-admin",
    }
}

fn trouble(code: &'static str) -> Redirect {
    (
        StatusCode::FOUND,
        redirect(&format!("/?signin_error={code}")),
    )
}

/// To an address of printable ASCII, on an answer that nobody keeps.
fn redirect(to: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let to = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/"));
    headers.insert(LOCATION, to);
    headers
}
