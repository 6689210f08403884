//! Who works on a document, and what becomes of it when that ends.
//!
//! Invariants:
//! - One task of a process works on a document at a time, and of all processes the one that has
//!   claimed it. The claim is renewed while the work goes on; who loses it stops.
//! - A document that was stored ends in a final stage unless it is deleted: what cannot get on is
//!   deferred and tried again, and what a dead process left is free when its claim is over.
//! - Deletion stops the work, here at once, elsewhere as soon as the feed or the store says so.

use std::time::Duration;

use chrono::TimeDelta;
use resync_kernel::BoxError;
use tokio_util::sync::CancellationToken;

use super::upload::UploadError;
use super::{KnowledgeError, KnowledgeService, Trouble};
use crate::model::DocumentId;
use crate::ports::DocumentRepositoryError;

/// How long a claim lasts; a dead process's document is taken up after this time.
const LEASE: Duration = Duration::from_mins(1);
/// How often a claim is renewed: twice before it could be lost, with room for clocks that differ.
const RENEW: Duration = Duration::from_secs(20);
/// The first wait before another try; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait before another try.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Why the work on a document ended before its end.
pub(super) enum Ended {
    /// The document is gone, or another worker has it.
    Lost,
    /// The process is going down.
    Closing,
    /// The document itself cannot be processed; the reason is for the person who uploaded it.
    Document(String),
    /// Something that is needed is away: the same will work later.
    Later { why: &'static str, source: BoxError },
}

fn why(error: &DocumentRepositoryError) -> &'static str {
    match error {
        DocumentRepositoryError::Full(_) => "the store has no room left",
        DocumentRepositoryError::Unavailable(_) | DocumentRepositoryError::Corrupt { .. } => {
            "the store failed"
        }
    }
}

impl From<DocumentRepositoryError> for Ended {
    fn from(error: DocumentRepositoryError) -> Self {
        Self::Later {
            why: why(&error),
            source: Box::new(error),
        }
    }
}

impl From<KnowledgeError> for Ended {
    fn from(error: KnowledgeError) -> Self {
        Self::Later {
            why: "the search index failed",
            source: Box::new(error),
        }
    }
}

impl KnowledgeService {
    /// A place among the documents under way, given back when dropped.
    pub(super) fn reserve(&self, id: DocumentId) -> Result<Flight, UploadError> {
        let mut work = self.work();
        if work.flights.len() >= self.inner.parts.config.max_pending
            || work.flights.contains_key(&id)
        {
            return Err(UploadError::Busy);
        }
        let stop = CancellationToken::new();
        work.flights.insert(id, stop.clone());
        drop(work);
        Ok(Flight {
            id,
            stop,
            service: self.clone(),
        })
    }

    /// Stops this process's work on a document that is gone.
    pub(super) fn stop_work(&self, id: DocumentId) {
        let mut work = self.work();
        work.troubles.remove(&id);
        if let Some(stop) = work.flights.get(&id) {
            stop.cancel();
        }
    }

    /// Tells who waits that some document got on.
    pub(super) fn moved(&self) {
        self.inner.settled.send_modify(|count| *count += 1);
    }

    pub(super) fn process_in_background(&self, flight: Flight) {
        let service = self.clone();
        let tasks = &self.inner.parts.tasks;
        tasks.spawn(async move { service.process(&flight).await });
    }

    /// Takes up documents that nobody works on, as many as there is room for.
    pub(super) async fn sweep(&self) -> Result<(), KnowledgeError> {
        let now = self.inner.parts.clock.now();
        let limit = u32::try_from(self.inner.parts.config.max_pending).unwrap_or(u32::MAX);
        for id in self.documents().claimable(now, limit).await? {
            if self.inner.parts.tasks.is_closed() {
                break;
            }
            // One that is reserved already is under way.
            if let Ok(flight) = self.reserve(id) {
                self.process_in_background(flight);
            }
        }
        Ok(())
    }

