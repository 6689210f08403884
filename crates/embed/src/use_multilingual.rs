//! Google's Universal Sentence Encoder, multilingual, version 3: 16 languages, among them
//! Portuguese and English, in one space of 512 numbers.
//!
//! Each word piece has a vector; convolutions over 2, 3 and 5 pieces beside each other add what
//! their order says; the sum over the text goes through a small network. No part looks at all
//! pairs, so the time grows with the length of the text.

use crate::math::{self, LayerNorm};
use crate::matmul::{Matrix, Rows};
use crate::pieces::PieceTable;
use crate::unigram::{UNKNOWN, Unigram};
use crate::weights::{Weights, WeightsError};

/// Numbers in a vector.
pub(crate) const DIMENSIONS: usize = 512;
const BRANCH: usize = 256;
/// Pieces that a branch looks at, and how many of them stand to the left.
const ORDERS: [(usize, usize); 3] = [(2, 0), (3, 1), (5, 2)];
const PROJECTED: usize = BRANCH * ORDERS.len();
const FEATURES: usize = DIMENSIONS + PROJECTED;
const HIDDEN: usize = 320;

pub(crate) struct UseMultilingual<'a> {
    tokenizer: Unigram<'a>,
    pieces: PieceTable<'a>,
    projection: Matrix,
    projection_norm: LayerNorm,
    /// The two convolutions of each order.
    branches: Vec<[Matrix; 2]>,
    norm: LayerNorm,
    sum: Matrix,
    sum_bias: Vec<f32>,
    down: [Matrix; 2],
    across: Matrix,
    up: [Matrix; 3],
}

impl<'a> UseMultilingual<'a> {
    pub(crate) fn read(weights: &'a [u8], pieces: &'a [u8]) -> Result<Self, WeightsError> {
        let weights = Weights::parse(weights)?;
        let epsilon = weights.vector("eps", 1)?.into_iter().sum();
        let dense =
            |name: &str, inputs, outputs| weights.dense(&[name.to_owned()], inputs, outputs);
        let mut branches = Vec::new();
        for (order, _) in ORDERS {
            let layer = |layer| dense(&format!("conv{order}_{layer}"), order * BRANCH, BRANCH);
            branches.push([layer(1)?, layer(2)?]);
        }
        Ok(Self {
            tokenizer: Unigram::read(pieces)?,
            pieces: PieceTable::read(&weights)?,
            projection: weights.dense(
                &ORDERS.map(|(order, _)| format!("proj{order}")),
                DIMENSIONS,
                BRANCH,
            )?,
            projection_norm: weights.norm("proj_norm", PROJECTED, epsilon)?,
            branches,
            norm: weights.norm("norm", FEATURES, epsilon)?,
            // Its bias counts once for each piece, so it is added apart.
            sum: {
                let rows = weights.quantised("sum", DIMENSIONS, FEATURES)?;
                let rows: Vec<Vec<f32>> =
                    (0..DIMENSIONS).map(|row| rows.row(row).collect()).collect();
                Matrix::new(FEATURES, DIMENSIONS, &[], |input, output| {
                    let row = rows.get(output).and_then(|row| row.get(input));
                    row.copied().unwrap_or(0.0)
                })
            },
            sum_bias: weights.vector("sum.bias", DIMENSIONS)?,
            down: [
                dense("d0", DIMENSIONS, HIDDEN)?,
                dense("p1", DIMENSIONS, HIDDEN)?,
            ],
            across: dense("d1", HIDDEN, HIDDEN)?,
            up: [
                dense("d2", HIDDEN, DIMENSIONS)?,
                dense("p3", HIDDEN, DIMENSIONS)?,
                dense("d3", DIMENSIONS, DIMENSIONS)?,
            ],
        })
    }

    /// The pieces of a text, the marks of begin and end around them.
    pub(crate) fn tokens(&self, text: &str) -> Vec<u32> {
        self.tokenizer.pieces(text)
    }

    /// Whether the model knows none of the pieces.
    pub(crate) fn knows_none(tokens: &[u32]) -> bool {
        tokens
            .iter()
            .skip(1)
            .rev()
            .skip(1)
            .all(|token| *token == UNKNOWN)
    }

