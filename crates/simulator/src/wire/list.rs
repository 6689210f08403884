//! Lists: filters, order, pages.
//!
//! 1. Without ORDER BY the order is the plan's own, which does not change within a plan.
//! 2. `next` and `previous` name the configured outside of the engine, never the socket that
//!    answered.

use std::{collections::HashSet, hash::Hash};

use serde::{Serialize, Serializer};

use super::{Answer, Quirk, Request, Settings, bad, wrong_query};
use crate::{
    dice::Dice,
    engine::Engine,
    fault::Effect,
    oql::{self, Filter, Literal, Operator, Scalar, Test, fields::Schema},
};

/// How many a page holds when nobody says.
const PAGE: i64 = 10_000;

/// Rows from an index: of a field, and the texts it may have.
pub(super) type Narrow<'a, K> = dyn Fn(&str, &[&str]) -> Option<Vec<K>> + 'a;

/// A sort of object that can be listed.
pub(super) struct Source<'a, K> {
    pub(super) schema: &'static Schema,
    pub(super) values: &'a dyn Fn(K, &str) -> Vec<Scalar>,
    /// Finds a row by its id.
    pub(super) by_id: &'a dyn Fn(&str) -> Option<K>,
    /// Folder and name of the workstation, folder of the stream, and the name; for `plan_filter`.
    pub(super) path: &'a dyn Fn(K) -> String,
    /// The rows among which those with one of these texts in a field are, where that is known
    /// without looking at all rows.
    pub(super) narrow: &'a Narrow<'a, K>,
    /// The folder that decides who sees it.
    pub(super) folder: &'a dyn Fn(K) -> String,
}

/// The rows that the request's filters keep, in its order.
pub(super) fn select<K: Copy + Eq + Hash>(
    settings: &Settings,
    request: &Request,
    source: &Source<'_, K>,
    all: impl Iterator<Item = K>,
) -> Result<Vec<K>, Answer> {
    let any_enum = settings.has(Quirk::UnknownEnumEmpty);
    let query = oql::parse(request.query("oql").unwrap_or_default())
        .and_then(|query| oql::check(&query, source.schema, any_enum).map(|()| query))
        .map_err(|error| wrong_query(&error.to_string()))?;
    let pattern = request
        .query("plan_filter")
        .or_else(|| request.query("model_filter"));
    let pattern = pattern.unwrap_or_default();
    let keep = |key: &K| {
        (request.hidden.is_empty() || request.sees(&(source.folder)(*key)))
            && query.filter.as_ref().is_none_or(|filter| {
                oql::matches(filter, source.schema, &|field| (source.values)(*key, field))
            })
            && (pattern.is_empty() || matches_path(&(source.path)(*key), pattern))
    };
    // What an index knows is looked up instead of searched for.
    let ids = query.filter.as_ref().and_then(|filter| {
        limited(filter, &|field, texts| {
            (field == "id").then(|| texts.to_vec())
        })
    });
    let narrowed = query.filter.as_ref().filter(|_| ids.is_none());
    let narrowed =
        narrowed.and_then(|filter| limited(filter, &|field, texts| (source.narrow)(field, texts)));
    let mut rows: Vec<K> = match (ids, narrowed) {
        (Some(ids), _) => {
            let found = ids
                .iter()
                .filter_map(|id| (source.by_id)(id))
                .collect::<Vec<_>>();
            let mut seen = HashSet::with_capacity(found.len());
            let mut once = found;
            once.retain(|key| seen.insert(*key) && keep(key));
            once
        }
        (None, Some(mut rows)) => {
            rows.retain(keep);
            rows
        }
        (None, None) => all.filter(keep).collect(),
    };
    oql::sorted(&mut rows, &query.order, source.schema, source.values);
    Ok(rows)
}

/// What `known` makes of the first test that limits a filter to some texts of a field.
fn limited<'f, R>(
    filter: &'f Filter,
    known: &dyn Fn(&'f str, &[&'f str]) -> Option<R>,
) -> Option<R> {
    match filter {
        Filter::All(parts) => parts.iter().find_map(|part| limited(part, known)),
        Filter::Test { field, test } => match test {
            Test::Compare(Operator::Equal, Literal::Text(text)) => known(field, &[text]),
            Test::In { not: false, values } => {
                let texts: Option<Vec<&str>> = values.iter().map(literal_text).collect();
                known(field, &texts?)
            }
            _ => None,
        },
        Filter::Any(_) => None,
    }
}

