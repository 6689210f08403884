//! The life of one socket.
//!
//! 1. `an_idle_socket_is_closed`: 1000 "Idle timeout" after the timeout without a message (P1-07).
//! 2. `a_message_resets_the_clock`, heartbeats included; the protocol's own pings do not.
//! 3. `an_answer_holds_the_socket_open`: it does not idle out while it is being answered.
//! 4. `shutdown_says_goodbye`: 1001.
//! 5. `a_revoked_session_is_closed`: 1008, at the next look and at the next question.
//! 6. `a_reader_that_does_not_read_loses_its_own_socket`: after the send timeout (P2-06).
//!
//! The socket is anything that streams and sinks messages, so that all this runs on paused time.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
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
    if let End::Close(code, reason) = end {
        let close = Message::Close(Some(CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        }));
        // The socket goes either way; a peer that does not read gets no goodbye.
        let _closed = timeout(timing.send_timeout, open.socket.send(close)).await;
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
                received = self.socket.next() => match received {
                    None | Some(Ok(Message::Close(_))) => Some(End::Gone),
                    Some(Err(error)) => Some(of_error(&error)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Binary(_))) => Some(End::Close(1003, "Text only")),
                    Some(Ok(Message::Text(text))) => {
                        idle_at = Instant::now() + self.timing.idle_timeout;
                        self.receive(text.as_str(), conversation, &mut answering).await
                    }
                },
                _ = look.tick() => match conversation.still_allowed().await {
                    Ok(false) => Some(End::Close(1008, "Session ended")),
                    Ok(true) | Err(_) => None,
                },
                () = sleep_until(idle_at), if answering.is_none() => Some(End::Close(1000, "Idle timeout")),
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

