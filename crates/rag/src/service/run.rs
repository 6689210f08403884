//! What goes on beside the requests.
//!
//! Invariants:
//! - What another process did is seen here within one interval, or at once by a nudge.
//! - A store that is away is said once, and looked at again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resync_kernel::Monotonic;
use tokio_util::sync::CancellationToken;

use super::{KnowledgeError, KnowledgeService};

/// Removals are forgotten when they are this old: every process that lives has seen them.
const REMEMBERED: Duration = Duration::from_hours(1);
/// How often it is looked for removals to forget.
const TRIM_EVERY: Duration = Duration::from_mins(10);

impl KnowledgeService {
    /// Follows what other processes do to the store, takes up documents that nobody works on, and
    /// makes vectors of the present model for documents that lack them, until `until`.
    ///
    /// Cancel safe: dropping it ends it between two of its steps.
    pub async fn run(&self, until: CancellationToken) {
        let mut background = Background::default();
        loop {
            match self.look(&mut background).await {
                Ok(()) if background.failing => {
                    background.failing = false;
                    tracing::info!("the knowledge store answers again");
                }
                Err(error) if !background.failing => {
                    background.failing = true;
                    tracing::error!(error = %error, "the knowledge store cannot be followed");
                }
                Ok(()) | Err(_) => {}
            }
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.inner.nudged.notified() => {}
                () = tokio::time::sleep(self.inner.parts.config.poll) => {}
            }
        }
    }

    /// Makes [`KnowledgeService::run`] look at once, for a store that can tell of changes.
    pub fn nudge(&self) {
        self.inner.nudged.notify_one();
    }

    async fn look(&self, background: &mut Background) -> Result<(), KnowledgeError> {
        self.load().await?;
        if !background.reembedded {
            background.reembedded = true;
            self.reembed();
        }
        let now = self.inner.parts.clock.monotonic();
        // Who has not looked for so long may have missed removals that were forgotten meanwhile.
        let missed = background
            .looked
            .is_some_and(|at| now - at > REMEMBERED / 2);
        if missed {
            self.rebuild().await?;
        } else {
            self.catch_up().await?;
        }
        background.looked = Some(now);
        self.sweep().await?;
        self.trim(background, now).await
    }

    async fn trim(
        &self,
        background: &mut Background,
        now: Monotonic,
    ) -> Result<(), KnowledgeError> {
        if background
            .seen
            .back()
            .is_some_and(|(at, _)| now - *at < TRIM_EVERY)
        {
            return Ok(());
        }
        let seq = self.inner.followed.load(Ordering::Acquire);
        background.seen.push_back((now, seq));
        let mut old = None;
        while let Some((at, seq)) = background.seen.front().copied() {
            if now - at < REMEMBERED {
                break;
            }
            old = Some(seq);
            background.seen.pop_front();
        }
        if let Some(seq) = old {
            self.documents().trim_changes(seq).await?;
        }
        Ok(())
    }
}

/// What [`KnowledgeService::run`] remembers.
#[derive(Default)]
struct Background {
    /// Whether the last look failed.
    failing: bool,
    /// Whether vectors of another model were looked for.
    reembedded: bool,
    /// When the feed was last followed.
    looked: Option<Monotonic>,
    /// How far the feed was at some times, at most an hour's worth.
    seen: VecDeque<(Monotonic, u64)>,
}
