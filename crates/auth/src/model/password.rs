//! Password hashes, and what a new password must be.

mod breached;
mod strength;

use std::fmt;
use std::sync::Arc;

use resync_kernel::{ExposeSecret, SecretString};
use thiserror::Error;

pub use breached::{BreachList, BreachListError};
pub use strength::{PasswordSuggestion, PasswordWarning, Strength};

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
/// the hash would not see more; no NUL, for the hash cannot tell where it stands; not easy to guess,
/// and in no list of leaked passwords if there is one. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PasswordPolicy {
    min_chars: usize,
    breached: Option<Arc<BreachList>>,
}

/// Why a password is not taken; none of these says what the password was.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
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
    /// The password is too easy to guess; the verdict says why and what to do.
    #[error("the password is too easy to guess")]
    Weak(Strength),
    /// The password is in the list of leaked ones.
    #[error("the password is in a list of leaked passwords")]
    Breached,
}

impl PasswordPolicyError {
    /// A name for programs and translations.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => PasswordWarning::TooShort.code(),
            Self::TooLong => PasswordWarning::TooLong.code(),
            Self::Nul => PasswordWarning::Nul.code(),
            Self::Weak(_) => "weak",
            Self::Breached => PasswordWarning::Breached.code(),
        }
    }
}

impl PasswordPolicy {
    /// The most bytes that the hash can see.
    pub const MAX_BYTES: usize = 72;
    /// The least score that is taken, of 0 to 4: some 10^8 guesses.
    pub const MIN_SCORE: u8 = 3;
    /// Words that a guesser of our passwords would begin with, besides those that `zxcvbn` knows.
    const OWN_WORDS: [&str; 12] = [
        "resync",
        "workload",
        "automation",
        "hcl",
        "tws",
        "hwa",
        "senha",
        "mudar",
        "operador",
        "administrador",
        "bemvindo",
        "brasil",
    ];

    /// A rule with its own least number of characters.
    #[must_use]
    pub const fn with_min_chars(min_chars: usize) -> Self {
        Self {
            min_chars,
            breached: None,
        }
    }

    /// The same rule, which refuses what `list` holds as well.
    #[must_use]
    pub fn with_breach_list(self, list: BreachList) -> Self {
        Self {
            breached: Some(Arc::new(list)),
            ..self
        }
    }

    /// Checks a new password. `about` are words that a guesser knows of its user, such as the name.
    ///
    /// # Errors
    /// [`PasswordPolicyError`] for the first rule that is broken.
    pub fn check(
        &self,
        password: &SecretString,
        about: &[&str],
    ) -> Result<(), PasswordPolicyError> {
        self.check_form(password)?;
        let strength = Self::guess(password, about);
        if strength.score < Self::MIN_SCORE {
            return Err(PasswordPolicyError::Weak(strength));
        }
        self.check_breached(password)
    }

    /// How good a password is, for a page that shows it while it is typed. Pure, and bounded in its
    /// work: what is longer than 72 bytes is not looked at.
    #[must_use]
    pub fn assess(&self, password: &SecretString, about: &[&str]) -> Strength {
        let failed = match self.check_form(password) {
            Ok(()) => self.check_breached(password).err(),
            Err(error) => Some(error),
        };
        let mut strength = match failed {
            Some(PasswordPolicyError::TooLong) => Strength::unacceptable(PasswordWarning::TooLong),
            _ => Self::guess(password, about),
        };
        let warning = match failed {
            Some(PasswordPolicyError::TooShort { .. }) => Some(PasswordWarning::TooShort),
            Some(PasswordPolicyError::TooLong) => Some(PasswordWarning::TooLong),
            Some(PasswordPolicyError::Nul) => Some(PasswordWarning::Nul),
            Some(PasswordPolicyError::Breached) => Some(PasswordWarning::Breached),
            Some(PasswordPolicyError::Weak(_)) | None => None,
        };
        if let Some(warning) = warning {
            strength.acceptable = false;
            // What `zxcvbn` has against it helps more than "too short" does.
            if strength.warning.is_none() || warning != PasswordWarning::TooShort {
                strength.warning = Some(warning);
            }
        }
        strength
    }

