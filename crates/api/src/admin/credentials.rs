//! Sessions and API keys of any user.

use axum::Json;
use axum::extract::{Path, State};

use super::users::user_id;
use crate::auth::api_keys::{ApiKeyDto, KeysAnswer};
use crate::auth::origin::By;
use crate::auth::sessions::{RevokedAnswer, SessionDto, SessionsAnswer, revoked, session_id};
use crate::edge::guard::Caller;
use crate::problem::Problem;
use crate::state::App;

/// `GET admin/users/{id}/sessions`
pub(crate) async fn sessions(
    State(app): State<App>,
    Caller(principal): Caller,
    Path(id): Path<String>,
) -> Result<Json<SessionsAnswer>, Problem> {
    let user = app.users.get(user_id(&id)?).await?;
    let sessions = app.sessions.list_of(user.id).await?;
    let items = sessions
        .iter()
        .map(|session| SessionDto::of(session, principal.session_id))
        .collect();
    Ok(Json(SessionsAnswer { items }))
}

/// `DELETE admin/users/{id}/sessions`
pub(crate) async fn revoke_all(
    State(app): State<App>,
    By(origin): By,
    Path(id): Path<String>,
) -> Result<Json<RevokedAnswer>, Problem> {
    let user = app.users.get(user_id(&id)?).await?;
    let revoked = app.sessions.revoke_all_of(user.id, origin).await?;
    Ok(Json(RevokedAnswer { revoked }))
}

/// `DELETE admin/users/{id}/sessions/{sid}`
pub(crate) async fn revoke(
    State(app): State<App>,
    By(origin): By,
    Path((id, sid)): Path<(String, String)>,
) -> Result<Json<RevokedAnswer>, Problem> {
    let (user, session) = (user_id(&id)?, session_id(&sid)?);
    let ended = app.sessions.revoke_of(user, session, origin).await;
    revoked(ended)
}

/// `GET admin/users/{id}/api-keys`
pub(crate) async fn api_keys(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<KeysAnswer>, Problem> {
    let user = app.users.get(user_id(&id)?).await?;
    let now = app.clock.now();
    let keys = app.keys.list_of(user.id).await?;
    let items = keys
        .into_iter()
        .map(|key| ApiKeyDto::of(key, now))
        .collect();
    Ok(Json(KeysAnswer { items }))
}
