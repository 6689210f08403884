//! Taking a document in: checked at once, parsed by a tracked task.
//!
//! Invariants:
//! - Nothing is stored of what is refused.
//! - The same bytes are one document, however often and at once they come.
//! - A document that was stored ends in a final stage, at the latest after the next start, unless
//!   it is deleted.

use std::sync::{Arc, PoisonError};

use chrono::SubsecRound;
use resync_kernel::{BoxError, UserId};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{KnowledgeError, KnowledgeService};
use crate::chunk::{TooManyChunks, chunk, title};
use crate::model::{Document, DocumentId, Media, Stage};
use crate::ports::{DocumentRepositoryError, Inserted};
use crate::text::{NotText, extension, label, normalise, visible};

/// Most tags of a document.
const MAX_TAGS: usize = 20;
/// Longest tag or collection, in characters.
const MAX_TAG_CHARS: usize = 64;

/// A file to take in.
#[derive(Clone)]
pub struct NewUpload {
    /// The client's name for it; only its last segment is kept, as a label.
    pub file_name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// A collection to file it under, 1 to 64 characters.
    pub collection: Option<String>,
    /// At most 20 labels of 1 to 64 characters.
    pub tags: Vec<String>,
    /// Who uploads it.
    pub by: UserId,
}

impl std::fmt::Debug for NewUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUpload")
            .field("file_name", &self.file_name)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// An upload was refused or failed.
