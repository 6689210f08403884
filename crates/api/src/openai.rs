//! The chat in the shape of OpenAI's API, so that Open WebUI, LibreChat and libraries are front ends.
//!
//! 1. The last message of the user is the question. The conversation goes on where the last answer's
//!    link to it stands in the transcript; it is looked up as its owner's, like any other.
//! 2. A client's system message, tools and sampling do not reach a model: the answer is from evidence.
//!    `tools` are refused, since a client that sends them waits for calls that never come; what
//!    changes nothing is let through.
//! 3. Errors have OpenAI's shape and our status; see [`error_body`].

mod request;
mod shape;
mod stream;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use resync_auth::Principal;
use resync_chat::{Answer, AnswerMode, Ask, ChatError, SessionId};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use request::CompletionRequest;

use crate::chat::{question, sse, telling::Telling};
use crate::edge::extract::JsonBody;
use crate::edge::guard::Caller;
use crate::problem::{Problem, Said};
use crate::state::App;

/// Where this interface lies.
const PREFIX: &str = "/v1/";
/// When these models first existed, in seconds since 1970.
const CREATED: i64 = 1_764_028_800;

/// What may word an answer, as OpenAI names models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Auto,
    Deterministic,
}

impl Model {
    const ALL: [Self; 2] = [Self::Auto, Self::Deterministic];

    fn id(self) -> &'static str {
        match self {
            Self::Auto => "resync",
            Self::Deterministic => "resync-deterministic",
        }
    }

    fn find(id: &str) -> Result<Self, Problem> {
        let found = Self::ALL.into_iter().find(|model| model.id() == id);
        found.ok_or_else(|| {
            Problem::not_found("model_not_found", "There is no such model").error(
                "/model".to_owned(),
                "is resync or resync-deterministic".to_owned(),
            )
        })
    }

    fn mode(self) -> AnswerMode {
        match self {
            Self::Auto => AnswerMode::Auto,
            Self::Deterministic => AnswerMode::Deterministic,
        }
    }

    fn dto(self) -> ModelDto {
        ModelDto {
            id: self.id(),
            object: "model",
            created: CREATED,
            owned_by: "resync",
        }
    }
}

/// One of `GET /v1/models`.
#[derive(Debug, Serialize)]
pub(crate) struct ModelDto {
    id: &'static str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

/// The answer of `GET /v1/models`.
#[derive(Debug, Serialize)]
pub(crate) struct ModelsAnswer {
    object: &'static str,
    data: Vec<ModelDto>,
}

/// `GET /v1/models`
pub(crate) async fn models() -> Json<ModelsAnswer> {
    Json(ModelsAnswer {
        object: "list",
        data: Model::ALL.map(Model::dto).into(),
    })
}

/// `GET /v1/models/{id}`
pub(crate) async fn model(Path(id): Path<String>) -> Result<Json<ModelDto>, Problem> {
    Ok(Json(Model::find(&id)?.dto()))
}

/// `POST /v1/chat/completions`
pub(crate) async fn complete(
    State(app): State<App>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<CompletionRequest>,
) -> Result<Response, Problem> {
    let model = Model::find(&body.model)?;
    let read = body.read(&app.edge.links)?;
    let mut ask = question(&principal, read.question, None, None)?;
    ask.mode = Some(model.mode());
    ask.session_id = conversation(&app, &principal, read.session, read.before).await?;
    if !read.stream {
        let answer = app.chat.ask(ask).await?;
        return Ok(Json(shape::completion(&answer, model.id(), &app)).into_response());
    }
    let place = sse::place(&app, &ask)?;
    let patience = app.edge.ws.send_timeout;
    let mut telling = Telling::begin(app.chat.clone(), ask, patience, &app.tracker);
    let first = telling.first().await?;
    let chunks = stream::Chunks::new(&app, model.id(), read.include_usage);
    Ok(sse::streamed(stream::events(first, telling, place, chunks)))
}

/// The conversation to go on with: the one that the transcript names, if it is the caller's; else a new
/// one, in which the question before is answered by rules first, so that "and its log?" has a job.
async fn conversation(
    app: &App,
    principal: &Principal,
    named: Option<SessionId>,
    before: Option<String>,
) -> Result<Option<SessionId>, Problem> {
    if let Some(session) = named {
        match app.chat.session(principal.user_id, session).await {
            Ok(_) => return Ok(Some(session)),
            Err(ChatError::UnknownSession) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Some(before) = before else {
        return Ok(None);
    };
    let mut ask: Ask = question(principal, before, None, None)?;
    ask.mode = Some(AnswerMode::Deterministic);
    match app.chat.ask(ask).await {
        Ok(Answer {
            session_id,
            saved: true,
            ..
        }) => Ok(Some(session_id)),
        // What cannot be read or kept is no context, and no reason not to answer.
        Ok(_) | Err(ChatError::EmptyMessage | ChatError::TooLong { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether that path speaks OpenAI's shape, also in its errors.
pub(crate) fn speaks(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// A problem as OpenAI's libraries read one.
pub(crate) fn error_body(said: &Said, request_id: &str) -> Value {
    let kind = match said.status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    let code = match (said.status, said.code) {
        (StatusCode::UNAUTHORIZED, _) => "invalid_api_key",
        (StatusCode::TOO_MANY_REQUESTS, "rate-limited") => "rate_limit_exceeded",
        (_, code) => code,
    };
    let place = said.errors.first();
    let param = place.map(|place| {
        place
            .pointer
            .trim_start_matches(['/', '?'])
            .replace('/', ".")
    });
    let mut message = said.title.to_owned();
    if let Some(detail) = &said.detail {
        message = format!("{message}: {detail}");
    }
    if let (Some(place), Some(param)) = (place, &param) {
        message = format!("{message}: {param} {}", place.detail);
    }
    json!({"error": {
        "message": message, "type": kind, "param": param, "code": code, "request_id": request_id,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_the_kind_and_code_that_libraries_look_for() {
        let shown = |problem: Problem| {
            let body = error_body(&problem.0, "r1");
            let word = |name: &str| body["error"][name].as_str().map(str::to_owned);
            (word("type").unwrap(), word("code").unwrap(), word("param"))
        };
        let words = |kind: &str, code: &str| (kind.to_owned(), code.to_owned(), None);
        assert_eq!(
            shown(Problem::unauthenticated()),
            words("authentication_error", "invalid_api_key")
        );
        let limited = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Slowly");
        assert_eq!(
            shown(limited),
            words("rate_limit_error", "rate_limit_exceeded")
        );
        assert_eq!(
            shown(Problem::unavailable("away")),
            words("server_error", "unavailable")
        );
        let unknown = shown(Model::find("gpt-4").unwrap_err());
        assert_eq!(unknown.1, "model_not_found");
        assert_eq!(unknown.2.as_deref(), Some("model"));
        let wrong = Problem::invalid("/messages/2/content", "expected a text");
        assert_eq!(shown(wrong).2.as_deref(), Some("messages.2.content"));
    }
}
