//! An answer that is told while it is made.
//!
//! 1. `a_client_that_hangs_up_ends_its_answer`: with the reader goes the answer, and a turn that was
//!    not whole is in no history.
//! 2. `a_reader_that_does_not_read_ends_its_own_answer`: what waits to be read is bounded, and who does
//!    not read for the send timeout is let go (P2-06).
//! 3. `what_cannot_be_answered_is_told_before_anything_else`.

use std::time::Duration;

use async_trait::async_trait;
use resync_chat::{Answer, Ask, ChatError, ChatEvent, Progress};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::problem::Problem;

/// Events that may wait for a reader.
const WAITING: usize = 32;

/// What a reader hears.
#[derive(Debug)]
pub(crate) enum Told {
    /// The next event; the last one holds the whole answer.
    Event(ChatEvent),
    /// There is no answer; nothing was told before and nothing follows.
    Failed(Problem),
}

/// Who answers.
#[async_trait]
pub(crate) trait Answers: Send + Sync + 'static {
    async fn answer(&self, ask: Ask, progress: &dyn Progress) -> Result<Answer, ChatError>;
}

#[async_trait]
impl Answers for resync_chat::ChatService {
    async fn answer(&self, ask: Ask, progress: &dyn Progress) -> Result<Answer, ChatError> {
        self.ask_telling(ask, progress).await
    }
}

/// An answer under way. Dropping it ends the answer.
#[derive(Debug)]
pub(crate) struct Telling {
    events: mpsc::Receiver<Told>,
}

impl Telling {
    /// Begins an answer in a task of `tracker`; a reader may keep it waiting for `patience`.
    pub(crate) fn begin(
        answers: impl Answers,
        ask: Ask,
        patience: Duration,
        tracker: &TaskTracker,
    ) -> Self {
        let (to, events) = mpsc::channel(WAITING);
        let telling = async move {
            let reader = Reader {
                to: to.clone(),
                patience,
                gone: CancellationToken::new(),
            };
            let answered = tokio::select! {
                biased;
                () = to.closed() => return,
                () = reader.gone.cancelled() => return,
                answered = answers.answer(ask, &reader) => answered,
            };
            if let Err(error) = answered {
                reader.pass(Told::Failed(error.into())).await;
            }
        };
        tracker.spawn(telling.in_current_span());
        Self { events }
    }

    /// The next event; `None` when there is none left, also when the answer was broken off.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        self.events.recv().await
    }

    /// The first event, which says that there will be an answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn first(&mut self) -> Result<ChatEvent, Problem> {
        match self.next().await {
            Some(Told::Event(event)) => Ok(event),
            Some(Told::Failed(problem)) => Err(problem),
            None => Err(Problem::internal().caused_by("the answer was broken off")),
        }
    }
}

struct Reader {
    to: mpsc::Sender<Told>,
    patience: Duration,
    gone: CancellationToken,
}

impl Reader {
    async fn pass(&self, told: Told) {
        match timeout(self.patience, self.to.send(told)).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => self.gone.cancel(),
            Err(_elapsed) => {
                tracing::info!("an answer was given up: its reader does not read");
                self.gone.cancel();
            }
        }
    }
}

#[async_trait]
impl Progress for Reader {
    async fn tell(&self, event: ChatEvent) {
        self.pass(Told::Event(event)).await;
        if self.gone.is_cancelled() {
            // The answer is dropped where it waits; it must not go on until then.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use resync_kernel::UserId;
    use uuid::Uuid;

    use super::*;

    fn ask() -> Ask {
        Ask {
            user: UserId(Uuid::nil()),
            can_propose: false,
            message: "why?".to_owned(),
            session_id: None,
            engine: None,
            mode: None,
        }
    }

    const PATIENCE: Duration = Duration::from_secs(5);

    /// Tells without end, and notes how often and that it was dropped.
    #[derive(Default, Clone)]
    struct Endless {
        told: Arc<AtomicUsize>,
        dropped: Arc<AtomicBool>,
    }

    struct OnDrop(Arc<AtomicBool>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[async_trait]
    impl Answers for Endless {
        async fn answer(&self, _: Ask, progress: &dyn Progress) -> Result<Answer, ChatError> {
            let _noted = OnDrop(self.dropped.clone());
            loop {
                let delta = "a".to_owned();
                progress.tell(ChatEvent::Stream { delta }).await;
                self.told.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_hangs_up_ends_its_answer() {
        let (endless, tracker) = (Endless::default(), TaskTracker::new());
        let mut telling = Telling::begin(endless.clone(), ask(), PATIENCE, &tracker);
        assert!(telling.first().await.is_ok());
        drop(telling);
        tracker.close();
        tracker.wait().await;
        assert!(endless.dropped.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_read_ends_its_own_answer() {
        let (endless, tracker) = (Endless::default(), TaskTracker::new());
        let begun = tokio::time::Instant::now();
        let _unread = Telling::begin(endless.clone(), ask(), PATIENCE, &tracker);
        tracker.close();
        tracker.wait().await;
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(endless.told.load(Ordering::SeqCst), WAITING);
        assert!(endless.dropped.load(Ordering::SeqCst));
    }

    struct Refusing;

    #[async_trait]
    impl Answers for Refusing {
        async fn answer(&self, _: Ask, _: &dyn Progress) -> Result<Answer, ChatError> {
            Err(ChatError::UnknownSession)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_answered_is_told_before_anything_else() {
        let tracker = TaskTracker::new();
        let mut telling = Telling::begin(Refusing, ask(), PATIENCE, &tracker);
        assert_eq!(telling.first().await.unwrap_err().code(), "unknown-session");
        assert!(telling.next().await.is_none());
    }
}
