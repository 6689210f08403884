//! Documents in memory.
//!
//! Invariant: each method is one step under one lock, so the port's atomic promises hold.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use resync_rag::{
    Chunk, Document, DocumentCounts, DocumentId, DocumentRepository, DocumentRepositoryError,
    Inserted, Stage, Walk,
};

#[derive(Debug)]
struct Row {
    document: Document,
    text: String,
    chunks: Vec<Chunk>,
}

/// Keeps documents as long as the process lives.
#[derive(Debug, Default)]
pub struct InMemoryDocumentRepository {
    /// Guards the rows; no await is made under it.
    rows: Mutex<BTreeMap<DocumentId, Row>>,
}

impl InMemoryDocumentRepository {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<DocumentId, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[async_trait]
impl DocumentRepository for InMemoryDocumentRepository {
    async fn insert(
        &self,
        document: &Document,
        text: &str,
    ) -> Result<Inserted, DocumentRepositoryError> {
        let mut rows = self.rows();
        let known = rows
            .values()
            .find(|row| row.document.bytes_sha256 == document.bytes_sha256);
        if let Some(row) = known {
            return Ok(Inserted::Existing(Box::new(row.document.clone())));
        }
        let row = Row {
            document: document.clone(),
            text: text.to_owned(),
            chunks: Vec::new(),
        };
        rows.insert(document.id, row);
        Ok(Inserted::New)
    }

    async fn set_stage(
        &self,
        id: DocumentId,
        stage: &Stage,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(&id) else {
            return Ok(false);
        };
        row.document.stage = stage.clone();
        Ok(true)
    }

    async fn put_chunks(
        &self,
        id: DocumentId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(&id) else {
            return Ok(false);
        };
        row.chunks = chunks.to_vec();
        row.document.chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        row.document.stage = Stage::Chunks;
        Ok(true)
    }

    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError> {
        Ok(self.rows().get(&id).map(|row| row.document.clone()))
    }

    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError> {
        Ok(self.rows().get(&id).map(|row| row.text.clone()))
    }

    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError> {
        Ok(self
            .rows()
            .get(&id)
            .map_or_else(Vec::new, |row| row.chunks.clone()))
    }

    async fn newest(
        &self,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows = self.rows();
        let older = rows.values().rev().map(|row| &row.document);
        let older = older.filter(|document| before.is_none_or(|before| document.id < before));
        Ok(older.take(size(limit)).cloned().collect())
    }

    async fn oldest(
        &self,
        walk: Walk,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows = self.rows();
        let visited = rows.values().map(|row| &row.document).filter(|document| {
            let wanted = match walk {
                Walk::Ready => document.stage == Stage::Ready,
                Walk::Unfinished => !document.stage.is_final(),
            };
            wanted && after.is_none_or(|after| document.id > after)
        });
        Ok(visited.take(size(limit)).cloned().collect())
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        Ok(self.rows().remove(&id).is_some())
    }

    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError> {
        let rows = self.rows();
        let mut counts = DocumentCounts::default();
        for row in rows.values() {
            counts.documents += 1;
            counts.chunks += count(row.chunks.len());
            counts.chars += row.document.chars;
            match row.document.stage {
                Stage::Ready => counts.ready += 1,
                Stage::Failed { .. } => counts.failed += 1,
                Stage::Received | Stage::Text | Stage::Chunks | Stage::Vectors => {}
            }
        }
        Ok(counts)
    }
}