fn literal_text(literal: &Literal) -> Option<&str> {
    match literal {
        Literal::Text(text) => Some(text),
        _ => None,
    }
}

/// What a list answers.
#[derive(Serialize)]
struct Page<R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Other>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Other>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<R>,
}

/// Another page of the list; where there is none, what a quirk says instead.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Other {
    At(String),
    Null(()),
}

/// Rows that are looked at one by one as they are written.
struct Rows<'a, K, F> {
    keys: &'a [K],
    view: F,
}

impl<K, V: Serialize, F: Fn(&K) -> V> Serialize for Rows<'_, K, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.keys.iter().map(&self.view))
    }
}

/// One page of `rows`.
pub(super) fn page<K: Clone, V: Serialize>(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    rows: &[K],
    view: impl Fn(&K) -> V,
) -> Result<Answer, Answer> {
    let limit = request.number("limit")?.unwrap_or(PAGE);
    let offset = request.number("offset")?.unwrap_or(0);
    let (Ok(size), Ok(skip)) = (usize::try_from(limit), usize::try_from(offset)) else {
        return Err(bad("limit and offset must not be negative"));
    };
    let start = match request.paging {
        Some(Effect::ShiftPages) if size > 0 => skip.saturating_sub(skip / size),
        Some(Effect::RepeatPage) if skip > 0 => skip.saturating_sub(size),
        _ => skip,
    };
    let shuffled;
    let rows = if settings.has(Quirk::UnstableOrder) && !is_ordered(request) {
        shuffled = shuffle(engine, rows, skip);
        &shuffled
    } else {
        rows
    };
    let end = rows.len().min(start.saturating_add(size));
    let keys = rows.get(start..end).unwrap_or_default();
    let wanted = request.header("include-count");
    let counts = wanted.is_none_or(|text| text != "false") && !settings.has(Quirk::NoCount);
    let off_by = match request.paging {
        Some(Effect::WrongCount { off_by }) => off_by,
        _ => 0,
    };
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let absent = if settings.has(Quirk::NextNull) {
        Some(Other::Null(()))
    } else if settings.has(Quirk::NextEmpty) {
        Some(Other::At(String::new()))
    } else {
        None
    };
    let link = |there: bool, offset: usize| {
        let url = there.then(|| Other::At(url(settings, request, limit, offset)));
        url.or_else(|| absent.clone())
    };
    let more = size > 0 && skip.saturating_add(size) < rows.len();
    let results = !(keys.is_empty() && settings.has(Quirk::NoResults));
    let page = Page {
        count: counts.then_some(count.saturating_add(off_by).max(0)),
        next: link(more, skip.saturating_add(size)),
        previous: link(skip > 0 && size > 0, skip.saturating_sub(size)),
        results: results.then_some(Rows { keys, view }),
    };
    Ok(Answer {
        rows: keys.len(),
        ..Answer::of(engine, settings, &page)
    })
}

/// Where another page of the same list is.
fn url(settings: &Settings, request: &Request, limit: i64, offset: usize) -> String {
    let external = match &request.paging {
        Some(Effect::ForeignNext { url }) => url.trim_end_matches('/'),
        _ => &settings.external,
    };
    let mut parts = vec![format!("limit={limit}"), format!("offset={offset}")];
    let kept = request.query.iter();
    let kept = kept.filter(|(name, _)| name != "limit" && name != "offset");
    parts.extend(kept.map(|(name, value)| format!("{name}={}", encode(value))));
    let path = request.segments.join("/");
    format!("{external}{}/{path}?{}", super::ROOT, parts.join("&"))
}

fn is_ordered(request: &Request) -> bool {
    let query = request.query("oql").unwrap_or_default();
    query.to_ascii_uppercase().contains("ORDER BY")
}

/// The rows as they stand for a request that begins at `skip`: another order for each.
fn shuffle<K: Clone>(engine: &Engine, rows: &[K], skip: usize) -> Vec<K> {
    let purpose = format!("order {} {skip}", engine.version());
    let mut dice = Dice::new(engine.seed(), &purpose, "", 0);
    let mut rows = rows.to_vec();
    for last in (1..rows.len()).rev() {
        let high = i64::try_from(last).unwrap_or(i64::MAX);
        let other = usize::try_from(dice.between(0, high)).unwrap_or(last);
        rows.swap(last, other);
    }
    rows
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
