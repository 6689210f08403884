//! W3C trace context: the trace that a request belongs to, and our own place in it.
//!
//! A well-formed `traceparent` is taken over; without one the request begins a trace, whose id is
//! the UUID that we draw for it. Our span's id is new in either case.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;
use uuid::fmt::Simple;

/// The header in both directions.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A trace, our span in it, and whether it is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// The client's trace, or one that begins with `own`.
    #[must_use]
    pub fn of(headers: &HeaderMap, own: Uuid) -> Self {
        // The low half of a UUID is its random one; zero means "none" on the wire.
        let span = (own.as_u64_pair().1).max(1);
        let parent = headers
            .get(TRACEPARENT)
            .and_then(|value| parse(value.as_bytes()));
        let (trace, sampled) = parent.unwrap_or((own.as_u128(), false));
        Self {
            trace,
            span,
            sampled,
        }
    }

    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        Uuid::from_u128(self.trace).simple()
    }

    /// What to send on.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.text()).ok()
    }

    // Every answer carries one, so it is put together without the machinery of `format!`.
    fn text(&self) -> String {
        let mut digits = [0; Simple::LENGTH];
        let mut text = String::with_capacity(55);
        text.push_str("00-");
        text.push_str(
            Uuid::from_u128(self.trace)
                .simple()
                .encode_lower(&mut digits),
        );
        text.push('-');
        let span = Uuid::from_u128(u128::from(self.span)).simple();
        // The low half of the 128 bits.
        text.push_str(span.encode_lower(&mut digits).get(16..).unwrap_or_default());
        text.push_str(if self.sampled { "-01" } else { "-00" });
        text
    }
}

/// The trace and whether it is sampled. Versions after 00 may say more; the first four fields stay.
fn parse(value: &[u8]) -> Option<(u128, bool)> {
    let text = std::str::from_utf8(value).ok()?;
    let mut fields = text.split('-');
    let version = lower_hex(fields.next()?, 2)?;
    let trace = lower_hex(fields.next()?, 32)?;
    let parent = lower_hex(fields.next()?, 16)?;
    let flags = lower_hex(fields.next()?, 2)?;
    let whole = version != 0xff && (version != 0 || fields.next().is_none());
    (whole && trace != 0 && parent != 0).then_some((trace, flags & 1 == 1))
}

fn lower_hex(text: &str, digits: usize) -> Option<u128> {
    let fits = text.len() == digits
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

    fn of(text: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, text.parse().unwrap());
        TraceContext::of(&headers, OWN).text()
    }

    #[test]
    fn a_trace_of_the_client_goes_on_with_a_span_of_ours() {
        assert_eq!(
            of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            "00-0af7651916cd43dd8448eb211c80319c-8000000000000001-01"
        );
        assert_eq!(
            of("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more"),
            "00-0af7651916cd43dd8448eb211c80319c-8000000000000001-00"
        );
    }

    #[test]
    fn a_malformed_one_is_replaced() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(
                of(text),
                "00-00000000000070008000000000000001-8000000000000001-00",
                "{text}"
            );
        }
    }
}
