//! The life of a socket, on paused time.

use super::*;
use crate::chat::telling::Answers;
use crate::ws::streams::tests::answer;
use crate::ws::streams::{Begin, Streams};
use resync_chat::{Answer, Ask, ChatError, ChatEvent, Progress};
use resync_kernel::UserId;
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
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
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
        // The library has its answer ready and sends it when it is told to close.
        let answer = CloseFrame {
            code: 1000,
            reason: "".into(),
        };
        // The test may be through with its end.
        let _sent = self.outgoing.send(Message::Close(Some(answer)));
        Poll::Ready(Ok(()))
    }
}

struct Scripted {
    allowed: AtomicBool,
    takes: Duration,
    streams: Streams,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

/// Takes its time between the start and the whole, which says what was asked.
struct Echo(Duration);

#[async_trait]
impl Answers for Echo {
    async fn answer(&self, ask: Ask, progress: &dyn Progress) -> Result<Answer, ChatError> {
        let whole = answer(&ask.message);
        let start = ChatEvent::StreamStart {
            session_id: whole.session_id,
            message_id: whole.message_id,
        };
        progress.tell(start).await;
        tokio::time::sleep(self.0).await;
        let (is_final, answer) = (true, Box::new(whole.clone()));
        progress.tell(ChatEvent::Message { is_final, answer }).await;
        Ok(whole)
    }
}

const OWNER: UserId = UserId(Uuid::nil());

#[async_trait]
impl Conversation for Scripted {
    async fn still_allowed(&self) -> Result<bool, Problem> {
        Ok(self.allowed.load(Ordering::SeqCst))
    }

    async fn answer(&self, question: Question) -> Result<Reader, Problem> {
        if !self.allowed.load(Ordering::SeqCst) {
            return Err(Problem::unauthenticated());
        }
        let ask = Ask {
            user: OWNER,
            can_propose: false,
            message: question.content,
            session_id: None,
            engine: None,
            mode: None,
        };
        let begin = Begin {
            id: Uuid::from_u128(7),
            answers: Echo(self.takes),
            ask,
            stream: question.stream,
            shutdown: self.shutdown.clone(),
        };
        Ok(self.streams.begin(begin, &self.tracker))
    }

    async fn resume(&self, resume: Resume) -> Result<Reader, Problem> {
        let found = self.streams.resume(OWNER, resume.stream_id, resume.after);
        found.ok_or_else(|| Problem::not_found("unknown-stream", "Not kept"))
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
    open_on(Streams::default(), takes, stuck, None)
}

fn open_on(streams: Streams, takes: Duration, stuck: bool, resume: Option<Resume>) -> Client {
    let (to, incoming) = mpsc::unbounded_channel();
    let (outgoing, from) = mpsc::unbounded_channel();
    let conversation = std::sync::Arc::new(Scripted {
        allowed: AtomicBool::new(true),
        takes,
        streams,
        tracker: TaskTracker::new(),
        shutdown: CancellationToken::new(),
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
            resume,
            token,
        )
        .await;
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
            // Of its stream the first one.
            (1, "message".into())
        ]
    );
    assert_eq!(events[1]["code"], "busy");
    assert_eq!(events[3]["stream_id"], Uuid::from_u128(7).to_string());
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_cancelled() {
    let mut client = open(Duration::from_secs(10), false);
    client.say("why?");
    assert_eq!(client.event().await["type"], "ready");
    let start = client.event().await;
    assert_eq!(start["type"], "stream_start");
    let other = Uuid::from_u128(8);
    client.say(&json!({"type": "cancel", "stream_id": other}).to_string());
    assert_eq!(client.event().await["code"], "nothing-to-cancel");
    client.say(&json!({"type": "cancel", "stream_id": start["stream_id"]}).to_string());
    assert_eq!(client.event().await["cancelled"], true);
    assert!(client.started.elapsed() < Duration::from_secs(10));
    tokio::time::sleep(Duration::from_millis(1)).await;
    client.say(r#"{"type":"cancel"}"#);
    assert_eq!(client.event().await["code"], "nothing-to-cancel");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_resumed_where_it_was_read_to() {
    let streams = Streams::default();
    let takes = Duration::from_mins(1);
    let mut lost = open_on(streams.clone(), takes, false, None);
    lost.say("why?");
    assert_eq!(lost.event().await["type"], "ready");
    let start = lost.event().await;
    let stream_id: Uuid = start["stream_id"].as_str().unwrap().parse().unwrap();
    drop(lost);

    // By the address, while it is still being answered.
    let after = 1;
    let resume = Some(Resume { stream_id, after });
    let mut back = open_on(streams.clone(), takes, false, resume);
    assert_eq!(back.event().await["type"], "ready");
    let whole = back.event().await;
    assert_eq!(
        (&whole["content"], &whole["seq"]),
        (&json!("why?"), &json!(2))
    );

    // By a message, after it has ended; what is not kept is said.
    back.say(&json!({"type": "resume", "stream_id": stream_id}).to_string());
    assert_eq!(back.event().await, start);
    assert_eq!(back.event().await, whole);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let other = Uuid::from_u128(8);
    back.say(&json!({"type": "resume", "stream_id": other, "after": 3}).to_string());
    assert_eq!(back.event().await["code"], "unknown-stream");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_answered() {
    let mut client = open(Duration::ZERO, false);
    client.to.send(Message::Close(None)).unwrap();
    assert_eq!(client.closed().await.0, 1000);
    client.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_hold_off_the_clock() {
    let mut client = open(Duration::ZERO, false);
    tokio::task::yield_now().await;
    for _ in 0..1000 {
        client.to.send(Message::Ping(vec![].into())).unwrap();
    }
    // Comes too late: only who reads on although the time is up gets to it.
    client.say(r#"{"type":"heartbeat"}"#);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(client.closed().await.2, Duration::from_mins(5));
}
