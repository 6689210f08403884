//! One's own conversations: their names, their end, their file, and what one thinks of an answer.
//!
//! Invariant: another user's conversation is answered as a missing one (P1-08).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use resync_chat::{Feedback, MessageId, SessionId, SessionSummary, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ForgetAnswer;
use crate::edge::extract::JsonBody;
use crate::edge::guard::Caller;
use crate::problem::Problem;
use crate::state::App;

/// The body of `PATCH chat/sessions/{id}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenameRequest {
    /// The new title, 1 to 120 characters.
    title: String,
}

/// Whether an answer was of use.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VerdictDto {
    /// It was.
    Up,
    /// It was not.
    Down,
}

/// The body of `POST chat/feedback`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackRequest {
    /// The conversation.
    session_id: Uuid,
    /// The answer.
    message_id: Uuid,
    /// Whether it was of use; the last word counts.
    verdict: VerdictDto,
    /// Why, at most 1,000 characters.
    reason: Option<String>,
}

/// The answer of `POST chat/feedback`.
#[derive(Debug, Serialize)]
pub(crate) struct FeedbackAnswer {
    message_id: MessageId,
    #[serde(flatten)]
    feedback: Feedback,
}

fn session(id: &str) -> Result<SessionId, Problem> {
    // What is no id names no conversation, as any other does that is not there.
    id.parse()
        .map_err(|_| Problem::from(resync_chat::ChatError::UnknownSession))
}

/// `PATCH chat/sessions/{id}`
pub(crate) async fn rename(
    State(app): State<App>,
    Caller(principal): Caller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<RenameRequest>,
) -> Result<Json<SessionSummary>, Problem> {
    let renamed = app
        .chat
        .rename(principal.user_id, session(&id)?, &body.title)
        .await?;
    Ok(Json(renamed))
}

/// `DELETE chat/sessions/{id}`
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(principal): Caller,
    Path(id): Path<String>,
) -> Result<Json<ForgetAnswer>, Problem> {
    let deleted = app.chat.delete(principal.user_id, session(&id)?).await?;
    Ok(Json(ForgetAnswer { deleted }))
}

/// `GET chat/sessions/{id}/export`
pub(crate) async fn export(
    State(app): State<App>,
    Caller(principal): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let file = app
        .chat
        .export(principal.user_id, session(&id)?, &app.edge.links)
        .await?;
    let mut response = file.markdown.into_response();
    let headers = response.headers_mut();
    let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
    headers.insert(CONTENT_TYPE, markdown);
    // The name has letters, digits, `-` and `.` alone.
    let disposition = format!("attachment; filename=\"{}\"", file.file_name);
    if let Ok(value) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// `POST chat/feedback`
pub(crate) async fn feedback(
    State(app): State<App>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<FeedbackRequest>,
) -> Result<Json<FeedbackAnswer>, Problem> {
    let message_id = MessageId(body.message_id);
    let verdict = match body.verdict {
        VerdictDto::Up => Verdict::Up,
        VerdictDto::Down => Verdict::Down,
    };
    let feedback = app
        .chat
        .feedback(
            principal.user_id,
            SessionId(body.session_id),
            message_id,
            verdict,
            body.reason.as_deref(),
        )
        .await?;
    Ok(Json(FeedbackAnswer {
        message_id,
        feedback,
    }))
}
