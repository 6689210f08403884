//! Wall clock and monotonic clock behind one port.
//!
//! The wall clock appears in records and tokens; ages, timeouts and locks use [`Monotonic`].

use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// A point on a clock that never goes back; only differences have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The point `since_start` after the clock's start.
    #[must_use]
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Time since the clock's start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Whole milliseconds since the clock's start, saturating.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Sub for Monotonic {
    type Output = Duration;

    /// The time from `earlier` to `self`, zero when `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock, for records and tokens.
    fn now(&self) -> DateTime<Utc>;
    /// The monotonic clock, for ages and deadlines.
    fn monotonic(&self) -> Monotonic;
}

/// The machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }
}

/// A clock that moves only when told to; starts at 2026-03-02T00:00:00Z.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self {
            wall_ms: AtomicI64::new(1_772_409_600_000),
            monotonic_ms: AtomicU64::new(0),
        }
    }
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            wall_ms: AtomicI64::new(now.timestamp_millis()),
            monotonic_ms: AtomicU64::new(0),
        }
    }

    /// Moves both clocks forward, in whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
        self.wall_ms
            .fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an operator or a time service may.
    pub fn set_wall(&self, now: DateTime<Utc>) {
        self.wall_ms.store(now.timestamp_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.wall_ms.load(Ordering::SeqCst)).unwrap_or_default()
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(Duration::from_millis(
            self.monotonic_ms.load(Ordering::SeqCst),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_does_not_move_monotonic_time() {
        let clock = ManualClock::default();
        let before = clock.monotonic();
        clock.set_wall(clock.now() - chrono::Duration::days(400));
        assert_eq!(clock.monotonic() - before, Duration::ZERO);
    }

    #[test]
    fn a_difference_never_underflows() {
        let early = Monotonic::from_start(Duration::from_secs(1));
        let late = early + Duration::from_secs(2);
        assert_eq!(early - late, Duration::ZERO);
        assert_eq!(late - early, Duration::from_secs(2));
    }
}
