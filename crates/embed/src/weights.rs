//! The weights inside the binary, read where they lie.
//!
//! They are part of the build, and a test holds them to their SHA-256; all the same every name,
//! type and shape is checked here, so that a wrong file is an error with the place, not a panic.

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

use crate::math::LayerNorm;
use crate::matmul::Matrix;

/// The weights inside the binary are not what the model expects.
#[derive(Debug, Error)]
#[error("the bundled weights are damaged at {place}")]
pub struct WeightsError {
    /// Which part.
    pub place: String,
}

impl WeightsError {
    pub(crate) fn at(place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
        }
    }
}

/// A file of named tensors.
pub(crate) struct Weights<'a>(SafeTensors<'a>);

impl<'a> Weights<'a> {
    pub(crate) fn parse(content: &'a [u8]) -> Result<Self, WeightsError> {
        let file = SafeTensors::deserialize(content);
        file.map(Self)
            .map_err(|error| WeightsError::at(error.to_string()))
    }

    fn tensor(&self, name: &str) -> Result<TensorView<'a>, WeightsError> {
        self.0.tensor(name).map_err(|_| WeightsError::at(name))
    }

    /// The bytes of a tensor of bytes.
    pub(crate) fn bytes(&self, name: &str) -> Result<&'a [u8], WeightsError> {
        let tensor = self.tensor(name)?;
        match tensor.dtype() {
            Dtype::U8 | Dtype::I8 => Ok(tensor.data()),
            _ => Err(WeightsError::at(name)),
        }
    }

    /// Whole numbers, 32 bits each.
    pub(crate) fn words(&self, name: &str) -> Result<Vec<u32>, WeightsError> {
        let tensor = self.tensor(name)?;
        let (words, rest) = tensor.data().as_chunks::<4>();
        if tensor.dtype() != Dtype::U32 || !rest.is_empty() {
            return Err(WeightsError::at(name));
        }
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Numbers of 32 or 16 bits, however many.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.tensor(name)?;
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::F32 => {
                let words = data.as_chunks::<4>().0;
                Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
            }
            Dtype::F16 => {
                let words = data.as_chunks::<2>().0.iter();
                Ok(words.map(|word| f16::from_le_bytes(*word).into()).collect())
            }
            _ => Err(WeightsError::at(name)),
        }
    }

    /// The same, which must be `count`.
    pub(crate) fn vector(&self, name: &str, count: usize) -> Result<Vec<f32>, WeightsError> {
        let numbers = self.numbers(name)?;
        if numbers.len() == count {
            Ok(numbers)
        } else {
            Err(WeightsError::at(name))
        }
    }

    /// `name.gain` and `name.bias`.
    pub(crate) fn norm(
        &self,
        name: &str,
        width: usize,
        epsilon: f32,
    ) -> Result<LayerNorm, WeightsError> {
        Ok(LayerNorm {
            gain: self.vector(&format!("{name}.gain"), width)?,
            bias: self.vector(&format!("{name}.bias"), width)?,
            epsilon,
        })
    }

    /// Rows of 8-bit numbers with their scales: `name.q` and `name.scale`.
    pub(crate) fn quantised(
        &self,
        name: &str,
        rows: usize,
        width: usize,
    ) -> Result<Quantised<'a>, WeightsError> {
        let numbers = self.bytes(&format!("{name}.q"))?;
        let scales = self.numbers(&format!("{name}.scale"))?;
        // One scale in all, or some for each row.
        let group = match scales.len() {
            1 => width,
            count => width * rows / count.max(1),
        };
        let fits = scales.len() == 1 || scales.len() * group == rows * width;
        if numbers.len() != rows * width || group == 0 || !width.is_multiple_of(group) || !fits {
            return Err(WeightsError::at(name));
        }
        Ok(Quantised {
            numbers,
            scales,
            width,
            group,
        })
    }

    /// The layers of these names beside each other, one's outputs after the other's.
    pub(crate) fn dense(
        &self,
        names: &[String],
        inputs: usize,
        outputs: usize,
    ) -> Result<Matrix, WeightsError> {
        let mut bias = Vec::new();
        let mut rows = Vec::with_capacity(names.len() * outputs * inputs);
        for name in names {
            let weights = self.quantised(name, outputs, inputs)?;
            for row in 0..outputs {
                rows.extend(weights.row(row));
            }
            if self.0.tensor(&format!("{name}.bias")).is_ok() {
                bias.extend(self.vector(&format!("{name}.bias"), outputs)?);
            }
        }
        Ok(Matrix::new(
            inputs,
            names.len() * outputs,
            &bias,
            |input, output| rows.get(output * inputs + input).copied().unwrap_or(0.0),
        ))
    }
}

/// Rows of 8-bit numbers, `group` of which share a scale.
pub(crate) struct Quantised<'a> {
    numbers: &'a [u8],
    scales: Vec<f32>,
    width: usize,
    group: usize,
}

impl Quantised<'_> {
    /// The numbers of a row; nothing beyond the last one.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = f32> {
        let start = row * self.width;
        let numbers = self.numbers.get(start..start + self.width).unwrap_or(&[]);
        let scales = self.scales.get(row * self.width / self.group..);
        let scales = scales.filter(|_| self.scales.len() > 1);
        let scales = scales.unwrap_or(&self.scales);
        numbers
            .chunks_exact(self.group)
            .zip(scales)
            .flat_map(|(group, scale)| {
                group
                    .iter()
                    .map(move |number| f32::from(number.cast_signed()) * scale)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_file_is_an_error_with_its_place() {
        assert!(Weights::parse(b"{}").is_err());
        let weights = Weights::parse(crate::files::USE_WEIGHTS).unwrap();
        let error = weights.vector("norm.gain", 7).unwrap_err();
        assert!(error.to_string().contains("norm.gain"), "{error}");
        assert!(weights.bytes("norm.gain").is_err());
        assert!(weights.quantised("d0", 320, 511).is_err());
        assert!(weights.dense(&["absent".to_owned()], 1, 1).is_err());
    }
}
