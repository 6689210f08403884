//! Rate limits at the edge: who is counted under which class, and what the answer says of it.
//!
//! 1. Every answer to a counted request carries `RateLimit-Policy` and `RateLimit`, as in
//!    draft-ietf-httpapi-ratelimit-headers; a refusal is a 429 problem `rate-limited` with
//!    `Retry-After`.
//! 2. A limiter that does not answer lets nobody in: 503.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use resync_auth::{RateClass, RateDecision, RateKey, RateLimiter, RateLimits};

use crate::metrics::Metrics;
use crate::problem::Problem;

/// `RateLimit-Policy`
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit`
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The limiter and what the answers say of its policies. Cheap to clone.
#[derive(Clone)]
pub struct RateGate {
    limiter: Arc<dyn RateLimiter>,
    limits: RateLimits,
    metrics: Metrics,
}

/// How a request was counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    class: RateClass,
    decision: RateDecision,
}

impl RateGate {
    /// A gate before `limiter`, which counts by `limits`.
    #[must_use]
    pub fn new(limiter: Arc<dyn RateLimiter>, limits: RateLimits, metrics: Metrics) -> Self {
        Self {
            limiter,
            limits,
            metrics,
        }
    }

    /// Requests a minute of this class.
    #[must_use]
    pub fn limit(&self, class: RateClass) -> u32 {
        self.limits.of(class).get()
    }

    /// Counts one request, which may have to be refused: [`Counted::refused`].
    pub(crate) async fn count(&self, class: RateClass, key: RateKey) -> Result<Counted, Problem> {
        let decision = self
            .limiter
            .take(class, key)
            .await
            .map_err(Problem::unavailable)?;
        if decision.retry_after.is_some() {
            self.metrics.limited(class);
        }
        Ok(Counted { class, decision })
    }

    /// Counts one message, for a caller that has no headers to answer with.
    pub(crate) async fn pass(&self, class: RateClass, key: RateKey) -> Result<(), Problem> {
        self.count(class, key).await?.refused().map_or(Ok(()), Err)
    }
}

impl Counted {
    /// The answer, if the request may not pass.
    pub(crate) fn refused(&self) -> Option<Problem> {
        self.decision.retry_after.map(|after| {
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate-limited",
                "Too many requests; wait a moment",
            )
            .retry_after(after)
        })
    }

    /// Says how much is left.
    pub(crate) fn show(&self, headers: &mut HeaderMap) {
        let (name, decision) = (self.class.as_str(), &self.decision);
        // Rounded up: whoever waits for so many seconds has waited long enough.
        let reset = decision.reset_after.as_millis().div_ceil(1000);
        let reset = u64::try_from(reset).unwrap_or(u64::MAX);
        let (limit, left) = (u64::from(decision.limit), u64::from(decision.remaining));
        let policy = said(name, ";q=", limit, ";w=", 60);
        let left = said(name, ";r=", left, ";t=", reset);
        for (header, text) in [(POLICY, policy), (LIMIT, left)] {
            // Words and numbers are always a valid value.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(header, value);
            }
        }
    }
}

/// `"name"` and two parameters. Each answer carries two of these, so no `format!`.
fn said(name: &str, one: &str, first: u64, two: &str, second: u64) -> String {
    let mut digits = itoa::Buffer::new();
    let mut text = String::with_capacity(48);
    text.push('"');
    text.push_str(name);
    text.push('"');
    text.push_str(one);
    text.push_str(digits.format(first));
    text.push_str(two);
    text.push_str(digits.format(second));
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_headers_are_those_of_the_draft() {
        let counted = Counted {
            class: RateClass::Chat,
            decision: RateDecision {
                limit: 30,
                remaining: 12,
                reset_after: Duration::from_millis(35_001),
                retry_after: None,
            },
        };
        let mut headers = HeaderMap::new();
        counted.show(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"chat\";q=30;w=60");
        assert_eq!(headers["ratelimit"], "\"chat\";r=12;t=36");
        assert!(counted.refused().is_none());
    }
}
