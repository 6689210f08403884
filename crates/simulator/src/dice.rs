//! Chance that depends on nothing but names.
//!
//! 1. A [`Dice`] is made from (seed, purpose, object, number); equal names throw equal numbers on
//!    any machine: only integer and exactly rounded floating point operations are used.
//! 2. There is one for each purpose and object, so a further job changes the fate of no other.

/// A stream of numbers that its names determine.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: &str, object: &str, number: u32) -> Self {
        // FNV-1a over the names, with a separator that no name holds.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bytes = purpose.bytes().chain([0]).chain(object.bytes()).chain([0]);
        for byte in bytes.chain(number.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(hash)
    }

    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 inclusive to 1 exclusive.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.abs_diff(low).saturating_add(1);
        let offset = self.next().checked_rem(width).unwrap_or(0);
        low.saturating_add_unsigned(offset)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(from.len()).ok()?;
        let at = self.next().checked_rem(count)?;
        from.get(usize::try_from(at).ok()?)
    }

    /// About lognormal with median 1. The library's `exp` differs between platforms in the last
    /// bit, so the normal is a sum of twelve and the exponential a polynomial.
    pub(crate) fn lognormal(&mut self, sigma: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        let power = sigma * normal.clamp(-3.0, 3.0);
        let (mut sum, mut term) = (1.0, 1.0);
        for step in 1..=16_u8 {
            term = term * power / f64::from(step);
            sum += term;
        }
        sum
    }
}

/// `seconds` times `factor`, at least `floor`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "durations are far below 2^53 seconds"
)]
pub(crate) fn scaled(seconds: i64, factor: f64, floor: i64) -> i64 {
    ((seconds as f64 * factor) as i64).max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_throw_equal_numbers_and_others_do_not() {
        let throw = |object| Dice::new(42, "duration", object, 1).next();
        assert_eq!(throw("FIN_GL_POST"), throw("FIN_GL_POST"));
        assert_ne!(throw("FIN_GL_POST"), throw("FIN_GL_EXTRACT"));
    }

    #[test]
    fn the_numbers_are_the_same_on_every_machine() {
        assert_eq!(Dice::new(0, "", "", 0).next(), 8_368_441_534_086_554_858);
    }

    #[test]
    fn lognormal_has_its_median_near_one() {
        let mut dice = Dice::new(1, "median", "", 0);
        let below = (0..4000).filter(|_| dice.lognormal(0.18) < 1.0).count();
        assert!(
            (1800..2200).contains(&below),
            "{below} of 4000 below the median"
        );
    }
}
