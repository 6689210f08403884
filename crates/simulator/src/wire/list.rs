//! Lists: filters, order, pages.
//!
//! 1. Without ORDER BY the order is the plan's own, which does not change within a plan.
//! 2. `next` and `previous` name the configured outside of the engine, never the socket that
//!    answered.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, Quirk, Request, Settings, bad, quirk, wrong_query};
use crate::{
    engine::Engine,
    oql::{self, Filter, Literal, Operator, Scalar, Test, fields::Schema},
};

/// How many a page holds when nobody says.
const PAGE: i64 = 10_000;

/// A sort of object that can be listed.
pub(super) struct Source<'a, K> {
    pub(super) schema: &'static Schema,
    pub(super) values: &'a dyn Fn(K, &str) -> Vec<Scalar>,
    /// Finds a row by its id.
    pub(super) by_id: &'a dyn Fn(&str) -> Option<K>,
    /// Folder and name of the workstation, folder of the stream, and the name; for `plan_filter`.
    pub(super) path: &'a dyn Fn(K) -> String,
}

/// The rows that the request's filters keep, in its order.
pub(super) fn select<K: Copy + PartialEq>(
    request: &Request,
    source: &Source<'_, K>,
    all: impl Iterator<Item = K>,
) -> Result<Vec<K>, Answer> {
    let query = oql::parse(request.query("oql").unwrap_or_default())
        .and_then(|query| oql::check(&query, source.schema).map(|()| query))
        .map_err(|error| wrong_query(&error.to_string()))?;
    let pattern = request.query("plan_filter").unwrap_or_default();
    let keep = |key: &K| {
        query.filter.as_ref().is_none_or(|filter| {
            oql::matches(filter, source.schema, &|field| (source.values)(*key, field))
        }) && (pattern.is_empty() || matches_path(&(source.path)(*key), pattern))
    };
    // A list of ids is looked up instead of searched for.
    let wanted = query.filter.as_ref().and_then(ids);
    let mut rows: Vec<K> = match wanted {
        Some(ids) => {
            let found = ids
                .iter()
                .filter_map(|id| (source.by_id)(id))
                .collect::<Vec<_>>();
            let mut once: Vec<K> = Vec::with_capacity(found.len());
            for key in found {
                if !once.contains(&key) && keep(&key) {
                    once.push(key);
                }
            }
            once
        }
        None => all.filter(keep).collect(),
    };
    oql::sorted(&mut rows, &query.order, source.schema, source.values);
    Ok(rows)
}

/// The ids that a filter is limited to, if it is.
fn ids(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::All(parts) => parts.iter().find_map(ids),
        Filter::Test { field, test } if field == "id" => match test {
            Test::Compare(Operator::Equal, Literal::Text(id)) => Some(vec![id]),
            Test::In { not: false, values } => values.iter().map(literal_text).collect(),
            _ => None,
        },
        _ => None,
    }
}

fn literal_text(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::Text(text) => Some(text),
        _ => None,
    }
}

/// One page of `rows`.
pub(super) fn page<K: Copy>(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    rows: &[K],
    view: impl Fn(K) -> Value,
) -> Result<Answer, Answer> {
    let limit = request.number("limit")?.unwrap_or(PAGE);
    let offset = request.number("offset")?.unwrap_or(0);
    let (Ok(size), Ok(skip)) = (usize::try_from(limit), usize::try_from(offset)) else {
        return Err(bad("limit and offset must not be negative"));
    };
    let results: Vec<Value> = rows
        .iter()
        .skip(skip)
        .take(size)
        .map(|key| view(*key))
        .collect();
    let mut body = Map::new();
    let counted = request
        .header("include-count")
        .is_none_or(|text| text != "false");
    if counted {
        body.insert("count".to_owned(), json!(rows.len()));
    }
    body.insert("results".to_owned(), Value::Array(results));
    let url = |offset: usize| {
        let mut parts = vec![format!("limit={limit}"), format!("offset={offset}")];
        let kept = request
            .query
            .iter()
            .filter(|(name, _)| name != "limit" && name != "offset");
        parts.extend(kept.map(|(name, value)| format!("{name}={}", encode(value))));
        let path = request.segments.join("/");
        json!(format!(
            "{}{}/{path}?{}",
            settings.external,
            super::ROOT,
            parts.join("&")
        ))
    };
    let more = size > 0 && skip.saturating_add(size) < rows.len();
    if more {
        body.insert("next".to_owned(), url(skip + size));
    }
    if skip > 0 && size > 0 {
        body.insert("previous".to_owned(), url(skip.saturating_sub(size)));
    }
    if settings.has(Quirk::NextNull) {
        body.entry("next").or_insert(Value::Null);
        body.entry("previous").or_insert(Value::Null);
    }
    let mut body = Value::Object(body);
    quirk::apply(settings, engine.seed(), &mut body);
    Ok(Answer::json(StatusCode::OK, &body))
}

/// Whether a path like `/FINDB01#/FIN/EOD/FIN_EOD.FIN_GL_POST` fits a selector like
/// `/@/@#/@/@.@`; `/@/` also stands for the root folder.
pub(super) fn matches_path(path: &str, pattern: &str) -> bool {
    let (path_station, path_rest) = path.split_once('#').unwrap_or(("", path));
    match pattern.split_once('#') {
        Some((station, rest)) => fits_part(path_station, station) && fits_part(path_rest, rest),
        // Without a workstation the pattern is the workstation's own, or a stream's anywhere.
        None if path.contains('#') => fits_part(path_rest, pattern),
        None => fits_part(path, pattern),
    }
}

fn fits_part(part: &str, pattern: &str) -> bool {
    let (folder, name) = split(part);
    let (folder_pattern, name_pattern) = split(pattern);
    let folder_fits =
        folder_pattern.is_empty() || folder_pattern == "/@/" || oql::like(folder, folder_pattern);
    folder_fits && oql::like(name, name_pattern)
}

/// Folder with its trailing slash, and the rest.
fn split(part: &str) -> (&str, &str) {
    part.rfind('/')
        .and_then(|at| part.split_at_checked(at + 1))
        .unwrap_or(("", part))
}

/// Percent-encodes everything but the unreserved characters.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.extend(percent(other)),
        }
    }
    encoded
}

fn percent(byte: u8) -> [char; 3] {
    let digit = |half: u8| {
        char::from_digit(u32::from(half), 16)
            .unwrap_or('0')
            .to_ascii_uppercase()
    };
    ['%', digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_the_command_line_fit_their_paths() {
        let job = "/FINDB01#/FIN/EOD/FIN_EOD.FIN_GL_POST";
        for pattern in [
            "/@/@#/@/@.@",
            "/FINDB01#/FIN/EOD/FIN_EOD.@",
            "@#/@/@.FIN_GL_?OST",
            "/@/FIN@#/@/@",
        ] {
            assert!(matches_path(job, pattern), "{pattern}");
        }
        for pattern in ["/@/PAY@#/@/@.@", "/@/@#/HR/@/@.@", "/@/@#/@/FIN_EOD.OTHER"] {
            assert!(!matches_path(job, pattern), "{pattern}");
        }
        assert!(matches_path("/MDM#/FINAL.MAKEPLAN", "/@/@#/@/@.@"));
    }
}
