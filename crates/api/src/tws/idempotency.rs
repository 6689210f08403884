//! `Idempotency-Key`: a request that is sent again after a lost answer gets that answer, and nothing is
//! done twice.
//!
//! - A key is of one person; it stands for one request, byte for byte, for 24 hours.
//! - Only an answer of 2xx is kept. What was refused may be asked for anew.
//! - Where replicas share answers, one of them does the work, and the others tell that it is under way, or
//!   its answer. While they cannot, each knows its own: there the second confirmation of a proposal is
//!   refused as used, so that also then nothing is done twice.

use std::future::Future;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use resync_kernel::UserId;
use resync_sync::{AnswerStore, Asked, Fingerprint};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// How long an answer is kept.
pub const KEEP: Duration = Duration::from_hours(24);
/// How many are kept.
pub const MOST: usize = 10_000;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// An answer that can be given again, as it is kept.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    status: u16,
    content_type: Option<String>,
    body: String,
}

impl Kept {
    /// What is kept of an answer; `None` for a body that is not text, which no route here gives.
    fn of(parts: &Parts, body: &[u8]) -> Option<Bytes> {
        let kind = parts.headers.get(CONTENT_TYPE);
        let kept = Self {
            status: parts.status.as_u16(),
            content_type: kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned),
            body: std::str::from_utf8(body).ok()?.to_owned(),
        };
        serde_json::to_vec(&kept).ok().map(Bytes::from)
    }

    /// The answer again; `None` when it is not one that this version kept.
    fn given_again(bytes: &[u8]) -> Option<Response> {
        let kept: Self = serde_json::from_slice(bytes).ok()?;
        let status = StatusCode::from_u16(kept.status).ok()?;
        let kind = kept.content_type.map(HeaderValue::try_from);
        let mut response = (status, kept.body).into_response();
        let headers = response.headers_mut();
        if let Some(kind) = kind.transpose().ok()? {
            headers.insert(CONTENT_TYPE, kind);
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        Some(response)
    }
}

/// The key of a request, without the quotes that the draft standard puts around it.
fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim();
    let key = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let fits = (1..=MAX_KEY).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if !fits || values.next().is_some() {
        return Err(Problem::bad_request(
            "Idempotency-Key must be one text of 1 to 255 visible ASCII characters",
        ));
    }
    Ok(Some(key.to_owned()))
}

/// What a request asks, as a digest of its address and body.
pub(super) fn fingerprint(address: &str, body: &[u8]) -> Fingerprint {
    let mut digest = Sha256::new();
    digest.update(address.len().to_be_bytes());
    digest.update(address.as_bytes());
    digest.update(body);
    digest.finalize().into()
}

/// Does `work` once for the key of the request; without a key, each time.
pub(super) async fn once(
    answers: &dyn AnswerStore,
    user: UserId,
    headers: &HeaderMap,
    fingerprint: Fingerprint,
    work: impl Future<Output = Result<Response, Problem>>,
) -> Result<Response, Problem> {
    let Some(key) = key_of(headers)? else {
        return work.await;
    };
    // An id has no slash, so that no two people's keys are one.
    let claim = match answers
        .begin(&format!("{}/{key}", user.0), fingerprint)
        .await
    {
        Asked::New(claim) => claim,
        Asked::Answered(kept) => {
            return Kept::given_again(&kept).ok_or_else(|| {
                Problem::new(
                    StatusCode::CONFLICT,
                    "request-done",
                    "The request with that Idempotency-Key was done, and its answer cannot be given again",
                )
            });
        }
        Asked::UnderWay => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "request-under-way",
                "The request with that Idempotency-Key has not ended",
            ));
        }
        Asked::OtherQuestion => {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "That Idempotency-Key stands for another request",
            ));
        }
    };
    let (parts, body) = work.await?.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Problem::internal().caused_by(error))?
        .to_bytes();
    if parts.status.is_success()
        && let Some(kept) = Kept::of(&parts, &body)
    {
        claim.finish(kept).await;
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_text_with_or_without_quotes() {
        let of = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(KEY, text.parse().unwrap());
            }
            key_of(&headers).map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["\"abc\""]), Ok(Some("abc".to_owned())));
        assert_eq!(of(&["abc"]), Ok(Some("abc".to_owned())));
        for wrong in [&[""][..], &["\"\""], &["a b"], &["a\"b"], &["a", "b"]] {
            assert_eq!(of(wrong), Err(400), "{wrong:?}");
        }
        assert_eq!(of(&["x".repeat(256).as_str()]), Err(400));
    }

    #[tokio::test]
    async fn an_answer_is_given_again_as_it_was() {
        let body = "{\"executed\":true,\"state\":\"é\"}";
        let answer = (
            StatusCode::ACCEPTED,
            [(CONTENT_TYPE, "application/json")],
            body,
        );
        let (parts, _) = answer.into_response().into_parts();
        let kept = Kept::of(&parts, body.as_bytes()).unwrap();
        let again = Kept::given_again(&kept).unwrap();
        assert_eq!(again.status(), StatusCode::ACCEPTED);
        assert_eq!(again.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(again.headers()[REPLAYED], "true");
        let given = again.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(given, body);
        assert!(Kept::of(&parts, b"\xff").is_none());
        for other in [&b""[..], b"{}", b"{\"status\":9999,\"body\":\"\"}"] {
            assert!(Kept::given_again(other).is_none());
        }
    }

    #[test]
    fn no_part_of_an_address_is_taken_for_the_body() {
        assert_ne!(fingerprint("/a", b"b"), fingerprint("/ab", b""));
        assert_eq!(fingerprint("/a", b"b"), fingerprint("/a", b"b"));
    }
}
