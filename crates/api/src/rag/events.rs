//! How a document gets on, as server-sent events.
//!
//! Invariants:
//! - The first event tells the present state, or waits for another one when the client has seen that
//!   already (`Last-Event-ID`); the last one tells that the document is ready, has failed or is gone.
//!   A client that comes back after the last one is told by 204 to come no more.
//! - A stream ends after [`LONGEST`], and when the process is to end: a client comes back by itself
//!   and shows again who it is.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use resync_kernel::error_chain;
use resync_rag::{Document, DocumentWatch, Watched};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ProgressDto, id_of, unknown};
use crate::problem::Problem;
use crate::state::App;

/// The longest that a stream lasts.
const LONGEST: Duration = Duration::from_mins(10);
/// How often a silent stream says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a client comes back after a stream has ended.
const COME_BACK: Duration = Duration::from_secs(2);

/// What an event `stage` carries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StageEvent {
    /// The document.
    pub(crate) id: Uuid,
    /// `received`, `text`, `chunks`, `vectors`, `ready` or `failed`.
    pub(crate) stage: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Why it waits for another try, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<String>,
    /// How many of its pieces have a vector, of how many.
    pub(crate) progress: ProgressDto,
    /// Characters of its text, 0 before the stage `text`.
    pub(crate) chars: u64,
}

impl From<Document> for StageEvent {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.0,
            stage: document.stage.as_str(),
            reason: document.stage.reason().map(str::to_owned),
            waiting: document.waiting,
            progress: ProgressDto {
                done: document.vectors.into(),
                total: document.chunks.into(),
            },
            chars: document.chars,
        }
    }
}

/// Names the state that an event tells.
fn event_id(document: &Document) -> String {
    let waits = if document.waiting.is_some() {
        ";waits"
    } else {
        ""
    };
    let (stage, done) = (document.stage.as_str(), document.vectors);
    format!("{stage};{done}/{}{waits}", document.chunks)
}

/// `GET rag/documents/{id}/events`
pub(crate) async fn events(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let watch = app.knowledge.watch(id).ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-streams",
            "As many documents are watched as may be",
        )
        .retry_after(COME_BACK)
    })?;
    let now = app.knowledge.get(id).await?.ok_or_else(unknown)?;
    let seen = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    if now.stage.is_final() && seen.as_deref() == Some(&event_id(&now)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let telling = Telling {
        watch,
        seen,
        until: tokio::time::Instant::now() + LONGEST,
        app,
        id: id.0,
    };
    let events = stream::unfold(telling, async |mut telling| {
        let event = telling.next().await?;
        Some((Ok::<_, Infallible>(event), telling))
    });
    let keep = KeepAlive::new().interval(HEARTBEAT).text("still here");
    Ok(Sse::new(events).keep_alive(keep).into_response())
}

struct Telling {
    watch: DocumentWatch,
    /// What the client says that it has seen.
    seen: Option<String>,
    until: tokio::time::Instant,
    app: App,
    id: Uuid,
}

impl Telling {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let told = tokio::select! {
                biased;
                () = self.app.shutdown.cancelled() => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                told = self.watch.next() => told,
            };
            let told = match told {
                Ok(told) => told?,
                Err(error) => {
                    // The client comes back, and meets the error as a problem if it still holds.
                    let error = error_chain(&error);
                    tracing::warn!(error, "a document can no longer be watched");
                    return None;
                }
            };
            return match told {
                Watched::State(document) => {
                    let id = event_id(&document);
                    if self.seen.take().is_some_and(|seen| seen == id) {
                        continue;
                    }
                    let event = Event::default().event("stage").id(id).retry(COME_BACK);
                    event.json_data(StageEvent::from(*document)).ok()
                }
                Watched::Gone => {
                    let event = Event::default().event("gone").id("gone");
                    event.json_data(serde_json::json!({"id": self.id})).ok()
                }
            };
        }
    }
}
