//! The laws of [`DocumentRepository`], for every adapter to run.
//!
//! ```text
//! resync_rag::document_repository_contract!(repository().await);
//! ```
//! The expression gives a guard, which lives as long as the test, and an empty repository.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the repository's errors on"
)]

use chrono::DateTime;
use resync_kernel::UserId;
use uuid::Uuid;

use crate::model::{Chunk, Document, DocumentId, Media, Span, Stage};
use crate::ports::{DocumentCounts, DocumentRepository, DocumentRepositoryError, Inserted, Walk};

type Outcome = Result<(), DocumentRepositoryError>;

/// Gives an adapter one named test for each law.
#[macro_export]
macro_rules! document_repository_contract {
    ($make:expr) => {
        $crate::document_repository_contract! { @laws $make;
            an_inserted_document_reads_back_whole
            the_same_bytes_are_one_document
            concurrent_inserts_of_the_same_bytes_keep_one
            deleted_bytes_may_come_again
            chunks_are_replaced_as_a_whole
            a_failure_keeps_its_reason
            a_missing_document_is_none_and_nothing_is_written
            deletion_takes_text_and_chunks_along
            pages_are_newest_first_and_do_not_overlap
            walks_visit_their_stages_oldest_first
            counts_follow_every_change
        }
    };
    (@laws $make:expr; $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                let (_guard, repository) = $make;
                if let Err(error) = $crate::contract::$law(&repository).await {
                    panic!("{error}: {error:?}");
                }
            }
        )*
    };
}

/// A document whose id, hash and creation follow from `n`.
#[must_use]
pub fn document(n: u128) -> Document {
    Document {
        id: DocumentId(Uuid::from_u128(
            0x0000_0000_0000_7000_8000_0000_0000_0000 | n,
        )),
        source: format!("runbook-{n}.md"),
        title: "Sem espaço em disco".to_owned(),
        collection: Some("finanças".to_owned()),
        tags: vec!["fin".to_owned(), "a, \"b\"".to_owned()],
        bytes_sha256: format!("{n:064x}"),
        media: Media::Markdown,
        chars: 6,
        chunks: 0,
        stage: Stage::Received,
        created_at: DateTime::from_timestamp_millis(1_772_409_600_123).unwrap_or_default(),
        created_by: UserId(Uuid::from_u128(n + 1_000)),
    }
}

/// The chunks `texts` of document `id`.
#[must_use]
pub fn chunks(id: DocumentId, texts: &[&str]) -> Vec<Chunk> {
    let mut start_char = 0;
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
            }
        })
        .collect()
}

/// Every field of a document and its text come back as they were.
pub async fn an_inserted_document_reads_back_whole(documents: &dyn DocumentRepository) -> Outcome {
    let plain = Document {
        collection: None,
        tags: Vec::new(),
        media: Media::Text,
        ..document(2)
    };
    for (document, text) in [(document(1), "ação 😀"), (plain, "a\nb\n\n")] {
        assert_eq!(documents.insert(&document, text).await?, Inserted::New);
        assert_eq!(documents.text(document.id).await?.as_deref(), Some(text));
        assert_eq!(documents.get(document.id).await?, Some(document));
    }
    Ok(())
}

/// A second document with the same bytes is answered by the first, and is not stored.
pub async fn the_same_bytes_are_one_document(documents: &dyn DocumentRepository) -> Outcome {
    let first = document(1);
    let second = Document {
        bytes_sha256: first.bytes_sha256.clone(),
        ..document(2)
    };
    documents.insert(&first, "one").await?;
    assert_eq!(
        documents.insert(&second, "two").await?,
        Inserted::Existing(Box::new(first.clone()))
    );
    assert_eq!(documents.get(second.id).await?, None);
    assert_eq!(documents.text(first.id).await?.as_deref(), Some("one"));
    Ok(())
}

/// Of insertions that race, one stores and the other is answered by it.
pub async fn concurrent_inserts_of_the_same_bytes_keep_one(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let first = document(1);
    let second = Document {
        bytes_sha256: first.bytes_sha256.clone(),
        ..document(2)
    };
    let (a, b) = tokio::join!(
        documents.insert(&first, "one"),
        documents.insert(&second, "two")
    );
    match (a?, b?) {
        (Inserted::New, Inserted::Existing(known)) => assert_eq!(*known, first),
        (Inserted::Existing(known), Inserted::New) => assert_eq!(*known, second),
        both => assert!(
            matches!(both, (Inserted::New, Inserted::Existing(_))),
            "{both:?}"
        ),
    }
    assert_eq!(documents.newest(None, 10).await?.len(), 1);
    Ok(())
}

/// Deletion frees the bytes.
pub async fn deleted_bytes_may_come_again(documents: &dyn DocumentRepository) -> Outcome {
    let first = document(1);
    documents.insert(&first, "one").await?;
    assert!(documents.delete(first.id).await?);
    let again = Document {
        bytes_sha256: first.bytes_sha256,
        ..document(2)
    };
    assert_eq!(documents.insert(&again, "one").await?, Inserted::New);
    Ok(())
}

