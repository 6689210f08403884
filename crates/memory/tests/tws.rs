use std::sync::Arc;

use resync_memory::tws::{InMemoryAuditLog, InMemoryProposalStore};

mod proposals {
    use super::*;

    async fn fresh() -> (Arc<InMemoryProposalStore>, ()) {
        (Arc::default(), ())
    }

    resync_tws::proposal_store_contract!(fresh());
}

mod audit {
    use super::*;

    async fn fresh() -> (Arc<InMemoryAuditLog>, ()) {
        (Arc::default(), ())
    }

    resync_tws::audit_log_contract!(fresh());
}
