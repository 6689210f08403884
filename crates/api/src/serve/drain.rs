//! The time between the signal and the end of the listener, in which a proxy finds other replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};

/// Whether the end is near. Clones tell the same; asking is an atomic load, for each answer asks.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on readiness fails, and each connection closes with its next answer.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it began.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The answer, which is its connection's last one while draining. One that changes the protocol, as a
    /// WebSocket's, has no connection of ours afterwards.
    pub(super) async fn last<E>(
        self,
        answer: impl Future<Output = Result<Response, E>>,
    ) -> Result<Response, E> {
        let mut answer = answer.await?;
        if self.has_begun() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        Ok(answer)
    }
}
