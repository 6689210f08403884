//! A fetch that runs, and those who wait for it.
//!
//! 1. `every_waiter_gets_the_one_result`: those who come before the landing, and after it.
//! 2. `a_dropped_waiter_leaves_its_place`: the list is as long as the most waiters at one time.
//! 3. `a_waiter_that_moves_is_woken_where_it_is`: the last waker of a waiter is the one that counts.
//!
//! A list of wakers and not a `Notify`: a waiter is then two words, and needs no room of its own on
//! the heap that would have to be walked to wake it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

/// One result for all who wait.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    /// Set once, before the list is emptied: who finds none under the list's lock is woken later.
    result: OnceLock<T>,
    /// Held for a push or a take; nothing is woken under it.
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    wakers: Vec<Option<Waker>>,
    /// Places in `wakers` whose waiters were dropped.
    free: Vec<usize>,
}

impl<T: Clone> Flight<T> {
    pub(crate) fn new() -> Self {
        Self {
            result: OnceLock::new(),
            waiters: Mutex::default(),
        }
    }

    /// Gives `result` to all who wait and to all who come later; the first result stands.
    pub(crate) fn land(&self, result: T) {
        if self.result.set(result).is_ok() {
            let waiters = std::mem::take(&mut *self.lock());
            waiters.wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }

    /// The result. Cancel safe: a dropped waiter gives its place back.
    pub(crate) fn wait(&self) -> Wait<'_, T> {
        Wait {
            flight: self,
            place: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a flight to land.
pub(crate) struct Wait<'a, T: Clone> {
    flight: &'a Flight<T>,
    /// Where the waker stands, once it was left.
    place: Option<usize>,
}

impl<T: Clone> Future for Wait<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let flight = self.flight;
        if let Some(result) = flight.result.get() {
            return Poll::Ready(result.clone());
        }
        let mut waiters = flight.lock();
        // The result is set before the list is taken, so this look under the lock is the last word.
        if let Some(result) = flight.result.get() {
            return Poll::Ready(result.clone());
        }
        let place = self.place.or_else(|| waiters.free.pop());
        match place.and_then(|place| waiters.wakers.get_mut(place)) {
            Some(Some(waker)) => waker.clone_from(context.waker()),
            Some(empty) => *empty = Some(context.waker().clone()),
            None => waiters.wakers.push(Some(context.waker().clone())),
        }
        self.place = place.or_else(|| waiters.wakers.len().checked_sub(1));
        Poll::Pending
    }
}

impl<T: Clone> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        if let Some(place) = self.place
            && self.flight.result.get().is_none()
        {
            let mut waiters = self.flight.lock();
            // After a landing the list is a new, empty one, and there is nothing to give back.
            if let Some(waker) = waiters.wakers.get_mut(place) {
                *waker = None;
                waiters.free.push(place);
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll(wait: &mut Wait<'_, u32>, bell: &Arc<Bell>) -> Poll<u32> {
        let waker = Arc::clone(bell).into();
        Pin::new(wait).poll(&mut Context::from_waker(&waker))
    }

    #[test]
    fn every_waiter_gets_the_one_result() {
        let (flight, bell) = (Flight::new(), Arc::default());
        let mut before = [flight.wait(), flight.wait()];
        assert!(before.iter_mut().all(|wait| poll(wait, &bell).is_pending()));
        flight.land(7);
        flight.land(8);
        assert_eq!(bell.0.load(Ordering::SeqCst), 2);
        assert!(
            before
                .iter_mut()
                .all(|wait| poll(wait, &bell) == Poll::Ready(7))
        );
        assert_eq!(poll(&mut flight.wait(), &bell), Poll::Ready(7));
    }

    #[test]
    fn a_dropped_waiter_leaves_its_place() {
        let (flight, bell) = (Flight::<u32>::new(), Arc::default());
        let mut stays = flight.wait();
        assert!(poll(&mut stays, &bell).is_pending());
        for _ in 0..1_000 {
            assert!(poll(&mut flight.wait(), &bell).is_pending());
        }
        assert_eq!(flight.lock().wakers.len(), 2);
        flight.land(7);
        assert_eq!(
            bell.0.load(Ordering::SeqCst),
            1,
            "the dropped ones are not woken"
        );
        drop(stays);
        assert!(flight.lock().free.is_empty());
    }

    #[test]
    fn a_waiter_that_moves_is_woken_where_it_is() {
        let (flight, old, new) = (Flight::new(), Arc::default(), Arc::default());
        let mut wait = flight.wait();
        assert!(poll(&mut wait, &old).is_pending() && poll(&mut wait, &new).is_pending());
        flight.land(7);
        assert_eq!(
            (old.0.load(Ordering::SeqCst), new.0.load(Ordering::SeqCst)),
            (0, 1)
        );
    }

    #[test]
    fn no_waiter_misses_a_landing_on_another_thread() {
        for round in 0..2_000 {
            let flight = Flight::new();
            std::thread::scope(|scope| {
                scope.spawn(|| flight.land(round));
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                assert_eq!(runtime.block_on(flight.wait()), round);
            });
        }
    }
}
