//! The time of a hit: one relaxed load while a ticker runs, the clock itself while none does.
//!
//! 1. `without_a_ticker_ages_follow_the_clock`: no ticker, no coarse time; nothing can freeze.
//! 2. `the_tick_never_goes_back`: a late ticker cannot make an entry younger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resync_kernel::Clock;

/// No ticker runs: read the clock.
const EXACT: u64 = u64::MAX;

/// What all times are moved by, some 35 years: an entry may be older than the clock, which starts with
/// the process.
const BASE: u64 = 1 << 40;

/// Milliseconds of the monotonic clock.
pub(crate) struct Tick {
    now_ms: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Tick {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            now_ms: AtomicU64::new(EXACT),
            clock,
        }
    }

    /// Now, as late as the ticker is.
    #[inline]
    pub(crate) fn now_ms(&self) -> u64 {
        match self.now_ms.load(Ordering::Relaxed) {
            EXACT => self.read(),
            ticked => ticked,
        }
    }

    /// Now by the clock; while a ticker runs, hits see it from here on.
    pub(crate) fn exact_ms(&self) -> u64 {
        let now = self.read();
        if self.now_ms.load(Ordering::Relaxed) != EXACT {
            self.advance(now);
        }
        now
    }

    /// The ticker's step: the first one makes time coarse.
    pub(crate) fn step(&self) {
        let now = self.read();
        if self
            .now_ms
            .compare_exchange(EXACT, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            self.advance(now);
        }
    }

    /// The ticker is gone.
    pub(crate) fn stop(&self) {
        self.now_ms.store(EXACT, Ordering::Relaxed);
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn read(&self) -> u64 {
        BASE.saturating_add(self.clock.monotonic().millis())
    }

    /// Moves the tick forward, never back, and never over a stop.
    fn advance(&self, now: u64) {
        let later = |seen: u64| (seen != EXACT && seen < now).then_some(now);
        // An update that is refused has been overtaken: there is nothing to do.
        let (Ok(_) | Err(_)) =
            self.now_ms
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

#[cfg(test)]
#[cfg(not(resync_loom))]
mod tests {
    use super::*;
    use resync_kernel::ManualClock;
    use std::time::Duration;

    #[test]
    fn without_a_ticker_ages_follow_the_clock() {
        let clock = Arc::new(ManualClock::default());
        let tick = Tick::new(clock.clone());
        clock.advance(Duration::from_secs(3));
        assert_eq!(tick.now_ms(), BASE + 3_000);
        tick.step();
        clock.advance(Duration::from_secs(1));
        assert_eq!(tick.now_ms(), BASE + 3_000, "coarse");
        assert_eq!(tick.exact_ms(), BASE + 4_000);
        assert_eq!(
            tick.now_ms(),
            BASE + 4_000,
            "an exact reading moves the tick"
        );
        tick.stop();
        clock.advance(Duration::from_secs(1));
        assert_eq!(tick.now_ms(), BASE + 5_000);
    }

    #[test]
    fn the_tick_never_goes_back() {
        let tick = Tick::new(Arc::new(ManualClock::default()));
        tick.step();
        tick.advance(BASE + 10);
        tick.advance(BASE + 4);
        assert_eq!(tick.now_ms(), BASE + 10);
        tick.stop();
        tick.advance(BASE + 20);
        assert_eq!(
            tick.now_ms(),
            BASE,
            "a stopped tick is not started by a late reading"
        );
    }
}
