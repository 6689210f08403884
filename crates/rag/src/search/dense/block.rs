//! Rows of vectors that lie side by side, as numbers of half precision and as bytes.
//!
//! Invariants: a block has the same number of rows in each of its parts; a row without an owner is
//! never an answer, whatever numbers it holds; the bytes of a row times its scale are its numbers, to
//! half a step.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::model::DocumentId;

/// Rows of a block: enough to read on without a pause, few enough to copy when a reader holds it.
pub(super) const ROWS: usize = 1024;

/// Whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) document: DocumentId,
    pub(super) ordinal: u32,
    /// The number of the document's collection; 0 for none.
    pub(super) collection: u32,
}

/// A vector as bytes.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) bytes: Vec<i8>,
    pub(super) scale: f32,
}

impl Code {
    /// The bytes that are nearest to `vector`.
    pub(super) fn of(vector: &[f32]) -> Self {
        let most = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
        Self {
            bytes: vector.iter().map(|x| byte(x / scale)).collect(),
            scale,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to what a byte holds"
)]
fn byte(x: f32) -> i8 {
    x.round().clamp(-127.0, 127.0) as i8
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Block {
    owners: Vec<Option<Owner>>,
    scales: Vec<f32>,
    codes: Vec<i8>,
    numbers: Vec<f16>,
    dimensions: usize,
}

impl Block {
    pub(super) fn new(dimensions: usize) -> Self {
        Self {
            owners: vec![None; ROWS],
            scales: vec![0.0; ROWS],
            codes: vec![0; ROWS * dimensions],
            numbers: vec![f16::ZERO; ROWS * dimensions],
            dimensions,
        }
    }

    /// Puts a vector of the block's length into a row.
    pub(super) fn set(&mut self, row: usize, owner: Owner, vector: &[f32], code: &Code) {
        let range = row * self.dimensions..(row + 1) * self.dimensions;
        if let (Some(slot), Some(scale), Some(codes), Some(numbers)) = (
            self.owners.get_mut(row),
            self.scales.get_mut(row),
            self.codes.get_mut(range.clone()),
            self.numbers.get_mut(range),
        ) && codes.len() == code.bytes.len()
            && numbers.len() == vector.len()
        {
            *slot = Some(owner);
            *scale = code.scale;
            codes.copy_from_slice(&code.bytes);
            numbers.convert_from_f32_slice(vector);
        }
    }

    /// Takes a row's owner away.
    pub(super) fn clear(&mut self, row: usize) {
        if let Some(slot) = self.owners.get_mut(row) {
            *slot = None;
        }
    }

    /// The owned rows with their bytes and scales, each with its number.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &Owner, &[i8], f32)> {
        let codes = self.codes.chunks_exact(self.dimensions.max(1));
        self.owners
            .iter()
            .zip(codes)
            .zip(&self.scales)
            .enumerate()
            .filter_map(|(at, ((owner, code), scale))| Some((at, owner.as_ref()?, code, *scale)))
    }

    /// The product of the row's numbers, as exact as half precision has them, and those of `vector`.
    /// `room` is written over, and the same for all rows that are asked for in turn.
    pub(super) fn dot(&self, row: usize, vector: &[f32], room: &mut Vec<f32>) -> f32 {
        /// Sums side by side, which the processor can work on at once; always as many, so that the
        /// result does not depend on the processor.
        const SUMS: usize = 16;
        let row = row * self.dimensions..(row + 1) * self.dimensions;
        let numbers = self.numbers.get(row).unwrap_or_default();
        room.resize(numbers.len(), 0.0);
        numbers.convert_to_f32_slice(room);
        let mut sums = [0.0_f32; SUMS];
        for (numbers, others) in room.chunks(SUMS).zip(vector.chunks(SUMS)) {
            for ((sum, a), b) in sums.iter_mut().zip(numbers).zip(others) {
                *sum += a * b;
            }
        }
        sums.iter().sum()
    }

    /// Bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(self.owners.as_slice())
            + size_of_val(self.scales.as_slice())
            + size_of_val(self.codes.as_slice())
            + size_of_val(self.numbers.as_slice())
    }
}
