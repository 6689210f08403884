//! Ids are newtypes over UUID version 7, made by a port so that tests can count them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::{EntropyError, fill_random};

/// Where new ids come from.
pub trait IdGenerator: Send + Sync {
    /// A new id, greater than those made before it by this generator.
    fn next(&self) -> Uuid;
}

/// UUID version 7 from the machine's clock and entropy.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl IdGenerator for SystemIds {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// `00000000-0000-7000-8000-000000000001`, …`2` and so on: for tests that compare whole answers.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl IdGenerator for CountingIds {
    fn next(&self) -> Uuid {
        let n = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
    }
}

/// Names a user; the owner of sessions, conversations and proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub Uuid);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `bytes` random bytes as URL-safe text, for tokens that are looked up by their digest.
///
/// # Errors
/// [`EntropyError`] when the system gives no randomness.
pub fn random_token(bytes: usize) -> Result<String, EntropyError> {
    let mut raw = vec![0; bytes];
    fill_random(&mut raw)?;
    Ok(URL_SAFE_NO_PAD.encode(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_ids_are_ordered_and_valid_v7() {
        let ids = CountingIds::default();
        let (first, second) = (ids.next(), ids.next());
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);
    }

    #[test]
    fn two_tokens_differ() {
        assert_ne!(random_token(32).unwrap(), random_token(32).unwrap());
    }
}
