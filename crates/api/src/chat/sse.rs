//! An answer as server-sent events: `meta, step*, delta*, citation*, proposal?, done` or `error`.
//!
//! 1. Events carry ids from 1. A comment every 15 seconds keeps proxies from closing a silent stream.
//! 2. Hanging up is the cancel: the answer ends, and nothing half is saved.
//! 3. A user has no more streams at once than WebSockets.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use resync_chat::{Ask, ChatEvent};
use serde_json::{Value, json};

use super::telling::{Telling, Told};
use crate::problem::Problem;
use crate::state::App;
use crate::ws::Place;

/// Between two comments.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Whether the client asks for a stream of events.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter();
    values.any(|value| {
        value.to_str().is_ok_and(|text| {
            text.split(',').any(|one| {
                let essence = one.split(';').next().unwrap_or("").trim();
                essence.eq_ignore_ascii_case("text/event-stream")
            })
        })
    })
}

/// A place for one more stream of that user.
///
/// # Errors
/// 429 when there are as many as there may be.
pub(crate) fn place(app: &App, ask: &Ask) -> Result<Place, Problem> {
    let ws = &app.edge.ws;
    let place = app
        .streams
        .enter(ask.user, ws.max_connections_per_user, ws.max_connections);
    place.ok_or_else(|| {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-streams",
            "Too many answers are being streamed at once",
        )
        .retry_after(Duration::from_secs(5))
    })
}

/// Answers by a stream. What cannot be answered is a problem with its own status.
pub(crate) async fn answer(app: &App, ask: Ask) -> Result<Response, Problem> {
    let place = place(app, &ask)?;
    let patience = app.edge.ws.send_timeout;
    let mut telling = Telling::begin(app.chat.clone(), ask, patience, &app.tracker);
    let first = telling.first().await?;
    Ok(streamed(events(first, telling, place)))
}

/// Events as the body of an answer that no proxy keeps back.
pub(crate) fn streamed<S>(events: S) -> Response
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    let alive = KeepAlive::new().interval(HEARTBEAT).text("");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

struct State {
    first: Option<ChatEvent>,
    telling: Telling,
    /// Given back when the stream ends or its client goes.
    _place: Place,
    id: u64,
    done: bool,
}

fn events(
    first: ChatEvent,
    telling: Telling,
    place: Place,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let state = State {
        first: Some(first),
        telling,
        _place: place,
        id: 0,
        done: false,
    };
    stream::unfold(state, |mut state| async move {
        if state.done {
            return None;
        }
        let told = match state.first.take() {
            Some(event) => Some(Told::Event(event)),
            None => state.telling.next().await,
        };
        let (name, data) = match told {
            Some(Told::Event(event)) => named(event),
            Some(Told::Failed(problem)) => ("error", error(&problem)),
            None => ("error", broken_off()),
        };
        state.done = matches!(name, "done" | "error");
        state.id += 1;
        let event = Event::default().event(name).id(state.id.to_string());
        Some((Ok(event.data(data.to_string())), state))
    })
}

fn named(event: ChatEvent) -> (&'static str, Value) {
    match event {
        ChatEvent::StreamStart {
            session_id,
            message_id,
        } => (
            "meta",
            json!({"session_id": session_id, "message_id": message_id}),
        ),
        ChatEvent::Step { name, took_ms } => ("step", json!({"name": name, "took_ms": took_ms})),
        ChatEvent::Stream { delta } => ("delta", json!({"delta": delta})),
        ChatEvent::Citation { citation } => ("citation", json!(citation)),
        ChatEvent::Proposal { proposal } => ("proposal", json!(proposal)),
        ChatEvent::Message { answer, .. } => ("done", json!(*answer)),
    }
}

fn error(problem: &Problem) -> Value {
    json!({
        "status": problem.status().as_u16(),
        "code": problem.code(),
        "title": problem.0.title,
        "detail": problem.0.detail,
    })
}

fn broken_off() -> Value {
    json!({"status": 500, "code": "internal", "title": "The answer was broken off", "detail": null})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_asked_for_by_its_media_type_alone() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(value));
            wanted(&headers)
        };
        assert!(with("text/event-stream"));
        assert!(with("application/json;q=0.5, Text/Event-Stream; q=1"));
        assert!(!with("application/json"));
        assert!(!with("*/*"));
        assert!(!wanted(&HeaderMap::new()));
    }
}
