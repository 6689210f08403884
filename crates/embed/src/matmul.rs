//! Products of matrices, where one side is known before and used often.
//!
//! - A [`Matrix`] is laid out for the machine's registers once; a product reads it once, from its
//!   start to its end, however many rows stand on the other side. So a question of ten words pays
//!   what ten words cost.
//! - The instructions are chosen at run time, by `pulp`: AVX-512, AVX2 with FMA, or what the
//!   target has at least. Results differ between them in the last bits only.
#![expect(
    clippy::indexing_slicing,
    reason = "strides and widths are asserted on entry; the optimiser drops the checks in the loops"
)]
#![expect(
    clippy::inline_always,
    reason = "a kernel gets the instruction set of the function that it is inlined into"
)]

use pulp::{Arch, Simd, WithSimd};

/// Rows whose sums are kept in registers at once.
const TILE: usize = 6;

/// Weights `[inputs, outputs]` and what is added to each output.
pub(crate) struct Matrix {
    inputs: usize,
    outputs: usize,
    /// Outputs in a panel: two registers.
    width: usize,
    /// Panel after panel, each `inputs` rows of `width` numbers; zeros fill the last one.
    panels: Vec<f32>,
    /// `width` numbers a panel.
    bias: Vec<f32>,
}

/// Rows of numbers, `stride` apart. They may overlap.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

impl Matrix {
    /// The matrix of `weight(input, output)`. `bias` holds a number for each output, or none.
    pub(crate) fn new(
        inputs: usize,
        outputs: usize,
        bias: &[f32],
        weight: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let width = 2 * Arch::new().dispatch(Lanes);
        let starts = (0..outputs).step_by(width);
        let mut panels = Vec::with_capacity(starts.len() * inputs * width);
        for start in starts.clone() {
            let columns = start..outputs.min(start + width);
            for input in 0..inputs {
                panels.extend(columns.clone().map(|output| weight(input, output)));
                panels.resize(panels.len() + width - columns.len(), 0.0);
            }
        }
        let mut padded = bias.to_vec();
        padded.resize(starts.len() * width, 0.0);
        Self {
            inputs,
            outputs,
            width,
            panels,
            bias: padded,
        }
    }

    /// Each row times this matrix, plus the bias, into rows of `out` that are `stride` apart.
    ///
    /// # Panics
    ///
    /// When `rows` or `out` are shorter than the shapes say.
    pub(crate) fn apply(&self, rows: Rows<'_>, out: &mut [f32], stride: usize) {
        if rows.count == 0 {
            return;
        }
        assert!(rows.data.len() >= (rows.count - 1) * rows.stride + self.inputs);
        assert!(out.len() >= (rows.count - 1) * stride + self.outputs);
        Arch::new().dispatch(Product {
            matrix: self,
            rows,
            out,
            stride,
        });
    }

    /// [`Matrix::apply`] to rows that follow each other, into a vector of the same form.
    pub(crate) fn times(&self, rows: &[f32]) -> Vec<f32> {
        let count = rows.len() / self.inputs;
        let mut out = vec![0.0; count * self.outputs];
        let rows = Rows {
            data: rows,
            stride: self.inputs,
            count,
        };
        self.apply(rows, &mut out, self.outputs);
        out
    }
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Product<'a> {
    matrix: &'a Matrix,
    rows: Rows<'a>,
    out: &'a mut [f32],
    stride: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            matrix,
            rows,
            out,
            stride,
        } = self;
        let tiles = packed(&rows, matrix.inputs);
        let panels = matrix.panels.chunks_exact(matrix.inputs * matrix.width);
        let biases = matrix.bias.chunks_exact(matrix.width);
        for (index, (panel, bias)) in panels.zip(biases).enumerate() {
            let columns = index * matrix.width..matrix.outputs.min((index + 1) * matrix.width);
            for (tile, first) in tiles
                .chunks(TILE * matrix.inputs)
                .zip((0..rows.count).step_by(TILE))
            {
                let out = &mut out[first * stride + columns.start..];
                let (width, place) = (columns.len(), (panel, bias));
                match rows.count - first {
                    1 => sums::<S, 1>(simd, tile, place, out, stride, width),
                    2 => sums::<S, 2>(simd, tile, place, out, stride, width),
                    3 => sums::<S, 3>(simd, tile, place, out, stride, width),
                    4 => sums::<S, 4>(simd, tile, place, out, stride, width),
                    5 => sums::<S, 5>(simd, tile, place, out, stride, width),
                    _ => sums::<S, TILE>(simd, tile, place, out, stride, width),
                }
            }
        }
    }
}