    /// Works on one document until it is ready, has failed, or must wait.
    #[tracing::instrument(name = "rag.process", skip_all, fields(document.id = %flight.id))]
    async fn process(&self, flight: &Flight) {
        let id = flight.id;
        let working = async {
            let _permit = self.inner.workers.acquire().await.map_err(closed)?;
            // The index knows how much room there is.
            self.load_quietly().await?;
            if !self.claim(id).await? {
                return Err(Ended::Lost);
            }
            self.while_claimed(id, self.run_steps(id)).await
        };
        let outcome = tokio::select! {
            biased;
            () = flight.stop.cancelled() => Err(Ended::Lost),
            outcome = working => outcome,
        };
        self.conclude(id, outcome).await;
    }

    /// Loads the index without waiting for documents to be taken up, of which this is one.
    async fn load_quietly(&self) -> Result<(), KnowledgeError> {
        Box::pin(self.load()).await
    }

    pub(super) async fn claim(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        let now = self.inner.parts.clock.now();
        let until = now + LEASE;
        self.documents()
            .claim(id, self.inner.worker, now, until)
            .await
    }

    /// Runs `work` as long as the claim on the document can be renewed.
    pub(super) async fn while_claimed<T>(
        &self,
        id: DocumentId,
        work: impl Future<Output = Result<T, Ended>>,
    ) -> Result<T, Ended> {
        let renewing = async {
            loop {
                tokio::time::sleep(RENEW).await;
                match self.claim(id).await {
                    Ok(true) => {}
                    Ok(false) => return Ended::Lost,
                    // The claim holds for some time yet.
                    Err(error) => {
                        tracing::warn!(error = %error, "a claim could not be renewed");
                    }
                }
            }
        };
        tokio::select! {
            biased;
            outcome = work => outcome,
            lost = renewing => Err(lost),
        }
    }

    /// What becomes of the document.
    async fn conclude(&self, id: DocumentId, outcome: Result<(), Ended>) {
        let worker = self.inner.worker;
        let ended = match outcome {
            Ok(()) | Err(Ended::Lost) => {
                self.work().troubles.remove(&id);
                return;
            }
            Err(ended) => ended,
        };
        let stored = match ended {
            Ended::Lost => return,
            Ended::Closing => {
                let now = self.inner.parts.clock.now();
                self.documents().defer(id, worker, now, None).await
            }
            Ended::Document(reason) => {
                tracing::warn!(reason, "a document could not be processed");
                self.work().troubles.remove(&id);
                self.documents().fail(id, worker, &reason).await
            }
            Ended::Later { why, source } => {
                tracing::warn!(error = %source, why, "a document waits for another try");
                let wait = self.troubled(id, why);
                let until = self.inner.parts.clock.now() + wait;
                let waiting = Some(format!("{why}; it is tried again"));
                self.documents().defer(id, worker, until, waiting).await
            }
        };
        if let Err(error) = stored {
            tracing::error!(error = %error, "what became of a document could not be stored");
            self.troubled(id, why(&error));
        }
    }

    /// Notes that a document could not get on, and says how long to wait.
    fn troubled(&self, id: DocumentId, why: &str) -> TimeDelta {
        let mut work = self.work();
        let trouble = work.troubles.entry(id).or_insert_with(|| Trouble {
            times: 0,
            why: String::new(),
        });
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(trouble.times));
        trouble.times = trouble.times.saturating_add(1);
        why.clone_into(&mut trouble.why);
        TimeDelta::from_std(wait.min(LONGEST_WAIT)).unwrap_or(TimeDelta::MAX)
    }
}

fn closed(error: tokio::sync::AcquireError) -> Ended {
    Ended::Later {
        why: "the process is going down",
        source: Box::new(error),
    }
}

/// A document that a task of this process works on.
pub(super) struct Flight {
    pub(super) id: DocumentId,
    stop: CancellationToken,
    service: KnowledgeService,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.service.work().flights.remove(&self.id);
        self.service.moved();
    }
}
