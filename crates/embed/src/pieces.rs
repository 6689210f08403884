//! The table of word pieces of USE-multilingual: 128,010 rows of 512 numbers of 6 bits, in a prefix
//! code (`tools/build_weights.py`). A text costs the rows that it touches.

use crate::weights::{Weights, WeightsError};

const WIDTH: usize = 512;
/// Row `i` has the scale and the centre of chunk `i % 17`.
const CHUNKS: usize = 17;
/// Bits of the longest code.
const LONGEST: u32 = 12;
/// The symbol of a number that is its chunk's centre.
const CENTRE: i8 = 64;
const SYMBOLS: usize = 128;

pub(crate) struct PieceTable<'a> {
    /// A row is a byte that names its code, then the codes of its numbers.
    rows: &'a [u8],
    /// Where each row starts, and where the last one ends.
    offsets: Vec<u32>,
    /// For each code: what the next [`LONGEST`] bits mean.
    codes: Vec<Vec<Entry>>,
    /// Scale and centre of each chunk.
    chunks: Vec<(f32, f32)>,
}

/// A symbol's distance from the centre, and the bits of its code.
#[derive(Clone, Copy, Default)]
struct Entry {
    distance: i8,
    bits: u8,
}

impl<'a> PieceTable<'a> {
    pub(crate) fn read(weights: &Weights<'a>) -> Result<Self, WeightsError> {
        let lengths = weights.bytes("pieces.code_lengths")?;
        let codes = lengths.chunks(SYMBOLS).map(code).collect::<Option<_>>();
        let scales = weights.vector("pieces.scale", CHUNKS)?;
        let centres = weights.vector("pieces.centre", CHUNKS)?;
        Ok(Self {
            rows: weights.bytes("pieces.rows")?,
            offsets: weights.words("pieces.offsets")?,
            codes: codes.ok_or_else(|| WeightsError::at("pieces.code_lengths"))?,
            chunks: scales.into_iter().zip(centres).collect(),
        })
    }

    /// Writes the row of a piece into the first numbers of `out`. A piece that the table lacks, or
    /// a row that ends too early, leaves what was there.
    pub(crate) fn write(&self, piece: u32, out: &mut [f32]) {
        let Some((bytes, codes, scale, centre)) = self.row(piece) else {
            return;
        };
        let mut bytes = bytes.iter();
        // The next bits, from the highest down, and how many of them are real.
        let (mut window, mut real) = (0_u64, 0_u32);
        for x in out.iter_mut().take(WIDTH) {
            while real < LONGEST {
                // Behind the last byte come zeros, which a code may look at but not use.
                window |= u64::from(bytes.next().copied().unwrap_or(0)) << (56 - real);
                real += 8;
            }
            let index = usize::try_from(window >> (64 - LONGEST)).unwrap_or(0);
            let entry = codes.get(index).copied().unwrap_or_default();
            *x = f32::from(entry.distance) * scale + centre;
            window <<= entry.bits;
            real -= u32::from(entry.bits).min(real);
        }
    }

    fn row(&self, piece: u32) -> Option<(&[u8], &[Entry], f32, f32)> {
        let piece = usize::try_from(piece).ok()?;
        let start = usize::try_from(*self.offsets.get(piece)?).ok()?;
        let end = usize::try_from(*self.offsets.get(piece + 1)?).ok()?;
        let (code, bytes) = self.rows.get(start..end)?.split_first()?;
        let (scale, centre) = *self.chunks.get(piece % CHUNKS)?;
        Some((bytes, self.codes.get(usize::from(*code))?, scale, centre))
    }
}

/// The canonical code of these lengths, as a table over the next [`LONGEST`] bits; `None` when
/// they make none.
fn code(lengths: &[u8]) -> Option<Vec<Entry>> {
    let mut symbols: Vec<(u8, u8)> = lengths
        .iter()
        .zip(0_u8..)
        .filter(|(bits, _)| **bits > 0)
        .map(|(bits, symbol)| (*bits, symbol))
        .collect();
    symbols.sort_unstable();
    let mut table = Vec::with_capacity(1 << LONGEST);
    for (bits, symbol) in symbols {
        let spare = LONGEST.checked_sub(u32::from(bits))?;
        let distance = symbol.cast_signed().checked_sub(CENTRE)?;
        table.resize(table.len() + (1 << spare), Entry { distance, bits });
    }
    (table.len() == 1 << LONGEST).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_make_no_code_are_refused() {
        let mut lengths = [0; SYMBOLS];
        assert!(code(&lengths).is_none());
        lengths[3] = 1;
        assert!(code(&lengths).is_none(), "half of the bits mean nothing");
        lengths[9] = 1;
        assert_eq!(code(&lengths).unwrap().len(), 4096);
        lengths[10] = 13;
        assert!(code(&lengths).is_none(), "longer than the window");
    }

    #[test]
    fn a_piece_that_the_table_lacks_writes_nothing() {
        let weights = Weights::parse(crate::files::USE_WEIGHTS).unwrap();
        let table = PieceTable::read(&weights).unwrap();
        let mut row = vec![9.0; WIDTH];
        table.write(17 * 7530, &mut row);
        assert_eq!(row, vec![9.0; WIDTH]);
        table.write(0, &mut row);
        assert!(row.iter().all(|x| x.abs() < 8.0));
    }
}
