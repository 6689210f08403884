//! Right answers sent in wrong ways.

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{
    body::{Response, broken, full, last, response, set, slow, stalled},
    http1::{Dropped, Ending},
};
use crate::{
    dice::{Dice, scaled},
    fault::{Effect, ErrorBody, RetryAfter},
    wire::{self, Answer},
};

/// How long an answer waits before it is looked for; `rows` is known only afterwards.
pub(super) fn wait(effect: &Effect, dice: &mut Dice) -> Option<Duration> {
    let ms = match *effect {
        Effect::Latency { ms, up_to_ms } => {
            let bound = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
            let low = bound(ms);
            let high = up_to_ms.map_or(low, bound).max(low);
            u64::try_from(dice.between(low, high)).unwrap_or(ms)
        }
        Effect::LatencyCurve { median_ms, p99_ms } => {
            // Half of the answers lie below the median, one of a hundred above the other bound;
            // between them and beyond the curve is a straight line on the logarithm's scale.
            let part = dice.unit();
            let (median, far) = (bound(median_ms), bound(p99_ms).max(bound(median_ms)));
            let wide = far.saturating_sub(median);
            let late = if part < 0.5 {
                scaled(median, 0.5 + part, 0)
            } else {
                let share = (part - 0.5) / 0.49;
                median.saturating_add(scaled(wide, share * share * share, 0))
            };
            u64::try_from(late).unwrap_or(median_ms)
        }
        _ => return None,
    };
    Some(Duration::from_millis(ms))
}

fn bound(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Sends a right answer in a wrong way.
pub(super) fn spoil(
    answer: Answer,
    fault: Option<Effect>,
    ending: &Ending,
) -> Result<Response, Dropped> {
    let Answer {
        status,
        content_type,
        mut body,
        ..
    } = answer;
    let plain = |body| response(status, content_type, body);
    Ok(match fault {
        Some(Effect::AfterCommit { code: None }) => return Err(Dropped),
        Some(Effect::AfterCommit { code: Some(code) }) => {
            fault_status(code, None, ErrorBody::LibertyHtml)
        }
        Some(Effect::MalformedJson) => {
            body.truncate(body.len() / 2);
            body.extend_from_slice(b"{,]");
            plain(full(body))
        }
        Some(Effect::Cut { bytes }) => cut(&plain, body, bytes, broken),
        Some(Effect::ResetAfter { bytes }) => {
            ending.reset();
            cut(&plain, body, bytes, broken)
        }
        Some(Effect::ResetAfterHeaders) => {
            ending.reset();
            cut(&plain, body, 0, broken)
        }
        Some(Effect::HalfOpen { bytes }) => cut(&plain, body, bytes, stalled),
        Some(Effect::CloseKeepAlive) => plain(last(body, ending.clone())),
        Some(Effect::ContentType { value }) => response(status, &value, full(body)),
        Some(Effect::ContentLength { off_by }) => {
            let right = i64::try_from(body.len()).unwrap_or(i64::MAX);
            let wrong = right.saturating_add(off_by).max(0);
            body.truncate(usize::try_from(wrong).unwrap_or(usize::MAX));
            let mut response = plain(broken(body));
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, wrong.into());
            response
        }
        Some(Effect::Gzip) => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing into memory does not fail; if it did, the plain body would follow below.
            let packed = encoder.write_all(&body).and_then(|()| encoder.finish());
            let mut response = plain(full(packed.unwrap_or(body)));
            set(&mut response, header::CONTENT_ENCODING, "gzip");
            response
        }
        Some(Effect::Bom) => {
            body.splice(0..0, *b"\xef\xbb\xbf");
            plain(full(body))
        }
        Some(Effect::DuplicateKeys) => plain(full(doubled(&body).unwrap_or(body))),
        Some(Effect::SlowChunks { bytes, ms }) => {
            plain(slow(body, bytes, Duration::from_millis(ms)))
        }
        Some(Effect::Trickle) => plain(slow(body, 1, Duration::from_secs(1))),
        Some(Effect::Html) => {
            let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>\
                        <form method=\"post\" action=\"/j_security_check\"></form></body></html>";
            response(
                StatusCode::OK,
                "text/html; charset=utf-8",
                full(page.into()),
            )
        }
        Some(Effect::InvalidUtf8) => {
            let quote = body.iter().rposition(|byte| *byte == b'"');
            body.insert(quote.unwrap_or(body.len()), 0xff);
            plain(full(body))
        }
        Some(Effect::Filler { bytes }) => {
            let missing = bytes.saturating_sub(body.len());
            let at = body.len().min(1);
            body.splice(at..at, std::iter::repeat_n(b' ', missing));
            plain(full(body))
        }
        _ => plain(full(body)),
    })
}

