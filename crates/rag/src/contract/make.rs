//! What the laws are tried on.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each step panics when it does not do what the law needs"
)]

use chrono::{DateTime, Duration, Utc};
use resync_kernel::UserId;
use uuid::Uuid;

use crate::model::{Chunk, Document, DocumentId, Language, Media, Span, Stage, WorkerId};
use crate::ports::{DocumentRepository, DocumentRepositoryError, EmbeddingModel, ReadText};

/// The time of all laws.
#[must_use]
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_772_409_600_123).unwrap_or_default()
}

/// A minute after [`now`].
#[must_use]
pub fn later() -> DateTime<Utc> {
    now() + Duration::minutes(1)
}

/// A worker whose id follows from `n`.
#[must_use]
pub const fn worker(n: u128) -> WorkerId {
    WorkerId(Uuid::from_u128(n))
}

/// A model of three dimensions.
#[must_use]
pub fn model(id: &str) -> EmbeddingModel {
    EmbeddingModel {
        id: id.to_owned(),
        dimensions: 3,
    }
}

/// A document without a path, whose id, hash and creator follow from `n`.
#[must_use]
pub fn document(n: u128) -> Document {
    Document {
        id: DocumentId(Uuid::from_u128(
            0x0000_0000_0000_7000_8000_0000_0000_0000 | n,
        )),
        source: format!("runbook-{n}.md"),
        path: None,
        title: "Sem espaço em disco".to_owned(),
        collection: Some("finanças".to_owned()),
        tags: vec!["fin".to_owned(), "a, \"b\"".to_owned()],
        language: Some(Language::Pt),
        version: 1,
        bytes_sha256: format!("{n:064x}"),
        bytes: 3,
        format: None,
        encoding: None,
        media: Media::Text,
        chars: 0,
        chunks: 0,
        vectors: 0,
        stage: Stage::Received,
        waiting: None,
        created_at: now(),
        created_by: UserId(Uuid::from_u128(n + 1_000)),
    }
}

/// As [`document`], at `path`.
#[must_use]
pub fn document_at(path: &str, n: u128) -> Document {
    Document {
        path: Some(path.to_owned()),
        ..document(n)
    }
}

/// What a reader gives for a Markdown file with `text`.
#[must_use]
pub fn read_text(text: &str) -> ReadText {
    ReadText {
        text: text.to_owned(),
        chars: u64::try_from(text.chars().count()).unwrap_or(u64::MAX),
        media: Media::Markdown,
        title: None,
        format: "Markdown".to_owned(),
        encoding: Some("UTF-8".to_owned()),
    }
}

/// The chunks `texts` of document `id`, one a line.
#[must_use]
pub fn chunks(id: DocumentId, texts: &[&str]) -> Vec<Chunk> {
    let mut start_char = 0;
    let whole: usize = texts.iter().map(|text| text.chars().count() + 1).sum();
    let section = Span {
        start_char: 0,
        end_char: u64::try_from(whole).unwrap_or(u64::MAX),
        start_line: 1,
        end_line: u64::try_from(texts.len()).unwrap_or(u64::MAX),
    };
    (0..)
        .zip(texts)
        .map(|(ordinal, text)| {
            let end_char = start_char + u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
            let line = u64::from(ordinal) + 1;
            let span = Span {
                start_char,
                end_char,
                start_line: line,
                end_line: line,
            };
            start_char = end_char + 1;
            Chunk {
                document: id,
                ordinal,
                heading_path: vec!["Início".to_owned(), format!("Passo {ordinal}")],
                text: (*text).to_owned(),
                span,
                context: format!("Início\nPasso {ordinal}"),
                section,
            }
        })
        .collect()
}

/// Stores the document and gives it to worker 1 until [`later`].
pub async fn claimed(
    documents: &dyn DocumentRepository,
    document: &Document,
) -> Result<(), DocumentRepositoryError> {
    documents.insert(document, b"one").await?;
    let claimed = documents
        .claim(document.id, worker(1), now(), later())
        .await?;
    assert!(claimed, "a new document can be claimed");
    Ok(())
}

/// As [`claimed`], with the text `one` and the chunks `um` and `dois`.
pub async fn chunked(
    documents: &dyn DocumentRepository,
    document: &Document,
) -> Result<(), DocumentRepositoryError> {
    let id = document.id;
    claimed(documents, document).await?;
    assert!(documents.put_text(id, worker(1), &read_text("one")).await?);
    let chunks = chunks(id, &["um", "dois"]);
    assert!(documents.put_chunks(id, worker(1), &chunks).await?);
    Ok(())
}

/// As [`chunked`], and ready; gives what that replaced.
pub async fn published(
    documents: &dyn DocumentRepository,
    document: &Document,
) -> Result<Vec<DocumentId>, DocumentRepositoryError> {
    chunked(documents, document).await?;
    let replaced = documents.publish(document.id, worker(1)).await?;
    assert!(replaced.is_some(), "the claim holds");
    Ok(replaced.unwrap_or_default())
}
