//! From errors to answers: the only place (RFC 9457, `application/problem+json`).
//!
//! 1. Every error enum of the domains is matched here without `_`, so a new variant stops the build
//!    until it has an answer (P2-01).
//! 2. A rejected value is never repeated; a place in a body is named by JSON pointer.
//! 3. What happened inside stays in the log: a 5xx carries no source.
//!
//! A [`Problem`] becomes its body in [`crate::edge::finish`], which knows the request id.

pub(crate) mod accounts;
mod mapping;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use resync_kernel::BoxError;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An answer that says what was wrong.
// Boxed, so that a `Result` that seldom holds one stays small.
#[derive(Debug, Clone)]
pub struct Problem(pub(crate) Box<Said>);

/// What a problem says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) detail: Option<String>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) members: Map<String, Value>,
    pub(crate) source: Option<Arc<BoxError>>,
}

/// One wrong place in a body or query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong there, without the value.
    pub detail: String,
}

/// The body of a problem, as a client reads it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// `urn:resync:problem:` and the code.
    pub r#type: String,
    /// The kind of problem, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path that was asked for.
    pub instance: String,
    /// The kind of problem, for programs.
    pub code: String,
    /// What to name when asking for help.
    pub request_id: String,
    /// The wrong places, when the request was malformed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// More about this kind of problem.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem of this kind, with nothing said about this time.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self(Box::new(Said {
            status,
            code,
            title,
            detail: None,
            errors: Vec::new(),
            retry_after: None,
            members: Map::new(),
            source: None,
        }))
    }

    /// 400 for a request that is malformed somewhere.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is malformed",
        )
        .detail(detail)
    }

    /// 400 for a well-formed body or query with a wrong value at a place.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            "A value is not acceptable",
        )
        .error(pointer.into(), detail.into())
    }

    /// 401 with the one text that all failed authentications share.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Sign in first")
    }

    /// 403.
    #[must_use]
    pub fn forbidden(code: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, title)
    }

    /// 404.
    #[must_use]
    pub fn not_found(code: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, title)
    }

    /// 500, without a word about the cause.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong inside Resync",
        )
    }

    /// 503 for a part of ours that does not answer.
    #[must_use]
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "A part of Resync does not answer",
        )
        .retry_after(Duration::from_secs(5))
        .caused_by(source)
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a wrong place.
    #[must_use]
    pub fn error(mut self, pointer: String, detail: String) -> Self {
        self.0.errors.push(FieldError { pointer, detail });
        self
    }

    /// Adds `Retry-After`, in whole seconds, at least 1.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds a member of its own to the body.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Keeps the cause for the log; it never reaches the client.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(Arc::new(source.into()));
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The kind of problem, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    pub(crate) fn body(&self, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            r#type: format!("urn:resync:problem:{}", self.0.code),
            title: self.0.title.to_owned(),
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone(),
            instance: instance.to_owned(),
            code: self.0.code.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.0.errors.clone(),
            members: self.0.members.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        if self.0.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 11.6.1. `Bearer` is what an API key comes with; browsers ask nobody at it.
            let scheme = HeaderValue::from_static("Bearer realm=\"resync\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}
