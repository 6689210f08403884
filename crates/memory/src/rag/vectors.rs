//! Vectors beside the documents' rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use resync_rag::{
    ChangeKind, DocumentId, DocumentRepositoryError, EmbeddingModel, Recut, Stage, VectorCount,
    VectorRepository, WorkerId,
};

use super::{InMemoryDocumentRepository, Row};

fn embedded(row: &Row, model: &EmbeddingModel) -> u32 {
    let of_model = row.vectors.values().filter(|(made_by, _)| made_by == model);
    u32::try_from(of_model.count()).unwrap_or(u32::MAX)
}

#[async_trait]
impl VectorRepository for InMemoryDocumentRepository {
    async fn put_vectors(
        &self,
        id: DocumentId,
        worker: WorkerId,
        model: &EmbeddingModel,
        first: u32,
        vectors: &[Vec<f32>],
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(false);
        };
        let added = u32::try_from(vectors.len()).unwrap_or(u32::MAX);
        let Some(end) = first
            .checked_add(added)
            .filter(|end| *end <= row.document.chunks && first == embedded(row, model))
        else {
            return Ok(false);
        };
        for (ordinal, vector) in (first..).zip(vectors) {
            row.vectors.insert(ordinal, (model.clone(), vector.clone()));
        }
        row.document.vectors = end;
        row.document.waiting = None;
        if row.document.stage != Stage::Ready {
            row.document.stage = Stage::Vectors;
        }
        Ok(true)
    }

    async fn recut(
        &self,
        id: DocumentId,
        worker: WorkerId,
        recut: &Recut,
    ) -> Result<bool, DocumentRepositoryError> {
        let mut rows = self.rows();
        let Some(row) = rows.claimed(id, worker) else {
            return Ok(false);
        };
        let vectors = recut.vectors.as_ref();
        let fits = vectors.is_none_or(|(_, vectors)| vectors.len() == recut.chunks.len());
        if !fits || row.document.stage != Stage::Ready {
            return Ok(false);
        }
        row.drop_chunks();
        row.release();
        row.chunks.clone_from(&recut.chunks);
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        row.document.chunks = count(row.chunks.len());
        if let Some((model, vectors)) = vectors {
            let vectors = vectors.iter().map(|vector| (model.clone(), vector.clone()));
            row.vectors = (0..).zip(vectors).collect();
            row.document.vectors = count(row.vectors.len());
        }
        rows.record(id, ChangeKind::Ready);
        Ok(true)
    }

    async fn embedded(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<u32, DocumentRepositoryError> {
        let rows = self.rows();
        Ok(rows
            .documents
            .get(&id)
            .map_or(0, |row| embedded(row, model)))
    }

    async fn vectors(
        &self,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<Option<Vec<Vec<f32>>>, DocumentRepositoryError> {
        let rows = self.rows();
        let whole = rows.documents.get(&id).filter(|row| {
            let found = embedded(row, model);
            found > 0 && found == row.document.chunks
        });
        Ok(whole.map(|row| {
            let vectors = row.vectors.values();
            vectors.map(|(_, vector)| vector.clone()).collect()
        }))
    }

    async fn models(&self) -> Result<Vec<VectorCount>, DocumentRepositoryError> {
        let rows = self.rows();
        let mut counts: BTreeMap<(&str, u32), u64> = BTreeMap::new();
        for (model, _) in rows.documents.values().flat_map(|row| row.vectors.values()) {
            *counts.entry((&model.id, model.dimensions)).or_default() += 1;
        }
        let counted = counts
            .into_iter()
            .map(|((id, dimensions), vectors)| VectorCount {
                model: EmbeddingModel {
                    id: id.to_owned(),
                    dimensions,
                },
                vectors,
            });
        Ok(counted.collect())
    }
}
