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
//! 9. `a_lost_connection_is_resumed_where_it_was_read_to`: by the stream's id and the last number.
//!
//! Each message has `seq`. Those of an answer have `stream_id` too and count within it from 1, on
//! whichever connection they come; the others count within the connection.
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

use super::streams::{self, Reader};
use crate::problem::Problem;

/// What a socket talks to.
#[async_trait]
pub(crate) trait Conversation: Send + Sync {
    /// Whether the session that opened the socket still holds. An error is a store that does not
    /// answer: the socket stays, and no question is answered meanwhile.
    async fn still_allowed(&self) -> Result<bool, Problem>;

    /// Begins an answer and gives its events, the last of them the whole message.
    async fn answer(&self, question: Question) -> Result<Reader, Problem>;

    /// The events of an answer of one's own behind the first `after`.
    async fn resume(&self, resume: Resume) -> Result<Reader, Problem>;
}

/// Where a client wants to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) stream_id: Uuid,
    /// The last number that it has.
    pub(crate) after: usize,
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
        stream_id: Option<Uuid>,
    },
    Resume {
        stream_id: Uuid,
        #[serde(default)]
        after: usize,
    },
    Heartbeat {},
}

fn yes() -> bool {
    true
}

type Beginning<'a> = Pin<Box<dyn Future<Output = Result<Reader, Problem>> + Send + 'a>>;

/// The answer under way on this socket.
enum Answering<'a> {
    No,
    Beginning(Beginning<'a>),
    Reading(Reader),
}

/// What comes of it.
enum News {
    Began(Result<Reader, Problem>),
    Event(Utf8Bytes),
    Ended,
}

impl Answering<'_> {
    fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }

    /// What comes next; never, while there is no answer. Cancel safe.
    async fn next(&mut self) -> News {
        match self {
            Self::No => std::future::pending().await,
            Self::Beginning(beginning) => News::Began(beginning.await),
            Self::Reading(reader) => reader.next().await.map_or(News::Ended, News::Event),
        }
    }
}

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
    resume: Option<Resume>,
    shutdown: CancellationToken,
) where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
    E: std::error::Error + Send + 'static,
{
    let mut open = Open {
        socket,
        timing,
        seq: 0,
    };
    let mut answering = match resume {
        Some(resume) => Answering::Beginning(conversation.resume(resume)),
        None => Answering::No,
    };
    let end = open.talk(conversation, &mut answering, &shutdown).await;
    if let (End::Close(1008, _), Answering::Reading(reader)) = (&end, &answering) {
        // Whose session is over is answered no further.
        reader.cancel();
    }
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
}

impl<S, E> Open<S>
where
    S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
    E: std::error::Error + Send + 'static,
{
    async fn talk<'a>(
        &mut self,
        conversation: &'a dyn Conversation,
        answering: &mut Answering<'a>,
        shutdown: &CancellationToken,
    ) -> End {
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
        loop {
            let end = tokio::select! {
                biased;
                () = shutdown.cancelled() => Some(End::Close(1001, "Shutting down")),
                _ = look.tick() => match conversation.still_allowed().await {
                    Ok(false) => Some(End::Close(1008, "Session ended")),
                    Ok(true) | Err(_) => None,
                },
                () = sleep_until(idle_at), if answering.is_no() => Some(End::Close(1000, "Idle timeout")),
                news = answering.next() => {
                    idle_at = Instant::now() + self.timing.idle_timeout;
                    self.deliver(news, answering).await
                }
                received = self.socket.next() => match received {
                    None => Some(End::Gone),
                    Some(Ok(Message::Close(_))) => Some(End::Closed),
                    Some(Err(error)) => Some(of_error(&error)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Binary(_))) => Some(End::Close(1003, "Text only")),
                    Some(Ok(Message::Text(text))) => {
                        idle_at = Instant::now() + self.timing.idle_timeout;
                        self.receive(text.as_str(), conversation, answering).await
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
        answering: &mut Answering<'a>,
    ) -> Option<End> {
        let event = match read(text) {
            Ok(Incoming::Heartbeat {}) => json!({"type": "heartbeat_ack"}),
            Ok(Incoming::Cancel { stream_id }) => match answering {
                Answering::Reading(reader) if stream_id.is_none_or(|id| id == reader.id()) => {
                    // The answer's own last event says that it is cancelled.
                    reader.cancel();
                    return None;
                }
                Answering::Beginning(_) if stream_id.is_none() => {
                    *answering = Answering::No;
                    streams::cancelled()
                }
                Answering::No | Answering::Beginning(_) | Answering::Reading(_) => {
                    error_event("nothing-to-cancel", "There is no such answer under way")
                }
            },
            Ok(Incoming::ChatMessage { .. } | Incoming::Resume { .. }) if !answering.is_no() => {
                error_event("busy", "The question before is still being answered")
            }
            Ok(Incoming::ChatMessage {
                content,
                stream,
                session_id,
            }) => {
                *answering = Answering::Beginning(conversation.answer(Question {
                    content,
                    session_id,
                    stream,
                }));
                return None;
            }
            Ok(Incoming::Resume { stream_id, after }) => {
                let resume = Resume { stream_id, after };
                *answering = Answering::Beginning(conversation.resume(resume));
                return None;
            }
            Err(problem) => problem_event(&problem),
        };
        self.send(event).await.err().map(|()| End::Gone)
    }

    async fn deliver(&mut self, news: News, answering: &mut Answering<'_>) -> Option<End> {
        let sent = match news {
            News::Began(Ok(reader)) => {
                *answering = Answering::Reading(reader);
                return None;
            }
            News::Began(Err(problem)) => {
                *answering = Answering::No;
                if problem.status() == axum::http::StatusCode::UNAUTHORIZED {
                    return Some(End::Close(1008, "Session ended"));
                }
                self.send(problem_event(&problem)).await
            }
            News::Event(text) => self.pass(text).await,
            News::Ended => {
                *answering = Answering::No;
                return None;
            }
        };
        sent.err().map(|()| End::Gone)
    }

    /// Sends one event with its number, within the send timeout.
    async fn send(&mut self, mut event: Value) -> Result<(), ()> {
        self.seq += 1;
        if let Some(object) = event.as_object_mut() {
            object.insert("seq".to_owned(), self.seq.into());
        }
        self.pass(event.to_string().into()).await
    }

    /// Sends a text as it is, within the send timeout.
    async fn pass(&mut self, text: Utf8Bytes) -> Result<(), ()> {
        let message = Message::Text(text);
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

pub(super) fn problem_event(problem: &Problem) -> Value {
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