/// Chunks come back in order; new ones take the place of all old ones; number and stage follow.
pub async fn chunks_are_replaced_as_a_whole(documents: &dyn DocumentRepository) -> Outcome {
    let document = document(1);
    documents.insert(&document, "one").await?;
    let many = chunks(document.id, &["um", "dois", "três"]);
    assert!(documents.put_chunks(document.id, &many).await?);
    assert_eq!(documents.chunks(document.id).await?, many);
    let few = chunks(document.id, &["outro"]);
    assert!(documents.put_chunks(document.id, &few).await?);
    assert_eq!(documents.chunks(document.id).await?, few);
    let expected = Document {
        chunks: 1,
        stage: Stage::Chunks,
        ..document
    };
    assert_eq!(documents.get(expected.id).await?, Some(expected));
    Ok(())
}

/// The reason of a failure comes back, and goes when the stage changes.
pub async fn a_failure_keeps_its_reason(documents: &dyn DocumentRepository) -> Outcome {
    let document = document(1);
    documents.insert(&document, "one").await?;
    let failed = Stage::Failed {
        reason: "the knowledge base is full".to_owned(),
    };
    for stage in [failed, Stage::Received, Stage::Vectors, Stage::Ready] {
        assert!(documents.set_stage(document.id, &stage).await?);
        let read = documents
            .get(document.id)
            .await?
            .map(|document| document.stage);
        assert_eq!(read, Some(stage));
    }
    Ok(())
}

/// Absence is an answer, not an error, and a late writer brings no deleted document back.
pub async fn a_missing_document_is_none_and_nothing_is_written(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let id = document(1).id;
    assert_eq!(documents.get(id).await?, None);
    assert_eq!(documents.text(id).await?, None);
    assert!(!documents.delete(id).await?);
    assert!(!documents.set_stage(id, &Stage::Ready).await?);
    assert!(!documents.put_chunks(id, &chunks(id, &["um"])).await?);
    assert_eq!(documents.chunks(id).await?, Vec::new());
    assert_eq!(documents.counts().await?, DocumentCounts::default());
    Ok(())
}

/// Nothing of a deleted document is left, and nothing of another one goes.
pub async fn deletion_takes_text_and_chunks_along(documents: &dyn DocumentRepository) -> Outcome {
    let (gone, kept) = (document(1), document(2));
    for document in [&gone, &kept] {
        documents.insert(document, "one").await?;
        documents
            .put_chunks(document.id, &chunks(document.id, &["um", "dois"]))
            .await?;
    }
    assert!(documents.delete(gone.id).await?);
    assert_eq!(documents.text(gone.id).await?, None);
    assert_eq!(documents.chunks(gone.id).await?, Vec::new());
    assert_eq!(documents.chunks(kept.id).await?.len(), 2);
    assert_eq!(documents.counts().await?.chunks, 2);
    Ok(())
}

/// A list walks back in time without gap or repetition.
pub async fn pages_are_newest_first_and_do_not_overlap(
    documents: &dyn DocumentRepository,
) -> Outcome {
    for n in [3, 1, 5, 2, 4] {
        documents.insert(&document(n), "one").await?;
    }
    let ids = |page: Vec<Document>| page.into_iter().map(|document| document.id).collect();
    let first: Vec<_> = ids(documents.newest(None, 2).await?);
    assert_eq!(first, [document(5).id, document(4).id]);
    let rest: Vec<_> = ids(documents.newest(first.last().copied(), 10).await?);
    assert_eq!(rest, [document(3).id, document(2).id, document(1).id]);
    Ok(())
}

/// Each walk visits exactly the documents of its stages.
pub async fn walks_visit_their_stages_oldest_first(documents: &dyn DocumentRepository) -> Outcome {
    let stages = [
        Stage::Ready,
        Stage::Received,
        Stage::Text,
        Stage::Chunks,
        Stage::Vectors,
        Stage::Failed {
            reason: "no".to_owned(),
        },
        Stage::Ready,
    ];
    for (n, stage) in (1..).zip(&stages) {
        documents.insert(&document(n), "one").await?;
        documents.set_stage(document(n).id, stage).await?;
    }
    let ids = |page: Vec<Document>| page.into_iter().map(|document| document.id).collect();
    let ready: Vec<_> = ids(documents.oldest(Walk::Ready, None, 10).await?);
    assert_eq!(ready, [document(1).id, document(7).id]);
    let first: Vec<_> = ids(documents.oldest(Walk::Unfinished, None, 3).await?);
    assert_eq!(first, [document(2).id, document(3).id, document(4).id]);
    let rest: Vec<_> = ids(documents
        .oldest(Walk::Unfinished, first.last().copied(), 3)
        .await?);
    assert_eq!(rest, [document(5).id]);
    Ok(())
}

/// The numbers are those of what is stored.
pub async fn counts_follow_every_change(documents: &dyn DocumentRepository) -> Outcome {
    for n in 1..=3 {
        documents.insert(&document(n), "ação 😀").await?;
    }
    let id = document(1).id;
    documents
        .put_chunks(id, &chunks(id, &["um", "dois"]))
        .await?;
    documents.set_stage(id, &Stage::Ready).await?;
    documents
        .set_stage(
            document(2).id,
            &Stage::Failed {
                reason: "no".to_owned(),
            },
        )
        .await?;
    let expected = DocumentCounts {
        documents: 3,
        ready: 1,
        failed: 1,
        chunks: 2,
        chars: 18,
    };
    assert_eq!(documents.counts().await?, expected);
    documents.delete(id).await?;
    let expected = DocumentCounts {
        documents: 2,
        ready: 0,
        failed: 1,
        chunks: 0,
        chars: 12,
    };
    assert_eq!(documents.counts().await?, expected);
    Ok(())
}
