//! The one place that decides whether, when and how often the engine is asked.
//!
//! What holds for every call, in this order:
//! - An open breaker turns it away at once ([`GatewayError::CircuitOpen`]); nothing is sent.
//! - It takes a place of the bulkhead, or waits for one in a bounded queue; a full queue is
//!   [`GatewayError::Busy`]. A place is held while a call is out, not while it waits to be repeated.
//! - Each attempt has its own time limit, and all of them, with queueing and waiting, have one
//!   together.
//! - A read is repeated at most twice, only after faults that pass ([`Failure::passes`]), only while
//!   the budget lasts, after a wait of full jitter that is not shorter than the engine asked for.
//! - A write is sent once, whatever comes.
//!
//! Time comes from the clock of the configuration and from Tokio's timers, chance from a seed.

mod breaker;
mod budget;
mod bulkhead;
mod jitter;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use resync_kernel::{Clock, Monotonic};
use resync_tws::model::EngineName;
use resync_tws::ports::GatewayError;
use tokio::time::{sleep, timeout};

use self::breaker::{Breaker, BreakerPolicy, Phase};
use self::budget::RetryBudget;
use self::bulkhead::Bulkhead;
use self::jitter::Jitter;
use crate::failure::Failure;

pub(crate) use self::breaker::Verdict;

/// The most retries of one read, whatever the configuration says.
const MAX_RETRIES: u32 = 2;
/// The longest wait that an engine may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// With less time than this left there is no further attempt.
const LEAST_ATTEMPT: Duration = Duration::from_millis(50);
/// What a caller is told to wait when the bulkhead is full.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// How much an engine is asked, and how patiently.
///
/// The limits nest: connecting (2 s) within an attempt (10 s) within a call (15 s), which should end
/// before the request it serves does (25 s).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one attempt of a read. 10 s; held to the time of the whole call.
    pub attempt: Duration,
    /// How often a read is repeated at most. 2, and never more.
    pub retries: u32,
    /// Calls to the engine at once. 16, at least 1.
    pub concurrent: usize,
    /// Callers that may wait for their turn. 64.
    pub queue: usize,
    /// How long they may wait. 3 s; held to the time of the whole call.
    pub queue_wait: Duration,
    /// Failures in a row that open the breaker. 5, at least 1.
    pub breaker_failures: u32,
    /// How long the breaker stays open the first time. 10 s; it doubles with each failed probe.
    pub breaker_pause: Duration,
    /// The longest that it stays open. 30 s.
    pub breaker_longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            retries: MAX_RETRIES,
            concurrent: 16,
            queue: 64,
            queue_wait: Duration::from_secs(3),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(10),
            breaker_longest_pause: Duration::from_secs(30),
        }
    }
}

/// What the breaker of an engine does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// Calls are turned away.
    Open {
        /// How long still.
        remaining: Duration,
    },
    /// One call is out to see whether the engine is back; the others are turned away.
    HalfOpen,
}

/// How calls to one engine fare, as `/readyz` and the metrics show it. A snapshot: the figures are
/// taken one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHealth {
    /// Whether calls go out.
    pub breaker: BreakerState,
    /// Transport failures, 5xx and unreadable answers since the last good one.
    pub consecutive_failures: u32,
    /// Calls that are out.
    pub in_flight: usize,
    /// Callers that wait for their turn.
    pub queued: usize,
    /// Retries that the budget still allows.
    pub retry_budget: u32,
    /// Attempts that were made, retries included, since the client was built.
    pub attempts_total: u64,
    /// Retries among them.
    pub retries_total: u64,
    /// Attempts that failed in a way that counts for the breaker.
    pub failures_total: u64,
    /// Calls that the breaker turned away.
    pub turned_away_total: u64,
    /// Calls that found the bulkhead full.
    pub rejected_total: u64,
    /// How often the breaker opened.
    pub opened_total: u64,
    /// The last answer about our credentials was that they are wrong. For an alarm: an engine may
    /// lock an account that goes on trying.
    pub credentials_refused: bool,
    /// When the engine last answered, to the millisecond.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When it last failed.
    pub last_failure_at: Option<DateTime<Utc>>,
}

