//! From where somebody logs in.

use std::fmt;
use std::net::IpAddr;

use resync_kernel::is_hidden;

use super::{Actor, Origin};

/// From where somebody logs in, so that a person recognises the session later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The address, already cleared of what a proxy may have forged.
    pub address: IpAddr,
    /// What the client calls itself.
    pub agent: Option<AgentLabel>,
    /// The request that it came in, for the audit log.
    pub request_id: Option<String>,
}

impl Client {
    /// What `actor` does from there.
    #[must_use]
    pub fn origin(&self, actor: impl Into<Actor>) -> Origin {
        Origin::of(actor)
            .at(self.address)
            .in_request(self.request_id.clone())
    }
}

impl From<IpAddr> for Client {
    /// A client that does not say what it is.
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            agent: None,
            request_id: None,
        }
    }
}

/// What a client calls itself, for people to read: 1 to 160 characters, none of them hidden, none of
/// them twice a space. Nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLabel(String);

impl AgentLabel {
    /// The greatest length in characters.
    pub const MAX: usize = 160;

    /// What is fit to be shown of a `User-Agent`; `None` when nothing is.
    #[must_use]
    pub fn of(user_agent: &str) -> Option<Self> {
        let shown: String = user_agent
            .chars()
            // A header may be long; what is beyond the label is not looked at.
            .take(4 * Self::MAX)
            .map(|c| {
                if is_hidden(c) || c.is_control() {
                    ' '
                } else {
                    c
                }
            })
            .collect();
        let words: Vec<_> = shown.split_whitespace().collect();
        let label: String = words.join(" ").chars().take(Self::MAX).collect();
        let label = label.trim_end();
        (!label.is_empty()).then(|| Self(label.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// ASVS 16.4.1: a log or a page that shows the label shows one line of it.
    #[test]
    fn what_is_hidden_becomes_a_space() {
        let label = |text: &str| AgentLabel::of(text).map(|label| label.to_string());
        assert_eq!(
            label("Firefox/140  (Linux)"),
            Some("Firefox/140 (Linux)".into())
        );
        assert_eq!(
            label("curl\r\nadmin\u{1b}[31m\u{202e}x\0"),
            Some("curl admin [31m x".into())
        );
        assert_eq!(label(" \t\u{7}"), None);
        assert_eq!(label(""), None);
        assert_eq!(label(&"x".repeat(10_000)), Some("x".repeat(160)));
    }

    proptest! {
        #[test]
        fn a_label_is_short_and_a_label_of_itself(text in "\\PC{0,300}|(?s).{0,300}") {
            if let Some(label) = AgentLabel::of(&text) {
                prop_assert!(label.as_str().chars().count() <= AgentLabel::MAX);
                prop_assert!(!label.as_str().chars().any(char::is_control));
                prop_assert_eq!(AgentLabel::of(label.as_str()), Some(label));
            }
        }
    }
}
