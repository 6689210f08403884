//! What the models compute number by number, in loops that the compiler turns into vector
//! instructions of the machine at hand.
#![expect(
    clippy::inline_always,
    reason = "a loop gets the instruction set of the function that it is inlined into"
)]

use pulp::Arch;

/// Makes each row of `width` numbers have mean 0 and variance 1, then `gain` and `bias`.
pub(crate) struct LayerNorm {
    pub(crate) gain: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// Added to the variance.
    pub(crate) epsilon: f32,
}

impl LayerNorm {
    /// Over rows as wide as the gain.
    pub(crate) fn apply(&self, rows: &mut [f32]) {
        let count = count(self.gain.len());
        Arch::new().dispatch(|| {
            for row in rows.chunks_exact_mut(self.gain.len()) {
                let mean = sum(row, |x| x) / count;
                let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
                let factor = (variance + self.epsilon).sqrt().recip();
                for ((x, gain), bias) in row.iter_mut().zip(&self.gain).zip(&self.bias) {
                    *x = (*x - mean) * factor * gain + bias;
                }
            }
        });
    }
}

/// `max(x, 0)` of each.
pub(crate) fn relu(values: &mut [f32]) {
    Arch::new().dispatch(|| {
        for x in values {
            *x = x.max(0.0);
        }
    });
}

/// The other numbers are added to these.
pub(crate) fn add(values: &mut [f32], others: &[f32]) {
    Arch::new().dispatch(|| {
        for (x, other) in values.iter_mut().zip(others) {
            *x += other;
        }
    });
}

/// `x · Φ(x)` of each, Φ being the normal distribution.
pub(crate) fn gelu(values: &mut [f32]) {
    Arch::new().dispatch(|| {
        for x in values {
            *x *= 0.5 + 0.5 * erf(*x * std::f32::consts::FRAC_1_SQRT_2);
        }
    });
}

/// Each row of `width` numbers, times `scale`, becomes shares that add up to 1.
pub(crate) fn softmax(rows: &mut [f32], width: usize, scale: f32) {
    Arch::new().dispatch(|| {
        for row in rows.chunks_exact_mut(width) {
            let most = row.iter().fold(f32::NEG_INFINITY, |most, x| most.max(*x));
            for x in row.iter_mut() {
                *x = exp((*x - most) * scale);
            }
            let share = sum(row, |x| x).recip();
            for x in row {
                *x *= share;
            }
        }
    });
}

/// Makes the length 1. A vector of zeros stays one.
pub(crate) fn unit(vector: &mut [f32]) {
    let length = sum(vector, |x| x * x).sqrt();
    if length > 0.0 {
        for x in vector {
            *x /= length;
        }
    }
}

/// A count as a number, exact up to 2²⁴.
pub(crate) fn count(count: usize) -> f32 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "widths and tokens are far below 2^24"
    )]
    let count = count as f32;
    count
}

/// The sum of `term` over the values, in lanes, as the order of additions is what keeps a
/// compiler from using vectors.
#[inline(always)]
pub(crate) fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 32];
    let (chunks, rest) = values.as_chunks::<32>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += term(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| term(*x)).sum::<f32>()
}

/// `e` to the power of `x`, within 2·10⁻⁷ of it, for `x` of -87 to 88; beyond, as at the end.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added and taken away, it rounds to a whole number, which its low bits hold meanwhile.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first with few digits, so that the difference is exact.
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000));
    let series = 1.0 / 720.0;
    let series = series * rest + 1.0 / 120.0;
    let series = series * rest + 1.0 / 24.0;
    let series = series * rest + 1.0 / 6.0;
    let series = series * rest + 0.5;
    let series = series * rest + 1.0;
    (series * rest + 1.0) * power
}

/// The error function, within 5·10⁻⁷ (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = (1.0 + 0.327_591_1 * size).recip();
    let series = 1.061_405_4 * t - 1.453_152;
    let series = series * t + 1.421_413_7;
    let series = series * t - 0.284_496_74;
    let series = series * t + 0.254_829_6;
    (1.0 - series * t * exp(-size * size)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> impl Iterator<Item = f32> {
        (-8000..=8000_i16).map(|step| f32::from(step) / 1000.0)
    }

    #[test]
    fn the_fast_exponential_is_the_exponential() {
        for x in steps().map(|x| x * 10.0) {
            let (found, right) = (exp(x), x.exp());
            assert!(
                (found - right).abs() <= right * 4e-7,
                "{x}: {found} {right}"
            );
        }
        assert!(exp(-1e9) < 1e-37);
    }

    /// Values of the error function from its tables.
    #[test]
    fn the_fast_error_function_is_the_error_function() {
        for (x, right) in [
            (0.0, 0.0),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (2.0, 0.995_322_3),
            (-1.0, -0.842_700_8),
            (6.0, 1.0),
        ] {
            assert!((erf(x) - right).abs() < 5e-7, "{x}: {}", erf(x));
        }
    }

    #[test]
    fn shares_add_up_to_one_and_keep_the_order() {
        let mut row = vec![1.0, 300.0, 299.0, -5.0];
        softmax(&mut row, 4, 0.5);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(row[1] > row[2] && row[2] > row[0]);
    }

    #[test]
    fn a_normalised_row_has_mean_zero_and_variance_one() {
        let norm = LayerNorm {
            gain: vec![1.0; 100],
            bias: vec![0.0; 100],
            epsilon: 1e-12,
        };
        let mut row: Vec<f32> = steps().take(100).map(|x| x * x).collect();
        norm.apply(&mut row);
        assert!(sum(&row, |x| x).abs() < 1e-2);
        assert!((sum(&row, |x| x * x) - 100.0).abs() < 1e-2);
    }

    #[test]
    fn nothing_has_no_direction() {
        let mut zeros = vec![0.0; 4];
        unit(&mut zeros);
        assert_eq!(zeros, [0.0; 4]);
    }
}
