//! How many retries reads may cost: a tenth of the reads, and a few in reserve.
//!
//! Invariant: of n reads at most `n / 10 + RESERVE` are repeated, so that a sick engine is not asked
//! three times as often as a healthy one.

use std::sync::atomic::{AtomicU32, Ordering};

/// Retries that a quiet time leaves in reserve.
pub(crate) const RESERVE: u32 = 10;
/// A read gives one tenth of a retry.
const TENTHS: u32 = 10;

/// A bucket of tenths of retries; full at first.
#[derive(Debug)]
pub(crate) struct RetryBudget(AtomicU32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicU32::new(RESERVE * TENTHS))
    }
}

impl RetryBudget {
    /// A read begins.
    pub(crate) fn earn(&self) {
        self.change(|tenths| (tenths < RESERVE * TENTHS).then(|| tenths + 1));
    }

    /// Whether one more retry may be made; takes it.
    pub(crate) fn spend(&self) -> bool {
        self.change(|tenths| tenths.checked_sub(TENTHS))
    }

    /// Whole retries that are left.
    pub(crate) fn left(&self) -> u32 {
        self.0.load(Ordering::Relaxed) / TENTHS
    }

    // A counter that guards nothing else: its own order of changes is order enough.
    fn change(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ten_reads_earn_one_retry_once_the_reserve_is_gone() {
        let budget = RetryBudget::default();
        for _ in 0..RESERVE {
            assert!(budget.spend());
        }
        assert!(!budget.spend());
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        assert_eq!(budget.left(), 0);
    }

    proptest! {
        #[test]
        fn no_order_of_reads_and_retries_goes_beyond_a_tenth(steps in proptest::collection::vec(any::<bool>(), 0..500)) {
            let budget = RetryBudget::default();
            let (mut reads, mut retries) = (0_u32, 0_u32);
            for read in steps {
                if read {
                    reads += 1;
                    budget.earn();
                } else {
                    retries += u32::from(budget.spend());
                }
                prop_assert!(retries <= reads / 10 + RESERVE);
            }
        }
    }
}
