//! What the layers around a request tell each other about it.

use std::sync::{Arc, OnceLock};

use super::guard::Admitted;
use super::request_id::RequestId;
use super::trace::TraceContext;
use crate::metrics::RouteMeter;

/// The ids of a request, and the route that it came to. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Trail(Arc<Inner>);

struct Inner {
    id: RequestId,
    trace: TraceContext,
    // Filled by the guard of the route, on the way in; read by the outermost layer on the way out.
    route: OnceLock<Arc<RouteMeter>>,
    // Filled by the guard, read by the handler.
    admitted: OnceLock<Admitted>,
}

impl Trail {
    pub(crate) fn new(id: RequestId, trace: TraceContext) -> Self {
        Self(Arc::new(Inner {
            id,
            trace,
            route: OnceLock::new(),
            admitted: OnceLock::new(),
        }))
    }

    /// The request's id.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.0.id
    }

    /// The trace it belongs to; what a call to elsewhere should carry on.
    #[must_use]
    pub fn trace(&self) -> &TraceContext {
        &self.0.trace
    }

    /// It came to this route.
    pub(crate) fn reached(&self, route: &Arc<RouteMeter>) {
        self.0.route.get_or_init(|| Arc::clone(route));
    }

    /// The guard let it in.
    pub(crate) fn admit(&self, admitted: Admitted) {
        self.0.admitted.get_or_init(|| admitted);
    }

    /// Who was let in, and by what; `None` before the guard and where anybody may ask.
    pub(crate) fn admitted(&self) -> Option<&Admitted> {
        self.0.admitted.get()
    }

    pub(crate) fn route(&self) -> Option<&RouteMeter> {
        self.0.route.get().map(|route| &**route)
    }
}
