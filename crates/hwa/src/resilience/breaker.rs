//! The circuit breaker of one engine: plain state behind one mutex, no `async`, no clock of its own.
//!
//! 1. `it_opens_after_so_many_failures_in_a_row`: a success in between starts the count anew.
//! 2. `of_many_at_once_one_probes`: while it is half open, exactly one call goes out.
//! 3. `an_abandoned_probe_hands_over`: a probe that is dropped leaves the next caller to probe.
//! 4. `a_late_answer_changes_nothing`: what began before a change of state does not decide after it.
//! 5. `any_order_of_events_keeps_the_laws`: it never lets a call through before its time, and a
//!    success of the probe always closes it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use resync_kernel::Monotonic;

/// How a call ended, as far as the engine's health goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The engine answered, be it with a refusal.
    Answered,
    /// No connection, no answer in time, 5xx, or bytes that are no answer.
    Failed,
    /// Nothing can be said: it was not sent, or nobody waited for it.
    Unknown,
}

/// What the breaker does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Every call goes out.
    Closed,
    /// No call goes out until then; the first one after it is the probe.
    Open { until: Monotonic },
    /// The probe is out.
    HalfOpen,
}

/// When to open, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BreakerPolicy {
    /// This many failures in a row open it.
    pub(crate) failures: u32,
    /// The first pause; it doubles with each probe that fails.
    pub(crate) pause: Duration,
    /// The longest pause.
    pub(crate) longest_pause: Duration,
}

/// What a caller that is turned away is told while a probe is out.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// Before any time that is asked for.
const START: Monotonic = Monotonic::from_start(Duration::ZERO);

#[derive(Debug)]
struct State {
    phase: Phase,
    failures: u32,
    pause: Duration,
    /// Grows with each change of phase, so that a late verdict is known for one.
    epoch: u64,
}

/// The breaker of one engine.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    /// Guards the four fields together; held for a few lines, never across an await.
    state: Mutex<State>,
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Closed,
                failures: 0,
                pause: policy.pause,
                epoch: 0,
            }),
            policy,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Each change leaves the state whole, so a panic elsewhere under the lock spoils nothing.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long a call would be turned away, without entering.
    pub(crate) fn turned_away(&self, now: Monotonic) -> Option<Duration> {
        self.with(|state| turned_away(state, now))
    }

    /// Lets a call out, or tells how long none goes out.
    pub(crate) fn enter(&self, now: Monotonic) -> Result<Pass<'_>, Duration> {
        self.with(|state| {
            if let Some(wait) = turned_away(state, now) {
                return Err(wait);
            }
            if state.phase != Phase::Closed {
                state.phase = Phase::HalfOpen;
                state.epoch += 1;
            }
            Ok(Pass {
                breaker: self,
                epoch: state.epoch,
                told: false,
            })
        })
    }

    /// The phase and the failures in a row.
    pub(crate) fn look(&self) -> (Phase, u32) {
        self.with(|state| (state.phase, state.failures))
    }

    /// Records a verdict. Gives the phase when it changed.
    fn record(&self, epoch: u64, verdict: Verdict, now: Option<Monotonic>) -> Option<Phase> {
        self.with(|state| {
            if state.epoch != epoch {
                return None;
            }
            let before = state.phase;
            match (state.phase, verdict) {
                (Phase::Closed, Verdict::Unknown) | (Phase::Open { .. }, _) => {}
                (_, Verdict::Answered) => {
                    state.phase = Phase::Closed;
                    state.failures = 0;
                    state.pause = self.policy.pause;
                }
                (Phase::Closed, Verdict::Failed) => {
                    state.failures = state.failures.saturating_add(1);
                    if state.failures >= self.policy.failures
                        && let Some(now) = now
                    {
                        state.phase = Phase::Open {
                            until: now + state.pause,
                        };
                    }
                }
                (Phase::HalfOpen, Verdict::Failed) => {
                    state.failures = state.failures.saturating_add(1);
                    state.pause = (state.pause * 2).min(self.policy.longest_pause);
                    state.phase = Phase::Open {
                        until: now.unwrap_or(START) + state.pause,
                    };
                }
                // The next caller probes at once.
                (Phase::HalfOpen, Verdict::Unknown) => {
                    state.phase = Phase::Open { until: START };
                }
            }
            (state.phase != before).then(|| {
                state.epoch += 1;
                state.phase
            })
        })
    }
}

fn turned_away(state: &State, now: Monotonic) -> Option<Duration> {
    match state.phase {
        Phase::Open { until } if now < until => Some(until - now),
        Phase::Closed | Phase::Open { .. } => None,
        Phase::HalfOpen => Some(PROBE_WAIT),
    }
}

/// A call that the breaker let out. Dropped without a verdict, it says nothing of the engine.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    epoch: u64,
    told: bool,
}

