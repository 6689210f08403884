//! Questions in words, and what was said before.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use resync_auth::{Permission, Principal};
use resync_chat::{Analysis, Answer, Ask, ChatEvent, Message, Progress, SessionId, SessionSummary};
use resync_tws::model::EngineName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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

fn question(
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

/// `POST chat`
pub(crate) async fn ask(
    State(app): State<App>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<ChatRequest>,
) -> Result<Json<Answer>, Problem> {
    let ask = question(
        &principal,
        body.message,
        body.session_id,
        body.engine.as_deref(),
    )?;
    Ok(Json(app.chat.ask(ask).await?))
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

/// Keeps the events of an answer, in order.
#[derive(Default)]
struct Kept(Mutex<Vec<ChatEvent>>);

#[async_trait]
impl Progress for Kept {
    async fn tell(&self, event: ChatEvent) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(event);
    }
}

/// An answer as the events of a socket, the whole message last. The socket itself says that an
/// answer begins.
pub(crate) async fn answer_events(
    app: &App,
    principal: &Principal,
    content: String,
    session_id: Option<Uuid>,
    stream: bool,
) -> Result<Vec<Value>, Problem> {
    let (ask, kept) = (
        question(principal, content, session_id, None)?,
        Kept::default(),
    );
    app.chat.ask_telling(ask, &kept).await?;
    let told = kept.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut events = Vec::new();
    for event in told {
        match event {
            ChatEvent::StreamStart { .. } => {}
            ChatEvent::Message { is_final, answer } => {
                let mut message = to_value(&*answer)?;
                if let Some(object) = message.as_object_mut() {
                    object.insert("type".to_owned(), json!("message"));
                    object.insert("is_final".to_owned(), json!(is_final));
                    object.insert("content".to_owned(), json!(answer.answer));
                }
                events.push(message);
            }
            event @ (ChatEvent::Step { .. }
            | ChatEvent::Stream { .. }
            | ChatEvent::Citation { .. }
            | ChatEvent::Proposal { .. }) => {
                if stream {
                    events.push(to_value(&event)?);
                }
            }
        }
    }
    Ok(events)
}

fn to_value(value: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(value).map_err(|error| Problem::internal().caused_by(error))
}
