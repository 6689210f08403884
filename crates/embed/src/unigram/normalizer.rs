//! `SentencePiece`'s normaliser: NFKC with its own exceptions as a map from character sequences to
//! others, one blank between words, and `▁` for it.
//!
//! The map is a double array (darts-clone) over bytes, followed by the replacements, each ended by
//! a zero byte.

/// What stands for a blank.
const BLANK: char = '▁';
const LEAF: u32 = 1 << 8;

pub(super) struct Normalizer<'a> {
    units: Vec<u32>,
    replacements: &'a [u8],
}

impl<'a> Normalizer<'a> {
    /// `None` when the map is cut. An empty one changes nothing but blanks.
    pub(super) fn read(charsmap: &'a [u8]) -> Option<Self> {
        if charsmap.is_empty() {
            return Some(Self {
                units: Vec::new(),
                replacements: &[],
            });
        }
        let (size, rest) = charsmap.split_first_chunk::<4>()?;
        let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
        let (units, replacements) = rest.split_at_checked(size)?;
        let (units, _) = units.as_chunks::<4>();
        Some(Self {
            units: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            replacements,
        })
    }

    /// The text with a blank before each word and none after the last; empty when it has no word.
    pub(super) fn normalize(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 2);
        // Blanks are written when a word follows.
        let mut blank = true;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (length, replacement) = match self.longest(rest) {
                Some(found) => found,
                None => (first.len_utf8(), rest.get(..first.len_utf8()).unwrap_or("")),
            };
            for character in replacement.chars() {
                if character == ' ' {
                    blank = true;
                } else {
                    if blank {
                        out.push(BLANK);
                    }
                    blank = false;
                    out.push(character);
                }
            }
            rest = rest.get(length..).unwrap_or("");
        }
        out
    }

    /// The longest sequence at the start of `text` that has a replacement: its length in bytes and
    /// what replaces it.
    fn longest(&self, text: &str) -> Option<(usize, &'a str)> {
        let mut best = None;
        let mut place = offset(*self.units.first()?);
        for (index, byte) in text.bytes().enumerate() {
            place ^= u32::from(byte);
            let Some(unit) = self.unit(place) else {
                break;
            };
            // The label, and that the unit is no leaf's value.
            if unit & 0x8000_00ff != u32::from(byte) {
                break;
            }
            place ^= offset(unit);
            if unit & LEAF != 0 {
                best = Some((index + 1, self.unit(place)? & 0x7fff_ffff));
            }
        }
        let (length, start) = best?;
        let tail = self.replacements.get(usize::try_from(start).ok()?..)?;
        let end = tail.iter().position(|byte| *byte == 0)?;
        let replacement = std::str::from_utf8(tail.get(..end)?).ok()?;
        text.is_char_boundary(length)
            .then_some((length, replacement))
    }

    fn unit(&self, place: u32) -> Option<u32> {
        self.units.get(usize::try_from(place).ok()?).copied()
    }
}

fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & (1 << 9)) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_map_only_blanks_change() {
        let normalizer = Normalizer::read(&[]).unwrap();
        assert_eq!(normalizer.normalize("  a  b "), "▁a▁b");
        assert_eq!(normalizer.normalize("  "), "");
    }

    #[test]
    fn a_map_that_breaks_off_is_refused() {
        assert!(Normalizer::read(&[1, 0]).is_none());
        assert!(Normalizer::read(&[9, 0, 0, 0, 1]).is_none());
    }
}
