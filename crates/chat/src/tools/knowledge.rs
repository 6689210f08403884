//! The documents' own service as the chat's tool.

use async_trait::async_trait;
use resync_rag::{KnowledgeService, SearchQuery, SearchResults};

use super::{KnowledgeToolError, KnowledgeTools};

/// The search takes no more.
const MAX_CHARS: usize = 1_000;

#[async_trait]
impl KnowledgeTools for KnowledgeService {
    async fn search(&self, text: &str, k: usize) -> Result<SearchResults, KnowledgeToolError> {
        let query = SearchQuery {
            k,
            ..SearchQuery::new(text.chars().take(MAX_CHARS).collect::<String>())
        };
        let found = Self::search(self, query).await;
        found.map_err(|error| KnowledgeToolError(Box::new(error)))
    }
}
