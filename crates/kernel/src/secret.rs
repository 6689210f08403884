//! Randomness for keys and tokens.

use thiserror::Error;

/// The system gave no randomness.
#[derive(Debug, Error)]
#[error("the system gave no randomness")]
pub struct EntropyError(#[source] getrandom::Error);

/// Fills `buffer` from the system's generator.
///
/// # Errors
/// [`EntropyError`] when the system gives no randomness.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), EntropyError> {
    getrandom::fill(buffer).map_err(EntropyError)
}
