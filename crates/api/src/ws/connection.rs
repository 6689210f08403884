//! The life of one socket.
//!
//! 1. `an_idle_socket_is_closed`: 1000 "Idle timeout" after the timeout without a message (P1-07).
//! 2. `a_message_resets_the_clock`, heartbeats included; the protocol's own pings do not.
//! 3. `an_answer_holds_the_socket_open`: it does not idle out while it is being answered.
//! 4. `shutdown_says_goodbye`: 1001.
//! 5. `a_revoked_session_is_closed`: 1008, at the next look and at the next question.
//! 6. `a_goodbye_is_answered`: a peer that closes gets its close frame back.
//! 7. `a_flood_does_not_hold_off_the_clock`: what is due is done before more is read.
//! 8. `a_reader_that_does_not_read_loses_its_own_socket`: after the send timeout (P2-06).
//!
//! The socket is anything that streams and sinks messages, so that all this runs on paused time.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use resync_kernel::causes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::problem::Problem;

/// What a socket talks to.
#[async_trait]
pub(crate) trait Conversation: Send + Sync {
    /// Whether the session that opened the socket still holds. An error is a store that does not
    /// answer: the socket stays, and no question is answered meanwhile.
    async fn still_allowed(&self) -> Result<bool, Problem>;

    /// The events of an answer, the last of them the whole message.
    async fn answer(&self, question: Question) -> Result<Vec<Value>, Problem>;
}

/// A question that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) content: String,
    pub(crate) session_id: Option<Uuid>,
    pub(crate) stream: bool,
}

/// The times of a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) idle_timeout: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) session_check: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Incoming {
    ChatMessage {
        content: String,
        #[serde(default = "yes")]
        stream: bool,
        #[serde(default)]
        session_id: Option<Uuid>,
    },
    Cancel {
        #[serde(default)]
        stream_id: Option<u64>,
    },
    Heartbeat {},
}

