//! Which pages may send us a request with somebody's cookie.

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The exact origins that are ours, such as `http://127.0.0.1:8080`.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Exactly these. What follows the host is cut off and so is
    /// the port that the scheme implies, since a browser sends neither.
    #[must_use]
    pub fn new(origins: impl IntoIterator<Item = String>) -> Self {
        Self(
            origins
                .into_iter()
                .map(|origin| origin_of(&origin))
                .collect(),
        )
    }

    /// Whether a request that changes something comes from one of our pages: its `Origin` is ours, or,
    /// without one, the browser says that it is same-origin.
    #[must_use]
    pub fn allow_change(&self, headers: &HeaderMap) -> bool {
        match self.origin(headers) {
            Found::Ours => true,
            Found::Foreign => false,
            Found::None => headers
                .get(SEC_FETCH_SITE)
                .is_some_and(|value| value == "same-origin"),
        }
    }

    /// Whether a request without a session may come in: only a foreign page is refused.
    #[must_use]
    pub fn allow_anonymous(&self, headers: &HeaderMap) -> bool {
        let cross = headers
            .get(SEC_FETCH_SITE)
            .is_some_and(|value| value == "cross-site");
        self.origin(headers) != Found::Foreign && !cross
    }

    /// Whether a WebSocket may open: its `Origin` must be ours and must be there.
    #[must_use]
    pub fn allow_socket(&self, headers: &HeaderMap) -> bool {
        self.origin(headers) == Found::Ours
    }

    fn origin(&self, headers: &HeaderMap) -> Found {
        let mut values = headers.get_all(ORIGIN).iter();
        match (values.next(), values.next()) {
            (None, _) => Found::None,
            (Some(value), None) if self.0.iter().any(|ours| value == ours.as_str()) => Found::Ours,
            _ => Found::Foreign,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    None,
    Ours,
    Foreign,
}

/// A URL's origin, as a browser writes it.
#[must_use]
pub fn origin_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split('/').next().unwrap_or("");
    let scheme = scheme.to_ascii_lowercase();
    // A browser leaves out the port that its scheme implies.
    let host = match scheme.as_str() {
        "http" => host.strip_suffix(":80").unwrap_or(host),
        "https" => host.strip_suffix(":443").unwrap_or(host),
        _ => host,
    };
    format!("{scheme}://{}", host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_an_exact_origin_is_ours() {
        let origins = Origins::new(["http://127.0.0.1:8080/".to_owned()]);
        for trick in [
            "http://127.0.0.1",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:80801",
            "http://127.0.0.1:8080.evil.example",
            "http://evil.example/http://127.0.0.1:8080",
            "http://user@127.0.0.1:8080",
            "null",
            "",
            "file://",
        ] {
            let headers = headers(&[("origin", trick)]);
            assert!(!origins.allow_change(&headers), "{trick}");
            assert!(!origins.allow_socket(&headers), "{trick}");
        }
        let ours = headers(&[("origin", "http://127.0.0.1:8080")]);
        assert!(
            origins.allow_change(&ours)
                && origins.allow_socket(&ours)
                && origins.allow_anonymous(&ours)
        );
        let twice = headers(&[
            ("origin", "http://127.0.0.1:8080"),
            ("origin", "http://127.0.0.1:8080"),
        ]);
        assert!(!origins.allow_change(&twice));
    }

    #[test]
    fn the_port_that_the_scheme_implies_may_be_written_out() {
        let origins =
            Origins::new(["http://10.0.0.1:80", "https://Resync.example:443/"].map(str::to_owned));
        for ours in ["http://10.0.0.1", "https://resync.example"] {
            assert!(
                origins.allow_socket(&headers(&[("origin", ours)])),
                "{ours}"
            );
        }
        for foreign in [
            "https://10.0.0.1",
            "http://10.0.0.1:8080",
            "http://resync.example",
        ] {
            assert!(
                !origins.allow_socket(&headers(&[("origin", foreign)])),
                "{foreign}"
            );
        }
    }

    #[test]
    fn without_an_origin_the_browser_must_vouch_and_a_socket_is_refused() {
        let origins = Origins::new(["http://127.0.0.1:8080".to_owned()]);
        assert!(!origins.allow_change(&headers(&[])));
        assert!(origins.allow_change(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!origins.allow_change(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!origins.allow_socket(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(origins.allow_anonymous(&headers(&[])));
        assert!(!origins.allow_anonymous(&headers(&[("sec-fetch-site", "cross-site")])));
    }
}
