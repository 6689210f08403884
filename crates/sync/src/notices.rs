//! What one replica tells the others: short notices, each heard at most once.
//!
//! 1. `a_notice_reaches_every_other_replica`, in the order of its teller, and not the teller itself.
//! 2. `who_was_cut_off_is_told_that_something_is_missing`: after a pause in hearing comes [`Heard::Gap`],
//!    and [`NoticeBus::hearing`] gives another number than before.
//! 3. `a_slow_listener_is_told_that_something_is_missing`, and holds nobody up.
//!
//! A notice is a hint and no record: who must know everything reads the store after a gap.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::BoxError;
use thiserror::Error;
use tokio::sync::broadcast;

/// How many notices a listener may be behind.
const BEHIND: usize = 256;

/// What one replica tells the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about, such as `cache.invalidated`.
    pub topic: String,
    /// What it says, as the topic has it; short.
    pub body: String,
}

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Another replica's notice.
    Notice(Notice),
    /// Notices may be missing before what follows.
    Gap,
}

/// The notice did not get out, or it is not known whether it did.
#[derive(Debug, Error)]
#[error("the other replicas could not be told")]
pub struct NoticeError(#[source] pub BoxError);

/// Tells and hears. The laws are in `contract::notices`.
#[async_trait]
pub trait NoticeBus: Send + Sync {
    /// Tells the other replicas. Cancel safe: a dropped call has told all or nobody.
    async fn publish(&self, notice: &Notice) -> Result<(), NoticeError>;

    /// What is heard from now on.
    fn subscribe(&self) -> Notices;

    /// The number of this unbroken time of hearing; `None` while nothing is heard. Asks nobody.
    fn hearing(&self) -> Option<NonZeroU64>;

    /// How long after notices stop coming [`Self::hearing`] says so, at the latest.
    fn notices_loss_within(&self) -> Duration;
}

/// What a listener has not yet heard.
#[derive(Debug)]
pub struct Notices(broadcast::Receiver<Heard>);

impl Notices {
    /// The next thing to hear; `None` once the bus is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(heard) => Some(heard),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Heard::Gap),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// The listeners of one replica, for a bus to tell.
pub struct Listeners {
    sender: broadcast::Sender<Heard>,
    /// The number of this time of hearing; zero while nothing is heard.
    hearing: AtomicU64,
    /// How many times of hearing there were.
    times: AtomicU64,
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("hearing", &self.hearing())
            .finish_non_exhaustive()
    }
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(BEHIND),
            hearing: AtomicU64::new(0),
            times: AtomicU64::new(0),
        }
    }
}

impl Listeners {
    /// Another listener.
    #[must_use]
    pub fn subscribe(&self) -> Notices {
        Notices(self.sender.subscribe())
    }

    /// As [`NoticeBus::hearing`].
    #[must_use]
    pub fn hearing(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.hearing.load(Ordering::Acquire))
    }

    /// A notice came.
    pub fn tell(&self, notice: Notice) {
        self.send(Heard::Notice(notice));
    }

    /// From here on every notice comes; those before may not have.
    pub fn hears(&self) {
        let number = self.times.fetch_add(1, Ordering::Relaxed) + 1;
        self.hearing.store(number, Ordering::Release);
        self.send(Heard::Gap);
    }

    /// From here on notices may not come.
    pub fn deaf(&self) {
        self.hearing.store(0, Ordering::Release);
    }

    fn send(&self, heard: Heard) {
        // An error says that nobody listens, which is nobody's loss.
        let (Ok(_) | Err(_)) = self.sender.send(heard);
    }
}

/// Replicas in one process: each has a bus, and what one tells the others hear at once.
#[derive(Debug, Clone, Default)]
pub struct InProcessHub(Arc<std::sync::Mutex<Vec<Arc<Listeners>>>>);

impl InProcessHub {
    /// The bus of another replica; it hears.
    #[must_use]
    pub fn join(&self) -> InProcessBus {
        let own = Arc::new(Listeners::default());
        own.hears();
        self.all().push(Arc::clone(&own));
        InProcessBus {
            hub: self.clone(),
            own,
        }
    }

    // Held for a line.
    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Listeners>>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The bus of one of several replicas in this process.
#[derive(Debug, Clone)]
pub struct InProcessBus {
    hub: InProcessHub,
    own: Arc<Listeners>,
}

impl InProcessBus {
    /// Cuts this replica off, as a lost connection does: it hears nothing and reaches nobody.
    pub fn cut_off(&self) {
        self.own.deaf();
    }

    /// Lets it hear again.
    pub fn rejoin(&self) {
        self.own.hears();
    }
}

#[async_trait]
impl NoticeBus for InProcessBus {
    async fn publish(&self, notice: &Notice) -> Result<(), NoticeError> {
        if self.own.hearing().is_none() {
            return Err(NoticeError("this replica is cut off".into()));
        }
        let others = self.hub.all().clone();
        let others = others.iter().filter(|other| !Arc::ptr_eq(other, &self.own));
        for other in others.filter(|other| other.hearing().is_some()) {
            other.tell(notice.clone());
        }
        Ok(())
    }

    fn subscribe(&self) -> Notices {
        self.own.subscribe()
    }

    fn hearing(&self) -> Option<NonZeroU64> {
        self.own.hearing()
    }

    fn notices_loss_within(&self) -> Duration {
        Duration::ZERO
    }
}
