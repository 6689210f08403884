//! Pages of other origins: none may read an answer, except those that `server.allowed_origins` names.
//!
//! Closed is the default, and then this layer is not there at all. What it opens it opens exactly:
//! these origins, with credentials, the methods and headers that the API has, nothing by wildcard.

use std::time::Duration;

use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::CorsLayer;

use super::limit::{LIMIT, POLICY};
use super::request_id::X_REQUEST_ID;
use super::trace::TRACEPARENT;

/// How long a browser may remember what it was told.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The methods of the API.
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// The layer for these origins; `None` when there are none.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods(METHODS)
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_NONE_MATCH,
            X_REQUEST_ID,
            TRACEPARENT,
            HeaderName::from_static("x-csrf-token"),
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([
            ETAG,
            LINK,
            RETRY_AFTER,
            X_REQUEST_ID,
            POLICY,
            LIMIT,
            HeaderName::from_static("x-cache"),
        ])
        .max_age(MAX_AGE);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::{HeaderMap, Request};
    use axum::routing::post;
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: &str, origin: &str) -> (u16, HeaderMap) {
        let router = Router::new()
            .route("/", post(async || "fine"))
            .layer(layer(&["https://wiki.example".to_owned()]).unwrap());
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-csrf-token")
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        (response.status().as_u16(), response.headers().clone())
    }

    #[tokio::test]
    async fn a_named_origin_may_ask_and_read() {
        let (status, headers) = ask("OPTIONS", "https://wiki.example").await;
        assert_eq!(status, 200);
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://wiki.example"
        );
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(
            headers["access-control-allow-methods"],
            "GET,POST,PUT,PATCH,DELETE"
        );
        assert!(
            headers
                .get_all("vary")
                .iter()
                .any(|v| v.to_str().unwrap().contains("origin"))
        );
        let (status, headers) = ask("POST", "https://wiki.example").await;
        assert_eq!(status, 200);
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://wiki.example"
        );
    }

    #[tokio::test]
    async fn no_other_origin_is_told_anything() {
        for foreign in [
            "https://evil.example",
            "https://wiki.example.evil.example",
            "http://wiki.example",
            "https://wiki.example:444",
            "null",
        ] {
            for method in ["OPTIONS", "POST"] {
                let (_, headers) = ask(method, foreign).await;
                assert!(
                    !headers.contains_key("access-control-allow-origin"),
                    "{foreign}"
                );
            }
        }
    }

    #[test]
    fn every_method_of_the_table_may_be_sent() {
        for route in crate::routes::table() {
            assert!(METHODS.contains(&route.method), "{}", route.path);
        }
    }

    #[test]
    fn without_a_name_there_is_no_layer() {
        assert!(layer(&[]).is_none());
    }
}
