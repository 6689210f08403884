//! The id of a request: the client's when it is fit to be logged, else ours.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// 8 to 128 characters of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The client's id if it is well formed, else `own`.
    #[must_use]
    pub fn of(headers: &HeaderMap, own: Uuid) -> Self {
        headers
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(Self::parse)
            .unwrap_or_else(|| {
                let mut text = Uuid::encode_buffer();
                Self(Arc::from(&*own.hyphenated().encode_lower(&mut text)))
            })
    }

    fn parse(text: &str) -> Option<Self> {
        let fits = (8..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        fits.then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header's value. Every id is visible ASCII, so there always is one.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
