//! The id of a request: the client's when it is fit to be logged, else ours.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::trail::Trail;
use crate::problem::Problem;

/// The header in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// 8 to 128 characters of `[A-Za-z0-9._-]`, kept as the value of the header that tells it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id if it is well formed, else `own`.
    #[must_use]
    pub fn of(headers: &HeaderMap, own: Uuid) -> Self {
        headers
            .get(X_REQUEST_ID)
            .filter(|value| Self::fits(value.as_bytes()))
            .map_or_else(|| Self::own(own), |value| Self(value.clone()))
    }

    fn own(own: Uuid) -> Self {
        let mut text = Uuid::encode_buffer();
        let text = own.hyphenated().encode_lower(&mut text);
        // Hexadecimal digits and hyphens are always a valid value.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown")))
    }

    fn fits(text: &[u8]) -> bool {
        (8..=128).contains(&text.len())
            && text
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Visible ASCII by how it is made.
        self.0.to_str().unwrap_or_default()
    }

    /// The header's value.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl RequestId {
    /// The id of the request that these are the parts of.
    pub(crate) fn of_request(parts: &Parts) -> Option<&Self> {
        parts.extensions.get::<Trail>().map(Trail::id)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The edge gives each request one.
        let id = Self::of_request(parts).cloned();
        id.ok_or_else(Problem::internal)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(
            X_REQUEST_ID,
            HeaderValue::from_bytes(text.as_bytes()).unwrap(),
        );
        RequestId::of(&headers, Uuid::from_u128(7))
    }

    #[test]
    fn a_well_formed_id_of_the_client_is_kept() {
        assert_eq!(of("shift-2026.03_02").as_str(), "shift-2026.03_02");
    }

    #[test]
    fn a_short_long_or_odd_id_is_replaced() {
        for text in ["short", &"a".repeat(129), "has blank here", "läuft-nicht"] {
            assert_ne!(of(text).as_str(), text);
            assert_eq!(of(text).as_str().len(), 36);
        }
    }
}
