//! Answers to questions that came over a WebSocket, kept so that a client whose connection broke can
//! read on.
//!
//! 1. `an_answer_goes_on_without_its_reader`, and can be read again for five minutes after its end.
//! 2. `events_are_numbered_from_one_in_each_stream`: a reader that was at a number goes on behind it.
//! 3. `a_stream_is_its_owners_alone`: for everybody else it is not there (P1-08).
//! 4. `what_is_kept_is_bounded`: of those that ended the oldest go, by number and by bytes; a stream
//!    that would be larger than [`MAX_STREAM_BYTES`] is broken off. Those under way are bounded by the
//!    limit on asking.
//! 5. `a_cancelled_answer_says_so_and_is_over`.
//!
//! They are kept by the process that answers: another replica does not know them, and the client
//! reads the history there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::ws::Utf8Bytes;
use resync_chat::{Ask, ChatEvent, Progress};
use resync_kernel::UserId;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use super::connection::problem_event;
use crate::chat::telling::Answers;
use crate::problem::Problem;

/// How long an answer can be read after its end.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// Ended streams of one user at most.
const MAX_OF_USER: usize = 16;
/// Bytes of all ended streams at most.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of one stream at most.
const MAX_STREAM_BYTES: usize = 1024 * 1024;

/// The streams of this process. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    // Guards a map of a few hundred entries for a few instructions; no await is made under it.
    kept: Arc<Mutex<HashMap<Uuid, Arc<Kept>>>>,
}

/// One answer, under way or ended.
#[derive(Debug)]
struct Kept {
    id: Uuid,
    owner: UserId,
    /// Only the last event is wanted.
    quiet: bool,
    // Guards the events; no await is made under it.
    said: Mutex<Said>,
    news: Notify,
    cancel: CancellationToken,
}

#[derive(Debug, Default)]
struct Said {
    events: Vec<Utf8Bytes>,
    bytes: usize,
    too_large: bool,
    ended: Option<Instant>,
}

/// The last event of an answer that was cancelled.
pub(super) fn cancelled() -> Value {
    json!({"type": "message", "is_final": true, "cancelled": true, "content": ""})
}

struct Ending(Arc<Kept>);

impl Drop for Ending {
    fn drop(&mut self) {
        if self.0.ended().is_none() {
            self.0.end(Some(problem_event(&Problem::internal())));
        }
    }
}

/// A place in a stream, behind the events that were read.
#[derive(Debug)]
pub(crate) struct Reader {
    kept: Arc<Kept>,
    at: usize,
}

/// How an answer is begun.
pub(crate) struct Begin<A> {
    pub(crate) id: Uuid,
    pub(crate) answers: A,
    pub(crate) ask: Ask,
    /// Every event is wanted, not only the whole answer.
    pub(crate) stream: bool,
    /// Ends all answers.
    pub(crate) shutdown: CancellationToken,
}

impl Streams {
    /// Begins an answer in a task of `tracker`; it goes on when the reader is dropped.
    pub(crate) fn begin<A: Answers>(&self, begin: Begin<A>, tracker: &TaskTracker) -> Reader {
        let kept = Arc::new(Kept {
            id: begin.id,
            owner: begin.ask.user,
            quiet: !begin.stream,
            said: Mutex::default(),
            news: Notify::new(),
            cancel: begin.shutdown.child_token(),
        });
        self.make_room(kept.owner);
        self.lock().insert(kept.id, Arc::clone(&kept));
        let telling = Arc::clone(&kept);
        let task = async move {
            // Also a panic ends the stream.
            let _ending = Ending(Arc::clone(&telling));
            let answered = tokio::select! {
                biased;
                () = telling.cancel.cancelled() => None,
                answered = begin.answers.answer(begin.ask, &*telling) => Some(answered),
            };
            match answered {
                Some(Ok(_)) => telling.end(None),
                Some(Err(error)) => telling.end(Some(problem_event(&error.into()))),
                None if telling.lock().too_large => {
                    let problem = Problem::internal().detail("the answer is too large to be sent");
                    telling.end(Some(problem_event(&problem)));
                }
                None => telling.end(Some(cancelled())),
            }
        };
        tracker.spawn(task.in_current_span());
        Reader { kept, at: 0 }
    }