    /// The vector of pieces, of length 1; zeros for none.
    pub(crate) fn vector(&self, tokens: &[u32]) -> Vec<f32> {
        if tokens.is_empty() {
            return vec![0.0; DIMENSIONS];
        }
        let mut features = vec![0.0; tokens.len() * FEATURES];
        for (token, row) in tokens.iter().zip(features.chunks_exact_mut(FEATURES)) {
            self.pieces.write(*token, row);
        }
        self.add_order(tokens.len(), &mut features);
        self.norm.apply(&mut features);

        let count = math::count(tokens.len());
        let mut total = vec![0.0; FEATURES];
        for row in features.chunks_exact(FEATURES) {
            math::add(&mut total, row);
        }
        let mut mean = self.sum.times(&total);
        for (x, bias) in mean.iter_mut().zip(&self.sum_bias) {
            *x = (*x + count * bias) / count.sqrt();
        }
        self.network(&mean)
    }

    /// Fills the features behind the pieces' own: what stands beside each of them.
    fn add_order(&self, count: usize, features: &mut [f32]) {
        let mut projected = vec![0.0; count * PROJECTED];
        let own = Rows {
            data: features,
            stride: FEATURES,
            count,
        };
        self.projection.apply(own, &mut projected, PROJECTED);
        self.projection_norm.apply(&mut projected);
        for (index, ((order, left), layers)) in ORDERS.iter().zip(&self.branches).enumerate() {
            // Zeros stand where a window reaches beyond the text. A window is a row that
            // overlaps with the next one.
            let mut padded = vec![0.0; (count + order - 1) * BRANCH];
            let inner = left * BRANCH..(left + count) * BRANCH;
            let mut rows: Vec<f32> = projected
                .chunks_exact(PROJECTED)
                .flat_map(|row| row.iter().skip(index * BRANCH).take(BRANCH))
                .copied()
                .collect();
            for layer in layers {
                if let Some(inner) = padded.get_mut(inner.clone()) {
                    inner.copy_from_slice(&rows);
                }
                let windows = Rows {
                    data: &padded,
                    stride: BRANCH,
                    count,
                };
                let mut out = vec![0.0; count * BRANCH];
                layer.apply(windows, &mut out, BRANCH);
                math::relu(&mut out);
                math::add(&mut rows, &out);
            }
            let place = DIMENSIONS + index * BRANCH;
            for (row, from) in features
                .chunks_exact_mut(FEATURES)
                .zip(rows.chunks_exact(BRANCH))
            {
                for (to, from) in row.iter_mut().skip(place).zip(from) {
                    *to = *from;
                }
            }
        }
    }

    /// From the text's mean to its vector.
    fn network(&self, mean: &[f32]) -> Vec<f32> {
        let [first, skip] = &self.down;
        let [second, wide_skip, last] = &self.up;
        let mut hidden = first.times(mean);
        math::relu(&mut hidden);
        let mut narrow = skip.times(mean);
        math::add(&mut narrow, &self.across.times(&hidden));
        math::relu(&mut narrow);
        let mut wide = second.times(&narrow);
        math::relu(&mut wide);
        let mut vector = wide_skip.times(&narrow);
        math::add(&mut vector, &last.times(&wide));
        for x in &mut vector {
            *x = x.tanh();
        }
        math::unit(&mut vector);
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{USE_PIECES, USE_WEIGHTS};
    use crate::reference::{Reference, cosine};

    #[test]
    fn a_thousand_sentences_have_the_references_tokens_and_vectors() {
        let model = UseMultilingual::read(USE_WEIGHTS, USE_PIECES).unwrap();
        let recorded = include_bytes!("../tests/fixtures/use-multilingual-3.safetensors");
        Reference::read(recorded).compare(0.9999, |text| {
            let tokens = model.tokens(text);
            let vector = model.vector(&tokens);
            (tokens, vector)
        });
    }

    /// What the model is for: the same in another language is nearer than something else.
    #[test]
    fn a_translation_is_nearer_than_another_subject() {
        let model = UseMultilingual::read(USE_WEIGHTS, USE_PIECES).unwrap();
        let vector = |text| model.vector(&model.tokens(text));
        let question = vector("Como aumento o espaço em disco?");
        let same = cosine(&question, &vector("How do I increase disk space?"));
        let other = cosine(&question, &vector("Who is on call tonight?"));
        assert!(same > other + 0.3, "{same} {other}");
    }
}
