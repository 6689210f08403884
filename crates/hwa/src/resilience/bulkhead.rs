//! How many calls one engine is asked at once, and how many may wait for their turn.
//!
//! 1. `no_more_than_so_many_run`: the calls that are out never exceed their limit.
//! 2. `a_full_queue_turns_away_at_once`: who finds it full does not wait at all.
//! 3. `waiting_has_an_end`: after the wait limit a caller is told that it is full.
//! 4. `a_dropped_caller_gives_its_place_back`: dropped in the queue or while it runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Every place is taken, and so is the queue, or the wait was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The places of one engine.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    places: Semaphore,
    limit: usize,
    queue: usize,
    /// Only counted, so no order of memory is needed.
    waiting: AtomicUsize,
}

impl Bulkhead {
    pub(crate) fn new(limit: usize, queue: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Semaphore::new(limit),
            limit,
            queue,
            waiting: AtomicUsize::new(0),
        }
    }

    /// A place, at once or after at most `wait`. Cancel safe: a dropped caller leaves the queue.
    pub(crate) async fn enter(&self, wait: Duration) -> Result<SemaphorePermit<'_>, Full> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let _queued = self.queue_up().ok_or(Full)?;
        match tokio::time::timeout(wait, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed, so the inner error cannot come.
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }

    fn queue_up(&self) -> Option<Queued<'_>> {
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.queue).then(|| waiting + 1)
            })
            .ok()
            .map(|_| Queued(self))
    }

    /// Calls that are out.
    pub(crate) fn in_flight(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }

    /// Callers that wait.
    pub(crate) fn queued(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

struct Queued<'a>(&'a Bulkhead);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    use super::*;

    const WAIT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_run() {
        let bulkhead = Arc::new(Bulkhead::new(3, 64));
        let mut calls = JoinSet::new();
        for _ in 0..12 {
            let bulkhead = Arc::clone(&bulkhead);
            calls.spawn(async move {
                let _place = bulkhead.enter(WAIT).await?;
                assert!(bulkhead.in_flight() <= 3);
                sleep(Duration::from_millis(300)).await;
                Ok::<_, Full>(())
            });
        }
        while let Some(end) = calls.join_next().await {
            assert_eq!(end.unwrap(), Ok(()));
        }
        assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_turns_away_at_once() {
        let bulkhead = Bulkhead::new(1, 1);
        let place = bulkhead.enter(WAIT).await.unwrap();
        let started = Instant::now();
        let (second, third) = tokio::join!(bulkhead.enter(WAIT), async {
            let third = bulkhead.enter(WAIT).await;
            assert_eq!(started.elapsed(), Duration::ZERO);
            drop(place);
            third.map(drop)
        });
        assert!(second.is_ok());
        assert_eq!(third, Err(Full));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end() {
        let bulkhead = Bulkhead::new(1, 1);
        let _place = bulkhead.enter(WAIT).await.unwrap();
        let started = Instant::now();
        assert_eq!(bulkhead.enter(WAIT).await.map(drop), Err(Full));
        assert_eq!(started.elapsed(), WAIT);
        assert_eq!(bulkhead.queued(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_caller_gives_its_place_back() {
        let bulkhead = Bulkhead::new(1, 1);
        let place = bulkhead.enter(WAIT).await.unwrap();
        let gone = tokio::time::timeout(Duration::from_millis(10), bulkhead.enter(WAIT)).await;
        assert!(gone.is_err());
        assert_eq!(bulkhead.queued(), 0);
        drop(place);
        assert!(bulkhead.enter(Duration::ZERO).await.is_ok());
        assert_eq!(bulkhead.in_flight(), 0);
    }
}
