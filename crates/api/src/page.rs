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
    let kept = uri
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<String> = kept
        .map(str::to_owned)
        .chain([format!("cursor={cursor}")])
        .collect();
    if let Ok(value) = HeaderValue::try_from(format!(
        "<{}?{}>; rel=\"next\"",
        uri.path(),
        query.join("&")
    )) {
        headers.insert(LINK, value);
    }
}
