//! Documents and vectors in memory.
//!
//! Invariant: each method is one step under one lock, so the ports' atomic promises hold.

mod vectors;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_rag::{
    Change, ChangeKind, Chunk, Document, DocumentCounts, DocumentFilter, DocumentId,
    DocumentRepository, DocumentRepositoryError, EmbeddingModel, Inserted, Media, ReadText, Stage,
    WorkerId,
};

#[derive(Debug)]
struct Row {
    document: Document,
    file: Option<Vec<u8>>,
    text: Option<String>,
    chunks: Vec<Chunk>,
    /// By ordinal, where there is one.
    vectors: BTreeMap<u32, (EmbeddingModel, Vec<f32>)>,
    claimed_by: Option<WorkerId>,
    claimed_until: Option<DateTime<Utc>>,
}

impl Row {
    fn new(document: Document, file: &[u8]) -> Self {
        Self {
            document,
            file: Some(file.to_vec()),
            text: None,
            chunks: Vec::new(),
            vectors: BTreeMap::new(),
            claimed_by: None,
            claimed_until: None,
        }
    }

    fn is_free(&self, now: DateTime<Utc>) -> bool {
        self.claimed_until.is_none_or(|until| until <= now)
    }

    fn release(&mut self) {
        self.claimed_by = None;
        self.claimed_until = None;
        self.document.waiting = None;
    }

    fn drop_chunks(&mut self) {
        self.chunks.clear();
        self.vectors.clear();
        self.document.chunks = 0;
        self.document.vectors = 0;
    }

    /// The same bytes at the same place.
    fn is_same(&self, document: &Document) -> bool {
        let known = &self.document;
        known.collection == document.collection
            && known.path == document.path
            && known.bytes_sha256 == document.bytes_sha256
    }

    fn is_version_of(&self, document: &Document) -> bool {
        let known = &self.document;
        document.path.is_some()
            && known.collection == document.collection
            && known.path == document.path
    }
}

#[derive(Debug, Default)]
struct Rows {
    documents: BTreeMap<DocumentId, Row>,
    /// The last change of each document by its number.
    changes: BTreeMap<u64, (DocumentId, ChangeKind)>,
    last_change: u64,
}

impl Rows {
    fn claimed(&mut self, id: DocumentId, worker: WorkerId) -> Option<&mut Row> {
        let row = self.documents.get_mut(&id)?;
        (row.claimed_by == Some(worker)).then_some(row)
    }

    fn record(&mut self, id: DocumentId, kind: ChangeKind) {
        self.changes.retain(|_, (changed, _)| *changed != id);
        self.last_change += 1;
        self.changes.insert(self.last_change, (id, kind));
    }

    /// The document that `document` is to be, if its bytes are there.
    fn known(&mut self, document: &Document) -> Option<&mut Row> {
        if document.path.is_none() {
            return self
                .documents
                .values_mut()
                .find(|row| row.is_same(document));
        }
        let versions = self.documents.values_mut();
        let versions = versions.filter(|row| row.is_version_of(document));
        let newest = versions.max_by_key(|row| row.document.version)?;
        newest.is_same(document).then_some(newest)
    }
}

/// Keeps documents as long as the process lives.
#[derive(Debug, Default)]
pub struct InMemoryDocumentRepository {
    /// Guards the rows; no await is made under it.
    rows: Mutex<Rows>,
}

impl InMemoryDocumentRepository {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn passes(document: &Document, filter: &DocumentFilter) -> bool {
    let same = |wanted: &Option<String>, found: &Option<String>| {
        wanted.is_none() || wanted.as_ref() == found.as_ref()
    };
    let tag = filter.tag.as_ref();
    same(&filter.collection, &document.collection)
        && same(&filter.path, &document.path)
        && tag.is_none_or(|tag| document.tags.contains(tag))
        && (filter.language.is_none() || filter.language == document.language)
        && filter
            .stage
            .is_none_or(|stage| stage.as_str() == document.stage.as_str())
}

#[async_trait]
impl DocumentRepository for InMemoryDocumentRepository {
    async fn insert(
        &self,
        document: &Document,
        file: &[u8],
    ) -> Result<Inserted, DocumentRepositoryError> {
        let mut rows = self.rows();
        if let Some(row) = rows.known(document) {
            if !matches!(row.document.stage, Stage::Failed { .. }) {
                return Ok(Inserted::Existing(Box::new(row.document.clone())));
            }
            row.release();
            row.file = Some(file.to_vec());
            row.document.stage = Stage::Received;
            row.document.media = Media::Text;
            row.document.format = None;
            row.document.encoding = None;
            return Ok(Inserted::Restarted(Box::new(row.document.clone())));
        }
        let versions = rows.documents.values();
        let versions = versions.filter(|row| row.is_version_of(document));
        let newest = versions.map(|row| row.document.version).max();
        let version = newest.unwrap_or(0) + 1;
        let stored = Document {
            version,
            media: Media::Text,
            format: None,
            encoding: None,
            chars: 0,
            chunks: 0,
            vectors: 0,
            stage: Stage::Received,
            waiting: None,
            ..document.clone()
        };
        rows.documents.insert(stored.id, Row::new(stored, file));
        Ok(Inserted::New { version })
    }

    async fn claim(
        &self,
        id: DocumentId,
        worker: WorkerId,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.documents.get_mut(&id) else {
            return Ok(false);
        };
        let failed = matches!(row.document.stage, Stage::Failed { .. });
        let free = row.claimed_by == Some(worker) || row.is_free(now);
        if failed || !free {
            return Ok(false);
        }
        row.claimed_by = Some(worker);
        row.claimed_until = Some(until);
        Ok(true)
    }