    fn check_form(&self, password: &SecretString) -> Result<(), PasswordPolicyError> {
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

    fn guess(password: &SecretString, about: &[&str]) -> Strength {
        let words: Vec<&str> = Self::OWN_WORDS.iter().chain(about).copied().collect();
        Strength::of(password, &words, Self::MIN_SCORE)
    }

    fn check_breached(&self, password: &SecretString) -> Result<(), PasswordPolicyError> {
        let leaked = self
            .breached
            .as_ref()
            .is_some_and(|list| list.holds(password));
        if leaked {
            Err(PasswordPolicyError::Breached)
        } else {
            Ok(())
        }
    }
}

impl Default for PasswordPolicy {
    /// At least 12 characters, no list of leaked passwords.
    fn default() -> Self {
        Self::with_min_chars(12)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    /// ASVS 6.2.8, 6.2.9: characters below, bytes above, and nothing is cut.
    #[test]
    fn length_counts_characters_below_and_bytes_above() {
        let policy = PasswordPolicy::default();
        let check = |text: &str| policy.check(&secret(text), &[]);
        assert_eq!(
            check("elevenchars"),
            Err(PasswordPolicyError::TooShort { min_chars: 12 })
        );
        assert_eq!(check("áéíóúâêôãõçü"), Ok(()));
        let phrase = "a lamp, forty otters and one very patient ferryman on a Tuesday night..";
        assert_eq!(check(&format!("{phrase:x<72}")), Ok(()));
        assert_eq!(
            check(&format!("{phrase:x<73}")),
            Err(PasswordPolicyError::TooLong)
        );
        assert_eq!(check(&"ç".repeat(37)), Err(PasswordPolicyError::TooLong));
        assert_eq!(check("twelve\0chars"), Err(PasswordPolicyError::Nul));
    }

    /// ASVS 6.2.4: what stands at the top of every list of guesses is refused, the user's own name and
    /// the product's among it.
    #[test]
    fn what_is_easy_to_guess_is_refused_with_a_reason() {
        let policy = PasswordPolicy::default();
        for text in [
            "password1234",
            "aaaaaaaaaaaa",
            "qwertyuiop12",
            "123456789012",
            "resyncresync",
            "administrador",
            "senha1senha1",
            "anasilva2024",
        ] {
            let Err(PasswordPolicyError::Weak(strength)) =
                policy.check(&secret(text), &["ana.silva", "anasilva"])
            else {
                panic!("{text} is taken")
            };
            assert!(strength.score < PasswordPolicy::MIN_SCORE && !strength.acceptable);
            assert!(
                strength.warning.is_some() || !strength.suggestions.is_empty(),
                "{text}"
            );
        }
        assert_eq!(
            policy.check(&secret("correct horse battery"), &["ana"]),
            Ok(())
        );
    }

    #[test]
    fn a_leaked_password_is_refused_however_good_it_looks() {
        let password = secret("correct horse battery");
        let other = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:2\n";
        let unlisted = BreachList::read(other.as_bytes()).unwrap();
        let policy = PasswordPolicy::default().with_breach_list(unlisted);
        assert_eq!(policy.check(&password, &[]), Ok(()));
        // As `sha1sum` gives it.
        let listed = format!("{other}98decc62ece399a22ed30d490ef333be7fde7385:9\n");
        let leaked = BreachList::read(listed.as_bytes()).unwrap();
        let policy = PasswordPolicy::default().with_breach_list(leaked);
        assert_eq!(
            policy.check(&password, &[]),
            Err(PasswordPolicyError::Breached)
        );
        let verdict = policy.assess(&password, &[]);
        assert_eq!(
            (verdict.acceptable, verdict.warning),
            (false, Some(PasswordWarning::Breached))
        );
    }

    #[test]
    fn the_verdict_says_what_the_check_says() {
        let policy = PasswordPolicy::default();
        for text in [
            "",
            "short",
            "password1234",
            "twelve\0chars",
            "correct horse battery",
            &"long ".repeat(20),
            "zvQ7!p",
        ] {
            let password = secret(text);
            let (verdict, checked) = (policy.assess(&password, &[]), policy.check(&password, &[]));
            assert_eq!(verdict.acceptable, checked.is_ok(), "{text:?}");
            assert!(verdict.score <= 4);
        }
        let warning = |text: &str| policy.assess(&secret(text), &[]).warning;
        assert_eq!(warning(&"long ".repeat(20)), Some(PasswordWarning::TooLong));
        assert_eq!(warning("zvQ7!p"), Some(PasswordWarning::TooShort));
    }

    #[test]
    fn debug_hides_the_hash() {
        let hash = PasswordHash::from_stored("$2b$12$abc".into());
        assert!(!format!("{hash:?}").contains("abc"));
    }
}
