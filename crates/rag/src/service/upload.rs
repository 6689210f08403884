//! Taking a file in: checked, parsed and stored.
//!
//! Invariants:
//! - Nothing is stored of what is refused.
//! - The same bytes are one document, however often and at once they come.

use chrono::SubsecRound;
use resync_kernel::{BoxError, UserId};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tracing::Instrument;

use super::KnowledgeService;
use super::process::Flight;
use crate::chunk::title;
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
    /// Cancel safe: what was accepted is stored and processed in tasks of its own, though the
    /// caller is gone.
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
        let service = self.clone();
        let about = About {
            source,
            collection,
            tags,
            media,
            by: upload.by,
        };
        let span = tracing::Span::current();
        let storing = async move { service.store(flight, upload.bytes, about).await };
        let stored = self.inner.parts.tasks.spawn(storing.instrument(span)).await;
        stored.map_err(|error| UploadError::Unavailable(Box::new(error)))?
    }

    /// Parses and stores the file, and starts its processing.
    async fn store(
        &self,
        flight: Flight,
        bytes: Vec<u8>,
        about: About,
    ) -> Result<Document, UploadError> {
        let (media, span) = (about.media, tracing::Span::current());
        let parsed = tokio::task::spawn_blocking(move || span.in_scope(|| parse(bytes, media)))
            .await
            .map_err(|error| UploadError::Unavailable(Box::new(error)))??;
        let document = Document {
            id: flight.id,
            title: parsed.title.unwrap_or_else(|| stem(&about.source)),
            source: about.source,
            collection: about.collection,
            tags: about.tags,
            bytes_sha256: parsed.bytes_sha256,
            media,
            chars: parsed.chars,
            chunks: 0,
            stage: Stage::Received,
            // Stores keep milliseconds, and the answer is what a later `get` reads.
            created_at: self.inner.parts.clock.now().trunc_subsecs(3),
            created_by: about.by,
        };
        match self.documents().insert(&document, &parsed.text).await? {
            Inserted::New => {
                self.process_in_background(flight);
                Ok(document)
            }
            Inserted::Existing(known) => {
                drop(flight);
                self.try_again(*known).await
            }
        }
    }

    /// A document that failed, or that a failing store left behind, starts anew; any other is
    /// answered as it stands.
    async fn try_again(&self, known: Document) -> Result<Document, UploadError> {
        if known.stage == Stage::Ready {
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
}

/// What the caller says of an upload, checked.
struct About {
    source: String,
    collection: Option<String>,
    tags: Vec<String>,
    media: Media,
    by: UserId,
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
