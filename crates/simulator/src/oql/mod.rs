//! The query language of lists.
//!
//! 1. [`parse`] never panics, whatever the text, and refuses nesting beyond a bound.
//! 2. Fields have types taken from [`fields`], never from the text; a test that its type does not
//!    allow is an error, not an empty answer.

mod eval;
pub(crate) mod fields;
mod parse;

pub(crate) use eval::{Scalar, check, like, matches, sorted};
pub(crate) use parse::parse;

use thiserror::Error;

/// A query that was refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub(crate) struct OqlError(pub(crate) String);

/// A query: what to keep, and in which order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) filter: Option<Filter>,
    pub(crate) order: Vec<(String, bool)>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Test { field: String, test: Test },
}

/// What is asked of one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Compare(Operator, Literal),
    In { not: bool, values: Vec<Literal> },
    Like { not: bool, pattern: String },
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
}
