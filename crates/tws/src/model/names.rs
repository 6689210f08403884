//! Names and ids, parsed at the edge.
//!
//! Ids of the engine are opaque: 1 to 256 characters of `[A-Za-z0-9_.;#@-]`, so that none can leave
//! its place in a URL or a query.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing, or nothing but blanks.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of name.
        what: &'static str,
    },
    /// Longer than the engine allows.
    #[error("{what} is longer than {max} characters")]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// The greatest length, in characters.
        max: usize,
    },
    /// A character that such a name cannot hold. The character itself is not repeated.
    #[error("{what} holds a character that is not allowed at position {position}")]
    BadCharacter {
        /// Which kind of name.
        what: &'static str,
        /// Counted from 1, in characters.
        position: usize,
    },
}

fn check(
    what: &'static str,
    text: &str,
    max: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.chars().count() > max {
        return Err(NameError::TooLong { what, max });
    }
    match text.chars().position(|c| !allowed(c)) {
        Some(at) => Err(NameError::BadCharacter {
            what,
            position: at + 1,
        }),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The only way in.
            ///
            /// # Errors
            /// [`NameError`] when the text is empty, too long or holds a character not allowed.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check($what, text, $max, $allowed)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

fn id_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ';' | '#' | '@' | '-')
}

text_id!(
    /// The name that the configuration gives an engine: 1 to 40 letters, digits, `-`, `_` or `.`.
    EngineName, "engine name", 40,
    |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
);
text_id!(
    /// A job in the plan: opaque, from the engine.
    JobId, "job id", 256, id_character
);
text_id!(
    /// One run of a job: what a log and a rerun are asked by.
    RunId, "run id", 256, id_character
);
text_id!(
    /// A job stream in the plan: opaque, from the engine.
    StreamId, "job stream id", 256, id_character
);
text_id!(
    /// A workstation in the plan: opaque, from the engine.
    WorkstationId, "workstation id", 256, id_character
);
text_id!(
    /// A resource in the plan: opaque, from the engine.
    ResourceId, "resource id", 256, id_character
);
text_id!(
    /// A prompt in the plan: opaque, from the engine.
    PromptId, "prompt id", 256, id_character
);
text_id!(
    /// A definition of a stream or a job: opaque, from the engine.
    DefinitionId, "definition id", 256, id_character
);
text_id!(
    /// The name that a submitted stream or job gets in the plan: 1 to 40 letters, digits, `-` or `_`.
    SubmitAlias, "alias", 40,
    |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
);
text_id!(
    /// A name to filter by, with `*` for any run of characters and `?` for one.
    ///
    /// 1 to 120 letters, digits, `-`, `_`, `.`, `/` and the two wildcards: nothing that could end a
    /// string in the engine's query language. Names of the engine are in upper case by custom, but
    /// not by rule, so the case is kept.
    NamePattern, "name", 120,
    |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '*' | '?')
);

impl NamePattern {
    /// Whether `text` fits the whole pattern, letter for letter.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.as_str().as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on when what stands behind the last star does not fit.
        let mut back: Option<(usize, usize)> = None;
        loop {
            match (pattern.get(p), text.get(t)) {
                (Some(b'*'), _) => {
                    back = Some((p + 1, t));
                    p += 1;
                }
                (Some(b'?'), Some(byte)) => {
                    p += 1;
                    t += 1;
                    // One character, which may be of several bytes.
                    if *byte >= 0x80 {
                        while text.get(t).is_some_and(|byte| byte & 0xc0 == 0x80) {
                            t += 1;
                        }
                    }
                }
                (Some(one), Some(other)) if one == other => {
                    p += 1;
                    t += 1;
                }
                (None, None) => return true,
                _ => match back {
                    Some((star, from)) if from < text.len() => {
                        back = Some((star, from + 1));
                        (p, t) = (star, from + 1);
                    }
                    _ => return false,
                },
            }
        }
    }

    /// Whether a wildcard is in it.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.as_str().contains(['*', '?'])
    }
}

/// A folder as we show it: with a slash at its end, whether the engine wrote one or not.
#[must_use]
pub fn folder_with_slash(folder: &str) -> String {
    if folder.ends_with('/') {
        folder.to_owned()
    } else {
        format!("{folder}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_keeps_its_text() {
        let id = JobId::parse("6dbe5bd8-fb1e-3f5c-9d2e-7d7c1a0d1b4e").unwrap();
        assert_eq!(id.as_str(), "6dbe5bd8-fb1e-3f5c-9d2e-7d7c1a0d1b4e");
    }

    #[test]
    fn a_slash_or_a_quote_is_no_id() {
        for text in ["a/b", "..%2f", "a'b", "a b", "a\u{0}", "é"] {
            assert!(
                matches!(JobId::parse(text), Err(NameError::BadCharacter { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_empty_or_overlong_id_is_refused() {
        assert_eq!(RunId::parse(""), Err(NameError::Empty { what: "run id" }));
        let long = "a".repeat(257);
        assert_eq!(
            RunId::parse(&long),
            Err(NameError::TooLong {
                what: "run id",
                max: 256
            })
        );
    }

    #[test]
    fn a_pattern_fits_the_whole_text() {
        let fits = |pattern: &str, text: &str| NamePattern::parse(pattern).unwrap().matches(text);
        for (pattern, text) in [
            ("FIN_*", "FIN_GL_POST"),
            ("*", ""),
            ("*POST", "FIN_GL_POST"),
            ("F?N", "FIN"),
            ("*A*B*", "xAyABz"),
            ("a?c", "açc"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("F?N", "FN"), ("FIN", "FINX"), ("*A", "AB"), ("fin", "FIN")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(50), &"a".repeat(49)));
    }

    #[test]
    fn a_folder_ends_with_one_slash() {
        assert_eq!(folder_with_slash("/FIN"), "/FIN/");
        assert_eq!(folder_with_slash("/"), "/");
    }

    proptest! {
        #[test]
        fn what_parses_holds_no_quote_and_no_slash(text in any::<String>()) {
            if let Ok(id) = JobId::parse(&text) {
                prop_assert!(!id.as_str().contains(['\'', '"', '/', '\\', '%', ' ']));
            }
        }
    }
}