#[derive(Debug, Error)]
pub enum UploadError {
    /// Too many bytes.
    #[error("the file is larger than {max_bytes} bytes")]
    TooLarge {
        /// The greatest size.
        max_bytes: usize,
    },
    /// Not UTF-8, or with NUL.
    #[error("the file is not UTF-8 text: byte {offset} does not belong there")]
    NotText {
        /// The first such byte, from 0.
        offset: usize,
    },
    /// Nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// Neither Markdown nor plain text by its name.
    #[error("files of type {extension:?} are not supported; use md, markdown, txt or text")]
    UnsupportedType {
        /// The name's extension in lower case, empty when it has none.
        extension: String,
    },
    /// A tag or the collection is empty or too long, or there are too many tags.
    #[error("{field} must have 1 to 64 visible characters, at most 20 tags")]
    InvalidField {
        /// `collection` or `tags`.
        field: &'static str,
    },
    /// As many uploads are under way as are allowed; try again soon.
    #[error("too many uploads are being processed")]
    Busy,
    /// The store failed; nothing is known to be stored.
    #[error("the knowledge base is unavailable")]
    Unavailable(#[source] BoxError),
}

impl From<NotText> for UploadError {
    fn from(error: NotText) -> Self {
        Self::NotText {
            offset: error.offset,
        }
    }
}

impl From<DocumentRepositoryError> for UploadError {
    fn from(error: DocumentRepositoryError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

fn tag(text: &str, field: &'static str) -> Result<String, UploadError> {
    let kept = visible(text);
    if kept.is_empty() || kept.chars().count() > MAX_TAG_CHARS {
        return Err(UploadError::InvalidField { field });
    }
    Ok(kept)
}

impl KnowledgeService {
    /// Checks and stores the file, and starts its processing. The answer's stage is `received`
    /// for new bytes; for bytes that are there already it is that document as it stands, and a
    /// failed one is tried again.
    ///
    /// Cancel safe: once stored, the document is processed though the caller is gone; at the
    /// latest by the next start.
    ///
    /// # Errors
    /// [`UploadError`].
    #[tracing::instrument(name = "rag.upload", skip_all, fields(upload.bytes = upload.bytes.len()))]
    pub async fn upload(&self, upload: NewUpload) -> Result<Document, UploadError> {
        let config = self.inner.parts.config;
        if upload.bytes.len() > config.max_upload_bytes {
            return Err(UploadError::TooLarge {
                max_bytes: config.max_upload_bytes,
            });
        }
        let source = label(&upload.file_name);
        let extension = extension(&source);
        let Some(media) = Media::of_extension(&extension) else {
            return Err(UploadError::UnsupportedType { extension });
        };
        let collection = upload
            .collection
            .as_deref()
            .map(|c| tag(c, "collection"))
            .transpose()?;
        if upload.tags.len() > MAX_TAGS {
            return Err(UploadError::InvalidField { field: "tags" });
        }
        let mut tags = Vec::new();
        for given in &upload.tags {
            let kept = tag(given, "tags")?;
            if !tags.contains(&kept) {
                tags.push(kept);
            }
        }
        let flight = self.reserve(DocumentId(self.inner.parts.ids.next()))?;
        let bytes = upload.bytes;
        let span = tracing::Span::current();
        let parsed = tokio::task::spawn_blocking(move || span.in_scope(|| parse(bytes, media)))
            .await
            .map_err(|error| UploadError::Unavailable(Box::new(error)))??;
        let document = Document {
            id: flight.id,
            title: parsed.title.unwrap_or_else(|| stem(&source)),
            source,
            collection,
            tags,
            bytes_sha256: parsed.bytes_sha256,
            media,
            chars: parsed.chars,
            chunks: 0,
            stage: Stage::Received,
            // Stores keep milliseconds, and the answer is what a later `get` reads.
            created_at: self.inner.parts.clock.now().trunc_subsecs(3),
            created_by: upload.by,
        };
        match self.documents().insert(&document, &parsed.text).await? {
            Inserted::New => {
                self.process_in_background(flight);
                Ok(document)
            }
            Inserted::Existing(known) => self.try_again(*known).await,
        }
    }

    /// A document that failed before starts anew; any other is answered as it stands.
    async fn try_again(&self, known: Document) -> Result<Document, UploadError> {
        if !matches!(known.stage, Stage::Failed { .. }) {
            return Ok(known);
        }
        let Ok(flight) = self.reserve(known.id) else {
            return Ok(known);
        };
        self.documents()
            .set_stage(known.id, &Stage::Received)
            .await?;
        self.process_in_background(flight);
        Ok(Document {
            stage: Stage::Received,
            ..known
        })
    }

    /// A place among the documents under way, given back when dropped.
    fn reserve(&self, id: DocumentId) -> Result<Flight, UploadError> {
        let mut flights = self
            .inner
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if flights.len() >= self.inner.parts.config.max_pending || !flights.insert(id) {
            return Err(UploadError::Busy);
        }
        drop(flights);
        Ok(Flight {
            id,
            service: self.clone(),
        })
    }

    pub(super) fn is_in_flight(&self, id: DocumentId) -> bool {
        self.inner
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&id)
    }

    fn process_in_background(&self, flight: Flight) {
        let service = self.clone();
        self.inner
            .parts
            .tasks
            .spawn(async move { service.process(&flight).await });
    }

    /// Takes up documents that an earlier process left in no final stage, one after the other.
    pub(super) fn resume_in_background(&self, unfinished: Vec<DocumentId>) {
        if unfinished.is_empty() {
            return;
        }
        tracing::info!(
            documents = unfinished.len(),
            "unfinished documents are taken up again"
        );
        let service = self.clone();
        self.inner.parts.tasks.spawn(async move {
            for id in unfinished {
                if service.inner.parts.tasks.is_closed() {
                    return;
                }
                let fresh = {
                    let mut flights = service
                        .inner
                        .in_flight
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    flights.insert(id)
                };
                if fresh {
                    service
                        .process(&Flight {
                            id,
                            service: service.clone(),
                        })
                        .await;
                }
            }
        });
    }

    /// Brings one document to a final stage, and says so in the log when that fails.
    #[tracing::instrument(name = "rag.process", skip_all, fields(document.id = %flight.id))]
    async fn process(&self, flight: &Flight) {
        let id = flight.id;
        let outcome = match self.inner.parsers.acquire().await {
            Ok(_permit) => self.run_stages(id).await,
            Err(closed) => Err(ProcessError::Store(Box::new(closed))),
        };
        let reason = match outcome {
            Ok(()) => return,
            Err(ProcessError::Store(error)) => {
                tracing::error!(error = %error, "a document stays unfinished until the next start");
                return;
            }
            Err(ProcessError::Document(reason)) => reason,
        };
        tracing::warn!(reason, "a document could not be processed");
        let failed = Stage::Failed {
            reason: reason.to_owned(),
        };
        if let Err(error) = self.documents().set_stage(id, &failed).await {
            tracing::error!(error = %error, "a document's failure could not be stored");
        }
    }

    /// `received → text → chunks → ready`; returns early when the document has been deleted.
    async fn run_stages(&self, id: DocumentId) -> Result<(), ProcessError> {
        let documents = self.documents();
        let Some(document) = documents.get(id).await? else {
            return Ok(());
        };
        if !documents.set_stage(id, &Stage::Text).await? {
            return Ok(());
        }
        let Some(text) = documents.text(id).await? else {
            return Ok(());
        };
        let config = self.inner.parts.config;
        let indexed = usize::try_from(self.inner.index.chunks()).unwrap_or(usize::MAX);
        let room = config.max_chunks.saturating_sub(indexed);
        let media = document.media;
        let cutting = move || chunk(id, &text, media, config.chunk_chars, room);
        let chunks = tokio::task::spawn_blocking(cutting)
            .await
            .map_err(|_| ProcessError::Document("the text could not be cut into chunks"))?
            .map_err(|TooManyChunks { .. }| ProcessError::Document("the knowledge base is full"))?;
        if !documents.put_chunks(id, &chunks).await? {
            return Ok(());
        }
        let document = Arc::new(document);
        self.write_index(move |writer| writer.replace(&document, &chunks))
            .await?;
        if !documents.set_stage(id, &Stage::Ready).await? {
            // Deleted meanwhile: the deletion may have cleaned the index before our change.
            self.write_index(move |writer| writer.remove(id)).await?;
        }
        Ok(())
    }
}

/// Why processing ended early.
enum ProcessError {
    /// The store or the index failed: the document is taken up at the next start.
    Store(BoxError),
    /// The document itself cannot be processed.
    Document(&'static str),
}

impl From<DocumentRepositoryError> for ProcessError {
    fn from(error: DocumentRepositoryError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<KnowledgeError> for ProcessError {
    fn from(error: KnowledgeError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// A document that a task of this process works on.
struct Flight {
    id: DocumentId,
    service: KnowledgeService,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let inner = &self.service.inner;
        inner
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
        inner.settled.send_modify(|count| *count += 1);
    }
}

/// What an upload's bytes say.
struct Parsed {
    text: String,
    title: Option<String>,
    chars: u64,
    bytes_sha256: String,
}

fn parse(bytes: Vec<u8>, media: Media) -> Result<Parsed, UploadError> {
    let bytes_sha256 = hex::encode(Sha256::digest(&bytes));
    let text = normalise(bytes)?;
    if text.trim().is_empty() {
        return Err(UploadError::Empty);
    }
    Ok(Parsed {
        title: title(&text, media),
        chars: u64::try_from(text.chars().count()).unwrap_or(u64::MAX),
        bytes_sha256,
        text,
    })
}

fn stem(label: &str) -> String {
    match label.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => label.to_owned(),
    }
}
