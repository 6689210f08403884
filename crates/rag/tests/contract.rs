//! The repository in memory obeys the port's laws.

use resync_memory::rag::InMemoryDocumentRepository;

resync_rag::document_repository_contract!(((), InMemoryDocumentRepository::default()));
