use std::future::{Ready, ready};
use std::sync::Arc;

use resync_memory::tws::{InMemoryAuditLog, InMemoryProposalStore};

mod proposals {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryProposalStore>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::proposal_store_contract!(fresh());
}

mod audit {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryAuditLog>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::audit_log_contract!(fresh());
}
