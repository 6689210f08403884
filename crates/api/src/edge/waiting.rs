//! Whether a request waits for its own client: tells a slow body from a slow handler.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// Set while whoever reads the body waits for more of it; nobody waits for an empty one.
pub(super) struct Waiting(Option<Arc<AtomicBool>>);

impl Waiting {
    /// The same body, watched. One that is empty is left as it is.
    pub(super) fn watch(body: Body) -> (Self, Body) {
        if body.is_end_stream() {
            return (Self(None), body);
        }
        let waiting = Arc::new(AtomicBool::default());
        let watched = Watched {
            body,
            waiting: Arc::clone(&waiting),
        };
        (Self(Some(waiting)), Body::new(watched))
    }

    /// Whether the last look at the body found nothing yet.
    pub(super) fn is_on(&self) -> bool {
        let waiting = self.0.as_ref();
        waiting.is_some_and(|waiting| waiting.load(Ordering::Relaxed))
    }
}

struct Watched {
    body: Body,
    waiting: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.waiting.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
