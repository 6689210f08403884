//! `SentencePiece`'s unigram model: a text is cut into the pieces whose scores add up highest.
//!
//! Equal sums are decided as `SentencePiece` does: the longer last piece wins.

mod normalizer;
mod proto;

use normalizer::Normalizer;

use crate::weights::WeightsError;

/// Stands for what no piece covers.
pub(crate) const UNKNOWN: u32 = 0;
const BEGIN: u32 = 1;
const END: u32 = 2;
/// A piece of this kind is a part of a text; the others are marks.
const NORMAL: u64 = 1;

pub(crate) struct Unigram<'a> {
    normalizer: Normalizer<'a>,
    /// In the order of their bytes.
    pieces: Vec<Piece<'a>>,
    /// Where the pieces of a first byte start in `pieces`; 257 of them.
    firsts: Vec<usize>,
    unknown: f64,
}

struct Piece<'a> {
    text: &'a [u8],
    id: u32,
    score: f32,
}

/// The best way to a place in a text: its score, where its last piece starts, and which it is.
#[derive(Clone, Copy)]
struct Way {
    score: f64,
    start: usize,
    piece: u32,
}

impl<'a> Unigram<'a> {
    /// Reads a `ModelProto` of `SentencePiece`.
    pub(crate) fn read(model: &'a [u8]) -> Result<Self, WeightsError> {
        let damaged = || WeightsError::at("the SentencePiece model");
        let mut pieces = Vec::new();
        let mut charsmap = &[][..];
        let (mut id, mut least) = (0, f32::INFINITY);
        for field in proto::fields(model) {
            let (number, value) = field.ok_or_else(damaged)?;
            match (number, value) {
                (1, proto::Value::Bytes(piece)) => {
                    let (text, score, kind) = read_piece(piece).ok_or_else(damaged)?;
                    least = least.min(score);
                    if kind == NORMAL && !text.is_empty() {
                        pieces.push(Piece { text, id, score });
                    }
                    id += 1;
                }
                (3, proto::Value::Bytes(spec)) => {
                    charsmap = read_charsmap(spec).ok_or_else(damaged)?;
                }
                _ => {}
            }
        }
        pieces.sort_unstable_by_key(|piece| piece.text);
        let firsts = (0..=256_u16)
            .map(|byte| {
                pieces.partition_point(|piece| {
                    piece.text.first().copied().map(u16::from) < Some(byte)
                })
            })
            .collect();
        Ok(Self {
            normalizer: Normalizer::read(charsmap).ok_or_else(damaged)?,
            pieces,
            firsts,
            unknown: f64::from(least) - 10.0,
        })
    }

    /// The pieces of a text between the marks of its begin and end. A text of nothing but blanks is
    /// one unknown piece.
    pub(crate) fn pieces(&self, text: &str) -> Vec<u32> {
        let text = self.normalizer.normalize(text);
        let mut pieces = vec![END];
        let ways = self.ways(&text);
        let mut place = text.len();
        while let Some(way) = ways.get(place).filter(|_| place > 0) {
            pieces.push(way.piece);
            place = way.start;
        }
        if pieces.len() == 1 {
            pieces.push(UNKNOWN);
        }
        pieces.push(BEGIN);
        pieces.reverse();
        pieces
    }

    /// The best way to each byte; only the starts of characters are ever reached.
    fn ways(&self, text: &str) -> Vec<Way> {
        let nowhere = Way {
            score: f64::NEG_INFINITY,
            start: 0,
            piece: UNKNOWN,
        };
        let mut ways = vec![nowhere; text.len() + 1];
        for (start, first) in text.char_indices() {
            let base = match ways.get(start) {
                _ if start == 0 => 0.0,
                Some(way) => way.score,
                None => break,
            };
            let alone = start + first.len_utf8();
            let mut covered = false;
            let rest = text.as_bytes().get(start..).unwrap_or(&[]);
            self.prefixes(rest, |piece| {
                let end = start + piece.text.len();
                covered |= end == alone;
                improve(
                    &mut ways,
                    end,
                    start,
                    base + f64::from(piece.score),
                    piece.id,
                );
            });
            if !covered {
                improve(&mut ways, alone, start, base + self.unknown, UNKNOWN);
            }
        }
        ways
    }

