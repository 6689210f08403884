//! Passwords that were leaked somewhere, by their digests.
//!
//! Invariants:
//! - Memory is bounded: eight bytes an entry, at most [`BreachList::MOST`] entries.
//! - A line that is no digest is an error that names it; a list is whole or there is none.
//! - The first eight bytes of a digest stand for all of it: of 20 million entries one password in a
//!   million million is refused although it was never leaked, and none that was is taken.

use std::fmt;
use std::io::BufRead;

use resync_kernel::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// A list of leaked passwords. `Debug` tells its length.
pub struct BreachList {
    kind: Kind,
    /// The first eight bytes of each digest, ascending.
    prefixes: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sha1,
    Sha256,
}

/// Why a list is not taken.
#[derive(Debug, Error)]
pub enum BreachListError {
    /// The text could not be read.
    #[error("the list of leaked passwords cannot be read")]
    Read(#[source] std::io::Error),
    /// A line is no digest, or another kind than the first one.
    #[error(
        "line {line} is not a SHA-1 or SHA-256 digest in hexadecimal digits like the first one"
    )]
    Line {
        /// Its number, from 1.
        line: u64,
    },
    /// The list holds nothing, which is a mistake rather than a wish.
    #[error("the list of leaked passwords is empty")]
    Empty,
    /// The list is too long for memory; its most frequent part is worth most.
    #[error(
        "the list of leaked passwords has more than {} lines; take its most frequent ones",
        BreachList::MOST
    )]
    TooLong,
}

impl BreachList {
    /// The most entries, some 160 MB.
    pub const MOST: usize = 20_000_000;
    /// A digest, a colon and a count are shorter.
    const MAX_LINE: u64 = 128;

    /// Reads one digest a line, SHA-1 or SHA-256 in hexadecimal digits, in any order; what follows a
    /// colon (how often it was seen) is left out, and so are empty lines. That is the form in which
    /// "Have I Been Pwned" gives its list away.
    ///
    /// # Errors
    /// [`BreachListError`].
    pub fn read(mut text: impl BufRead) -> Result<Self, BreachListError> {
        let mut kind = None;
        let mut prefixes = Vec::new();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let bytes = std::io::Read::take(&mut text, Self::MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(BreachListError::Read)?;
            if bytes == 0 {
                break;
            }
            let trimmed = line.trim_ascii();
            if trimmed.is_empty() {
                continue;
            }
            let (found, prefix) = digest(trimmed).ok_or(BreachListError::Line { line: number })?;
            if *kind.get_or_insert(found) != found {
                return Err(BreachListError::Line { line: number });
            }
            if prefixes.len() >= Self::MOST {
                return Err(BreachListError::TooLong);
            }
            prefixes.push(prefix);
        }
        let kind = kind.ok_or(BreachListError::Empty)?;
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes.shrink_to_fit();
        Ok(Self { kind, prefixes })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there are none, which cannot be.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Whether `password` is among them.
    #[must_use]
    pub fn holds(&self, password: &SecretString) -> bool {
        let text = password.expose_secret();
        let prefix = match self.kind {
            Kind::Sha1 => first_eight(&Sha1::digest(text)),
            Kind::Sha256 => first_eight(&Sha256::digest(text)),
        };
        self.prefixes.binary_search(&prefix).is_ok()
    }
}

fn first_eight(digest: &[u8]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The kind and the first eight bytes of a line's digest.
fn digest(line: &[u8]) -> Option<(Kind, u64)> {
    let text = line.split(|byte| *byte == b':').next()?;
    let kind = match text.len() {
        40 => Kind::Sha1,
        64 => Kind::Sha256,
        _ => return None,
    };
    let mut number = 0;
    for (place, byte) in text.iter().enumerate() {
        let digit = char::from(*byte).to_digit(16)?;
        if place < 16 {
            number = number << 4 | u64::from(digit);
        }
    }
    Some((kind, number))
}

impl fmt::Debug for BreachList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreachList")
            .field("entries", &self.prefixes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digests of "password" and "hunter2" by `sha1sum` and `sha256sum`.
    const SHA1: [&str; 2] = [
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8",
        "F3BBBD66A63D4BF1747940578EC3D0103530E21D",
    ];
    const SHA256: [&str; 2] = [
        "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7",
    ];

    fn read(text: &str) -> Result<BreachList, BreachListError> {
        BreachList::read(text.as_bytes())
    }

    #[test]
    fn both_digests_are_read_in_any_order_with_and_without_counts() {
        for [one, two] in [SHA1, SHA256] {
            let list = read(&format!("{two}:12\r\n\n{one}:3730471\n{one}")).unwrap();
            assert_eq!(list.len(), 2);
            assert!(list.holds(&"password".into()) && list.holds(&"hunter2".into()));
            assert!(!list.holds(&"Password".into()) && !list.holds(&"".into()));
        }
    }

    #[test]
    fn a_list_that_is_none_is_refused_by_its_line() {
        assert!(matches!(read(""), Err(BreachListError::Empty)));
        assert!(matches!(read("\n \n"), Err(BreachListError::Empty)));
        let [one, two] = SHA1;
        for (text, at) in [
            (format!("{one}\n{}\n", SHA256[0]), 2),
            (format!("{one}\n{two}0\n"), 2),
            (format!("{one}\n\nhunter2\n"), 3),
            (format!("{}G\n", &one[..39]), 1),
            ("x".repeat(5_000_000), 1),
        ] {
            let refused = read(&text);
            assert!(
                matches!(refused, Err(BreachListError::Line { line }) if line == at),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn debug_tells_the_length_alone() {
        let list = read(SHA1[0]).unwrap();
        assert_eq!(format!("{list:?}"), "BreachList { entries: 1, .. }");
    }
}
