//! The repository in memory obeys the ports' laws.

use resync_memory::rag::InMemoryDocumentRepository;

mod documents {
    resync_rag::document_repository_contract!(((), super::InMemoryDocumentRepository::default()));
}

mod vectors {
    resync_rag::vector_repository_contract!(((), super::InMemoryDocumentRepository::default()));
}
