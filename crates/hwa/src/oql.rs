//! The engine's query language, built as a tree so that no value can leave its quotes.
//!
//! No escape for a quote inside a string is documented, so a value with one is refused, as are
//! control characters, backslashes, more than 1024 characters, and `@` or `?` where no wildcard is
//! meant (whether those are literal after `=` is not said). Field names are `'static`: none comes
//! from a user. A query that would not fit into a URL is refused before it is sent.
//!
//! `tests/oql_laws.rs` reads what is written here with a parser of its own.

mod names;
mod value;

use std::fmt::{self, Write as _};

use thiserror::Error;

pub use self::value::{Direction, Op, Value};

use self::value::field;
use crate::encode;

/// The most values of one `IN`.
pub const MAX_IN: usize = 100;
/// The longest query, in bytes of its percent-encoded form.
const MAX_QUERY: usize = 8_000;

/// Why a query cannot be written.
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
    /// A field's name that the language does not allow.
    #[error("a field of the filter is no name")]
    BadField,
    /// More than [`MAX_IN`] values in one `IN`; see [`Oql::batches`].
    #[error("a part of the filter has more than {MAX_IN} values")]
    TooMany,
    /// `<` and its kin with a boolean or null.
    #[error("a value of the filter has no order")]
    NoOrder,
    /// More than 8 kB once it is encoded.
    #[error("the filter is too long to be sent")]
    TooLong,
}

