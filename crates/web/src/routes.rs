//! The routes of the pages.
//!
//! Names of files carry no hash, so a browser asks again each time and mostly gets a 304: a new
//! binary never meets an old script.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::assets::{Asset, asset, page};
use crate::headers::SECURITY_HEADERS;

/// Method and path of the routes of [`router`], all open to everyone: the page holds no data.
pub const ROUTES: &[(&str, &str)] = &[("GET", "/"), ("GET", "/setup"), ("GET", "/assets/{*path}")];

/// The page at `/` and, for the one-time link of the first start, at `/setup`; its files under `/assets/`, to be merged into the server's router.
///
/// Answers 200 with the file, 304 when `If-None-Match` names its `ETag`, 404 for anything that is
/// not a file of ours, and 405 for any method but GET and HEAD.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/", get(index))
        .route("/setup", get(index))
        .route("/assets/{*path}", get(file))
}

async fn index(headers: HeaderMap) -> Response {
    answer(page(), &headers)
}

async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    answer(asset(&path), &headers)
}

fn answer(asset: Option<Asset>, headers: &HeaderMap) -> Response {
    let mut response = match asset {
        None => not_found(),
        Some(asset) => found(asset, headers),
    };
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

fn not_found() -> Response {
    let mut response = Response::new(Body::from("not found\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn found(asset: Asset, asked: &HeaderMap) -> Response {
    let known = knows(asked, &asset.etag);
    let body = if known {
        Body::empty()
    } else {
        Body::from(match asset.file.data {
            std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
        })
    };
    let mut response = Response::new(body);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // A hex digest in quotes is always a valid header value; were it not, the file goes untagged.
    if let Ok(etag) = HeaderValue::try_from(asset.etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// Whether the client already has the file with this tag. A weak tag of a proxy counts, as RFC 9110
/// says for this header.
fn knows(asked: &HeaderMap, etag: &str) -> bool {
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests;
