//! Pages of lists: `limit` and `cursor` in, `next_cursor` and `Link` out.

use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue, Uri};
use resync_kernel::Limit;
use serde::Deserialize;

use crate::problem::Problem;

/// The query of a list that takes nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn limit(&self) -> Result<Limit, Problem> {
        limit_of(self.limit)
    }
}

/// A limit within its bounds, or the default.
pub(crate) fn limit_of(limit: Option<u32>) -> Result<Limit, Problem> {
    limit.map_or_else(
        || Ok(Limit::default()),
        |limit| Limit::parse(limit).map_err(|error| Problem::invalid("?limit", error.to_string())),
    )
}

/// `Link: <…>; rel="next"` for a page that has a next one.
pub(crate) fn link_next(headers: &mut HeaderMap, uri: &Uri, next_cursor: Option<&str>) {
    let Some(cursor) = next_cursor else { return };
    let query = uri.query().unwrap_or("");
    let mut link = String::with_capacity(uri.path().len() + query.len() + cursor.len() + 24);
    link.push('<');
    link.push_str(uri.path());
    link.push('?');
    let kept = query.split('&');
    for pair in kept.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor=")) {
        link.push_str(pair);
        link.push('&');
    }
    link.push_str("cursor=");
    link.push_str(cursor);
    link.push_str(">; rel=\"next\"");
    if let Ok(value) = HeaderValue::try_from(link) {
        headers.insert(LINK, value);
    }
}
