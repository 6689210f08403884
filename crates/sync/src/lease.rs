//! A lease on a name: work that one replica at a time does.
//!
//! 1. `one_holds_a_name`: of those who ask at once, one.
//! 2. `a_lease_goes_on_to_the_next`: given back, or left by a holder that died, at its time to live.
//! 3. `a_later_holder_has_a_greater_number`: [`Lease::fencing`] grows, so that a write of an earlier holder
//!    can be told from one of a later.
//! 4. `a_lease_is_kept_as_long_as_it_is_held`: it is renewed unasked.
//! 5. A holder that cannot renew learns that it may have lost before another can hold: see [`Lease::lost`].
//! 6. `work_is_done_by_one_and_handed_over`, `without_the_store_each_does_it`: what [`lead`] does.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::BoxError;
use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The store of leases did not answer.
#[derive(Debug, Error)]
#[error("leases cannot be had")]
pub struct LeaseError(#[source] pub BoxError);

/// Where leases are had. The laws are in `contract::lease`.
#[async_trait]
pub trait Leases: Send + Sync {
    /// The lease on `name`, or `None` while another has it. It is renewed until it is dropped; should its
    /// holder die, it ends after `ttl` (a second at least). Cancel safe: a lease that is had and not handed
    /// out ends by itself.
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LeaseError>;
}

/// A lease that is held. Dropped, it is given back.
#[must_use = "a lease that is dropped is given back"]
pub struct Lease {
    fencing: u64,
    lost: CancellationToken,
    // Tells the one who renews that the holder is gone.
    _held: DropGuard,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("fencing", &self.fencing)
            .field("lost", &self.lost.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl Lease {
    /// A lease of that number. `lost` is cancelled by its store when it may be over; `held` is cancelled
    /// when the lease is dropped, for the store to give it back.
    pub fn new(fencing: u64, lost: CancellationToken, held: CancellationToken) -> Self {
        Self {
            fencing,
            lost,
            _held: held.drop_guard(),
        }
    }

    /// Greater than that of every earlier holder of the name, as long as the store forgets nothing.
    #[must_use]
    pub fn fencing(&self) -> u64 {
        self.fencing
    }

    /// Cancelled when another may hold the lease, within its time to live after the last renewal.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

/// Leases among those who share this process, who end together.
#[derive(Clone, Default)]
pub struct InProcessLeases(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    /// The numbers of leases that are held; a lease whose token is cancelled was dropped.
    held: HashMap<String, CancellationToken>,
    last: u64,
}

impl InProcessLeases {
    // Held for a few lines.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Leases for InProcessLeases {
    async fn acquire(&self, name: &str, _ttl: Duration) -> Result<Option<Lease>, LeaseError> {
        let mut table = self.table();
        if table
            .held
            .get(name)
            .is_some_and(|held| !held.is_cancelled())
        {
            return Ok(None);
        }
        let held = CancellationToken::new();
        table.held.insert(name.to_owned(), held.clone());
        table.last += 1;
        Ok(Some(Lease::new(table.last, CancellationToken::new(), held)))
    }
}

/// Does `work` while the lease on `name` is held, again and again until the end. `work` runs until its
/// token is cancelled, and gets one that is when the lease is lost or the end has come.
///
/// While the store of leases cannot be reached, it runs, too: so `work` must be such that several may do it
/// at once, and the lease spares them that. Another that holds the lease ends it again.
pub async fn lead<F, Fut>(
    leases: &dyn Leases,
    name: &str,
    ttl: Duration,
    until: CancellationToken,
    work: F,
) where
    F: Fn(CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    while !until.is_cancelled() {
        match leases.acquire(name, ttl).await {
            Ok(Some(lease)) => {
                let end = until.child_token();
                let running = work(end.clone());
                tokio::pin!(running);
                tokio::select! {
                    () = &mut running => {}
                    () = lease.lost().cancelled() => {
                        end.cancel();
                        running.await;
                    }
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    lease.name = name,
                    "without a lease each replica does this work itself"
                );
                alone(leases, name, ttl, &until, &work).await;
                continue;
            }
        }
        tokio::select! {
            () = until.cancelled() => {}
            () = sleep(ttl / 2) => {}
        }
    }
}

/// Does the work without a lease, until one can be asked for again.
async fn alone<F, Fut>(
    leases: &dyn Leases,
    name: &str,
    ttl: Duration,
    until: &CancellationToken,
    work: &F,
) where
    F: Fn(CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    let end = until.child_token();
    let running = work(end.clone());
    tokio::pin!(running);
    let reachable = async {
        loop {
            sleep(ttl / 2).await;
            if let Ok(lease) = leases.acquire(name, ttl).await {
                // Given back at once, to be asked for in order.
                return drop(lease);
            }
        }
    };
    tokio::select! {
        () = &mut running => {}
        () = reachable => {
            end.cancel();
            running.await;
        }
    }
}

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tokio::task::JoinSet;

    const TTL: Duration = Duration::from_secs(2);

    /// Leases that can be out of reach.
    #[derive(Clone, Default)]
    struct Reachable {
        leases: InProcessLeases,
        away: Arc<AtomicBool>,
    }

    #[async_trait]
    impl Leases for Reachable {
        async fn acquire(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, LeaseError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(LeaseError("away".into()));
            }
            self.leases.acquire(name, ttl).await
        }
    }

    /// Replicas that do work, and how many do it at the moment.
    struct Crew {
        leases: Reachable,
        at_work: Arc<AtomicUsize>,
        tasks: JoinSet<()>,
    }

    impl Crew {
        fn new() -> Self {
            Self {
                leases: Reachable::default(),
                at_work: Arc::default(),
                tasks: JoinSet::new(),
            }
        }

        fn join(&mut self) -> CancellationToken {
            let until = CancellationToken::new();
            let (leases, at_work, end) = (
                self.leases.clone(),
                Arc::clone(&self.at_work),
                until.clone(),
            );
            self.tasks.spawn(async move {
                lead(&leases, "work", TTL, end, |end| {
                    let at_work = Arc::clone(&at_work);
                    async move {
                        at_work.fetch_add(1, Ordering::SeqCst);
                        end.cancelled().await;
                        at_work.fetch_sub(1, Ordering::SeqCst);
                    }
                })
                .await;
            });
            until
        }

        async fn at_work(&self) -> usize {
            sleep(2 * TTL).await;
            self.at_work.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_done_by_one_and_handed_over() {
        let mut crew = Crew::new();
        let ends = [crew.join(), crew.join(), crew.join()];
        assert_eq!(crew.at_work().await, 1);
        for (end, left) in ends.iter().zip([1, 1, 0]) {
            end.cancel();
            assert_eq!(crew.at_work().await, left);
        }
        crew.tasks.join_all().await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_store_each_does_it() {
        let mut crew = Crew::new();
        crew.leases.away.store(true, Ordering::SeqCst);
        let ends = [crew.join(), crew.join()];
        assert_eq!(crew.at_work().await, 2);
        crew.leases.away.store(false, Ordering::SeqCst);
        assert_eq!(crew.at_work().await, 1);
        crew.leases.away.store(true, Ordering::SeqCst);
        assert_eq!(crew.at_work().await, 2, "the holder, and who cannot ask");
        ends.iter().for_each(CancellationToken::cancel);
        assert_eq!(crew.at_work().await, 0);
        crew.tasks.join_all().await;
    }
}
