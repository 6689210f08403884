//! Taking a file in: checked at the door and stored.
//!
//! Invariants:
//! - Nothing is stored of what is refused.
//! - What is accepted is stored before the answer, file and all.
//! - The same bytes at the same place are one document, however often and at once they come.

use chrono::SubsecRound;
use resync_kernel::{BoxError, UserId};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tracing::Instrument;

use super::KnowledgeService;
use super::process::Flight;
use crate::model::{Document, DocumentId, Language, Media, Stage};
use crate::ports::{DocumentRepositoryError, ExtractError, Inserted};
use crate::text::{MAX_PATH_CHARS, label, path_label, visible};

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
    /// Where it comes from, at most 1024 characters. Other bytes at the same collection and path are
    /// its next version.
    pub path: Option<String>,
    /// Its language, if known.
    pub language: Option<Language>,
    /// Who uploads it.
    pub by: UserId,
}

impl NewUpload {
    /// A file with nothing said about it.
    #[must_use]
    pub fn new(file_name: impl Into<String>, bytes: impl Into<Vec<u8>>, by: UserId) -> Self {
        Self {
            file_name: file_name.into(),
            bytes: bytes.into(),
            collection: None,
            tags: Vec::new(),
            path: None,
            language: None,
            by,
        }
    }
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
    /// Nothing but blanks.
    #[error("the file is empty")]
    Empty,
    /// Of a kind that is not read.
    #[error("files of this kind are not supported: {kind}")]
    Unsupported {
        /// What it looks like.
        kind: String,
    },
    /// Broken, as a first look at it tells.
    #[error("{reason}")]
    Unreadable {
        /// Why, for the person who uploads it.
        reason: String,
    },
    /// A tag, the collection or the path is empty or too long, or there are too many tags.
    #[error(
        "{field} must have 1 to 64 visible characters, at most 20 tags, a path at most {MAX_PATH_CHARS}"
    )]
    InvalidField {
        /// `collection`, `tags` or `path`.
        field: &'static str,
    },
    /// As many uploads are under way as are allowed; try again soon.
    #[error("too many uploads are being processed")]
    Busy,
    /// The store has no room left; nothing is stored.
    #[error("the knowledge base has no room left")]
    NoRoom(#[source] BoxError),
    /// The store failed; nothing is known to be stored.
    #[error("the knowledge base is unavailable")]
    Unavailable(#[source] BoxError),
}

impl From<ExtractError> for UploadError {
    fn from(error: ExtractError) -> Self {
        match error {
            ExtractError::Unsupported { kind } => Self::Unsupported { kind },
            ExtractError::Unreadable { reason } => Self::Unreadable { reason },
            ExtractError::Unavailable(source) => Self::Unavailable(source),
        }
    }
}

impl From<DocumentRepositoryError> for UploadError {
    fn from(error: DocumentRepositoryError) -> Self {
        match error {
            DocumentRepositoryError::Full(_) => Self::NoRoom(Box::new(error)),
            DocumentRepositoryError::Unavailable(_) | DocumentRepositoryError::Corrupt { .. } => {
                Self::Unavailable(Box::new(error))
            }
        }
    }
}

fn tag(text: &str, field: &'static str) -> Result<String, UploadError> {
    let kept = visible(text);
    if kept.is_empty() || kept.chars().count() > MAX_TAG_CHARS {
        return Err(UploadError::InvalidField { field });
    }
    Ok(kept)
}

fn is_blank(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.iter().all(u8::is_ascii_whitespace)
}

impl KnowledgeService {
    /// Checks and stores the file, and starts its processing. The answer's stage is `received`
    /// for new bytes; for bytes that are there already it is that document as it stands, and a
    /// failed one is tried again. Other bytes at a path that is known are processed beside what is
    /// there, and take its place when they are ready.
    ///
    /// Cancel safe: what was accepted is stored and processed in tasks of its own, though the
    /// caller is gone.
    ///
    /// # Errors
    /// [`UploadError`].
    #[tracing::instrument(name = "rag.upload", skip_all, fields(upload.bytes = upload.bytes.len()))]
    pub async fn upload(&self, upload: NewUpload) -> Result<Document, UploadError> {
        let max_bytes = self.inner.parts.config.max_upload_bytes;
        if upload.bytes.len() > max_bytes {
            return Err(UploadError::TooLarge { max_bytes });
        }
        let source = label(&upload.file_name);
        self.inner.parts.extractor.check(&source, &upload.bytes)?;
        if is_blank(&upload.bytes) {
            return Err(UploadError::Empty);
        }
        let collection = upload.collection.as_deref();
        let collection = collection.map(|c| tag(c, "collection")).transpose()?;
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
        let path = upload
            .path
            .as_deref()
            .map(|path| path_label(path).ok_or(UploadError::InvalidField { field: "path" }));
        let flight = self.reserve(DocumentId(self.inner.parts.ids.next()))?;
        let document = Document {
            id: flight.id,
            title: stem(&source),
            source,
            path: path.transpose()?,
            collection,
            tags,
            language: upload.language,
            version: 1,
            bytes_sha256: String::new(),
            bytes: u64::try_from(upload.bytes.len()).unwrap_or(u64::MAX),
            format: None,
            encoding: None,
            media: Media::Text,
            chars: 0,
            chunks: 0,
            vectors: 0,
            stage: Stage::Received,
            waiting: None,
            // Stores keep milliseconds, and the answer is what a later `get` reads.
            created_at: self.inner.parts.clock.now().trunc_subsecs(3),
            created_by: upload.by,
        };
        let service = self.clone();
        let span = tracing::Span::current();
        let storing = async move { service.store(flight, document, upload.bytes).await };
        let stored = self.inner.parts.tasks.spawn(storing.instrument(span)).await;
        stored.map_err(|error| UploadError::Unavailable(Box::new(error)))?
    }

    /// Stores the file, and starts its processing.
    async fn store(
        &self,
        flight: Flight,
        document: Document,
        bytes: Vec<u8>,
    ) -> Result<Document, UploadError> {
        let hashing = move || (hex::encode(Sha256::digest(&bytes)), bytes);
        let (bytes_sha256, bytes) = tokio::task::spawn_blocking(hashing)
            .await
            .map_err(|error| UploadError::Unavailable(Box::new(error)))?;
        let document = Document {
            bytes_sha256,
            ..document
        };
        match self.documents().insert(&document, &bytes).await? {
            Inserted::New { version } => {
                self.process_in_background(flight);
                Ok(Document {
                    version,
                    ..document
                })
            }
            // One that no place is left for here is taken up by whoever has one.
            Inserted::Restarted(known) => {
                drop(flight);
                if let Ok(flight) = self.reserve(known.id) {
                    self.process_in_background(flight);
                }
                Ok(*known)
            }
            Inserted::Existing(known) => {
                drop(flight);
                if !known.stage.is_final()
                    && let Ok(flight) = self.reserve(known.id)
                {
                    self.process_in_background(flight);
                }
                Ok(*known)
            }
        }
    }
}

fn stem(label: &str) -> String {
    match label.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => label.to_owned(),
    }
}
