//! Password hashes, and what a new password must be.

use std::fmt;

use resync_kernel::{ExposeSecret, SecretString};
use thiserror::Error;

/// A password hash as it is stored; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps what a [`PasswordHasher`](crate::PasswordHasher) made or a row holds.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text for the row or for the hasher.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

/// The rule for new passwords: a least number of characters, and at most 72 bytes in UTF-8, because
/// the hash would not see more; no NUL, for the hash cannot tell where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_chars: usize,
}

/// Why a password is not taken; none of these says what the password was.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum PasswordPolicyError {
    /// Fewer characters than asked for.
    #[error("a password has at least {min_chars} characters")]
    TooShort {
        /// The least number of characters.
        min_chars: usize,
    },
    /// More bytes than the hash can see.
    #[error("a password has at most 72 bytes")]
    TooLong,
    /// The password holds a NUL character.
    #[error("a password has no NUL character")]
    Nul,
}

impl PasswordPolicy {
    /// The most bytes that the hash can see.
    pub const MAX_BYTES: usize = 72;

    /// A rule with its own least number of characters.
    #[must_use]
    pub const fn with_min_chars(min_chars: usize) -> Self {
        Self { min_chars }
    }

    /// Checks a new password.
    ///
    /// # Errors
    /// [`PasswordPolicyError`] for the first rule that is broken.
    pub fn check(self, password: &SecretString) -> Result<(), PasswordPolicyError> {
        let text = password.expose_secret();
        if text.chars().count() < self.min_chars {
            return Err(PasswordPolicyError::TooShort {
                min_chars: self.min_chars,
            });
        }
        if text.len() > Self::MAX_BYTES {
            return Err(PasswordPolicyError::TooLong);
        }
        if text.contains('\0') {
            return Err(PasswordPolicyError::Nul);
        }
        Ok(())
    }
}

impl Default for PasswordPolicy {
    /// At least 12 characters.
    fn default() -> Self {
        Self { min_chars: 12 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_below_and_bytes_above() {
        let policy = PasswordPolicy::default();
        let check = |text: &str| policy.check(&SecretString::from(text));
        assert_eq!(
            check("elevenchars"),
            Err(PasswordPolicyError::TooShort { min_chars: 12 })
        );
        assert_eq!(check("áéíóúâêôãõçü"), Ok(()));
        assert_eq!(check(&"x".repeat(72)), Ok(()));
        assert_eq!(check(&"x".repeat(73)), Err(PasswordPolicyError::TooLong));
        assert_eq!(check(&"ç".repeat(37)), Err(PasswordPolicyError::TooLong));
        assert_eq!(check("twelve\0chars"), Err(PasswordPolicyError::Nul));
    }

    #[test]
    fn debug_hides_the_hash() {
        let hash = PasswordHash::from_stored("$2b$12$abc".into());
        assert!(!format!("{hash:?}").contains("abc"));
    }
}
