//! all-MiniLM-L6-v2: English sentences as 384 numbers, by six layers of attention.
//!
//! It was trained on texts of up to 128 word pieces and takes up to 256; what is longer is the
//! caller's to cut (`windows`).

use crate::math::{self, LayerNorm};
use crate::matmul::{Matrix, Rows};
use crate::weights::{Quantised, Weights, WeightsError};
use crate::wordpiece::WordPiece;

/// Numbers in a vector.
pub(crate) const DIMENSIONS: usize = 384;
/// Tokens of the longest text, its marks among them.
pub(crate) const LONGEST: usize = 256;
const POSITIONS: usize = 512;
const VOCABULARY: usize = 30_522;
const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD: usize = DIMENSIONS / HEADS;
const WIDE: usize = 4 * DIMENSIONS;
const EPSILON: f32 = 1e-12;
/// Query, key and value of a token, beside each other.
const TRIPLE: usize = 3 * DIMENSIONS;

pub(crate) struct MiniLm<'a> {
    tokenizer: WordPiece<'a>,
    words: Quantised<'a>,
    /// A row for each position, the vector of the one segment added.
    positions: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    triple: Matrix,
    context: Matrix,
    context_norm: LayerNorm,
    widen: Matrix,
    narrow: Matrix,
    norm: LayerNorm,
}

impl<'a> MiniLm<'a> {
    pub(crate) fn read(weights: &'a [u8], pieces: &'a str) -> Result<Self, WeightsError> {
        let weights = Weights::parse(weights)?;
        let mut positions =
            weights.vector("embeddings.position_embeddings", POSITIONS * DIMENSIONS)?;
        let segments = weights.vector("embeddings.token_type_embeddings", 2 * DIMENSIONS)?;
        for position in positions.chunks_exact_mut(DIMENSIONS) {
            math::add(position, &segments);
        }
        Ok(Self {
            tokenizer: WordPiece::read(pieces)?,
            words: weights.quantised("embeddings.word_embeddings", VOCABULARY, DIMENSIONS)?,
            positions,
            norm: weights.norm("embeddings.LayerNorm", DIMENSIONS, EPSILON)?,
            layers: (0..LAYERS)
                .map(|layer| Layer::read(&weights, layer))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The word pieces of a text, without marks.
    pub(crate) fn pieces(&self, text: &str) -> Vec<u32> {
        self.tokenizer.pieces(text)
    }

    /// Whether the model knows none of the pieces.
    pub(crate) fn knows_none(&self, pieces: &[u32]) -> bool {
        let unknown = self.tokenizer.unknown();
        pieces.iter().all(|piece| *piece == unknown)
    }

    /// How foreign a text is to the vocabulary ([`WordPiece::strangeness`]).
    pub(crate) fn strangeness(&self, text: &str) -> Option<f32> {
        self.tokenizer.strangeness(text)
    }

    /// The tokens of a text's first [`LONGEST`] pieces: with marks around them.
    pub(crate) fn tokens(&self, pieces: &[u32]) -> Vec<u32> {
        self.tokenizer.marked(pieces, LONGEST)
    }

    /// The vector of tokens, of length 1; zeros for none.
    pub(crate) fn vector(&self, tokens: &[u32]) -> Vec<f32> {
        let mut rows = Vec::with_capacity(tokens.len() * DIMENSIONS);
        for token in tokens {
            let word = usize::try_from(*token).unwrap_or(usize::MAX / DIMENSIONS);
            rows.extend(self.words.row(word));
        }
        math::add(&mut rows, &self.positions);
        self.norm.apply(&mut rows);
        for layer in &self.layers {
            layer.apply(&mut rows);
        }
        let mut sum = vec![0.0; DIMENSIONS];
        for row in rows.chunks_exact(DIMENSIONS) {
            math::add(&mut sum, row);
        }
        math::unit(&mut sum);
        sum
    }
}

impl Layer {
    fn read(weights: &Weights<'_>, layer: usize) -> Result<Self, WeightsError> {
        let at = |name: &str| format!("layer.{layer}.{name}");
        let dense = |name: &str, inputs, outputs| weights.dense(&[at(name)], inputs, outputs);
        let norm = |name: &str| weights.norm(&at(name), DIMENSIONS, EPSILON);
        let triple = ["query", "key", "value"].map(|name| at(&format!("attention.self.{name}")));
        Ok(Self {
            triple: weights.dense(&triple, DIMENSIONS, DIMENSIONS)?,
            context: dense("attention.output.dense", DIMENSIONS, DIMENSIONS)?,
            context_norm: norm("attention.output.LayerNorm")?,
            widen: dense("intermediate.dense", DIMENSIONS, WIDE)?,
            narrow: dense("output.dense", WIDE, DIMENSIONS)?,
            norm: norm("output.LayerNorm")?,
        })
    }

    fn apply(&self, rows: &mut [f32]) {
        let context = attention(&self.triple.times(rows));
        math::add(rows, &self.context.times(&context));
        self.context_norm.apply(rows);
        let mut wide = self.widen.times(rows);
        math::gelu(&mut wide);
        math::add(rows, &self.narrow.times(&wide));
        self.norm.apply(rows);
    }
}

/// What each token takes from the others, head by head.
fn attention(triples: &[f32]) -> Vec<f32> {
    let count = triples.len() / TRIPLE;
    let mut context = vec![0.0; count * DIMENSIONS];
    let mut shares = vec![0.0; count * count];
    let at = |place: usize| triples.get(place).copied().unwrap_or(0.0);
    for start in (0..DIMENSIONS).step_by(HEAD) {
        let (key, value) = (DIMENSIONS + start, 2 * DIMENSIONS + start);
        let keys = Matrix::new(HEAD, count, &[], |i, token| at(token * TRIPLE + key + i));
        let values = Matrix::new(count, HEAD, &[], |token, i| at(token * TRIPLE + value + i));
        let queries = Rows {
            data: triples.get(start..).unwrap_or(&[]),
            stride: TRIPLE,
            count,
        };
        keys.apply(queries, &mut shares, count);
        math::softmax(&mut shares, count, math::count(HEAD).sqrt().recip());
        let rows = Rows {
            data: &shares,
            stride: count,
            count,
        };
        let out = context.get_mut(start..).unwrap_or(&mut []);
        values.apply(rows, out, DIMENSIONS);
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{MINILM_PIECES, MINILM_WEIGHTS};
    use crate::reference::{Reference, cosine};

    /// The reference computes with 32-bit weights: what 8 bit cost is part of the difference.
    #[test]
    fn a_thousand_sentences_have_the_references_tokens_and_vectors() {
        let model = MiniLm::read(MINILM_WEIGHTS, MINILM_PIECES).unwrap();
        let recorded = include_bytes!("../tests/fixtures/all-minilm-l6-v2.safetensors");
        Reference::read(recorded).compare(0.999, |text| {
            let tokens = model.tokens(&model.pieces(text));
            let vector = model.vector(&tokens);
            (tokens, vector)
        });
    }

    #[test]
    fn the_same_said_otherwise_is_nearer_than_another_subject() {
        let model = MiniLm::read(MINILM_WEIGHTS, MINILM_PIECES).unwrap();
        let vector = |text| model.vector(&model.tokens(&model.pieces(text)));
        let question = vector("How do I increase disk space?");
        let same = cosine(&question, &vector("Extending a file system that is full"));
        let other = cosine(&question, &vector("Who is on call tonight?"));
        assert!(same > other + 0.2, "{same} {other}");
    }
}
