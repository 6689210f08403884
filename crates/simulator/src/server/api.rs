//! One request of the interface: remembered, perhaps spoilt, authenticated, answered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use super::{
    Received, Shared, World,
    auth::{Credentials, User},
    body::{Response, full, response, set},
    http1::{Dropped, Ending},
    spoil::{fault_status, spoil, wait},
};
use crate::{
    dice::Dice,
    fault::{Effect, ErrorBody, RetryAfter, Subject},
    wire::{self, ROOT, Request},
};

/// Larger bodies than this are not read.
const BODY: usize = 1 << 20;

/// What the header `Server` says: it is not the vendor's.
const SERVER: &str = concat!("resync-simulator/", env!("CARGO_PKG_VERSION"));

pub(super) async fn respond(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
    ending: Ending,
) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let Some(body) = read_body(body).await else {
        let text = "the body cannot be read";
        return Ok(vendor_error(StatusCode::PAYLOAD_TOO_LARGE, text));
    };
    let path = parts.uri.path().to_owned();
    let credentials = Credentials::of(&parts.headers);
    let below = below(&path);
    let request = Request {
        method: parts.method.to_string(),
        segments: segments(below.unwrap_or_default()),
        query: query(parts.uri.query().unwrap_or_default()),
        headers: plain_headers(&parts.headers),
        body,
        ..Request::default()
    };
    let fault = consult(&shared, &parts, &request, &credentials).await?;
    let fault = match fault {
        Some((effect, mut dice)) => {
            if let Some(wait) = wait(&effect, &mut dice) {
                tokio::time::sleep(wait).await;
            }
            Some(effect)
        }
        None => None,
    };
    match &fault {
        Some(Effect::Status {
            code,
            retry_after,
            body,
        }) => {
            return Ok(fault_status(*code, retry_after.clone(), *body));
        }
        Some(Effect::RateLimit { .. }) => {
            let retry_after = Some(RetryAfter::Seconds(1));
            return Ok(fault_status(429, retry_after, ErrorBody::VendorJson));
        }
        Some(Effect::TokenExpired { .. }) => return Ok(unauthorized("the token has expired")),
        Some(Effect::Close) => return Err(Dropped),
        Some(Effect::Never) => std::future::pending().await,
        _ => {}
    }
    let mut world = shared.world.lock().await;
    world.tick();
    let forgiven = world.faults.forgiven();
    let user = credentials.check(&shared.users, &mut world, forgiven);
    if path == "/metrics" {
        if user.is_none() && !shared.settings.version.has_open_metrics() {
            return Ok(unauthorized("the user could not be authenticated"));
        }
        let text = wire::metrics(&world.engine);
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        return Ok(response(StatusCode::OK, kind, full(text.into_bytes())));
    }
    let Some(_) = below else {
        return Ok(vendor_error(StatusCode::NOT_FOUND, "there is no such path"));
    };
    let Some(user) = user else {
        return Ok(unauthorized("the user could not be authenticated"));
    };
    let request = asked_by(
        user,
        Request {
            paging: fault.clone(),
            ..request
        },
    );
    let answer = world.answer(&shared.settings, &request);
    let version = world.engine.version();
    drop(world);
    if let Some(Effect::LatencyPerRows { ms }) = fault {
        let rows = u64::try_from(answer.rows).unwrap_or(u64::MAX);
        tokio::time::sleep(Duration::from_millis(rows.saturating_mul(ms) / 1000)).await;
    }
    let mut response = spoil(answer, fault, &ending)?;
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-sim-version"), version.into());
    set(&mut response, header::SERVER, SERVER);
    Ok(response)
}

/// Remembers the request and asks the rules about it.
async fn consult(
    shared: &Shared,
    parts: &Parts,
    request: &Request,
    credentials: &Credentials,
) -> Result<Option<(Effect, Dice)>, Dropped> {
    let path = parts.uri.path();
    let mut world = shared.world.lock().await;
    world.tick();
    let received = Received {
        at: world.now(),
        method: request.method.clone(),
        path: path.to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: request.headers.clone(),
        body_sha256: hex(&Sha256::digest(&request.body)),
    };
    world.remember(received);
    if world.is_down() {
        return Err(Dropped);
    }
    let World { engine, faults, .. } = &mut *world;
    let object = wire::named(engine, &request.segments);
    let subject = Subject {
        method: &request.method,
        path: below(path).unwrap_or(path),
        object: &object,
        user: credentials.claim(&shared.users),
        at: engine.now(),
        bearer: matches!(credentials, Credentials::Bearer(_)),
    };
    Ok(faults.decide(engine.seed(), &subject))
}

/// What follows the interface's root in a path.
fn below(path: &str) -> Option<&str> {
    path.strip_prefix(ROOT)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn asked_by(user: &User, request: Request) -> Request {
    Request {
        user: user.name.clone(),
        role: user.role,
        hidden: user.hidden.clone(),
        ..request
    }
}

fn vendor_error(status: StatusCode, text: &str) -> Response {
    let answer = wire::error(status, "AWSJCO904E", "ObjectNotFoundException", text);
    response(answer.status, answer.content_type, full(answer.body))
}

fn unauthorized(text: &str) -> Response {
    let status = StatusCode::UNAUTHORIZED;
    let answer = wire::error(status, "AWSJCO902E", "AuthenticationException", text);
    let mut response = response(answer.status, answer.content_type, full(answer.body));
    let challenge = "Basic realm=\"simulator\"";
    set(&mut response, header::WWW_AUTHENTICATE, challenge);
    response
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
