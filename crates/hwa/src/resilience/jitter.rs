//! Full jitter: how long to wait before a retry, from a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest wait before the first retry; it doubles with each further one.
const BASE: Duration = Duration::from_millis(200);
/// The longest wait of all.
const LONGEST: Duration = Duration::from_secs(2);

/// A sequence of waits. Two of one seed are alike.
#[derive(Debug)]
pub(crate) struct Jitter(AtomicU64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The wait before the retry that follows `attempts` attempts, which are 1 or more: anything from
    /// nothing to the bound.
    pub(crate) fn wait(&self, attempts: u32) -> Duration {
        let bound = BASE
            .saturating_mul(1 << attempts.saturating_sub(1).min(16))
            .min(LONGEST);
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        // The high half of the product spreads evenly over the bound, without a division.
        let draw = (u128::from(self.next()) * u128::from(bound_us.saturating_add(1))) >> 64;
        Duration::from_micros(u64::try_from(draw).unwrap_or(bound_us))
    }

    /// `SplitMix64`: a step of a counter, then a mix. Good enough to spread callers, not for secrets.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_spread_over_the_whole_of_a_bound_that_doubles_up_to_its_limit() {
        for (attempts, bound_ms) in [(1, 200), (2, 400), (4, 1_600), (5, 2_000), (40, 2_000)] {
            let jitter = Jitter::new(7);
            let waits: Vec<u128> = (0..1_000)
                .map(|_| jitter.wait(attempts).as_micros())
                .collect();
            let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            let bound = bound_ms * 1_000;
            assert!(*most <= bound && *most > bound * 95 / 100, "{most}");
            assert!(*least < bound * 5 / 100, "{least}");
        }
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let (one, same, other) = (Jitter::new(1), Jitter::new(1), Jitter::new(2));
        let take = |jitter: &Jitter| (0..8).map(|_| jitter.wait(2)).collect::<Vec<_>>();
        let first = take(&one);
        assert_eq!(first, take(&same));
        assert_ne!(first, take(&other));
    }
}