fn yes() -> bool {
    true
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<Value>, Problem>> + Send + 'a>>;

/// Why the socket ends.
enum End {
    Close(u16, &'static str),
    /// The peer said goodbye; the answer to it waits in the socket.
    Closed,
    Gone,
}

/// Runs a socket until it ends, and closes it with the code that says why.
pub(crate) async fn run<S, E>(
    socket: S,
    conversation: &dyn Conversation,
    timing: Timing,
    shutdown: CancellationToken,
) where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
    E: std::error::Error + Send + 'static,
{
    let mut open = Open {
        socket,
        timing,
        seq: 0,
        streams: 0,
    };
    let end = open.talk(conversation, &shutdown).await;
    // The socket goes either way; a peer that does not read gets no goodbye.
    let goodbye = async {
        if let End::Close(code, reason) = end {
            let close = CloseFrame {
                code,
                reason: Utf8Bytes::from_static(reason),
            };
            open.socket.send(Message::Close(Some(close))).await
        } else {
            open.socket.close().await
        }
    };
    if !matches!(end, End::Gone) {
        let _sent = timeout(timing.send_timeout, goodbye).await;
    }
}

struct Open<S> {
    socket: S,
    timing: Timing,
    seq: u64,
    streams: u64,
}

impl<S, E> Open<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
    E: std::error::Error + Send + 'static,
{
    async fn talk(&mut self, conversation: &dyn Conversation, shutdown: &CancellationToken) -> End {
        let idle_seconds = self.timing.idle_timeout.as_secs();
        if self
            .send(json!({"type": "ready", "idle_timeout_seconds": idle_seconds}))
            .await
            .is_err()
        {
            return End::Gone;
        }
        let mut idle_at = Instant::now() + self.timing.idle_timeout;
        let mut look = interval_at(
            Instant::now() + self.timing.session_check,
            self.timing.session_check,
        );
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answering: Option<Answering<'_>> = None;
        loop {
            let end = tokio::select! {
                biased;
                () = shutdown.cancelled() => Some(End::Close(1001, "Shutting down")),
                answered = next_answer(&mut answering) => {
                    answering = None;
                    idle_at = Instant::now() + self.timing.idle_timeout;
                    self.deliver(answered).await
                }
                _ = look.tick() => match conversation.still_allowed().await {
                    Ok(false) => Some(End::Close(1008, "Session ended")),
                    Ok(true) | Err(_) => None,
                },
                () = sleep_until(idle_at), if answering.is_none() => Some(End::Close(1000, "Idle timeout")),
                received = self.socket.next() => match received {
                    None => Some(End::Gone),
                    Some(Ok(Message::Close(_))) => Some(End::Closed),
                    Some(Err(error)) => Some(of_error(&error)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Binary(_))) => Some(End::Close(1003, "Text only")),
                    Some(Ok(Message::Text(text))) => {
                        idle_at = Instant::now() + self.timing.idle_timeout;
                        self.receive(text.as_str(), conversation, &mut answering).await
                    }
                },
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn receive<'a>(
        &mut self,
        text: &str,
        conversation: &'a dyn Conversation,
        answering: &mut Option<Answering<'a>>,
    ) -> Option<End> {
        let event = match read(text) {
            Ok(Incoming::Heartbeat {}) => json!({"type": "heartbeat_ack"}),
            Ok(Incoming::Cancel { stream_id }) => {
                let running = answering.is_some() && stream_id.is_none_or(|id| id == self.streams);
                if running {
                    *answering = None;
                    json!({"type": "message", "is_final": true, "cancelled": true, "content": ""})
                } else {
                    error_event("nothing-to-cancel", "There is no such answer under way")
                }
            }
            Ok(Incoming::ChatMessage { .. }) if answering.is_some() => {
                error_event("busy", "The question before is still being answered")
            }
            Ok(Incoming::ChatMessage {
                content,
                stream,
                session_id,
            }) => {
                self.streams += 1;
                *answering = Some(conversation.answer(Question {
                    content,
                    session_id,
                    stream,
                }));
                if !stream {
                    return None;
                }
                json!({"type": "stream_start", "stream_id": self.streams})
            }
            Err(problem) => problem_event(&problem),
        };
        self.send(event).await.err().map(|()| End::Gone)
    }

    async fn deliver(&mut self, answered: Result<Vec<Value>, Problem>) -> Option<End> {
        let events = match answered {
            Ok(events) => events,
            Err(problem) if problem.status() == axum::http::StatusCode::UNAUTHORIZED => {
                return Some(End::Close(1008, "Session ended"));
            }
            Err(problem) => vec![problem_event(&problem)],
        };
        for event in events {
            if self.send(event).await.is_err() {
                return Some(End::Gone);
            }
        }
        None
    }

    /// Sends one event with its number, within the send timeout.
    async fn send(&mut self, mut event: Value) -> Result<(), ()> {
        self.seq += 1;
        if let Some(object) = event.as_object_mut() {
            object.insert("seq".to_owned(), self.seq.into());
        }
        let message = Message::Text(event.to_string().into());
        match timeout(self.timing.send_timeout, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(error = %error, "a socket went away");
                Err(())
            }
            Err(_) => {
                tracing::info!("a socket was dropped: its reader does not read");
                Err(())
            }
        }
    }
}

/// The answer under way, or never.
async fn next_answer(answering: &mut Option<Answering<'_>>) -> Result<Vec<Value>, Problem> {
    match answering {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}

/// A JSON object with a type, or plain text, which is a question.
fn read(text: &str) -> Result<Incoming, Problem> {
    if text.trim_start().starts_with('{') {
        return crate::edge::extract::parse_json(text.as_bytes());
    }
    Ok(Incoming::ChatMessage {
        content: text.to_owned(),
        stream: true,
        session_id: None,
    })
}

fn error_event(code: &str, title: &str) -> Value {
    json!({"type": "error", "code": code, "title": title})
}

fn problem_event(problem: &Problem) -> Value {
    json!({
        "type": "error",
        "code": problem.0.code,
        "title": problem.0.title,
        "detail": problem.0.detail,
        "errors": problem.0.errors,
    })
}

/// What the peer did wrong, told apart from a connection that broke. The library's error is not in
/// axum's interface, so its words have to do; the tests of the socket hold them to it.
fn of_error(error: &(dyn std::error::Error + 'static)) -> End {
    for cause in causes(error) {
        let text = cause.to_string();
        if text.contains("without closing handshake") {
            return End::Gone;
        }
        if text.starts_with("WebSocket protocol error") {
            return End::Close(1002, "Protocol error");
        }
        if text.starts_with("Space limit exceeded") {
            return End::Close(1009, "Message too large");
        }
        if text.starts_with("UTF-8 encoding error") {
            return End::Close(1007, "Not UTF-8");
        }
    }
    End::Gone
}

#[cfg(test)]
mod tests;