/// A condition on objects of the plan.
///
/// ```
/// use resync_hwa::{Oql, OqlValue, Op};
///
/// let failed = Oql::any_of("lastRunCompositeStatus.status", ["ABEND", "FAIL"])?;
/// let ours = Oql::like("name", "FIN_@")?;
/// let high = Oql::test("priority", Op::AtLeast, OqlValue::int(50))?;
/// assert_eq!(
///     Oql::all([failed, ours, high])?.to_string(),
///     "lastRunCompositeStatus.status IN ['ABEND','FAIL'] AND name LIKE 'FIN_@' AND priority >= 50",
/// );
/// assert!(Oql::is("name", "x' OR name = 'y").is_err());
/// # Ok::<(), resync_hwa::OqlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oql(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Test(&'static str, Op, Value),
    Like(&'static str, bool, Value),
    In(&'static str, bool, Vec<Value>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

impl Oql {
    /// `field op value`.
    ///
    /// # Errors
    /// [`OqlError::BadField`], and [`OqlError::NoOrder`] when the value has none and the operator
    /// needs one.
    pub fn test(name: &'static str, op: Op, value: Value) -> Result<Self, OqlError> {
        if op.needs_order() && !value.has_order() {
            return Err(OqlError::NoOrder);
        }
        Ok(Self(Node::Test(field(name)?, op, value)))
    }

    /// `field = 'value'`.
    ///
    /// # Errors
    /// [`OqlError`] when the value cannot be sent.
    pub fn is(name: &'static str, value: &str) -> Result<Self, OqlError> {
        Self::test(name, Op::Equal, Value::text(value)?)
    }

    /// `field = true`, or `field != true`, which an absent field meets as well.
    ///
    /// # Errors
    /// [`OqlError::BadField`].
    pub fn flag(name: &'static str, set: bool) -> Result<Self, OqlError> {
        let op = if set { Op::Equal } else { Op::NotEqual };
        Self::test(name, op, Value::flag(true))
    }

    /// `field LIKE 'pattern'`, where `@` is any run of characters and `?` is one.
    ///
    /// # Errors
    /// [`OqlError`] when the pattern cannot be sent.
    pub fn like(name: &'static str, pattern: &str) -> Result<Self, OqlError> {
        Ok(Self(Node::Like(
            field(name)?,
            false,
            Value::pattern(pattern)?,
        )))
    }

    /// `field NOT LIKE 'pattern'`.
    ///
    /// # Errors
    /// As [`Oql::like`].
    pub fn not_like(name: &'static str, pattern: &str) -> Result<Self, OqlError> {
        Ok(Self(Node::Like(
            field(name)?,
            true,
            Value::pattern(pattern)?,
        )))
    }

    /// `field IN [values]`; one value becomes `=`.
    ///
    /// # Errors
    /// [`OqlError`] when there is no value, one cannot be sent, or there are more than [`MAX_IN`].
    pub fn any_of<'a>(
        name: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OqlError> {
        Self::one_of(name, texts(values)?)
    }

    /// `field NOT IN [values]`; one value becomes `!=`.
    ///
    /// # Errors
    /// As [`Oql::any_of`].
    pub fn none_of<'a>(
        name: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OqlError> {
        Self::in_list(name, true, texts(values)?)
    }

    /// `field IN [values]` with values of any kind; one value becomes `=`.
    ///
    /// # Errors
    /// [`OqlError::Nothing`], [`OqlError::TooMany`], [`OqlError::BadField`].
    pub fn one_of(name: &'static str, values: Vec<Value>) -> Result<Self, OqlError> {
        Self::in_list(name, false, values)
    }

    /// The same for any number of values, each condition with at most [`MAX_IN`] of them; together
    /// they find what one would. None without values.
    ///
    /// # Errors
    /// [`OqlError`] when a value cannot be sent.
    pub fn batches<'a>(
        name: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Self>, OqlError> {
        texts(values)?
            .chunks(MAX_IN)
            .map(|batch| Self::one_of(name, batch.to_vec()))
            .collect()
    }

    fn in_list(name: &'static str, not: bool, mut values: Vec<Value>) -> Result<Self, OqlError> {
        if values.len() > MAX_IN {
            return Err(OqlError::TooMany);
        }
        let last = values.pop().ok_or(OqlError::Nothing)?;
        if values.is_empty() {
            let op = if not { Op::NotEqual } else { Op::Equal };
            return Self::test(name, op, last);
        }
        values.push(last);
        Ok(Self(Node::In(field(name)?, not, values)))
    }

    /// Every one of `parts`.
    ///
    /// # Errors
    /// [`OqlError::Nothing`] without parts.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Result<Self, OqlError> {
        let mut nodes = Vec::new();
        for part in parts {
            match part.0 {
                Node::All(inner) => nodes.extend(inner),
                other => nodes.push(other),
            }
        }
        joined(nodes, Node::All)
    }

    /// One of `parts`.
    ///
    /// # Errors
    /// [`OqlError::Nothing`] without parts.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Result<Self, OqlError> {
        let mut nodes = Vec::new();
        for part in parts {
            match part.0 {
                Node::Any(inner) => nodes.extend(inner),
                other => nodes.push(other),
            }
        }
        joined(nodes, Node::Any)
    }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Vec<Value>, OqlError> {
    values.into_iter().map(Value::text).collect()
}

fn joined(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Result<Oql, OqlError> {
    let last = nodes.pop().ok_or(OqlError::Nothing)?;
    if nodes.is_empty() {
        return Ok(Oql(last));
    }
    nodes.push(last);
    Ok(Oql(join(nodes)))
}

impl fmt::Display for Oql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_node(f, &self.0, false)
    }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, inside_all: bool) -> fmt::Result {
    let not = |not: &bool| if *not { "NOT " } else { "" };
    match node {
        Node::Test(field, op, value) => write!(f, "{field} {} {value}", op.as_str()),
        Node::Like(field, negated, pattern) => {
            write!(f, "{field} {}LIKE {pattern}", not(negated))
        }
        Node::In(field, negated, values) => {
            write!(f, "{field} {}IN [", not(negated))?;
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    f.write_char(',')?;
                }
                write!(f, "{value}")?;
            }
            f.write_char(']')
        }
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

/// A whole query: what is wanted, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OqlQuery {
    filter: Option<Oql>,
    order: Vec<(&'static str, Direction)>,
}

