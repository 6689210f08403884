//! The way of a document: `received → text → chunks → vectors → ready`.
//!
//! Invariants:
//! - Each step begins from what the store has, and ends by storing what it made together with the new
//!   stage. A process that dies between two steps has lost nothing; another one goes on from there.
//! - Nothing can be found before the last step, which shows all of it.

use super::KnowledgeService;
use super::process::Ended;
use crate::chunk::{TooManyChunks, chunk, title};
use crate::model::{Document, DocumentId, Stage};
use crate::ports::{ExtractError, Extracted, ReadText};

impl KnowledgeService {
    /// Takes the claimed document from the stage that it is in to `ready`.
    pub(super) async fn run_steps(&self, id: DocumentId) -> Result<(), Ended> {
        loop {
            if self.inner.parts.tasks.is_closed() {
                return Err(Ended::Closing);
            }
            let document = self.documents().get(id).await?.ok_or(Ended::Lost)?;
            let done = match &document.stage {
                Stage::Received => self.read_file(&document).await?,
                Stage::Text => self.cut(&document).await?,
                Stage::Chunks | Stage::Vectors => {
                    self.embed(&document).await?;
                    let published = self.documents().publish(id, self.inner.worker).await?;
                    if published.is_none() {
                        return Err(Ended::Lost);
                    }
                    // It is acknowledged; an index that fails here follows later.
                    if let Err(error) = self.catch_up().await {
                        tracing::error!(error = %error, "the search index is behind the store");
                    }
                    return Ok(());
                }
                Stage::Ready | Stage::Failed { .. } => return Ok(()),
            };
            if !done {
                return Err(Ended::Lost);
            }
            self.moved();
        }
    }

    async fn read_file(&self, document: &Document) -> Result<bool, Ended> {
        let file = self.documents().file(document.id).await?;
        let bytes = file.ok_or(Ended::Lost)?;
        let extractor = &self.inner.parts.extractor;
        let extracted = extractor.extract(&document.source, bytes).await;
        let extracted = extracted.map_err(|error| match error {
            ExtractError::Unsupported { .. } | ExtractError::Unreadable { .. } => {
                Ended::Document(error.to_string())
            }
            ExtractError::Unavailable(source) => Ended::Later {
                why: "the reader of files is away",
                source,
            },
        })?;
        let text = tokio::task::spawn_blocking(move || read_text(extracted))
            .await
            .map_err(|_| Ended::Document("the text could not be read".to_owned()))?
            .ok_or_else(|| Ended::Document("the file has no text".to_owned()))?;
        let worker = self.inner.worker;
        Ok(self
            .documents()
            .put_text(document.id, worker, &text)
            .await?)
    }

    async fn cut(&self, document: &Document) -> Result<bool, Ended> {
        let (id, media) = (document.id, document.media);
        let text = self.documents().text(id).await?.ok_or(Ended::Lost)?;
        let config = self.inner.parts.config;
        let indexed = usize::try_from(self.inner.index.chunks()).unwrap_or(usize::MAX);
        let room = config.max_chunks.saturating_sub(indexed);
        let cutting = move || chunk(id, &text, media, config.chunk_chars, room);
        let chunks = tokio::task::spawn_blocking(cutting)
            .await
            .map_err(|_| Ended::Document("the text could not be cut into chunks".to_owned()))?
            .map_err(|TooManyChunks { .. }| {
                Ended::Document("the knowledge base is full".to_owned())
            })?;
        let worker = self.inner.worker;
        Ok(self.documents().put_chunks(id, worker, &chunks).await?)
    }
}

/// What is stored of a text, or `None` when nothing in it can be seen.
fn read_text(extracted: Extracted) -> Option<ReadText> {
    let text = extracted.text;
    if text.trim().is_empty() {
        return None;
    }
    Some(ReadText {
        title: extracted
            .title
            .map(|title| crate::text::visible(&title))
            .filter(|title| !title.is_empty())
            .or_else(|| title(&text, extracted.media)),
        chars: u64::try_from(text.chars().count()).unwrap_or(u64::MAX),
        media: extracted.media,
        format: extracted.format.to_owned(),
        encoding: extracted.encoding.map(str::to_owned),
        text,
    })
}