/// The rows in tiles of [`TILE`], each tile input by input, so that a kernel reads it in order.
#[inline(always)]
fn packed(rows: &Rows<'_>, inputs: usize) -> Vec<f32> {
    let mut packed = vec![0.0; rows.count * inputs];
    for (tile, first) in packed
        .chunks_mut(TILE * inputs)
        .zip((0..rows.count).step_by(TILE))
    {
        let height = tile.len() / inputs;
        for row in 0..height {
            let start = (first + row) * rows.stride;
            let source = &rows.data[start..start + inputs];
            for (to, from) in tile[row..].iter_mut().step_by(height).zip(source) {
                *to = *from;
            }
        }
    }
    packed
}

/// `R` rows times one panel.
#[inline(always)]
fn sums<S: Simd, const R: usize>(
    simd: S,
    tile: &[f32],
    (panel, bias): (&[f32], &[f32]),
    out: &mut [f32],
    stride: usize,
    width: usize,
) {
    let (bias, _) = S::as_simd_f32s(bias);
    let mut sums = [[bias[0], bias[1]]; R];
    let (pairs, _) = S::as_simd_f32s(panel).0.as_chunks::<2>();
    let (inputs, _) = tile.as_chunks::<R>();
    for (input, pair) in inputs.iter().zip(pairs) {
        for (sum, x) in sums.iter_mut().zip(input) {
            let x = simd.splat_f32s(*x);
            sum[0] = simd.mul_add_e_f32s(x, pair[0], sum[0]);
            sum[1] = simd.mul_add_e_f32s(x, pair[1], sum[1]);
        }
    }
    for (row, sum) in sums.iter().enumerate() {
        let out = &mut out[row * stride..][..width];
        if let ([first, second, ..], _) = S::as_mut_simd_f32s(out) {
            (*first, *second) = (sum[0], sum[1]);
        } else {
            let (first, second) = out.split_at_mut(width.min(S::F32_LANES));
            simd.partial_store_f32s(first, sum[0]);
            simd.partial_store_f32s(second, sum[1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let mut state = u32::try_from(seed).unwrap();
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0 - 0.5
        })
        .take(count)
        .collect()
    }

    proptest! {
        /// Shapes that no register divides, rows that overlap, rows written into a wider matrix.
        #[test]
        fn a_product_is_the_sum_of_products(
            inputs in 1_usize..40,
            outputs in 1_usize..70,
            count in 0_usize..15,
            stride in 1_usize..50,
            gap in 0_usize..5,
        ) {
            let data = numbers(stride * count + inputs, 7);
            let weights = numbers(inputs * outputs, 11);
            let bias = numbers(outputs, 13);
            let matrix = Matrix::new(inputs, outputs, &bias, |i, o| weights[i * outputs + o]);
            let width = outputs + gap;
            let mut out = vec![9.0; count * width];
            matrix.apply(Rows { data: &data, stride, count }, &mut out, width);
            for (row, out) in out.chunks(width).enumerate() {
                for (output, found) in out.iter().enumerate() {
                    let expected = if output < outputs {
                        bias[output]
                            + (0..inputs)
                                .map(|i| data[row * stride + i] * weights[i * outputs + output])
                                .sum::<f32>()
                    } else {
                        9.0
                    };
                    prop_assert!((found - expected).abs() < 1e-4, "{found} {expected}");
                }
            }
        }
    }
}