    async fn defer(
        &self,
        id: DocumentId,
        worker: WorkerId,
        until: DateTime<Utc>,
        waiting: Option<String>,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(false);
        };
        row.claimed_by = None;
        row.claimed_until = Some(until);
        row.document.waiting = waiting;
        Ok(true)
    }

    async fn claimable(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, DocumentRepositoryError> {
        let rows = self.rows();
        let free = rows.documents.values();
        let free = free.filter(|row| !row.document.stage.is_final() && row.is_free(now));
        let ids = free.map(|row| row.document.id);
        Ok(ids.take(size(limit)).collect())
    }

    async fn file(&self, id: DocumentId) -> Result<Option<Vec<u8>>, DocumentRepositoryError> {
        let rows = self.rows();
        Ok(rows.documents.get(&id).and_then(|row| row.file.clone()))
    }

    async fn put_text(
        &self,
        id: DocumentId,
        worker: WorkerId,
        text: &ReadText,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(false);
        };
        row.file = None;
        row.text = Some(text.text.clone());
        let document = &mut row.document;
        if let Some(title) = &text.title {
            document.title.clone_from(title);
        }
        document.media = text.media;
        document.format = Some(text.format.clone());
        document.encoding.clone_from(&text.encoding);
        document.chars = text.chars;
        document.stage = Stage::Text;
        document.waiting = None;
        Ok(true)
    }

    async fn put_chunks(
        &self,
        id: DocumentId,
        worker: WorkerId,
        chunks: &[Chunk],
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(false);
        };
        row.drop_chunks();
        row.chunks = chunks.to_vec();
        row.document.chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        row.document.stage = Stage::Chunks;
        row.document.waiting = None;
        Ok(true)
    }

    async fn publish(
        &self,
        id: DocumentId,
        worker: WorkerId,
    ) -> Result<Option<Vec<DocumentId>>, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(None);
        };
        row.release();
        row.document.stage = Stage::Ready;
        let new = row.document.clone();
        let mut smaller: Vec<(u32, DocumentId)> = rows
            .documents
            .values()
            .filter(|row| row.is_version_of(&new) && row.document.version < new.version)
            .map(|row| (row.document.version, row.document.id))
            .collect();
        smaller.sort_unstable();
        let replaced: Vec<DocumentId> = smaller.into_iter().map(|(_, id)| id).collect();
        for old in &replaced {
            rows.documents.remove(old);
            rows.record(*old, ChangeKind::Gone);
        }
        rows.record(id, ChangeKind::Ready);
        Ok(Some(replaced))
    }

    async fn fail(
        &self,
        id: DocumentId,
        worker: WorkerId,
        reason: &str,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(false);
        };
        row.release();
        row.drop_chunks();
        row.file = None;
        row.text = None;
        row.document.chars = 0;
        row.document.stage = Stage::Failed {
            reason: reason.to_owned(),
        };
        Ok(true)
    }

    async fn get(&self, id: DocumentId) -> Result<Option<Document>, DocumentRepositoryError> {
        let rows = self.rows();
        Ok(rows.documents.get(&id).map(|row| row.document.clone()))
    }

    async fn text(&self, id: DocumentId) -> Result<Option<String>, DocumentRepositoryError> {
        let rows = self.rows();
        Ok(rows.documents.get(&id).and_then(|row| row.text.clone()))
    }

    async fn chunks(&self, id: DocumentId) -> Result<Vec<Chunk>, DocumentRepositoryError> {
        let rows = self.rows();
        let row = rows.documents.get(&id);
        Ok(row.map_or_else(Vec::new, |row| row.chunks.clone()))
    }

    async fn newest(
        &self,
        filter: &DocumentFilter,
        before: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows = self.rows();
        let older = rows.documents.values().rev().map(|row| &row.document);
        let older = older.filter(|document| {
            before.is_none_or(|before| document.id < before) && passes(document, filter)
        });
        Ok(older.take(size(limit)).cloned().collect())
    }

    async fn ready(
        &self,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<Document>, DocumentRepositoryError> {
        let rows = self.rows();
        let ready = rows.documents.values().map(|row| &row.document);
        let ready = ready.filter(|document| {
            document.stage == Stage::Ready && after.is_none_or(|after| document.id > after)
        });
        Ok(ready.take(size(limit)).cloned().collect())
    }

    async fn delete(&self, id: DocumentId) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let found = rows.documents.remove(&id).is_some();
        if found {
            rows.record(id, ChangeKind::Gone);
        }
        Ok(found)
    }

    async fn changes(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Change>, DocumentRepositoryError> {
        let rows = self.rows();
        let later = rows.changes.range(after.saturating_add(1)..);
        let later = later.map(|(seq, (document, kind))| Change {
            seq: *seq,
            document: *document,
            kind: *kind,
        });
        Ok(later.take(size(limit)).collect())
    }

    async fn last_change(&self) -> Result<u64, DocumentRepositoryError> {
        Ok(self.rows().last_change)
    }

    async fn trim_changes(&self, seq: u64) -> Result<(), DocumentRepositoryError> {
        let mut rows = self.rows();
        rows.changes
            .retain(|at, (_, kind)| *at > seq || *kind != ChangeKind::Gone);
        Ok(())
    }

    async fn counts(&self) -> Result<DocumentCounts, DocumentRepositoryError> {
        let rows = self.rows();
        let mut counts = DocumentCounts::default();
        for row in rows.documents.values() {
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
