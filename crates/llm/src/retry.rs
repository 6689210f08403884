//! Trying again: growing pauses with jitter, within a deadline.
//!
//! 1. `a_passing_failure_is_tried_again_with_growing_pauses`
//! 2. `a_lasting_failure_is_not_tried_again`
//! 3. `the_deadline_ends_a_try_and_the_pauses`
//! 4. `what_the_server_asks_for_is_waited_for`

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::call::CallError;

/// How tries are paced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The first pause; each next one is twice as long.
    pub(crate) first: Duration,
    /// No pause of ours is longer.
    pub(crate) longest: Duration,
}

impl Pace {
    /// The pause after failure number `failures` (1, 2, …): the last half of it by chance, so that
    /// callers who failed together do not come back together.
    fn pause(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
        let whole = self.first.saturating_mul(doubled.unwrap_or(u32::MAX));
        let whole = whole.min(self.longest);
        let mut chance = [0];
        // Without chance the pause is whole.
        let share = getrandom::fill(&mut chance).map_or(u8::MAX, |()| chance[0]);
        whole / 2 + whole / 2 * u32::from(share) / u32::from(u8::MAX)
    }
}

/// What a call brings, tried again while its failure may pass and the deadline allows; otherwise
/// the last failure.
///
/// Cancel safe: dropping it drops the try that runs.
pub(crate) async fn retried<T, F: Future<Output = Result<T, CallError>>>(
    pace: Pace,
    deadline: Instant,
    mut call: impl FnMut() -> F,
) -> Result<T, CallError> {
    let mut failures = 0;
    loop {
        let failure = match timeout_at(deadline, call()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(failure)) => failure,
            Err(_) => return Err(CallError::Deadline),
        };
        failures += 1;
        let pause = match &failure {
            CallError::Busy { retry_after, .. } => {
                pace.pause(failures).max(retry_after.unwrap_or_default())
            }
            CallError::Away(_) => pace.pause(failures),
            _ => return Err(failure),
        };
        if Instant::now() + pause >= deadline {
            return Err(failure);
        }
        tracing::warn!(
            failures,
            pause_ms = pause.as_millis(),
            reason = %failure,
            "the model server failed; it is asked again"
        );
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(5),
    };

    fn busy(retry_after: Option<Duration>) -> CallError {
        CallError::Busy {
            status: 503,
            retry_after,
        }
    }

    /// Fails with `failure` until a time after the start; tells when each try was.
    async fn tries(
        until: Duration,
        deadline: Duration,
        failure: impl Fn() -> CallError,
    ) -> (Result<(), CallError>, Vec<Duration>) {
        let start = Instant::now();
        let mut at = Vec::new();
        let end = retried(PACE, start + deadline, || {
            at.push(start.elapsed());
            let failed = start.elapsed() < until;
            std::future::ready(if failed { Err(failure()) } else { Ok(()) })
        })
        .await;
        (end, at)
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_tried_again_with_growing_pauses() {
        let second = Duration::from_secs(1);
        let (end, at) = tries(20 * second, 60 * second, || busy(None)).await;
        end.unwrap();
        let pauses: Vec<_> = at
            .windows(2)
            .map(|pair| pair[1].checked_sub(pair[0]).unwrap())
            .collect();
        assert!(pauses.len() >= 6, "{pauses:?}");
        for (failures, pause) in (1..).zip(&pauses) {
            let whole = (PACE.first * 2_u32.pow(failures - 1)).min(PACE.longest);
            assert!(
                (whole / 2..=whole + Duration::from_millis(2)).contains(pause),
                "{pauses:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_failure_is_not_tried_again() {
        let minute = Duration::from_mins(1);
        let (end, at) = tries(minute, minute, || CallError::Refused { status: 401 }).await;
        assert!(matches!(end, Err(CallError::Refused { status: 401 })));
        assert_eq!(at.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_a_try_and_the_pauses() {
        let start = Instant::now();
        let deadline = Duration::from_secs(3);
        let hung = retried(
            PACE,
            start + deadline,
            std::future::pending::<Result<(), CallError>>,
        );
        assert!(matches!(hung.await, Err(CallError::Deadline)));
        assert!(start.elapsed() <= deadline + Duration::from_millis(2));
        let start = Instant::now();
        let (end, _) = tries(10 * deadline, deadline, || busy(None)).await;
        assert!(matches!(end, Err(CallError::Busy { status: 503, .. })));
        assert!(start.elapsed() < deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_asks_for_is_waited_for() {
        let second = Duration::from_secs(1);
        let (end, at) = tries(second, 60 * second, || busy(Some(7 * second))).await;
        end.unwrap();
        assert_eq!((at.len(), at[1].as_secs()), (2, 7));
        // Longer than there is time: it is not waited for.
        let (end, at) = tries(second, 5 * second, || busy(Some(7 * second))).await;
        assert!(end.is_err());
        assert_eq!(at.len(), 1);
    }
}
