//! Who asks, and why.

use resync_kernel::{UserId, is_hidden};
use thiserror::Error;

/// The person that acts. Whether they may is decided by the caller, before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionActor {
    /// Who.
    pub user: UserId,
    /// As people know them, for the audit.
    pub username: String,
    /// The session, as text that is the same for its whole life; a proposal is bound to it.
    pub session: String,
}

/// Why a person acts: 1 to 500 characters without control characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// Why a text is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReasonError {
    /// Nothing but blanks.
    #[error("a reason is needed")]
    Empty,
    /// Above 500 characters.
    #[error("a reason has at most 500 characters")]
    TooLong,
    /// A line break, a control character, or one that changes how the text reads without being seen.
    #[error("a reason has no control characters and no hidden ones")]
    ControlCharacter,
}

impl Reason {
    /// The greatest length, in characters.
    pub const MAX: usize = 500;

    /// The only way in.
    ///
    /// # Errors
    /// [`ReasonError`].
    pub fn parse(text: &str) -> Result<Self, ReasonError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ReasonError::Empty);
        }
        if text.chars().any(is_hidden) {
            return Err(ReasonError::ControlCharacter);
        }
        if text.chars().count() > Self::MAX {
            return Err(ReasonError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A ticket number: 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket(String);

/// Why a text is no ticket number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a ticket has 1 to 64 visible ASCII characters")]
pub struct TicketError;

impl Ticket {
    /// The only way in.
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn parse(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        let fits = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(TicketError)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_trimmed_and_bounded() {
        assert_eq!(
            Reason::parse("  disk cleaned \n").unwrap().as_str(),
            "disk cleaned"
        );
        assert_eq!(Reason::parse(" \t "), Err(ReasonError::Empty));
        assert!(Reason::parse(&"é".repeat(500)).is_ok());
        assert_eq!(Reason::parse(&"é".repeat(501)), Err(ReasonError::TooLong));
    }

    #[test]
    fn a_reason_cannot_forge_a_header_or_a_log_line() {
        for text in [
            "a\r\nX-Evil: 1",
            "a\u{1b}[31m",
            "a\u{0}b",
            "a\u{85}b",
            "a\u{202e}b",
            "\u{200b}",
        ] {
            assert_eq!(
                Reason::parse(text),
                Err(ReasonError::ControlCharacter),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_ticket_has_no_blanks() {
        assert_eq!(Ticket::parse(" INC-4711 ").unwrap().as_str(), "INC-4711");
        for text in ["", "INC 4711", "INC\n4711", "ação"] {
            assert_eq!(Ticket::parse(text), Err(TicketError), "{text:?}");
        }
        assert_eq!(Ticket::parse(&"a".repeat(65)), Err(TicketError));
    }
}
