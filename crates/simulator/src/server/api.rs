//! One request of the interface: remembered, perhaps spoilt, authenticated, answered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use super::{
    Received, Shared, User,
    http1::{Body, Dropped, broken, full, response},
};
use crate::{
    dice::Dice,
    fault::{Effect, ErrorBody, RetryAfter},
    wire::{self, Answer, ROOT, Request},
};

/// Larger bodies than this are not read.
const BODY: usize = 1 << 20;

pub(super) async fn respond(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let (parts, body) = request.into_parts();
    let Some(body) = read_body(body).await else {
        return Ok(vendor_error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body cannot be read",
        ));
    };
    let path = parts.uri.path().to_owned();
    let headers = plain_headers(&parts.headers);
    let user = authenticate(&shared.users, &parts.headers);
    let below = path
        .strip_prefix(ROOT)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let fault = {
        let mut world = shared.world.lock().await;
        world.tick();
        let received = Received {
            at: world.now(),
            method: parts.method.to_string(),
            path: path.clone(),
            query: parts.uri.query().map(str::to_owned),
            headers: headers.clone(),
            body_sha256: hex(&Sha256::digest(&body)),
        };
        world.remember(received);
        let seed = world.engine.seed();
        world
            .faults
            .decide(seed, parts.method.as_str(), below.unwrap_or(&path))
    };
    let fault = match fault {
        Some((Effect::Latency { ms, up_to_ms }, dice)) => {
            tokio::time::sleep(latency(ms, up_to_ms, dice)).await;
            None
        }
        Some((
            Effect::Status {
                code,
                retry_after,
                body,
            },
            _,
        )) => {
            return Ok(fault_status(code, retry_after, body));
        }
        Some((Effect::Close, _)) => return Err(Dropped),
        Some((Effect::Never, _)) => std::future::pending().await,
        other => other.map(|(effect, _)| effect),
    };
    let answer = match (user, below) {
        (_, None) => return Ok(vendor_error(StatusCode::NOT_FOUND, "there is no such path")),
        (None, _) => return Ok(unauthorized()),
        (Some(user), Some(below)) => {
            let request = Request {
                method: parts.method.to_string(),
                segments: segments(below),
                query: query(parts.uri.query().unwrap_or_default()),
                headers,
                body,
                user: user.name.clone(),
                role: user.role,
            };
            let mut world = shared.world.lock().await;
            world.tick();
            let answer = wire::answer(&mut world.engine, &shared.settings, &request);
            (answer, world.engine.version())
        }
    };
    let (answer, version) = answer;
    let mut response = spoil(answer, fault)?;
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-sim-version"), version.into());
    Ok(response)
}

fn latency(ms: u64, up_to_ms: Option<u64>, mut dice: Dice) -> Duration {
    let low = i64::try_from(ms).unwrap_or(i64::MAX);
    let high = up_to_ms
        .and_then(|ms| i64::try_from(ms).ok())
        .unwrap_or(low)
        .max(low);
    Duration::from_millis(u64::try_from(dice.between(low, high)).unwrap_or(ms))
}

/// Sends a right answer in a wrong way.
fn spoil(answer: Answer, fault: Option<Effect>) -> Result<Response<Body>, Dropped> {
    let Answer {
        status,
        content_type,
        mut body,
    } = answer;
    match fault {
        Some(Effect::AfterCommit { code: None }) => Err(Dropped),
        Some(Effect::AfterCommit { code: Some(code) }) => {
            Ok(fault_status(code, None, ErrorBody::LibertyHtml))
        }
        Some(Effect::MalformedJson) => {
            body.truncate(body.len() / 2);
            body.extend_from_slice(b"{,]");
            Ok(response(status, content_type, full(body)))
        }
        Some(Effect::Cut { bytes }) => {
            let length = body.len();
            body.truncate(bytes);
            let mut response = response(status, content_type, broken(body));
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length.max(bytes + 1).into());
            Ok(response)
        }
        Some(Effect::ContentType { value }) => Ok(response(status, &value, full(body))),
        Some(Effect::Html) => {
            let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>\
                        <form method=\"post\" action=\"/j_security_check\"></form></body></html>";
            Ok(response(
                StatusCode::OK,
                "text/html; charset=utf-8",
                full(page.into()),
            ))
        }
        Some(Effect::InvalidUtf8) => {
            let quote = body
                .iter()
                .rposition(|byte| *byte == b'"')
                .unwrap_or(body.len());
            body.insert(quote, 0xff);
            Ok(response(status, content_type, full(body)))
        }
        Some(Effect::Filler { bytes }) => {
            let missing = bytes.saturating_sub(body.len());
            let at = body.len().min(1);
            body.splice(at..at, std::iter::repeat_n(b' ', missing));
            Ok(response(status, content_type, full(body)))
        }
        _ => Ok(response(status, content_type, full(body))),
    }
}

