//! Chunks, questions and vectors that are the same in every run.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use resync_rag::{Embedder, EmbedderError, EmbeddingKind, EmbeddingModel};

use crate::DIMENSIONS;

/// Words in a chunk, words that there are, and clusters of vectors.
const WORDS: usize = 120;
const VOCABULARY: u64 = 50_000;
const CLUSTERS: u64 = 2_000;

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    /// A number of the vocabulary; small ones come more often, as one over the number.
    fn zipf(&mut self) -> u64 {
        let top = f64::from(u32::try_from(VOCABULARY).unwrap_or(u32::MAX)).ln();
        let drawn = (self.share() * top).exp();
        // A draw of at most the vocabulary's size.
        format!("{drawn:.0}").parse().unwrap_or(1)
    }
}

/// A word that no stemmer knows, by its number.
fn word(mut number: u64) -> String {
    const SOUNDS: [&str; 16] = [
        "ba", "ko", "du", "fi", "go", "hu", "jo", "ku", "lo", "mu", "no", "pu", "ro", "tu", "vo",
        "zu",
    ];
    let mut text = String::new();
    loop {
        let at = usize::try_from(number % 16).unwrap_or(0);
        text.push_str(SOUNDS.get(at).unwrap_or(&"ba"));
        number /= 16;
        if number == 0 {
            text.push('k');
            return text;
        }
    }
}

fn vector(seed: u64) -> Vec<f32> {
    let numbers = |seed: u64, scale: f32| {
        let mut dice = Dice::of(seed);
        (0..DIMENSIONS)
            .map(|_| {
                let short = u16::try_from(dice.next() >> 48).unwrap_or(0);
                scale * (f32::from(short) / 32768.0 - 1.0)
            })
            .collect::<Vec<f32>>()
    };
    let centre = numbers(seed % CLUSTERS + 7, 1.0);
    let around = numbers(seed + 1_000_003, 0.7);
    let mut sum: Vec<f32> = centre.iter().zip(around).map(|(a, b)| a + b).collect();
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut sum {
        *x /= length;
    }
    sum
}

/// All there is to search.
pub(crate) struct World {
    pub(crate) texts: Vec<String>,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl World {
    pub(crate) fn of(chunks: usize) -> Self {
        let mut dice = Dice::of(1);
        let text = |_| {
            let words: Vec<String> = (0..WORDS).map(|_| word(dice.zipf())).collect();
            words.join(" ")
        };
        Self {
            texts: (0..chunks).map(text).collect(),
            vectors: (0..).take(chunks).map(vector).collect(),
        }
    }

    /// Four words of a chunk, and a vector near that of another one.
    pub(crate) fn question(&self, number: u64) -> (String, Vec<f32>) {
        let mut dice = Dice::of(number + 99);
        let chunks = u64::try_from(self.texts.len()).unwrap_or(1);
        let at = usize::try_from(dice.below(chunks)).unwrap_or(0);
        let words: Vec<&str> = self
            .texts
            .get(at)
            .map_or("", String::as_str)
            .split(' ')
            .collect();
        let picked: Vec<&str> = (0..4)
            .filter_map(|_| {
                let at = usize::try_from(dice.below(WORDS as u64)).ok()?;
                words.get(at).copied()
            })
            .collect();
        (picked.join(" "), vector(number * 31 + 50_000_000))
    }
}

/// A model that has the vectors of all texts and questions ready.
pub(crate) struct ReadyVectors {
    model: EmbeddingModel,
    world: Arc<World>,
    places: HashMap<String, usize>,
}

impl ReadyVectors {
    pub(crate) fn of(world: &Arc<World>) -> Self {
        let places = world.texts.iter().cloned().zip(0..).collect();
        Self {
            model: EmbeddingModel {
                id: "ready".to_owned(),
                dimensions: u32::try_from(DIMENSIONS).unwrap_or(0),
            },
            world: Arc::clone(world),
            places,
        }
    }
}

#[async_trait]
impl Embedder for ReadyVectors {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    async fn embed(
        &self,
        _kind: EmbeddingKind,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let find = |text: &String| {
            let place = self.places.get(text.trim()).or_else(|| {
                // A passage has its context before it.
                self.places
                    .get(text.rsplit('\n').next().unwrap_or_default().trim())
            });
            let known = place.and_then(|at| self.world.vectors.get(*at)).cloned();
            known
                .unwrap_or_else(|| vector(u64::try_from(text.len()).unwrap_or(0) * 31 + 50_000_000))
        };
        Ok(texts.iter().map(find).collect())
    }
}