impl OqlQuery {
    /// Every object that meets all of `parts`; without parts, every object.
    #[must_use]
    pub fn of(parts: Vec<Oql>) -> Self {
        Self {
            filter: Oql::all(parts).ok(),
            order: Vec::new(),
        }
    }

    /// Sorted by this after what it is sorted by so far.
    ///
    /// # Errors
    /// [`OqlError::BadField`].
    pub fn order_by(mut self, name: &'static str, way: Direction) -> Result<Self, OqlError> {
        self.order.push((field(name)?, way));
        Ok(self)
    }

    /// The text to send, none when nothing is asked.
    ///
    /// # Errors
    /// [`OqlError::TooLong`] when it would not fit into a URL.
    pub fn text(&self) -> Result<Option<String>, OqlError> {
        let mut parts: Vec<String> = self.filter.iter().map(ToString::to_string).collect();
        if !self.order.is_empty() {
            let sorts: Vec<String> = self
                .order
                .iter()
                .map(|(field, way)| format!("{field} {}", way.as_str()))
                .collect();
            parts.push(format!("ORDER BY {}", sorts.join(", ")));
        }
        let text = parts.join(" ");
        if encode::query_value(&text).len() > MAX_QUERY {
            return Err(OqlError::TooLong);
        }
        Ok((!text.is_empty()).then_some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_or_inside_an_and_has_brackets() {
        let flag = |set| Oql::flag("x.canceled", set).unwrap();
        let either = Oql::any([Oql::is("name", "A").unwrap(), flag(true)]).unwrap();
        let both = Oql::all([either, flag(false)]).unwrap();
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
            "a`b",
            "a\u{0}b",
            "a\nb",
            "a\u{2019}b",
            "a\u{200b}b",
            "a@b",
            "a?b",
        ] {
            let refused = Oql::is("name", text);
            assert_eq!(refused, Err(OqlError::BadCharacter), "{text:?}");
        }
        assert_eq!(Oql::is("name", ""), Err(OqlError::BadLength));
        assert_eq!(Oql::is("name", &"a".repeat(1025)), Err(OqlError::BadLength));
        assert_eq!(Oql::any_of("name", []), Err(OqlError::Nothing));
        assert_eq!(Oql::all([]), Err(OqlError::Nothing));
        let less = Oql::test("late", Op::Less, Value::flag(true));
        assert_eq!(less, Err(OqlError::NoOrder));
        for name in ["", "1a", "a b", "a'", "a=b", "order", "AND"] {
            assert_eq!(Oql::is(name, "x"), Err(OqlError::BadField), "{name}");
        }
    }

    #[test]
    fn ids_go_in_batches_of_a_hundred() {
        let ids: Vec<String> = (0..250).map(|n| format!("id{n}")).collect();
        let all = || ids.iter().map(String::as_str);
        assert_eq!(Oql::any_of("id", all()), Err(OqlError::TooMany));
        let batches = Oql::batches("id", all()).unwrap();
        let sizes: Vec<usize> = batches
            .iter()
            .map(|batch| batch.to_string().matches("'id").count())
            .collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert!(Oql::batches("id", []).unwrap().is_empty());
    }

    #[test]
    fn a_query_that_no_url_can_carry_is_refused() {
        let names: Vec<String> = (0..100).map(|n| format!("{n:0>40}")).collect();
        let of = |count: usize| {
            let some = names.iter().take(count).map(String::as_str);
            OqlQuery::of(vec![Oql::any_of("name", some).unwrap()]).text()
        };
        assert!(of(100).is_ok());
        let long = "é".repeat(1_024);
        let long = OqlQuery::of(vec![
            Oql::is("name", &long).unwrap(),
            Oql::is("folder", &long).unwrap(),
        ]);
        assert_eq!(long.text(), Err(OqlError::TooLong));
    }
}