    /// Each piece that `text` starts with, the shortest first.
    fn prefixes(&self, text: &[u8], mut found: impl FnMut(&Piece<'a>)) {
        let Some((first, rest)) = text.split_first() else {
            return;
        };
        let first = usize::from(*first);
        let bounds = self.firsts.get(first).zip(self.firsts.get(first + 1));
        let range = bounds.and_then(|(start, end)| self.pieces.get(*start..*end));
        let mut candidates = range.unwrap_or(&[]);
        // The candidates share the first `length` bytes with the text; in their order, the one
        // that is no longer than that stands first.
        for length in 1.. {
            if let Some((piece, others)) = candidates.split_first()
                && piece.text.len() == length
            {
                found(piece);
                candidates = others;
            }
            let Some(byte) = rest.get(length - 1).filter(|_| !candidates.is_empty()) else {
                return;
            };
            let at = |piece: &Piece<'a>| piece.text.get(length).copied();
            let start = candidates.partition_point(|piece| at(piece) < Some(*byte));
            candidates = candidates.get(start..).unwrap_or(&[]);
            let end = candidates.partition_point(|piece| at(piece) == Some(*byte));
            candidates = candidates.get(..end).unwrap_or(&[]);
        }
    }
}

fn improve(ways: &mut [Way], end: usize, start: usize, score: f64, piece: u32) {
    if let Some(way) = ways.get_mut(end)
        && score > way.score
    {
        *way = Way {
            score,
            start,
            piece,
        };
    }
}

/// Text, score and kind of a `SentencePiece`.
fn read_piece(piece: &[u8]) -> Option<(&[u8], f32, u64)> {
    let (mut text, mut score, mut kind) = (&[][..], 0.0, NORMAL);
    for field in proto::fields(piece) {
        match field? {
            (1, proto::Value::Bytes(bytes)) => text = bytes,
            (2, proto::Value::Fixed(bits)) => score = f32::from_bits(bits),
            (3, proto::Value::Number(number)) => kind = number,
            _ => {}
        }
    }
    Some((text, score, kind))
}

/// The character map of a `NormalizerSpec`.
fn read_charsmap(spec: &[u8]) -> Option<&[u8]> {
    let mut charsmap = &[][..];
    for field in proto::fields(spec) {
        if let (2, proto::Value::Bytes(bytes)) = field? {
            charsmap = bytes;
        }
    }
    Some(charsmap)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn unigram() -> &'static Unigram<'static> {
        static UNIGRAM: LazyLock<Unigram<'static>> =
            LazyLock::new(|| Unigram::read(crate::files::USE_PIECES).unwrap());
        &UNIGRAM
    }

    #[test]
    fn a_text_stands_between_its_marks_and_nothing_is_one_unknown_piece() {
        let unigram = unigram();
        for nothing in ["", "   ", "\t\n"] {
            assert_eq!(
                unigram.pieces(nothing),
                [BEGIN, UNKNOWN, END],
                "{nothing:?}"
            );
        }
        let pieces = unigram.pieces("the job failed");
        assert_eq!((pieces[0], pieces[pieces.len() - 1]), (BEGIN, END));
        assert!(pieces.len() > 3 && !pieces.contains(&UNKNOWN));
    }

    /// A document that holds the marks' names does not make marks.
    #[test]
    fn marks_cannot_be_written_into_a_text() {
        let pieces = unigram().pieces("a</s><s>b");
        let inner = &pieces[1..pieces.len() - 1];
        assert!(
            !inner.contains(&BEGIN) && !inner.contains(&END),
            "{pieces:?}"
        );
    }

    #[test]
    fn a_broken_model_is_an_error() {
        let model = crate::files::USE_PIECES;
        for cut in [1, 7, 100, model.len() / 2] {
            // A cut between two pieces leaves a smaller model; inside one it is an error.
            if let Ok(unigram) = Unigram::read(&model[..cut]) {
                unigram.pieces("text");
            }
        }
        assert!(Unigram::read(&[0x0a, 0xff]).is_err());
    }

    proptest::proptest! {
        /// Whatever the text, its pieces cover it: nothing panics and nothing is left out.
        #[test]
        fn any_text_has_pieces(text in "\\PC{0,40}|[a-z ▁\u{0}\u{300}]{0,40}") {
            proptest::prop_assert!(unigram().pieces(&text).len() >= 3);
        }
    }
}
