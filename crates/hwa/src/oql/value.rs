//! What may stand in a condition: fields, operators, values.
//!
//! Invariant: a [`Value`] that exists can be written without an escape.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use resync_kernel::is_hidden;

use super::OqlError;

/// The longest text, in characters.
pub(super) const MAX_TEXT: usize = 1_024;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`; numbers and texts only, as are the next three.
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Op {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    pub(super) fn needs_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

impl Direction {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}

/// A value that was found fit for a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Quoted(String),
    Int(i64),
    Flag(bool),
    Null,
}

impl Value {
    /// A text that stands for itself, 1 to 1024 characters.
    ///
    /// # Errors
    /// [`OqlError::BadCharacter`] for a quote of any kind, a backslash, a control or hidden character,
    /// and for `@` and `?`, of which nobody says whether they stand for themselves after `=`;
    /// [`OqlError::BadLength`].
    pub fn text(text: &str) -> Result<Self, OqlError> {
        if text.contains(['@', '?']) {
            return Err(OqlError::BadCharacter);
        }
        Self::pattern(text)
    }

    /// A text in which `@` and `?` are wildcards.
    pub(super) fn pattern(text: &str) -> Result<Self, OqlError> {
        let length = text.chars().count();
        if length == 0 || length > MAX_TEXT {
            return Err(OqlError::BadLength);
        }
        // Typographic quotes are refused as well: some gateways fold them to the plain one.
        let bad = |c: char| {
            c.is_control()
                || is_hidden(c)
                || matches!(c, '\'' | '"' | '\\' | '`' | '\u{2018}' | '\u{2019}')
        };
        if text.contains(bad) {
            return Err(OqlError::BadCharacter);
        }
        Ok(Self(Kind::Quoted(text.to_owned())))
    }

    /// A whole number.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self(Kind::Int(number))
    }

    /// `true` or `false`.
    #[must_use]
    pub fn flag(flag: bool) -> Self {
        Self(Kind::Flag(flag))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// An instant, in UTC with milliseconds, between quotes as the manual has it.
    #[must_use]
    pub fn instant(at: DateTime<Utc>) -> Self {
        Self(Kind::Quoted(
            at.to_rfc3339_opts(SecondsFormat::Millis, true),
        ))
    }

    pub(super) fn has_order(&self) -> bool {
        matches!(self.0, Kind::Quoted(_) | Kind::Int(_))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Quoted(text) => write!(f, "'{text}'"),
            Kind::Int(number) => write!(f, "{number}"),
            Kind::Flag(flag) => write!(f, "{flag}"),
            Kind::Null => f.write_str("null"),
        }
    }
}

/// A letter, then letters, digits, `_`, `-` or `.`, and no word of the language.
pub(super) fn field(name: &'static str) -> Result<&'static str, OqlError> {
    const WORDS: [&str; 10] = [
        "AND", "OR", "NOT", "IN", "LIKE", "ORDER", "BY", "TRUE", "FALSE", "NULL",
    ];
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(name));
    if good {
        Ok(name)
    } else {
        Err(OqlError::BadField)
    }
}
