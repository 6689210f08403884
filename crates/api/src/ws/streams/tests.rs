//! Kept answers, on paused time.

use std::sync::atomic::{AtomicBool, Ordering};

use resync_chat::{Answer, ChatError, SessionId};

use super::*;

/// A whole answer of that text.
pub(crate) fn answer(text: &str) -> Answer {
    let (owner, session) = (user(1), SessionId(Uuid::from_u128(1)));
    let turn = resync_chat::contract::turn(owner, session, 1);
    Answer {
        answer: text.to_owned(),
        ..*turn.answer.answer.unwrap()
    }
}

/// Tells its start, then, each a second later, as many parts as are asked for, then the whole.
#[derive(Clone, Default)]
struct Slow {
    parts: usize,
    size: usize,
    finished: Arc<AtomicBool>,
}

#[async_trait]
impl Answers for Slow {
    async fn answer(&self, _: Ask, progress: &dyn Progress) -> Result<Answer, ChatError> {
        let whole = answer("whole");
        let start = ChatEvent::StreamStart {
            session_id: whole.session_id,
            message_id: whole.message_id,
        };
        progress.tell(start).await;
        for _ in 0..self.parts {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let delta = "x".repeat(self.size.max(1));
            progress.tell(ChatEvent::Stream { delta }).await;
        }
        self.finished.store(true, Ordering::SeqCst);
        let (is_final, answer) = (true, Box::new(whole.clone()));
        progress.tell(ChatEvent::Message { is_final, answer }).await;
        Ok(whole)
    }
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

struct World {
    streams: Streams,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self {
            streams: Streams::default(),
            tracker: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }
    }

    fn begin(&self, id: u128, of: u128, answers: &Slow, stream: bool) -> Reader {
        let ask = Ask {
            user: user(of),
            can_propose: false,
            message: "why?".to_owned(),
            session_id: None,
            engine: None,
            mode: None,
        };
        let begin = Begin {
            id: Uuid::from_u128(id),
            answers: answers.clone(),
            ask,
            stream,
            shutdown: self.shutdown.clone(),
        };
        self.streams.begin(begin, &self.tracker)
    }

    fn resume(&self, of: u128, id: u128, after: usize) -> Option<Reader> {
        self.streams.resume(user(of), Uuid::from_u128(id), after)
    }
}

async fn all(mut reader: Reader) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(text) = reader.next().await {
        events.push(serde_json::from_str(text.as_str()).unwrap());
    }
    events
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_on_without_its_reader() {
    let (world, slow) = (
        World::new(),
        Slow {
            parts: 3,
            ..Slow::default()
        },
    );
    let mut reader = world.begin(7, 1, &slow, true);
    assert!(reader.next().await.is_some());
    drop(reader);
    let events = all(world.resume(1, 7, 1).unwrap()).await;
    assert!(slow.finished.load(Ordering::SeqCst));
    assert_eq!(numbers(&events), [2, 3, 4, 5]);
    assert_eq!(events[3]["content"], "whole");
    // And once more, from the beginning, until its time is over.
    tokio::time::sleep(KEPT_FOR).await;
    assert_eq!(all(world.resume(1, 7, 0).unwrap()).await.len(), 5);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.resume(1, 7, 0).is_none());
}

#[tokio::test(start_paused = true)]
async fn events_are_numbered_from_one_in_each_stream() {
    let world = World::new();
    for id in [7, 8] {
        let events = all(world.begin(id, 1, &Slow::default(), true)).await;
        assert_eq!(numbers(&events), [1, 2]);
        let stream = Uuid::from_u128(id).to_string();
        assert!(events.iter().all(|event| event["stream_id"] == *stream));
    }
    // Who wants the whole alone gets it as the first and last.
    let whole = all(world.begin(
        9,
        1,
        &Slow {
            parts: 2,
            ..Slow::default()
        },
        false,
    ))
    .await;
    assert_eq!(numbers(&whole), [1]);
    assert_eq!(whole[0]["is_final"], true);
}

/// P1-08
#[tokio::test(start_paused = true)]
async fn a_stream_is_its_owners_alone() {
    let world = World::new();
    let _reader = world.begin(7, 1, &Slow::default(), true);
    assert!(world.resume(2, 7, 0).is_none());
    assert!(world.resume(1, 8, 0).is_none());
    assert!(world.resume(1, 7, 0).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded() {
    let world = World::new();
    let of_another = world.begin(1_000, 2, &Slow::default(), true);
    all(of_another).await;
    for id in 0..30 {
        all(world.begin(id, 1, &Slow::default(), true)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let kept = (0..30)
        .filter(|id| world.resume(1, *id, 0).is_some())
        .count();
    assert_eq!(kept, MAX_OF_USER);
    assert!(world.resume(1, 29, 0).is_some());
    assert!(world.resume(2, 1_000, 0).is_some());

    // Thirty users with nearly a megabyte each are more than may lie there.
    let large = Slow {
        parts: 1,
        size: 1_000_000,
        ..Slow::default()
    };
    for id in 0..40 {
        all(world.begin(2_000 + id, 100 + id, &large, true)).await;
    }
    let _one_more = world.begin(3_000, 1, &Slow::default(), true);
    let bytes: usize = world
        .streams
        .lock()
        .values()
        .map(|kept| kept.lock().bytes)
        .sum();
    assert!(bytes <= MAX_BYTES + 1024, "{bytes}");
    assert!(world.resume(139, 2_039, 0).is_some());

    let endless = Slow {
        parts: 1_000,
        size: 100_000,
        ..Slow::default()
    };
    let events = all(world.begin(4_000, 1, &endless, true)).await;
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["code"]),
        (&json!("error"), &json!("internal"))
    );
    assert!(!endless.finished.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_answer_says_so_and_is_over() {
    let (world, slow) = (
        World::new(),
        Slow {
            parts: 5,
            ..Slow::default()
        },
    );
    let mut reader = world.begin(7, 1, &slow, true);
    assert!(reader.next().await.is_some());
    reader.cancel();
    let rest = all(reader).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(
        (&rest[0]["cancelled"], &rest[0]["is_final"]),
        (&json!(true), &json!(true))
    );
    assert!(!slow.finished.load(Ordering::SeqCst));

    // The end of the process ends what is under way, too.
    let reader = world.begin(8, 1, &slow, true);
    world.shutdown.cancel();
    world.tracker.close();
    world.tracker.wait().await;
    assert_eq!(all(reader).await.last().unwrap()["cancelled"], true);
}

struct Panicking;

#[async_trait]
impl Answers for Panicking {
    async fn answer(&self, _: Ask, _: &dyn Progress) -> Result<Answer, ChatError> {
        panic!("planted");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_panics_ends_with_an_error() {
    let world = World::new();
    let ask = Ask {
        user: user(1),
        can_propose: false,
        message: "why?".to_owned(),
        session_id: None,
        engine: None,
        mode: None,
    };
    let begin = Begin {
        id: Uuid::from_u128(7),
        answers: Panicking,
        ask,
        stream: true,
        shutdown: world.shutdown.clone(),
    };
    let events = all(world.streams.begin(begin, &world.tracker)).await;
    assert_eq!((events.len(), &events[0]["type"]), (1, &json!("error")));
}
