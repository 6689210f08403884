//! The knowledge base alone, for the command line beside a running server.
//!
//! What is added here is in the store, whose feed the server follows; of two processes the one that claims
//! a document first works on it.

use std::sync::Arc;

use resync_extract::{FileExtractor, WorkerCommand};
use resync_kernel::{Clock, IdGenerator, SystemClock, SystemIds};
use resync_rag::{KnowledgeService, TextExtractor};
use resync_tws::AuditService;
use tokio_util::task::TaskTracker;

use super::store::{Database, Stores};
use super::{StartError, store};
use crate::config::Config;

/// The use cases of documents, on the store of the configuration.
pub struct Knowledge {
    /// Documents.
    pub service: KnowledgeService,
    /// The audit.
    pub audit: AuditService,
    /// Where the store is.
    pub place: String,
    tracker: TaskTracker,
    database: Database,
}

impl Knowledge {
    /// Waits for what was begun, gives up the rest to whoever comes next, and closes the store.
    pub async fn close(self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.database.close().await;
    }
}

/// Opens the store of `config` and builds the use cases; nothing is loaded before it is needed.
///
/// # Errors
/// [`StartError`] naming what is missing.
pub async fn for_knowledge(config: &Config) -> Result<Knowledge, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds);
    let stores = Stores::open(config).await?;
    let tracker = TaskTracker::new();
    Ok(Knowledge {
        service: super::knowledge(&config.rag, &stores, &clock, &ids, &tracker).await?,
        audit: AuditService::new(stores.audit.clone(), clock, ids),
        place: store::place(config),
        tracker,
        database: stores.database,
    })
}

/// Reads uploaded files, in processes that `reader` starts.
pub(super) fn extractor(reader: Option<WorkerCommand>) -> Arc<dyn TextExtractor> {
    Arc::new(FileExtractor::new(reader))
}
