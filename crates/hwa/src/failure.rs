//! How far a call came, and what that means for the caller, the breaker and a retry.

use std::sync::Arc;
use std::time::Duration;

use resync_tws::ports::GatewayError;

use crate::resilience::Verdict;

/// How far a call came.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was sent: no connection to any host, or the guard turned it away.
    NotSent(GatewayError),
    /// It was sent, or may have been, and no whole answer came.
    Unanswered(GatewayError),
    /// An answer came that is not what the interface speaks: a web page, bytes that are no JSON.
    Garbled(GatewayError),
    /// An answer came in the right form, and its content cannot be used.
    Unusable(GatewayError),
    /// An answer came, with another status than 2xx.
    Status {
        status: u16,
        retry_after: Option<Duration>,
        message: Arc<str>,
    },
}

impl Failure {
    pub(crate) fn garbled(why: impl Into<Arc<str>>) -> Self {
        Self::Garbled(GatewayError::Unreadable(why.into()))
    }

    pub(crate) fn too_large(cap: usize) -> Self {
        Self::Unusable(GatewayError::Unreadable(
            format!("larger than {cap} bytes").into(),
        ))
    }

    /// The error of a read. `absent` is what a 404 means for it.
    pub(crate) fn into_error(self, absent: GatewayError) -> GatewayError {
        match self {
            Self::NotSent(error)
            | Self::Unanswered(error)
            | Self::Garbled(error)
            | Self::Unusable(error) => error,
            Self::Status { status: 404, .. } => absent,
            Self::Status {
                status,
                retry_after,
                message,
            } => status_error(status, retry_after, message),
        }
    }

    /// Whether the object asked for does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }

    /// Whether the engine does not take our credentials.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 401, .. })
    }

    /// Whether it may be gone the next moment, so that asking again makes sense.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::NotSent(error) => matches!(error, GatewayError::Unreachable(_)),
            Self::Unanswered(_) => true,
            Self::Garbled(_) | Self::Unusable(_) => false,
            Self::Status { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
        }
    }

    /// The wait that the engine asked for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::NotSent(_) | Self::Unanswered(_) | Self::Garbled(_) | Self::Unusable(_) => None,
        }
    }

    /// What it says of the engine's health. A refusal of any kind is an answer.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::NotSent(GatewayError::Unreachable(_))
            | Self::Unanswered(_)
            | Self::Garbled(_) => Verdict::Failed,
            Self::NotSent(_) => Verdict::Unknown,
            Self::Unusable(_) | Self::Status { status: 501, .. } => Verdict::Answered,
            Self::Status { status, .. } if (400..500).contains(status) => Verdict::Answered,
            Self::Status { .. } => Verdict::Failed,
        }
    }
}

/// What a status other than 2xx and 404 means.
pub(crate) fn status_error(
    status: u16,
    retry_after: Option<Duration>,
    message: Arc<str>,
) -> GatewayError {
    match status {
        401 => GatewayError::CredentialsRefused,
        403 => GatewayError::Forbidden,
        404 | 405 | 406 | 415 | 501 => GatewayError::Unsupported,
        429 | 503 => GatewayError::Busy { retry_after },
        300..=399 => GatewayError::Unreadable("a redirect, which is not followed".into()),
        400..=499 => GatewayError::Rejected(message),
        _ => GatewayError::Unreachable(format!("it answered with status {status}").into()),
    }
}
