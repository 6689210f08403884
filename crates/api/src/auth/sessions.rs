//! One's own sessions: where one is signed in, and ending that.

use axum::Json;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use resync_auth::{LogOutError, Session, SessionId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::origin::By;
use crate::edge::guard::Caller;
use crate::problem::Problem;
use crate::state::App;

/// The answer of `GET auth/sessions` and of `GET admin/users/{id}/sessions`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionsAnswer {
    /// The sessions that are open, oldest first.
    pub(crate) items: Vec<SessionDto>,
}

/// A session, without its token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionDto {
    /// Names the session.
    pub(crate) id: Uuid,
    /// When the user signed in.
    pub(crate) created_at: DateTime<Utc>,
    /// When a request was last seen, to the minute.
    pub(crate) last_seen_at: DateTime<Utc>,
    /// When it ends, whatever happens.
    pub(crate) expires_at: DateTime<Utc>,
    /// From which address the user signed in.
    pub(crate) address: Option<String>,
    /// What the user's client called itself then, at most 160 characters.
    pub(crate) agent: Option<String>,
    /// Whether this very request came with it.
    pub(crate) current: bool,
}

impl SessionDto {
    pub(crate) fn of(session: &Session, current: SessionId) -> Self {
        Self {
            id: session.id.0,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            address: session.address.map(|address| address.to_string()),
            agent: session.agent.as_ref().map(ToString::to_string),
            current: session.id == current,
        }
    }
}

/// The answer to ending a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevokedAnswer {
    /// How many sessions were ended.
    pub(crate) revoked: u64,
}

/// `GET auth/sessions`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(principal): Caller,
) -> Result<Json<SessionsAnswer>, Problem> {
    let sessions = app.sessions.list(&principal).await?;
    let items = sessions
        .iter()
        .map(|session| SessionDto::of(session, principal.session_id))
        .collect();
    Ok(Json(SessionsAnswer { items }))
}

/// `DELETE auth/sessions/{id}`
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(principal): Caller,
    By(origin): By,
    Path(id): Path<String>,
) -> Result<Json<RevokedAnswer>, Problem> {
    let id = session_id(&id)?;
    let ended = app.sessions.revoke(&principal, id, origin).await;
    revoked(ended)
}

/// A session that ended is ended although the audit log did not take it; one that may live on is a 503.
pub(crate) fn revoked(ended: Result<bool, LogOutError>) -> Result<Json<RevokedAnswer>, Problem> {
    if ended? {
        Ok(Json(RevokedAnswer { revoked: 1 }))
    } else {
        Err(unknown_session())
    }
}

/// A text that is no id names no session.
pub(crate) fn session_id(text: &str) -> Result<SessionId, Problem> {
    Uuid::parse_str(text)
        .map(SessionId)
        .map_err(|_| unknown_session())
}

fn unknown_session() -> Problem {
    Problem::not_found("unknown-login-session", "There is no such session")
}
