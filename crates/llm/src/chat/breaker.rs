//! A model that fails again and again is left alone for a while.
//!
//! 1. `after_failures_in_a_row_it_rests`: [`FAILURES`] of them, for [`REST`]; one success begins anew.
//! 2. `after_the_rest_one_call_tries`: the others go on resting until it has ended.
//! 3. `a_call_that_is_given_up_decides_nothing`: it makes place for the next try.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row before the rest.
pub(super) const FAILURES: u32 = 3;
/// How long it is left alone.
pub(super) const REST: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Plain state; no await is made under it.
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    failures: u32,
    rests_until: Option<Instant>,
    trying: bool,
}

/// Leave to call. Dropped without a word, it decides nothing.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    breaker: &'a Breaker,
    tries: bool,
}

impl Breaker {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Leave to call now, or none while it rests.
    pub(super) fn leave(&self) -> Option<Leave<'_>> {
        let tries = self.with(|state| match state.rests_until {
            None => Some(false),
            Some(until) if Instant::now() >= until && !state.trying => {
                state.trying = true;
                Some(true)
            }
            Some(_) => None,
        })?;
        Some(Leave {
            breaker: self,
            tries,
        })
    }

    /// Whether calls go out to it, without the one that tries.
    pub(super) fn is_closed(&self) -> bool {
        self.with(|state| state.rests_until.is_none())
    }
}

impl Leave<'_> {
    pub(super) fn succeeded(self) {
        self.breaker.with(|state| {
            state.failures = 0;
            state.rests_until = None;
        });
    }

    pub(super) fn failed(self) {
        self.breaker.with(|state| {
            state.failures = state.failures.saturating_add(1);
            if state.failures >= FAILURES {
                state.rests_until = Some(Instant::now() + REST);
            }
        });
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.breaker.with(|state| state.trying = false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resting() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.leave().unwrap().failed();
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn after_failures_in_a_row_it_rests() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.leave().unwrap().failed();
            breaker.leave().unwrap().failed();
            breaker.leave().unwrap().succeeded();
        }
        assert!(breaker.is_closed());
        let breaker = resting();
        assert!(breaker.leave().is_none() && !breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_rest_one_call_tries() {
        let breaker = resting();
        tokio::time::advance(REST).await;
        let tries = breaker.leave().unwrap();
        assert!(breaker.leave().is_none());
        tries.failed();
        assert!(breaker.leave().is_none());
        tokio::time::advance(REST).await;
        breaker.leave().unwrap().succeeded();
        assert!(breaker.leave().is_some() && breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_decides_nothing() {
        let breaker = resting();
        tokio::time::advance(REST).await;
        drop(breaker.leave().unwrap());
        assert!(breaker.leave().is_some());
    }
}
