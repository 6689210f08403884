//! Signing in, asking who one is, signing out.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use resync_auth::{AuthenticateError, LogOutError, LoggedIn, Principal, Role};
use resync_kernel::{SecretString, error_chain};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::origin::{By, SignsIn};
use crate::edge::cookies::{CookieStyle, cookie};
use crate::edge::extract::JsonBody;
use crate::edge::guard::Caller;
use crate::problem::Problem;
use crate::state::App;

/// The body of `POST auth/login`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The user's name; its case does not matter.
    pub(crate) username: String,
    /// The password, at most 72 bytes.
    #[schema(value_type = String)]
    pub(crate) password: SecretString,
}

/// The answer of `POST auth/login`. The token is in the cookie and nowhere else.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginAnswer {
    /// Always `true`.
    pub(crate) success: bool,
    /// Who signed in.
    pub(crate) user: UserAnswer,
    /// When the session ends.
    pub(crate) expires_at: DateTime<Utc>,
}

/// A user, to themselves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserAnswer {
    /// The user's id.
    pub(crate) id: Uuid,
    /// The user's name.
    pub(crate) username: String,
    /// `viewer`, `operator`, `admin` or `service`.
    #[schema(value_type = String)]
    pub(crate) role: Role,
    /// What the role allows.
    pub(crate) permissions: Vec<String>,
}

/// The answer of `GET auth/verify`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifyAnswer {
    /// Always `true`; a session that is not valid is a 401.
    pub(crate) valid: bool,
    /// The user's id.
    pub(crate) id: Uuid,
    /// The user's name.
    pub(crate) username: String,
    /// The role.
    #[schema(value_type = String)]
    pub(crate) role: Role,
    /// What the role allows.
    pub(crate) permissions: Vec<String>,
    /// When the session ends.
    pub(crate) expires_at: DateTime<Utc>,
}

/// The answer of `POST auth/logout` and `auth/logout-all`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogoutAnswer {
    /// The cookies are gone.
    pub(crate) success: bool,
    /// The session is dead. `false` when the store did not take it: then only the cookie is gone.
    pub(crate) revoked: bool,
}

fn permissions(principal: &Principal) -> Vec<String> {
    resync_auth::Permission::ALL
        .iter()
        .filter(|permission| principal.can(**permission))
        .map(|permission| permission.as_str().to_owned())
        .collect()
}

/// `POST auth/login`: a session that comes with it ends, so that none is left behind in a browser that
/// somebody else signs in with (ASVS 7.2.4).
pub(crate) async fn login(
    State(app): State<App>,
    SignsIn(client): SignsIn,
    sent: HeaderMap,
    JsonBody(body): JsonBody<LoginRequest>,
) -> Result<(HeaderMap, Json<LoginAnswer>), Problem> {
    let old = session_of(&app, &sent).await?;
    let (name, password) = (&body.username, body.password);
    let login = match &old {
        Some(old) => {
            app.logins
                .log_in_instead_of(old, name, password, client)
                .await?
        }
        None => app.logins.log_in(name, password, client).await?,
    };
    let headers = signed_in(&app, &login);
    let answer = LoginAnswer {
        success: true,
        user: UserAnswer {
            id: login.principal.user_id.0,
            username: login.principal.username.to_string(),
            role: login.principal.role,
            permissions: permissions(&login.principal),
        },
        expires_at: login.expires_at,
    };
    Ok((headers, Json(answer)))
}

/// The session that came with a request to sign in: `None` without one, or with one that is over and so
/// needs no end. While the store cannot look at it nobody signs in, for it would stay open behind the new
/// one.
pub(super) async fn session_of(
    app: &App,
    headers: &HeaderMap,
) -> Result<Option<Principal>, AuthenticateError> {
    let Some(token) = cookie(headers, app.edge.cookies.session()) else {
        return Ok(None);
    };
    match app.sessions.authenticate(token).await {
        Ok(old) => Ok(Some(old)),
        Err(AuthenticateError::Invalid) => Ok(None),
        Err(error @ AuthenticateError::Unavailable(_)) => Err(error),
    }
}

/// The cookies of a new session, on an answer that nobody keeps.
pub(super) fn signed_in(app: &App, login: &LoggedIn) -> HeaderMap {
    let lasts = (login.expires_at - app.clock.now())
        .to_std()
        .unwrap_or_default();
    let mut headers = HeaderMap::new();
    app.edge
        .cookies
        .set(&mut headers, &login.token, &login.csrf, lasts);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

/// `GET auth/verify`
pub(crate) async fn verify(Caller(principal): Caller) -> Json<VerifyAnswer> {
    Json(VerifyAnswer {
        valid: true,
        id: principal.user_id.0,
        username: principal.username.to_string(),
        role: principal.role,
        permissions: permissions(&principal),
        expires_at: principal.expires_at,
    })
}

/// `POST auth/logout`
pub(crate) async fn logout(
    State(app): State<App>,
    Caller(principal): Caller,
    By(origin): By,
) -> (HeaderMap, Json<LogoutAnswer>) {
    let ended = app.sessions.log_out(&principal, origin).await;
    logged_out(app.edge.cookies, ended)
}

/// `POST auth/logout-all`
pub(crate) async fn logout_all(
    State(app): State<App>,
    Caller(principal): Caller,
    By(origin): By,
) -> (HeaderMap, Json<LogoutAnswer>) {
    let ended = app
        .sessions
        .log_out_all(&principal, origin)
        .await
        .map(|_| ());
    logged_out(app.edge.cookies, ended)
}

/// Signing out when the store could not even say whose session it is: the browser is rid of its
/// cookies, and the session may live on (P0-02).
pub(crate) fn left(cookies: CookieStyle, why: &Problem) -> Response {
    let cause = why.0.source.as_ref();
    let cause = cause.map_or_else(|| why.code().to_owned(), |cause| error_chain(&***cause));
    logged_out(cookies, Err(LogOutError::NotRevoked(cause.into()))).into_response()
}

/// The cookies go in every case; whether the session did is said.
fn logged_out(
    cookies: CookieStyle,
    ended: Result<(), LogOutError>,
) -> (HeaderMap, Json<LogoutAnswer>) {
    let revoked = match ended {
        Ok(()) => true,
        Err(LogOutError::NotRecorded(error)) => {
            tracing::error!(error = %error, "a session was ended, but the audit log did not take it");
            true
        }
        Err(LogOutError::NotRevoked(error)) => {
            tracing::error!(error = %error, "a session could not be ended");
            false
        }
    };
    let mut headers = HeaderMap::new();
    cookies.clear(&mut headers);
    (
        headers,
        Json(LogoutAnswer {
            success: true,
            revoked,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P0-02: the cookie goes although the session could not be ended, and the answer says so.
    #[test]
    fn logout_clears_cookie_when_revocation_store_fails() {
        let ended = Err(LogOutError::NotRevoked("the store is away".into()));
        let (headers, Json(answer)) = logged_out(CookieStyle::Plain, ended);
        assert!(answer.success && !answer.revoked);
        let cookies: Vec<_> = headers
            .get_all("set-cookie")
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        assert_eq!(cookies.len(), 2);
        assert!(
            cookies
                .iter()
                .all(|cookie| cookie.contains("=; ") && cookie.contains("Max-Age=0"))
        );
    }

    #[test]
    fn a_session_that_ended_unrecorded_is_revoked_all_the_same() {
        let cause = resync_auth::AuthEventsError("the audit is away".into());
        let (_, Json(answer)) =
            logged_out(CookieStyle::Plain, Err(LogOutError::NotRecorded(cause)));
        assert!(answer.revoked);
    }
}