    /// The stream of that user behind its first `after` events; `None` when there is none.
    pub(crate) fn resume(&self, owner: UserId, id: Uuid, after: usize) -> Option<Reader> {
        let kept = self.lock().get(&id).cloned()?;
        let over = kept.ended().is_some_and(|at| at.elapsed() > KEPT_FOR);
        (kept.owner == owner && !over).then_some(Reader { kept, at: after })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is past its time and, oldest first, what is over a bound.
    fn make_room(&self, owner: UserId) {
        let mut all = self.lock();
        all.retain(|_, kept| kept.ended().is_none_or(|at| at.elapsed() <= KEPT_FOR));
        let mut ended: Vec<(Instant, Uuid, UserId, usize)> = all
            .values()
            .filter_map(|kept| {
                let said = kept.lock();
                Some((said.ended?, kept.id, kept.owner, said.bytes))
            })
            .collect();
        ended.sort_by_key(|one| one.0);
        let mut own = ended.iter().filter(|one| one.2 == owner).count();
        let mut bytes: usize = ended.iter().map(|one| one.3).sum();
        for (_, id, of, size) in ended {
            let too_many = of == owner && own >= MAX_OF_USER;
            if too_many || bytes > MAX_BYTES {
                all.remove(&id);
                own -= usize::from(of == owner);
                bytes -= size;
            }
        }
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> Option<Instant> {
        self.lock().ended
    }

    fn say(&self, event: Value) {
        let mut said = self.lock();
        if said.bytes > MAX_STREAM_BYTES {
            said.too_large = true;
            drop(said);
            self.cancel.cancel();
            return;
        }
        self.add(&mut said, event);
        drop(said);
        self.news.notify_waiters();
    }

    fn add(&self, said: &mut Said, mut event: Value) {
        if let Some(object) = event.as_object_mut() {
            object.insert("stream_id".to_owned(), self.id.to_string().into());
            object.insert("seq".to_owned(), (said.events.len() + 1).into());
        }
        let text = Utf8Bytes::from(event.to_string());
        said.bytes += text.len();
        said.events.push(text);
    }

    fn end(&self, last: Option<Value>) {
        let mut said = self.lock();
        if let Some(last) = last {
            self.add(&mut said, last);
        }
        said.ended = Some(Instant::now());
        drop(said);
        self.news.notify_waiters();
    }
}

#[async_trait]
impl Progress for Kept {
    async fn tell(&self, event: ChatEvent) {
        let event = match event {
            // The socket's contract has no such event.
            ChatEvent::Step { .. } => return,
            ChatEvent::Message { is_final, answer } => {
                let text = answer.answer.clone();
                serde_json::to_value(answer).map(|mut message| {
                    if let Some(object) = message.as_object_mut() {
                        object.insert("type".to_owned(), json!("message"));
                        object.insert("is_final".to_owned(), json!(is_final));
                        object.insert("content".to_owned(), json!(text));
                    }
                    message
                })
            }
            ChatEvent::StreamStart { .. }
            | ChatEvent::Stream { .. }
            | ChatEvent::Citation { .. }
            | ChatEvent::Proposal { .. }
                if self.quiet =>
            {
                return;
            }
            event => serde_json::to_value(event),
        };
        match event {
            Ok(event) => self.say(event),
            Err(error) => self.say(problem_event(&Problem::internal().caused_by(error))),
        }
    }
}

impl Reader {
    /// The stream's id.
    pub(crate) fn id(&self) -> Uuid {
        self.kept.id
    }

    /// Ends the answer; its last event says so.
    pub(crate) fn cancel(&self) {
        self.kept.cancel.cancel();
    }

    /// The next event, `None` behind the last one.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Utf8Bytes> {
        loop {
            let news = self.kept.news.notified();
            let mut news = std::pin::pin!(news);
            // From here on no news is missed.
            news.as_mut().enable();
            {
                let said = self.kept.lock();
                if let Some(event) = said.events.get(self.at) {
                    self.at += 1;
                    return Some(event.clone());
                }
                if said.ended.is_some() {
                    return None;
                }
            }
            news.await;
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