/// An instant that many may set; 0 is never, since no engine answered in 1970.
#[derive(Debug, Default)]
struct Stamp(AtomicI64);

impl Stamp {
    fn set(&self, at: DateTime<Utc>) {
        self.0.store(at.timestamp_millis(), Ordering::Relaxed);
    }

    fn get(&self) -> Option<DateTime<Utc>> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            millis => DateTime::from_timestamp_millis(millis),
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    attempts: AtomicU64,
    retries: AtomicU64,
    failures: AtomicU64,
    turned_away: AtomicU64,
    rejected: AtomicU64,
    opened: AtomicU64,
    refused: AtomicBool,
    last_success: Stamp,
    last_failure: Stamp,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Whether a 401 deserves one more attempt: a token may have just been renewed, a password not, and
/// trying it again may lock the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRefusal {
    AskOnceMore,
    GiveUp,
}

/// The guard of one engine.
pub(crate) struct Guard {
    engine: EngineName,
    total: Duration,
    limits: Limits,
    clock: Arc<dyn Clock>,
    breaker: Breaker,
    bulkhead: Bulkhead,
    budget: RetryBudget,
    jitter: Jitter,
    counters: Counters,
}

impl Guard {
    pub(crate) fn new(
        engine: EngineName,
        total: Duration,
        limits: Limits,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> Self {
        Self {
            breaker: Breaker::new(BreakerPolicy {
                failures: limits.breaker_failures.max(1),
                pause: limits.breaker_pause,
                longest_pause: limits.breaker_longest_pause.max(limits.breaker_pause),
            }),
            bulkhead: Bulkhead::new(limits.concurrent, limits.queue),
            budget: RetryBudget::default(),
            jitter: Jitter::new(seed),
            counters: Counters::default(),
            engine,
            total,
            limits,
            clock,
        }
    }

    /// How calls fare.
    pub(crate) fn health(&self) -> ClientHealth {
        let (phase, consecutive_failures) = self.breaker.look();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClientHealth {
            breaker: match phase {
                Phase::Closed => BreakerState::Closed,
                Phase::Open { until } => BreakerState::Open {
                    remaining: until - self.clock.monotonic(),
                },
                Phase::HalfOpen => BreakerState::HalfOpen,
            },
            consecutive_failures,
            in_flight: self.bulkhead.in_flight(),
            queued: self.bulkhead.queued(),
            retry_budget: self.budget.left(),
            attempts_total: load(&self.counters.attempts),
            retries_total: load(&self.counters.retries),
            failures_total: load(&self.counters.failures),
            turned_away_total: load(&self.counters.turned_away),
            rejected_total: load(&self.counters.rejected),
            opened_total: load(&self.counters.opened),
            credentials_refused: self.counters.refused.load(Ordering::Relaxed),
            last_success_at: self.counters.last_success.get(),
            last_failure_at: self.counters.last_failure.get(),
        }
    }

    /// A read: `attempt` is called as often as the rules above allow, each time with the failure before.
    ///
    /// Cancel safe: a dropped read leaves its place and, when it was the probe, hands that over.
    pub(crate) async fn read<T, F>(
        &self,
        on_refusal: OnRefusal,
        mut attempt: impl FnMut(Option<&Failure>) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = self.clock.monotonic() + self.total;
        self.budget.earn();
        let mut asked_once_more = on_refusal == OnRefusal::GiveUp;
        let mut retries = 0;
        let mut before: Option<Failure> = None;
        loop {
            let next = || attempt(before.as_ref());
            let failure = match self.once(deadline, self.limits.attempt, next).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            if failure.is_refusal() && !asked_once_more {
                asked_once_more = true;
                before = Some(failure);
                continue;
            }
            if !failure.passes() || retries >= self.limits.retries.min(MAX_RETRIES) {
                return Err(failure);
            }
            let Some(wait) = self.wait_before_retry(&failure, retries + 1, deadline) else {
                return Err(failure);
            };
            retries += 1;
            count(&self.counters.retries);
            tracing::debug!(engine.name = %self.engine, retries,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "asks again");
            before = Some(failure);
            sleep(wait).await;
        }
    }

    /// A write: `attempt` runs once at most.
    ///
    /// A dropped write may or may not have been sent.
    pub(crate) async fn write<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let deadline = self.clock.monotonic() + self.total;
        self.once(deadline, self.total, || attempt).await
    }

