//! What other replicas changed, as the database tells it with each commit.
//!
//! Triggers of the schema send a notice (`NOTIFY`) in the transaction of the change, so that a notice
//! comes exactly when its change was committed. One connection beside the pool listens.
//!
//! Invariants:
//! - A notice comes after the commits before it: the server delivers them in the order of the commits.
//!   The listener sends itself a notice every 300 ms, and when it comes back, every change that was
//!   committed before it was sent has been heard of.
//! - When no such notice, sent less than a second ago, has come back, changes are not being followed and
//!   [`PgNotices::generation`] is `None`: the connection is gone, the server is silent, or a proxy that
//!   pools transactions has the session that listens.
//! - After a gap every channel has a new generation before it is followed again, since what was sent
//!   meanwhile is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use resync_kernel::{Clock, Monotonic};
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{PgDatabase, PgError};

/// How often the listener sends itself a notice.
const BEAT_EVERY: Duration = Duration::from_millis(300);
/// How long ago the last one that came back may have been sent.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long connecting, and then sending a notice, may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The first and the longest wait before another try.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PgChannel {
    /// `resync_auth`: what may be remembered of a user, a session or an API key is wrong now.
    Auth,
    /// `resync_engines`: an engine was added, changed or removed.
    Engines,
    /// `resync_documents`: the feed of documents has something new: one got ready, or is gone.
    Documents,
}

impl PgChannel {
    const ALL: [Self; 3] = [Self::Auth, Self::Engines, Self::Documents];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "resync_auth",
            Self::Engines => "resync_engines",
            Self::Documents => "resync_documents",
        }
    }
}

/// The generations of the channels. It follows nothing until [`PgNotices::run`] runs.
pub struct PgNotices {
    database: PgDatabase,
    clock: Arc<dyn Clock>,
    auth: watch::Sender<u64>,
    engines: watch::Sender<u64>,
    documents: watch::Sender<u64>,
    /// When the newest notice to itself that came back was sent, in milliseconds of the monotonic clock,
    /// plus one; zero while nothing is followed.
    heard_ms: AtomicU64,
}

/// What one connection did before it was lost.
#[derive(Default)]
struct Heard {
    /// Whether the gap before it is closed.
    anything: bool,
}

impl fmt::Debug for PgNotices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgNotices")
            .field("following", &self.is_following())
            .finish_non_exhaustive()
    }
}

impl PgNotices {
    /// The notices of `database`.
    #[must_use]
    pub fn new(database: PgDatabase, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            auth: watch::Sender::new(0),
            engines: watch::Sender::new(0),
            documents: watch::Sender::new(0),
            heard_ms: AtomicU64::new(0),
        }
    }

    const fn channel(&self, channel: PgChannel) -> &watch::Sender<u64> {
        match channel {
            PgChannel::Auth => &self.auth,
            PgChannel::Engines => &self.engines,
            PgChannel::Documents => &self.documents,
        }
    }

    /// Another value after each change on `channel`, our own included, and after each time that changes
    /// were not being followed. Changes that follow each other closely may show as one. Who waits for it
    /// looks at its subject once more, whatever changed.
    ///
    /// ```no_run
    /// # async fn example(notices: &resync_postgres::PgNotices) {
    /// let mut engines = notices.watch(resync_postgres::PgChannel::Engines);
    /// while engines.changed().await.is_ok() {
    ///     // read the engines again
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn watch(&self, channel: PgChannel) -> watch::Receiver<u64> {
        self.channel(channel).subscribe()
    }

    /// The value of [`PgNotices::watch`] now; `None` while changes are not being followed. Cheap.
    #[must_use]
    pub fn generation(&self, channel: PgChannel) -> Option<u64> {
        self.is_following().then(|| *self.channel(channel).borrow())
    }

    /// Whether every change that was committed a second ago or earlier has been heard of.
    #[must_use]
    pub fn is_following(&self) -> bool {
        let Some(heard) = self.heard_ms.load(Ordering::SeqCst).checked_sub(1) else {
            return false;
        };
        let heard = Monotonic::from_start(Duration::from_millis(heard));
        self.clock.monotonic() - heard < GOOD_FOR
    }

    /// Listens until the end, and connects again by itself.
    ///
    /// Cancel safe: dropped, it follows nothing from a second later on.
    pub async fn run(&self, until: CancellationToken) {
        let [first, longest] = RETRY;
        let mut wait = first;
        let mut fails = false;
        loop {
            let mut heard = Heard::default();
            let lost = tokio::select! {
                () = until.cancelled() => None,
                error = self.follow(&mut heard) => Some(error),
            };
            self.heard_ms.store(0, Ordering::SeqCst);
            let Some(error) = lost else { return };
            if heard.anything {
                (wait, fails) = (first, false);
            }
            if !fails {
                fails = true;
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "changes of the database are not being followed; each request asks it"
                );
            }
            tokio::select! {
                () = until.cancelled() => return,
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(longest);
        }
    }

    /// Listens on one connection until it is lost, and says why.
    async fn follow(&self, heard: &mut Heard) -> PgError {
        // A pool of its own, for the library's listener takes its connection from one.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER_WITHIN)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(self.database.options().clone());
        let Err(error) = self.follow_on(&pool, heard).await;
        error
    }

    async fn follow_on(
        &self,
        pool: &PgPool,
        heard: &mut Heard,
    ) -> Result<std::convert::Infallible, PgError> {
        let silent = |_elapsed| PgError::TimedOut(ANSWER_WITHIN);
        let mut listener = PgListener::connect_with(pool)
            .await
            .map_err(PgError::Connect)?;
        listener.eager_reconnect(false);
        let beat = format!("resync_beat_{}", Uuid::now_v7().simple());
        let names = PgChannel::ALL.map(PgChannel::name);
        let channels = names.into_iter().chain([beat.as_str()]);
        timeout(ANSWER_WITHIN, listener.listen_all(channels))
            .await
            .map_err(silent)??;
        let mut tick = interval(BEAT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    let at = self.clock.monotonic().millis().to_string();
                    let beats = sqlx::query("SELECT pg_notify($1, $2)")
                        .bind(&beat)
                        .bind(at)
                        .execute(&mut listener);
                    timeout(ANSWER_WITHIN, beats).await.map_err(silent)??;
                }
                notice = listener.try_recv() => {
                    let Some(notice) = notice? else {
                        return Err(PgError::Connect(sqlx::Error::Protocol(
                            "the connection that listens was lost".to_owned(),
                        )));
                    };
                    if notice.channel() == beat {
                        self.came_back(notice.payload(), heard);
                    } else {
                        self.changed(notice.channel());
                    }
                }
            }
        }
    }

    /// A notice to itself came back: all before it has been heard of.
    fn came_back(&self, sent: &str, heard: &mut Heard) {
        let Ok(sent) = sent.parse::<u64>() else {
            return;
        };
        if !heard.anything {
            heard.anything = true;
            for channel in PgChannel::ALL {
                self.bump(channel);
            }
            tracing::info!("changes of the database are being followed");
        }
        self.heard_ms
            .store(sent.saturating_add(1), Ordering::SeqCst);
    }

    fn changed(&self, name: &str) {
        for channel in PgChannel::ALL {
            if channel.name() == name {
                self.bump(channel);
            }
        }
    }

    fn bump(&self, channel: PgChannel) {
        self.channel(channel)
            .send_modify(|generation| *generation = generation.wrapping_add(1));
    }
}