impl Pass<'_> {
    /// How the call ended. Gives the new phase when that changed it.
    pub(crate) fn tell(mut self, verdict: Verdict, now: Monotonic) -> Option<Phase> {
        self.told = true;
        self.breaker.record(self.epoch, verdict, Some(now))
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.record(self.epoch, Verdict::Unknown, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use proptest::prelude::*;

    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 5,
        pause: Duration::from_secs(10),
        longest_pause: Duration::from_secs(30),
    };

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn fail(breaker: &Breaker, now: Monotonic) {
        breaker.enter(now).unwrap().tell(Verdict::Failed, now);
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(POLICY);
        for _ in 0..5 {
            fail(&breaker, at(100));
        }
        breaker
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row() {
        let breaker = Breaker::new(POLICY);
        for _ in 0..4 {
            fail(&breaker, at(0));
        }
        breaker.enter(at(0)).unwrap().tell(Verdict::Answered, at(0));
        for _ in 0..4 {
            fail(&breaker, at(0));
        }
        assert_eq!(breaker.look(), (Phase::Closed, 4));
        fail(&breaker, at(0));
        assert_eq!(breaker.look(), (Phase::Open { until: at(10) }, 5));
        assert_eq!(breaker.enter(at(3)).unwrap_err(), Duration::from_secs(7));
    }

    #[test]
    fn a_success_of_the_probe_closes_it() {
        let breaker = opened();
        let probe = breaker.enter(at(110)).unwrap();
        assert_eq!(breaker.look().0, Phase::HalfOpen);
        assert_eq!(breaker.enter(at(110)).unwrap_err(), PROBE_WAIT);
        assert_eq!(probe.tell(Verdict::Answered, at(111)), Some(Phase::Closed));
        assert_eq!(breaker.look(), (Phase::Closed, 0));
    }

    #[test]
    fn each_probe_that_fails_doubles_the_pause_up_to_its_limit() {
        let breaker = opened();
        let mut now = at(110);
        for pause in [20, 30, 30] {
            fail(&breaker, now);
            let until = now + Duration::from_secs(pause);
            assert_eq!(breaker.look().0, Phase::Open { until });
            now = until;
        }
    }

    #[test]
    fn of_many_at_once_one_probes() {
        for _ in 0..200 {
            let (breaker, barrier) = (opened(), Barrier::new(4));
            let out = std::sync::atomic::AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        barrier.wait();
                        if let Ok(pass) = breaker.enter(at(200)) {
                            out.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            // Kept until the others have tried.
                            barrier.wait();
                            drop(pass);
                        } else {
                            barrier.wait();
                        }
                    });
                }
            });
            assert_eq!(out.into_inner(), 1);
        }
    }

    #[test]
    fn an_abandoned_probe_hands_over() {
        let breaker = opened();
        drop(breaker.enter(at(110)).unwrap());
        assert_eq!(breaker.turned_away(at(110)), None);
        assert!(breaker.enter(at(110)).is_ok());
    }

    #[test]
    fn a_late_answer_changes_nothing() {
        let breaker = Breaker::new(POLICY);
        let (late_success, late_failure) =
            (breaker.enter(at(0)).unwrap(), breaker.enter(at(0)).unwrap());
        for _ in 0..5 {
            fail(&breaker, at(0));
        }
        late_success.tell(Verdict::Answered, at(1));
        assert_eq!(breaker.look().0, Phase::Open { until: at(10) });
        let probe = breaker.enter(at(10)).unwrap();
        late_failure.tell(Verdict::Failed, at(11));
        assert_eq!(breaker.look().0, Phase::HalfOpen);
        probe.tell(Verdict::Answered, at(12));
        assert_eq!(breaker.look(), (Phase::Closed, 0));
    }

    proptest! {
        /// Calls begin and end in any order, at any time, in any way.
        #[test]
        fn any_order_of_events_keeps_the_laws(
            events in proptest::collection::vec((0_u8..5, 0_u64..15, 0_usize..6), 1..200),
        ) {
            let breaker = Breaker::new(POLICY);
            let mut passes: Vec<Pass<'_>> = Vec::new();
            let mut now = at(0);
            for (event, seconds, which) in events {
                now = now + Duration::from_secs(seconds);
                let (before, _) = breaker.look();
                match event {
                    0 | 1 => match breaker.enter(now) {
                        Ok(pass) => {
                            let in_time = match before {
                                Phase::Closed => true,
                                Phase::Open { until } => now >= until,
                                Phase::HalfOpen => false,
                            };
                            prop_assert!(in_time);
                            passes.push(pass);
                        }
                        Err(wait) => {
                            prop_assert!(before != Phase::Closed);
                            prop_assert!(wait > Duration::ZERO && wait <= POLICY.longest_pause);
                        }
                    },
                    _ if passes.is_empty() => {}
                    2 | 3 => {
                        let pass = passes.swap_remove(which % passes.len());
                        let probe = before == Phase::HalfOpen && pass.epoch == breaker.with(|s| s.epoch);
                        let verdict = if event == 2 { Verdict::Answered } else { Verdict::Failed };
                        pass.tell(verdict, now);
                        let (after, failures) = breaker.look();
                        if probe && event == 2 {
                            prop_assert_eq!((after, failures), (Phase::Closed, 0));
                        }
                        if after == Phase::Closed {
                            prop_assert!(failures < POLICY.failures);
                        }
                    }
                    _ => drop(passes.swap_remove(which % passes.len())),
                }
            }
            // However it went, the engine is asked again within the longest pause.
            drop(passes);
            prop_assert!(breaker.enter(now + POLICY.longest_pause).is_ok());
        }
    }
}