/// A message over the limit is told apart from a connection that broke.
fn of_error(error: &(dyn std::error::Error + 'static)) -> End {
    let mut source = Some(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if text.contains("too long") || text.contains("too big") {
            return End::Close(1009, "Message too large");
        }
        if text.contains("UTF-8") || text.contains("utf-8") {
            return End::Close(1007, "Not UTF-8");
        }
        source = cause.source();
    }
    End::Gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll};
    use tokio::sync::mpsc;
    use tokio_util::task::TaskTracker;

    /// Our end of a socket whose other end the test holds.
    struct Fake {
        incoming: mpsc::UnboundedReceiver<Message>,
        outgoing: mpsc::UnboundedSender<Message>,
        stuck: bool,
    }

    impl Stream for Fake {
        type Item = Result<Message, Infallible>;
        fn poll_next(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            self.incoming
                .poll_recv(context)
                .map(|message| message.map(Ok))
        }
    }

    impl Sink<Message> for Fake {
        type Error = Infallible;
        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            if self.stuck {
                Poll::Pending
            } else {
                Poll::Ready(Ok(()))
            }
        }
        fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Infallible> {
            self.outgoing.send(message).unwrap();
            Ok(())
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Scripted {
        allowed: AtomicBool,
        takes: Duration,
    }

    #[async_trait]
    impl Conversation for Scripted {
        async fn still_allowed(&self) -> Result<bool, Problem> {
            Ok(self.allowed.load(Ordering::SeqCst))
        }
        async fn answer(&self, question: Question) -> Result<Vec<Value>, Problem> {
            if !self.allowed.load(Ordering::SeqCst) {
                return Err(Problem::unauthenticated());
            }
            tokio::time::sleep(self.takes).await;
            Ok(vec![
                json!({"type": "message", "is_final": true, "content": question.content}),
            ])
        }
    }

    struct Client {
        to: mpsc::UnboundedSender<Message>,
        from: mpsc::UnboundedReceiver<Message>,
        conversation: std::sync::Arc<Scripted>,
        shutdown: CancellationToken,
        tasks: TaskTracker,
        started: Instant,
    }

    const TIMING: Timing = Timing {
        idle_timeout: Duration::from_mins(5),
        send_timeout: Duration::from_secs(5),
        session_check: Duration::from_secs(5),
    };

    fn open(takes: Duration, stuck: bool) -> Client {
        let (to, incoming) = mpsc::unbounded_channel();
        let (outgoing, from) = mpsc::unbounded_channel();
        let conversation = std::sync::Arc::new(Scripted {
            allowed: AtomicBool::new(true),
            takes,
        });
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (held, token) = (conversation.clone(), shutdown.clone());
        tasks.spawn(async move {
            run(
                Fake {
                    incoming,
                    outgoing,
                    stuck,
                },
                &*held,
                TIMING,
                token,
            )
            .await
        });
        tasks.close();
        Client {
            to,
            from,
            conversation,
            shutdown,
            tasks,
            started: Instant::now(),
        }
    }

    impl Client {
        fn say(&self, text: &str) {
            self.to.send(Message::Text(text.to_owned().into())).unwrap();
        }

        async fn event(&mut self) -> Value {
            match self.from.recv().await.unwrap() {
                Message::Text(text) => serde_json::from_str(text.as_str()).unwrap(),
                other => panic!("{other:?}"),
            }
        }

        /// The code and reason of the close frame, and when it came.
        async fn closed(&mut self) -> (u16, String, Duration) {
            loop {
                if let Message::Close(Some(frame)) = self.from.recv().await.unwrap() {
                    return (frame.code, frame.reason.to_string(), self.started.elapsed());
                }
            }
        }
    }

    /// P1-07
    #[tokio::test(start_paused = true)]
    async fn an_idle_socket_is_closed() {
        let mut client = open(Duration::ZERO, false);
        let (code, reason, after) = client.closed().await;
        assert_eq!((code, reason.as_str()), (1000, "Idle timeout"));
        assert_eq!(after, Duration::from_mins(5));
        client.tasks.wait().await;
    }

    /// P1-07
    #[tokio::test(start_paused = true)]
    async fn a_message_resets_the_clock() {
        let mut client = open(Duration::ZERO, false);
        tokio::time::sleep(Duration::from_secs(299)).await;
        client.say(r#"{"type":"heartbeat"}"#);
        client.to.send(Message::Ping(vec![].into())).unwrap();
        let (_, _, after) = client.closed().await;
        assert_eq!(after, Duration::from_secs(599));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_does_not_reset_the_clock() {
        let mut client = open(Duration::ZERO, false);
        tokio::time::sleep(Duration::from_secs(299)).await;
        client.to.send(Message::Ping(vec![].into())).unwrap();
        assert_eq!(client.closed().await.2, Duration::from_mins(5));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_the_socket_open() {
        let mut client = open(Duration::from_secs(400), false);
        client.say("why?");
        assert_eq!(client.event().await["type"], "ready");
        assert_eq!(client.event().await["type"], "stream_start");
        assert_eq!(client.event().await["content"], "why?");
        assert_eq!(client.closed().await.2, Duration::from_secs(700));
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_says_goodbye() {
        let mut client = open(Duration::ZERO, false);
        client.shutdown.cancel();
        assert_eq!(client.closed().await.0, 1001);
    }

    #[tokio::test(start_paused = true)]
    async fn a_revoked_session_is_closed() {
        let mut client = open(Duration::ZERO, false);
        client.conversation.allowed.store(false, Ordering::SeqCst);
        let (code, _, after) = client.closed().await;
        assert_eq!((code, after), (1008, Duration::from_secs(5)));
        let mut client = open(Duration::ZERO, false);
        client.conversation.allowed.store(false, Ordering::SeqCst);
        client.say("why?");
        let (code, _, after) = client.closed().await;
        assert_eq!((code, after), (1008, Duration::ZERO));
    }

    /// P2-06
    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_read_loses_its_own_socket() {
        let stuck = open(Duration::ZERO, true);
        let mut lively = open(Duration::ZERO, false);
        stuck.tasks.wait().await;
        assert_eq!(stuck.started.elapsed(), Duration::from_secs(5));
        lively.say("still there?");
        assert_eq!(lively.event().await["type"], "ready");
        assert_eq!(lively.event().await["type"], "stream_start");
        assert_eq!(lively.event().await["content"], "still there?");
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_numbered_and_a_second_question_waits_its_turn() {
        let mut client = open(Duration::from_secs(10), false);
        client.say(r#"{"type":"chat_message","content":"one","stream":false}"#);
        client.say("two");
        client.say(r#"{"type":"dance"}"#);
        let events = [
            client.event().await,
            client.event().await,
            client.event().await,
            client.event().await,
        ];
        let seen: Vec<_> = events
            .iter()
            .map(|e| (e["seq"].as_u64().unwrap(), e["type"].clone()))
            .collect();
        assert_eq!(
            seen,
            [
                (1, "ready".into()),
                (2, "error".into()),
                (3, "error".into()),
                (4, "message".into())
            ]
        );
        assert_eq!(events[1]["code"], "busy");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_can_be_cancelled() {
        let mut client = open(Duration::from_secs(10), false);
        client.say("why?");
        client.say(r#"{"type":"cancel","stream_id":1}"#);
        client.say(r#"{"type":"cancel"}"#);
        let events = [
            client.event().await,
            client.event().await,
            client.event().await,
            client.event().await,
        ];
        assert_eq!(events[2]["cancelled"], true);
        assert_eq!(events[3]["code"], "nothing-to-cancel");
    }
}
