//! What a browser gets.

use http::{Method, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::CSP;

async fn send(method: Method, path: &str, known: Option<&str>) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = known {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let response = router::<()>()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    (
        parts.status,
        parts.headers,
        body.collect().await.unwrap().to_bytes(),
    )
}

async fn get(path: &str) -> (StatusCode, HeaderMap, Bytes) {
    send(Method::GET, path, None).await
}

/// B6: the policy is the reviewed one, word for word, and images come from us or from the page itself.
#[tokio::test]
async fn the_headers_of_the_page_are_exactly_these() {
    let (status, headers, body) = get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with(b"<!doctype html>"));
    assert_eq!(
        CSP,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    let expected = [
        ("cache-control", "no-cache"),
        ("content-security-policy", CSP),
        ("content-type", "text/html; charset=utf-8"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in expected {
        assert_eq!(headers.get(name).unwrap(), value, "{name}");
    }
    // Those, the tag and the length, which axum adds; nothing that nobody reviewed.
    assert_eq!(headers.len(), expected.len() + 2, "{headers:?}");
    assert_eq!(
        headers.get("content-length").unwrap(),
        &body.len().to_string()
    );
}

#[tokio::test]
async fn each_kind_of_file_has_its_content_type() {
    for (path, content_type) in [
        ("/assets/main.js", "text/javascript; charset=utf-8"),
        ("/assets/vendor/preact.js", "text/javascript; charset=utf-8"),
        ("/assets/styles/base.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
        (
            "/assets/vendor/preact.LICENSE.txt",
            "text/plain; charset=utf-8",
        ),
    ] {
        let (status, headers, body) = get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers.get(CONTENT_TYPE).unwrap(), content_type);
        assert_eq!(headers.get("content-security-policy").unwrap(), CSP);
        assert!(!body.is_empty());
    }
}

#[tokio::test]
async fn an_unknown_file_is_404_and_still_guarded() {
    for path in [
        "/assets/nothing.js",
        "/assets/index.html",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets/styles",
        "/assets/vendor/",
    ] {
        let (status, headers, _) = get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        for (name, value) in SECURITY_HEADERS {
            assert_eq!(headers.get(name).unwrap(), value, "{path} {name}");
        }
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store");
    }
    // Outside of our routes the server answers, not we.
    assert_eq!(get("/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let (_, headers, _) = get("/assets/main.js").await;
    let tag = headers.get(ETAG).unwrap().to_str().unwrap().to_owned();
    assert_eq!(tag.len(), 66, "SHA-256 in quotes");
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let (status, headers, body) = send(Method::GET, "/assets/main.js", Some(&known)).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED, "{known}");
        assert!(body.is_empty());
        assert_eq!(headers.get(ETAG).unwrap(), &tag);
        assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
    }
    let (status, _, body) = send(Method::GET, "/assets/main.js", Some("\"other\"")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!body.is_empty());
    assert_ne!(get("/").await.1.get(ETAG).unwrap(), &tag);
}

#[tokio::test]
async fn only_reading_is_allowed() {
    assert_eq!(send(Method::HEAD, "/", None).await.0, StatusCode::OK);
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(
            send(method, "/", None).await.0,
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
}

/// I-02: the list of routes is what the router answers to.
#[tokio::test]
async fn every_listed_route_answers() {
    for (method, path) in ROUTES {
        let path = path.replace("{*path}", "main.js");
        let (status, ..) = send(method.parse().unwrap(), &path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    assert_eq!(ROUTES.len(), 3);
}
