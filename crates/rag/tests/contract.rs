//! The repository in memory, and the exact scan beside it, obey the ports' laws.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use resync_memory::rag::InMemoryDocumentRepository;
use resync_rag::{
    DocumentRepository, DocumentRepositoryError, EmbeddingModel, ExactVectorSearch, NearestQuery,
    Neighbour, VectorRepository, VectorSearch,
};

use crate::support::Switched;

mod documents {
    resync_rag::document_repository_contract!(((), super::InMemoryDocumentRepository::default()));
}

mod vectors {
    resync_rag::vector_repository_contract!(((), super::InMemoryDocumentRepository::default()));
}

mod search {
    resync_rag::vector_search_contract!(super::scanned());
}

fn scanned() -> ((), Switched, Scanned) {
    let store = Switched::default();
    let search = Scanned {
        store: Arc::clone(&store.inner),
        scans: Mutex::default(),
    };
    ((), store, search)
}

/// An exact scan for each model, filled from the store whenever that has changed, as the service does
/// by following the feed.
struct Scanned {
    store: Arc<InMemoryDocumentRepository>,
    /// With the number of the change that each was filled at.
    scans: Mutex<HashMap<EmbeddingModel, (u64, ExactVectorSearch)>>,
}

impl Scanned {
    async fn scan(
        &self,
        model: &EmbeddingModel,
    ) -> Result<ExactVectorSearch, DocumentRepositoryError> {
        let seq = self.store.last_change().await?;
        let known = self.scans.lock().unwrap().get(model).cloned();
        if let Some((at, scan)) = known
            && at == seq
        {
            return Ok(scan);
        }
        let scan = ExactVectorSearch::new(model.clone());
        for document in self.store.ready(None, 1000).await? {
            let vectors = self.store.vectors(document.id, model).await?;
            let vectors = vectors.unwrap_or_default();
            scan.put(document.id, document.collection.as_deref(), &vectors);
        }
        let mut scans = self.scans.lock().unwrap();
        scans.insert(model.clone(), (seq, scan.clone()));
        Ok(scan)
    }
}

#[async_trait]
impl VectorSearch for Scanned {
    async fn nearest(
        &self,
        query: NearestQuery,
    ) -> Result<Vec<Neighbour>, DocumentRepositoryError> {
        self.scan(&query.model).await?.nearest(query).await
    }
}
