//! Tests against the values of an object.
//!
//! A list field has several values: `=`, `<`, IN and LIKE hold when any of them does, `!=`, NOT IN
//! and NOT LIKE when none of them fails, that is, for `!=`, when none is equal.

use std::cmp::Ordering;

use super::{
    Filter, Literal, Operator, OqlError, Query, Test,
    fields::{Kind, Schema},
};
use crate::names::{Secs, parse_duration};

/// One value of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scalar {
    Text(String),
    Number(i64),
    Bool(bool),
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Scalar {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Scalar {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// Whether an object passes. `values` gives the values of a field of the object.
pub(crate) fn matches(
    filter: &Filter,
    schema: &Schema,
    values: &dyn Fn(&str) -> Vec<Scalar>,
) -> bool {
    match filter {
        Filter::Any(parts) => parts.iter().any(|part| matches(part, schema, values)),
        Filter::All(parts) => parts.iter().all(|part| matches(part, schema, values)),
        Filter::Test { field, test } => {
            let Some((name, kind)) = schema.find(field) else {
                return false;
            };
            holds(test, kind, &values(name))
        }
    }
}

fn holds(test: &Test, kind: Kind, values: &[Scalar]) -> bool {
    let equal = |literal: &Literal| match literal_of(literal, kind) {
        Some(wanted) => values.contains(&wanted),
        None => values.is_empty() && *literal == Literal::Null,
    };
    match test {
        Test::Compare(Operator::Equal, literal) => equal(literal),
        Test::Compare(Operator::NotEqual, literal) => !equal(literal),
        Test::Compare(operator, literal) => literal_of(literal, kind).is_some_and(|wanted| {
            values.iter().any(|value| {
                let order = value.cmp(&wanted);
                match operator {
                    Operator::Less => order == Ordering::Less,
                    Operator::LessOrEqual => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }
            })
        }),
        Test::In { not, values } => values.iter().any(equal) != *not,
        Test::Like { not, pattern } => {
            let any = values.iter().any(|value| match value {
                Scalar::Text(value) => like(value, pattern),
                Scalar::Number(_) | Scalar::Bool(_) => false,
            });
            any != *not
        }
    }
}

/// A literal in the field's own type; `None` when it cannot be one.
fn literal_of(literal: &Literal, kind: Kind) -> Option<Scalar> {
    match (literal, kind) {
        (Literal::Text(text), Kind::Number) => text.parse().ok().map(Scalar::Number),
        (Literal::Text(text), Kind::Instant) => parse_instant(text).map(Scalar::Number),
        (Literal::Text(text), Kind::Duration) => parse_duration(text).map(Scalar::Number),
        (Literal::Text(text), Kind::Bool) => text.parse().ok().map(Scalar::Bool),
        // The manual and the vendor's document spell success differently.
        (Literal::Text(text), Kind::Enum(_)) if text == "SUCCEED" => {
            Some(Scalar::from("SUCCESSFUL"))
        }
        (Literal::Text(text), Kind::Text | Kind::Enum(_)) => Some(Scalar::Text(text.clone())),
        (Literal::Number(number), Kind::Text | Kind::Enum(_)) => {
            Some(Scalar::Text(number.to_string()))
        }
        (Literal::Number(number), _) => Some(Scalar::Number(*number)),
        (Literal::Bool(flag), Kind::Bool) => Some(Scalar::Bool(*flag)),
        (Literal::Bool(_) | Literal::Null, _) => None,
    }
}

fn parse_instant(text: &str) -> Option<Secs> {
    let instant = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(instant.timestamp())
}

/// `@` any run, `?` one character, anchored at both ends.
pub(crate) fn like(text: &str, pattern: &str) -> bool {
    let (letters, wanted): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p, mut mark) = (0, 0, None);
    while t < letters.len() {
        match wanted.get(p) {
            Some('@') => {
                mark = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || letters.get(t) == Some(c) => {
                t += 1;
                p += 1;
            }
            _ => {
                let Some((after, from)) = mark else {
                    return false;
                };
                mark = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
        }
    }
    wanted.iter().skip(p).all(|c| *c == '@')
}

/// Refuses what the types of the fields do not allow; with `any_enum` a value outside an enumeration
/// is one that nothing has.
pub(crate) fn check(query: &Query, schema: &Schema, any_enum: bool) -> Result<(), OqlError> {
    if let Some(filter) = &query.filter {
        check_filter(filter, schema, any_enum)?;
    }
    for (field, _) in &query.order {
        if schema.find(order_name(field)).is_none() {
            return Err(OqlError(format!("unknown field {field}")));
        }
    }
    Ok(())
}

fn check_filter(filter: &Filter, schema: &Schema, any_enum: bool) -> Result<(), OqlError> {
    match filter {
        Filter::Any(parts) | Filter::All(parts) => {
            let mut parts = parts.iter();
            parts.try_for_each(|part| check_filter(part, schema, any_enum))
        }
        Filter::Test { field, test } => {
            let Some((_, kind)) = schema.find(field) else {
                return Err(OqlError(format!("unknown field {field}")));
            };
            let literals: &[Literal] = match test {
                Test::Compare(operator, literal) => {
                    let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
                    if ordered && matches!(kind, Kind::Bool | Kind::Enum(_)) {
                        return Err(OqlError(format!("{field} has no order")));
                    }
                    std::slice::from_ref(literal)
                }
                Test::In { values, .. } => values,
                Test::Like { .. } if !matches!(kind, Kind::Text | Kind::Enum(_)) => {
                    return Err(OqlError(format!("{field} is no text")));
                }
                Test::Like { .. } => &[],
            };
            for literal in literals.iter().filter(|literal| **literal != Literal::Null) {
                let wrong = OqlError(format!("{literal:?} is no value of {field}"));
                match (literal_of(literal, kind), kind) {
                    (Some(Scalar::Text(text)), Kind::Enum(known))
                        if !any_enum && !known.contains(&text.as_str()) =>
                    {
                        return Err(wrong);
                    }
                    (None, _) => return Err(wrong),
                    _ => {}
                }
            }
            Ok(())
        }
    }
}

/// `key.name` is known to ORDER BY alone.
fn order_name(field: &str) -> &str {
    if field == "key.name" { "name" } else { field }
}

/// Puts objects into the order asked for; equal ones stay as they are.
pub(crate) fn sorted<T: Copy>(
    items: &mut [T],
    order: &[(String, bool)],
    schema: &Schema,
    values: &dyn Fn(T, &str) -> Vec<Scalar>,
) {
    if order.is_empty() {
        return;
    }
    items.sort_by_cached_key(|item| {
        let keys = order.iter().map(|(field, descending)| {
            let name = schema.find(order_name(field)).map_or("", |(name, _)| name);
            let first = values(*item, name).into_iter().next();
            if *descending {
                Direction::Down(std::cmp::Reverse(first))
            } else {
                Direction::Up(first)
            }
        });
        keys.collect::<Vec<_>>()
    });
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    Up(Option<Scalar>),
    Down(std::cmp::Reverse<Option<Scalar>>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oql::{fields::JOB, parse};

    fn passes(text: &str) -> bool {
        let query = parse(text).unwrap();
        check(&query, &JOB, false).unwrap();
        let values = |field: &str| match field {
            "name" => vec![Scalar::from("FIN_GL_POST")],
            "priority" => vec![Scalar::Number(50)],
            "jobruns.returnCode" => vec![Scalar::Number(12), Scalar::Number(0)],
            "schedTime" => vec![Scalar::Number(1_772_481_600)],
            "jobOptions.critical" => vec![Scalar::Bool(true)],
            _ => vec![],
        };
        matches(&query.filter.unwrap(), &JOB, &values)
    }

    #[test]
    fn values_are_compared_in_the_type_of_their_field() {
        assert!(passes("priority = 50") && passes("priority = '50'") && passes("priority > '9'"));
        assert!(passes("schedTime >= '2026-03-02T20:00:00.000Z'"));
        assert!(passes("schedTime = '2026-03-02T21:00:00+01:00'"));
        assert!(passes("jobOptions.critical = true") && !passes("jobOptions.critical = 'false'"));
    }

    #[test]
    fn a_list_matches_by_any_element_and_differs_by_all() {
        assert!(passes("jobruns.returnCode = 12") && passes("jobruns.returnCode = 0"));
        assert!(!passes("jobruns.returnCode != 12") && passes("jobruns.returnCode != 7"));
        assert!(!passes("jobruns.returnCode NOT IN [12, 99]"));
    }

    #[test]
    fn wildcards_are_for_like_alone_and_anchored() {
        assert!(passes("name LIKE 'FIN@'") && passes("name LIKE '@GL?POST'"));
        assert!(!passes("name LIKE 'GL@'") && !passes("name = 'FIN@'"));
        assert!(passes("name NOT LIKE 'PAY@'"));
        assert!(like("", "@") && like("abc", "@@c@") && !like("abc", "a?"));
    }

    #[test]
    fn what_a_type_does_not_allow_is_refused() {
        for text in [
            "jobOptions.critical < true",
            "key.name = 'X'",
            "nonsense = 1",
            "priority = 'high'",
            "schedTime > 'yesterday'",
            "jobruns.compositeStatus.status = 'BROKEN'",
            "priority LIKE '5@'",
        ] {
            assert!(
                check(&parse(text).unwrap(), &JOB, false).is_err(),
                "{text} was allowed"
            );
        }
        assert!(check(&parse("ORDER BY key.name ASC").unwrap(), &JOB, false).is_ok());
    }
}
