//! The models against their reference implementations, over a thousand sentences
//! (`tools/record_reference.py`).

use safetensors::SafeTensors;

use crate::weights::Weights;

/// What a reference implementation made of each sentence.
pub(crate) struct Reference {
    pub(crate) sentences: Vec<String>,
    pub(crate) tokens: Vec<Vec<u32>>,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl Reference {
    pub(crate) fn read(recorded: &[u8]) -> Self {
        let sentences = include_str!("../tests/fixtures/sentences.json");
        let sentences: Vec<String> = serde_json::from_str(sentences).unwrap();
        assert!(sentences.len() >= 1000);
        let file = Weights::parse(recorded).unwrap();
        let scales = file.vector("scales", sentences.len()).unwrap();
        let shape = SafeTensors::deserialize(recorded).unwrap();
        let width = shape.tensor("vectors").unwrap().shape()[1];
        let vectors = file.bytes("vectors").unwrap();
        let vectors = vectors.chunks(width).zip(scales);
        let tokens = file.words("tokens").unwrap();
        let mut tokens = tokens.into_iter();
        let lengths = file.words("lengths").unwrap();
        Self {
            sentences,
            tokens: lengths
                .into_iter()
                .map(|length| tokens.by_ref().take(length.try_into().unwrap()).collect())
                .collect(),
            vectors: vectors
                .map(|(row, scale)| {
                    row.iter()
                        .map(|x| f32::from(x.cast_signed()) * scale)
                        .collect()
                })
                .collect(),
        }
    }

    /// Every sentence has the reference's tokens, and a vector whose cosine with the reference's
    /// is at least `least`.
    pub(crate) fn compare(&self, least: f32, model: impl Fn(&str) -> (Vec<u32>, Vec<f32>)) {
        let expected = self.tokens.iter().zip(&self.vectors);
        let mut worst = (1.0, "");
        for (text, (tokens, vector)) in self.sentences.iter().zip(expected) {
            let (found_tokens, found) = model(text);
            assert_eq!(&found_tokens, tokens, "tokens of {text:?}");
            let length: f32 = found.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-4, "length of {text:?}");
            let cosine = cosine(&found, vector);
            if cosine < worst.0 {
                worst = (cosine, text);
            }
        }
        assert!(worst.0 >= least, "cosine {} of {:?}", worst.0, worst.1);
    }
}

pub(crate) fn cosine(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}
