//! Questions in words, and what was said before.

pub(crate) mod sessions;
pub(crate) mod sse;
pub(crate) mod telling;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use resync_auth::{Permission, Principal};
use resync_chat::{Analysis, AnswerMode, Ask, Message, SessionId, SessionSummary};
use resync_tws::model::EngineName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::edge::extract::{JsonBody, Query, parsed};
use crate::edge::guard::Caller;
use crate::page::{PageQuery, limit_of};
use crate::problem::Problem;
use crate::state::App;

/// The body of `POST chat`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatRequest {
    /// The question, 1 to 4000 characters, in English or Portuguese.
    pub(crate) message: String,
    /// The conversation to go on with; a new one when absent.
    pub(crate) session_id: Option<Uuid>,
    /// The engine to ask about; the conversation's, else the first, when absent.
    pub(crate) engine: Option<String>,
    /// Who may word the answer; `auto` when absent.
    pub(crate) mode: Option<ModeDto>,
}

/// Who may word an answer.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModeDto {
    /// The language model, where there is one.
    Auto,
    /// Templates alone.
    Deterministic,
}

/// The body of `POST chat/analyze`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnalyzeRequest {
    /// The question.
    pub(crate) message: String,
    /// The conversation whose context counts.
    pub(crate) session_id: Option<Uuid>,
}

/// The answer of `DELETE chat/history`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ForgetAnswer {
    /// How many messages are gone.
    pub(crate) deleted: u64,
}

/// The query of `chat/history`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    session_id: Uuid,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// The answer of `GET chat/history`.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryAnswer {
    session_id: SessionId,
    items: Vec<Message>,
    next_cursor: Option<String>,
}

/// The answer of `GET chat/sessions`.
#[derive(Debug, Serialize)]
pub(crate) struct SessionsAnswer {
    items: Vec<SessionSummary>,
    next_cursor: Option<String>,
}

pub(crate) fn question(
    principal: &Principal,
    message: String,
    session_id: Option<Uuid>,
    engine: Option<&str>,
) -> Result<Ask, Problem> {
    Ok(Ask {
        user: principal.user_id,
        can_propose: principal.can(Permission::ProposeActions),
        message,
        session_id: session_id.map(SessionId),
        engine: engine
            .map(|name| parsed("/engine", EngineName::parse(name)))
            .transpose()?,
        mode: None,
    })
}

/// `POST chat`: the whole answer, or its events for who accepts them.
pub(crate) async fn ask(
    State(app): State<App>,
    Caller(principal): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChatRequest>,
) -> Result<Response, Problem> {
    let mut ask = question(
        &principal,
        body.message,
        body.session_id,
        body.engine.as_deref(),
    )?;
    ask.mode = body.mode.map(|mode| match mode {
        ModeDto::Auto => AnswerMode::Auto,
        ModeDto::Deterministic => AnswerMode::Deterministic,
    });
    if sse::wanted(&headers) {
        return sse::answer(&app, ask).await;
    }
    Ok(Json(app.chat.ask(ask).await?).into_response())
}

/// `POST chat/analyze`
pub(crate) async fn analyze(
    State(app): State<App>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<AnalyzeRequest>,
) -> Result<Json<Analysis>, Problem> {
    let ask = question(&principal, body.message, body.session_id, None)?;
    let routing = app.chat.analyze(ask).await?;
    Ok(Json(routing.into()))
}

/// `GET chat/sessions`
pub(crate) async fn sessions(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<SessionsAnswer>, Problem> {
    let page = app
        .chat
        .sessions(principal.user_id, query.limit()?, query.cursor.as_deref())
        .await?;
    let next_cursor = page.next.map(|cursor| cursor.as_str().to_owned());
    Ok(Json(SessionsAnswer {
        items: page.items,
        next_cursor,
    }))
}

/// `GET chat/history`: oldest first.
pub(crate) async fn history(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, Problem> {
    let (session, limit) = (SessionId(query.session_id), limit_of(query.limit)?);
    let page = app
        .chat
        .history(principal.user_id, session, limit, query.cursor.as_deref())
        .await?;
    Ok(Json(HistoryAnswer {
        session_id: page.session_id,
        items: page.messages.items,
        next_cursor: page.messages.next.map(|cursor| cursor.as_str().to_owned()),
    }))
}

/// `DELETE chat/history`
pub(crate) async fn forget(
    State(app): State<App>,
    Caller(principal): Caller,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<ForgetAnswer>, Problem> {
    let deleted = app
        .chat
        .delete(principal.user_id, SessionId(query.session_id))
        .await?;
    Ok(Json(ForgetAnswer { deleted }))
}