fn fault_status(code: u16, retry_after: Option<RetryAfter>, body: ErrorBody) -> Response<Body> {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("error");
    let vendor = || wire::error(status, "AWSJCO999E", "InjectedFaultException", reason).body;
    let (content_type, bytes) = match body {
        ErrorBody::None => ("", Vec::new()),
        ErrorBody::VendorJson => ("application/json", vendor()),
        ErrorBody::Problem => {
            let problem = serde_json::json!({"type": "about:blank", "title": reason,
                                             "status": code});
            ("application/problem+json", problem.to_string().into_bytes())
        }
        ErrorBody::LibertyHtml => {
            let page = format!(
                "<html><head><title>Error {code}: {reason}</title></head><body>\
                 Error {code}: SRVE0777E: {reason}</body></html>"
            );
            ("text/html;charset=ISO-8859-1", page.into_bytes())
        }
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

fn vendor_error(status: StatusCode, text: &str) -> Response<Body> {
    let answer = wire::error(status, "AWSJCO904E", "ObjectNotFoundException", text);
    response(answer.status, answer.content_type, full(answer.body))
}

fn unauthorized() -> Response<Body> {
    let text = "the user could not be authenticated";
    let answer = wire::error(
        StatusCode::UNAUTHORIZED,
        "AWSJCO902E",
        "AuthenticationException",
        text,
    );
    let mut response = response(answer.status, answer.content_type, full(answer.body));
    let realm = HeaderValue::from_static("Basic realm=\"simulator\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, realm);
    response
}

fn authenticate<'a>(users: &'a [User], headers: &HeaderMap) -> Option<&'a User> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, code) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(code.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    users
        .iter()
        .find(|user| user.name == name && user.password == password)
}

fn plain_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = headers
        .iter()
        .filter(|(name, _)| *name != header::AUTHORIZATION);
    kept.map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    })
    .collect()
}

fn segments(below: &str) -> Vec<String> {
    below
        .split('/')
        .skip(1)
        .map(|segment| decode(segment, false))
        .collect()
}

fn query(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// Percent-decoding; a `+` is a blank in queries. What is no UTF-8 is replaced.
fn decode(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' if plus => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        u8::try_from(high * 16 + low).unwrap_or(b'?')
                    }
                    _ => b'%',
                }
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a whole body for the control plane; `None` when it is too large or breaks off.
pub(super) async fn read_body(body: Incoming) -> Option<Bytes> {
    Limited::new(body, BODY)
        .collect()
        .await
        .ok()
        .map(http_body_util::Collected::to_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_stays_between_its_bounds() {
        let dice = |n| Dice::new(1, "latency", "", n);
        assert_eq!(latency(40, None, dice(0)), Duration::from_millis(40));
        assert_eq!(latency(40, Some(10), dice(0)), Duration::from_millis(40));
        for n in 0..50 {
            let wait = latency(10, Some(12), dice(n)).as_millis();
            assert!((10..=12).contains(&wait));
        }
    }

    #[test]
    fn queries_are_decoded_byte_by_byte() {
        let pairs = query("oql=name%20%3D%20%27X%27&a=b+c&broken=%4&flag");
        let values: Vec<_> = pairs.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["name = 'X'", "b c", "%4", ""]);
    }

    #[test]
    fn a_trailing_slash_is_a_segment_of_its_own() {
        assert_eq!(segments("/plan/job/"), ["plan", "job", ""]);
        assert_eq!(segments("/plan/j%2Fb"), ["plan", "j/b"]);
    }
}
