//! The engine's query language, built as a tree so that no value can leave its quotes.
//!
//! No escape for a quote inside a string is documented, so a value with one is refused, as are
//! control characters, backslashes, more than 1024 characters, and `@` or `?` where no wildcard is
//! meant (whether those are literal after `=` is not said). Field names are `'static`: none comes
//! from a user.

use std::fmt::{self, Write as _};

use resync_tws::model::NamePattern;
use thiserror::Error;

/// The longest value, in characters.
const MAX_VALUE: usize = 1024;

/// Why a value cannot stand in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OqlError {
    /// A quote, a backslash, a control character, or a wildcard where none is meant.
    #[error("a value of the filter holds a character that cannot be sent")]
    BadCharacter,
    /// Empty, or longer than 1024 characters.
    #[error("a value of the filter is empty or too long")]
    BadLength,
    /// `IN` without a value, or `AND`/`OR` of nothing.
    #[error("a part of the filter is empty")]
    Nothing,
}

/// A text that was found fit for a pair of quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Quoted(String);

impl Quoted {
    fn literal(text: &str) -> Result<Self, OqlError> {
        if text.contains(['@', '?']) {
            return Err(OqlError::BadCharacter);
        }
        Self::checked(text)
    }

    fn checked(text: &str) -> Result<Self, OqlError> {
        let length = text.chars().count();
        if length == 0 || length > MAX_VALUE {
            return Err(OqlError::BadLength);
        }
        // Typographic quotes are refused as well: some gateways fold them to the plain one.
        let bad = |c: char| {
            c.is_control() || matches!(c, '\'' | '"' | '\\' | '`' | '\u{2018}' | '\u{2019}')
        };
        if text.contains(bad) {
            return Err(OqlError::BadCharacter);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A condition on objects of the plan.
///
/// ```
/// use resync_hwa::Oql;
///
/// let failed = Oql::any_of("lastRunCompositeStatus.status", ["ABEND", "FAIL"])?;
/// let ours = Oql::like("name", "FIN_@")?;
/// assert_eq!(
///     Oql::all([failed, ours])?.to_string(),
///     "lastRunCompositeStatus.status IN ['ABEND','FAIL'] AND name LIKE 'FIN_@'",
/// );
/// assert!(Oql::is("name", "x' OR name = 'y").is_err());
/// # Ok::<(), resync_hwa::OqlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oql(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Is(&'static str, Quoted),
    Like(&'static str, Quoted),
    In(&'static str, Vec<Quoted>),
    Flag(&'static str, bool),
    All(Vec<Node>),
    Any(Vec<Node>),
}

impl Oql {
    /// `field = 'value'`.
    ///
    /// # Errors
    /// [`OqlError`] when the value cannot be sent.
    pub fn is(field: &'static str, value: &str) -> Result<Self, OqlError> {
        Ok(Self(Node::Is(field, Quoted::literal(value)?)))
    }

    /// `field LIKE 'pattern'`, where `@` is any run of characters and `?` is one.
    ///
    /// # Errors
    /// [`OqlError`] when the pattern cannot be sent.
    pub fn like(field: &'static str, pattern: &str) -> Result<Self, OqlError> {
        Ok(Self(Node::Like(field, Quoted::checked(pattern)?)))
    }

    /// `field IN [values]`; one value becomes `=`.
    ///
    /// # Errors
    /// [`OqlError`] when there is no value, or one cannot be sent.
    pub fn any_of<'a>(
        field: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OqlError> {
        let mut quoted: Vec<Quoted> = values
            .into_iter()
            .map(Quoted::literal)
            .collect::<Result<_, _>>()?;
        match (quoted.pop(), quoted.is_empty()) {
            (None, _) => Err(OqlError::Nothing),
            (Some(only), true) => Ok(Self(Node::Is(field, only))),
            (Some(last), false) => {
                quoted.push(last);
                Ok(Self(Node::In(field, quoted)))
            }
        }
    }

    /// `field = true`, or `field != true`, which an absent field meets as well.
    #[must_use]
    pub fn flag(field: &'static str, set: bool) -> Self {
        Self(Node::Flag(field, set))
    }

    /// A name of the engine by a user's pattern: `*` becomes `@`, and without a wildcard it is `=`.
    ///
    /// # Errors
    /// [`OqlError`] never for a [`NamePattern`] of today, whose alphabet holds nothing that is
    /// refused; the check does not lean on that.
    pub fn name(field: &'static str, pattern: &NamePattern) -> Result<Self, OqlError> {
        Self::texts(field, &[pattern.as_str().to_owned()])
    }

    /// A workstation: the engine writes `/NAME` or `/FOLDER/NAME`, people write `NAME`.
    ///
    /// # Errors
    /// As [`Oql::name`].
    pub fn workstation(field: &'static str, pattern: &NamePattern) -> Result<Self, OqlError> {
        let text = pattern.as_str();
        if text.starts_with('/') {
            return Self::name(field, pattern);
        }
        let here = Self::texts(field, &[format!("/{text}"), text.to_owned()])?;
        let anywhere = Self::like(field, &format!("/@/{}", text.replace('*', "@")))?;
        Self::any([here, anywhere])
    }

    /// A folder, which engines write with or without a slash at its end.
    ///
    /// # Errors
    /// As [`Oql::name`].
    pub fn folder(field: &'static str, pattern: &NamePattern) -> Result<Self, OqlError> {
        let bare = pattern.as_str().trim_end_matches('/');
        if bare.is_empty() {
            return Self::is(field, "/");
        }
        let lead = if bare.starts_with(['/', '*']) {
            ""
        } else {
            "/"
        };
        Self::texts(field, &[format!("{lead}{bare}/"), format!("{lead}{bare}")])
    }

    fn texts(field: &'static str, texts: &[String]) -> Result<Self, OqlError> {
        if texts.iter().any(|text| text.contains(['*', '?'])) {
            return Self::any(
                texts
                    .iter()
                    .map(|text| Self::like(field, &text.replace('*', "@")))
                    .collect::<Result<Vec<_>, _>>()?,
            );
        }
        Self::any_of(field, texts.iter().map(String::as_str))
    }

    /// Every one of `parts`.
    ///
    /// # Errors
    /// [`OqlError::Nothing`] without parts.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Result<Self, OqlError> {
        Self::joined(parts, Node::All)
    }

    /// One of `parts`.
    ///
    /// # Errors
    /// [`OqlError::Nothing`] without parts.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Result<Self, OqlError> {
        Self::joined(parts, Node::Any)
    }

    fn joined(
        parts: impl IntoIterator<Item = Self>,
        join: fn(Vec<Node>) -> Node,
    ) -> Result<Self, OqlError> {
        let mut nodes: Vec<Node> = parts.into_iter().map(|part| part.0).collect();
        match (nodes.pop(), nodes.is_empty()) {
            (None, _) => Err(OqlError::Nothing),
            (Some(only), true) => Ok(Self(only)),
            (Some(last), false) => {
                nodes.push(last);
                Ok(Self(join(nodes)))
            }
        }
    }
}

impl fmt::Display for Oql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_node(f, &self.0, false)
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, inside_all: bool) -> fmt::Result {
    match node {
        Node::Is(field, value) => write!(f, "{field} = '{}'", value.0),
        Node::Like(field, value) => write!(f, "{field} LIKE '{}'", value.0),
        Node::In(field, values) => {
            write!(f, "{field} IN [")?;
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    f.write_char(',')?;
                }
                write!(f, "'{}'", value.0)?;
            }
            f.write_char(']')
        }
        Node::Flag(field, true) => write!(f, "{field} = true"),
        Node::Flag(field, false) => write!(f, "{field} != true"),
        Node::All(nodes) => write_joined(f, nodes, " AND ", true),
        // AND binds tighter, so an OR inside it needs its brackets.
        Node::Any(nodes) if inside_all => {
            f.write_char('(')?;
            write_joined(f, nodes, " OR ", false)?;
            f.write_char(')')
        }
        Node::Any(nodes) => write_joined(f, nodes, " OR ", false),
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    nodes: &[Node],
    word: &str,
    inside_all: bool,
) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        write_node(f, node, inside_all)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern::parse(text).unwrap()
    }

    #[test]
    fn a_wildcard_becomes_like_and_a_plain_name_becomes_equals() {
        let plain = Oql::name("name", &pattern("FIN_GL_POST")).unwrap();
        assert_eq!(plain.to_string(), "name = 'FIN_GL_POST'");
        let wild = Oql::name("name", &pattern("FIN_*_P?ST")).unwrap();
        assert_eq!(wild.to_string(), "name LIKE 'FIN_@_P?ST'");
    }

    #[test]
    fn a_workstation_is_found_in_whatever_folder() {
        let plain = Oql::workstation("workstation", &pattern("FINDB01")).unwrap();
        assert_eq!(
            plain.to_string(),
            "workstation IN ['/FINDB01','FINDB01'] OR workstation LIKE '/@/FINDB01'"
        );
        let absolute = Oql::workstation("workstation", &pattern("/FIN*")).unwrap();
        assert_eq!(absolute.to_string(), "workstation LIKE '/FIN@'");
    }

    #[test]
    fn a_folder_is_found_with_and_without_its_last_slash() {
        for text in ["/FIN/EOD", "/FIN/EOD/", "FIN/EOD"] {
            let folder = Oql::folder("folder", &pattern(text)).unwrap();
            assert_eq!(folder.to_string(), "folder IN ['/FIN/EOD/','/FIN/EOD']");
        }
        let root = Oql::folder("folder", &pattern("/")).unwrap();
        assert_eq!(root.to_string(), "folder = '/'");
        let wild = Oql::folder("folder", &pattern("*EOD")).unwrap();
        assert_eq!(
            wild.to_string(),
            "folder LIKE '@EOD/' OR folder LIKE '@EOD'"
        );
    }

    #[test]
    fn an_or_inside_an_and_has_brackets() {
        let either =
            Oql::any([Oql::is("name", "A").unwrap(), Oql::flag("x.canceled", true)]).unwrap();
        let both = Oql::all([either, Oql::flag("x.canceled", false)]).unwrap();
        assert_eq!(
            both.to_string(),
            "(name = 'A' OR x.canceled = true) AND x.canceled != true"
        );
    }

    #[test]
    fn what_cannot_be_escaped_is_refused() {
        for text in [
            "a'b",
            "a\"b",
            "a\\b",
            "a\u{0}b",
            "a\nb",
            "a\u{2019}b",
            "a@b",
            "a?b",
        ] {
            assert_eq!(
                Oql::is("name", text),
                Err(OqlError::BadCharacter),
                "{text:?}"
            );
        }
        assert_eq!(Oql::is("name", ""), Err(OqlError::BadLength));
        assert_eq!(Oql::is("name", &"a".repeat(1025)), Err(OqlError::BadLength));
        assert_eq!(Oql::any_of("name", []), Err(OqlError::Nothing));
        assert_eq!(Oql::all([]), Err(OqlError::Nothing));
    }

    proptest! {
        /// Whatever the value, the text either is refused or is exactly one quoted string.
        #[test]
        fn no_value_leaves_its_quotes(value in any::<String>()) {
            if let Ok(built) = Oql::is("name", &value) {
                prop_assert_eq!(built.to_string(), format!("name = '{value}'"));
                prop_assert!(!value.contains('\''));
                prop_assert!(!value.chars().any(char::is_control));
            }
        }

        /// The same with the characters that injections are made of.
        #[test]
        fn no_injection_is_let_through(value in "[a-z'\"\\\\ =@?\\[\\](),*\n\u{2019}]{1,40}") {
            for built in [Oql::is("name", &value), Oql::like("name", &value), Oql::any_of("name", [value.as_str(), "A"])].into_iter().flatten() {
                let quotes = built.to_string().matches('\'').count();
                prop_assert!(quotes == 2 || quotes == 4);
                prop_assert!(!value.contains(['\'', '"', '\\', '\n']));
            }
        }

        /// Whatever a user may write as a pattern can be sent.
        #[test]
        fn every_pattern_can_be_sent(text in "[A-Za-z0-9_./*?-]{1,120}") {
            let pattern = NamePattern::parse(&text).unwrap();
            for built in [
                Oql::name("name", &pattern),
                Oql::workstation("workstation", &pattern),
                Oql::folder("folder", &pattern),
            ] {
                prop_assert_eq!(built.unwrap().to_string().matches('\'').count() % 2, 0);
            }
        }
    }
}