    /// How long to wait before asking again, none when it makes no sense: the breaker has opened, the
    /// engine asked for more patience than there is time, or the budget is spent.
    fn wait_before_retry(
        &self,
        failure: &Failure,
        retries: u32,
        deadline: Monotonic,
    ) -> Option<Duration> {
        let now = self.clock.monotonic();
        let asked_for = failure.retry_after().unwrap_or_default();
        let wait = self.jitter.wait(retries).max(asked_for);
        let in_time = asked_for <= LONGEST_RETRY_AFTER && wait + LEAST_ATTEMPT < deadline - now;
        (in_time && self.breaker.turned_away(now).is_none() && self.budget.spend()).then_some(wait)
    }

    async fn once<T, F>(
        &self,
        deadline: Monotonic,
        limit: Duration,
        attempt: impl FnOnce() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let turned_away = |retry_after| {
            count(&self.counters.turned_away);
            Failure::NotSent(GatewayError::CircuitOpen { retry_after })
        };
        // Before queueing, so that a hanging engine does not hold up those who could be told at once.
        if let Some(wait) = self.breaker.turned_away(self.clock.monotonic()) {
            return Err(turned_away(wait));
        }
        let patience = self
            .limits
            .queue_wait
            .min(deadline - self.clock.monotonic());
        let Ok(place) = self.bulkhead.enter(patience).await else {
            count(&self.counters.rejected);
            return Err(Failure::NotSent(GatewayError::Busy {
                retry_after: Some(FULL_WAIT),
            }));
        };
        let now = self.clock.monotonic();
        let pass = self.breaker.enter(now).map_err(turned_away)?;
        count(&self.counters.attempts);
        let left = deadline - now;
        // What is said is the limit that was set, not what was left of it.
        let (time, said) = if limit < left {
            (limit, limit)
        } else {
            (left, self.total)
        };
        // A connection that is not made yet has carried nothing, but from here that cannot be seen,
        // so the cautious reading is taken.
        let end = timeout(time, attempt())
            .await
            .unwrap_or(Err(Failure::Unanswered(GatewayError::TimedOut(said))));
        drop(place);
        self.record(pass, end.as_ref().err());
        end
    }

    fn record(&self, pass: breaker::Pass<'_>, failure: Option<&Failure>) {
        let verdict = failure.map_or(Verdict::Answered, Failure::verdict);
        match verdict {
            Verdict::Answered => self.counters.last_success.set(self.clock.now()),
            Verdict::Failed => {
                count(&self.counters.failures);
                self.counters.last_failure.set(self.clock.now());
            }
            Verdict::Unknown => {}
        }
        match pass.tell(verdict, self.clock.monotonic()) {
            Some(Phase::Open { .. }) => {
                count(&self.counters.opened);
                tracing::warn!(engine.name = %self.engine, "the engine is not asked for a while");
            }
            Some(Phase::Closed) => {
                tracing::info!(engine.name = %self.engine, "the engine answers again");
            }
            Some(Phase::HalfOpen) | None => {}
        }
        if failure.is_some_and(Failure::is_refusal) {
            if !self.counters.refused.swap(true, Ordering::Relaxed) {
                tracing::error!(engine.name = %self.engine,
                    "the engine refuses Resync's credentials; it may lock the account");
            }
        } else if verdict == Verdict::Answered
            && self.counters.refused.swap(false, Ordering::Relaxed)
        {
            tracing::info!(engine.name = %self.engine, "the engine takes Resync's credentials again");
        }
    }
}

#[cfg(test)]
mod tests;
