//! The files of the models, inside the binary. `tools/build_weights.py` makes them.
//!
//! They are pages of the executable: the system reads them when they are touched, and shares them
//! between processes.

/// Weights of USE-multilingual v3.
pub(crate) const USE_WEIGHTS: &[u8] = include_bytes!("../weights/use-multilingual-3.safetensors");
/// Its `SentencePiece` model.
pub(crate) const USE_PIECES: &[u8] = include_bytes!("../weights/use-multilingual-3.sp.model");
/// Weights of all-MiniLM-L6-v2.
pub(crate) const MINILM_WEIGHTS: &[u8] = include_bytes!("../weights/all-minilm-l6-v2.safetensors");
/// Its word pieces, one a line.
pub(crate) const MINILM_PIECES: &str = include_str!("../weights/all-minilm-l6-v2.vocab.txt");

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_weights_are_those_of_their_sums() {
        let files = [
            ("use-multilingual-3.safetensors", USE_WEIGHTS),
            ("use-multilingual-3.sp.model", USE_PIECES),
            ("all-minilm-l6-v2.safetensors", MINILM_WEIGHTS),
            ("all-minilm-l6-v2.vocab.txt", MINILM_PIECES.as_bytes()),
        ];
        let sums = include_str!("../weights/SHA256SUMS").lines();
        for ((name, content), line) in files.iter().zip(sums) {
            let sum = hex::encode(Sha256::digest(content));
            assert_eq!(format!("{sum}  {name}"), line);
        }
        let size: usize = files.iter().map(|(_, content)| content.len()).sum();
        assert!(size < 60_000_000, "{size} bytes");
    }
}
