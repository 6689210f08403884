//! User names: one spelling for each account.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// A user name: 1 to 64 ASCII letters, digits or `.`, `_`, `-`, `+`, `@`, the first one a letter or
/// a digit; kept in lower case, so that `Ana` and `ana` are one account.
///
/// Spaces are refused, not trimmed, and so is everything outside ASCII: two names that look alike
/// are the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Username(String);

/// Why a text is no user name.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum UsernameError {
    /// Nothing, or more than 64 characters.
    #[error("a user name has 1 to 64 characters")]
    Length,
    /// A character that a user name may not have.
    #[error("a user name has letters, digits, '.', '_', '-', '+' and '@', a letter or digit first")]
    Character,
}

impl Username {
    /// The greatest length in characters.
    pub const MAX: usize = 64;

    /// Reads `text`, in any case.
    ///
    /// # Errors
    /// [`UsernameError`] when the rule above is broken.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.is_empty() || text.len() > Self::MAX {
            return Err(UsernameError::Length);
        }
        let first_is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let all_allowed = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+@".contains(c));
        if !(first_is_plain && all_allowed) {
            return Err(UsernameError::Character);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_does_not_make_another_account() {
        assert_eq!(
            Username::parse("Ana.Silva@Example"),
            Username::parse("ana.silva@example")
        );
        assert_eq!(Username::parse("OPS-1").unwrap().as_str(), "ops-1");
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        let long = "a".repeat(65);
        for (text, error) in [
            ("", UsernameError::Length),
            (long.as_str(), UsernameError::Length),
            (" ana", UsernameError::Character),
            ("ana ", UsernameError::Character),
            (".ana", UsernameError::Character),
            ("аna", UsernameError::Character),
            ("ana\n", UsernameError::Character),
            ("ana\u{202e}", UsernameError::Character),
        ] {
            assert_eq!(Username::parse(text), Err(error), "{text:?}");
        }
        assert!(Username::parse(&"a".repeat(64)).is_ok());
    }

    proptest! {
        #[test]
        fn a_parsed_name_parses_to_itself(text in "\\PC{0,70}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(Username::parse(name.as_str()), Ok(name));
            }
        }
    }
}