/// The right headers, and `bytes` of the body at most.
fn cut(
    plain: &impl Fn(super::body::Body) -> Response,
    mut body: Vec<u8>,
    bytes: usize,
    rest: fn(Vec<u8>) -> super::body::Body,
) -> Response {
    let length = body.len().max(bytes.saturating_add(1));
    body.truncate(bytes);
    let mut response = plain(rest(body));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length.into());
    response
}

/// The same object with every name twice.
fn doubled(body: &[u8]) -> Option<Vec<u8>> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return None;
    };
    let pairs = fields.iter().map(|(name, value)| {
        let name = json!(name);
        format!("{name}:null,{name}:{value}")
    });
    Some(format!("{{{}}}", pairs.collect::<Vec<_>>().join(",")).into_bytes())
}

/// An error that a rule makes.
pub(super) fn fault_status(
    code: u16,
    retry_after: Option<RetryAfter>,
    body: ErrorBody,
) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("error");
    let vendor = || wire::error(status, "AWSJCO999E", "InjectedFaultException", reason).body;
    let page = |title: &str, text: &str| {
        let head = format!("<html><head><title>{title}</title></head>");
        format!("{head}<body>{text}</body></html>").into_bytes()
    };
    let (content_type, bytes) = match body {
        ErrorBody::None => ("", Vec::new()),
        ErrorBody::VendorJson => ("application/json", vendor()),
        ErrorBody::MessageJson => {
            let body = json!({"errorMessage": reason, "code": format!("SIM{code}")});
            ("application/json", body.to_string().into_bytes())
        }
        ErrorBody::ArrayJson => {
            let body = json!([format!("AWSJCO999E {reason}")]);
            ("application/json", body.to_string().into_bytes())
        }
        ErrorBody::Problem => {
            let problem = json!({"type": "about:blank", "title": reason, "status": code});
            ("application/problem+json", problem.to_string().into_bytes())
        }
        ErrorBody::LibertyHtml => {
            let title = format!("Error {code}: {reason}");
            let text = format!("Error {code}: SRVE0777E: {reason}");
            ("text/html;charset=ISO-8859-1", page(&title, &text))
        }
        ErrorBody::ProxyHtml => {
            let title = format!("{code} {reason}");
            let text = format!("<center><h1>{title}</h1></center><hr><center>gateway</center>");
            ("text/html", page(&title, &text))
        }
        ErrorBody::Text => ("text/plain", format!("{reason}\n").into_bytes()),
        ErrorBody::TruncatedJson => {
            let mut bytes = vendor();
            bytes.truncate(bytes.len() / 2);
            ("application/json", bytes)
        }
    };
    let mut response = response(status, content_type, full(bytes));
    let retry_after = retry_after.map(|value| match value {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Text(text) => text,
    });
    if let Some(Ok(value)) = retry_after.map(|text| HeaderValue::from_str(&text)) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_stays_between_its_bounds() {
        let dice = |n| Dice::new(1, "latency", "", n);
        let late = |effect: &Effect, n| wait(effect, &mut dice(n)).unwrap().as_millis();
        let fixed = |up_to_ms| Effect::Latency { ms: 40, up_to_ms };
        assert_eq!((late(&fixed(None), 0), late(&fixed(Some(10)), 0)), (40, 40));
        let even = Effect::Latency {
            ms: 10,
            up_to_ms: Some(12),
        };
        assert!((0..50).all(|n| (10..=12).contains(&late(&even, n))));
    }

    #[test]
    fn half_of_a_curve_lies_below_its_median_and_little_beyond_its_end() {
        let effect = Effect::LatencyCurve {
            median_ms: 100,
            p99_ms: 2000,
        };
        let waits = (0..2000).map(|n| {
            let mut dice = Dice::new(1, "curve", "", n);
            wait(&effect, &mut dice).unwrap().as_millis()
        });
        let waits: Vec<_> = waits.collect();
        let below = waits.iter().filter(|ms| **ms < 100).count();
        let beyond = waits.iter().filter(|ms| **ms > 2000).count();
        assert!(
            (900..1100).contains(&below),
            "{below} of 2000 below the median"
        );
        assert!(
            (5..45).contains(&beyond),
            "{beyond} of 2000 beyond the last"
        );
    }

    #[test]
    fn doubled_names_keep_their_value_behind_a_null() {
        let doubled = doubled(br#"{"count":1}"#).unwrap();
        assert_eq!(doubled, br#"{"count":null,"count":1}"#);
    }
}
