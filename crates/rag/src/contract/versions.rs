//! Versions: what is uploaded again to the same place.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the repository's errors on"
)]

use super::{Outcome, chunked, claimed, document_at, later, now, published, worker};
use crate::model::{Document, DocumentId, Stage};
use crate::ports::{ChangeKind, DocumentRepository, Inserted};

/// Versions count from 1; bytes that were there before the newest version are a new one all the same.
pub async fn other_bytes_at_a_path_are_the_next_version(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let path = "runbooks/a.md";
    for n in 1..=3 {
        let stored = documents.insert(&document_at(path, n), b"one").await?;
        let version = u32::try_from(n).unwrap_or_default();
        assert_eq!(stored, Inserted::New { version });
        let read = documents.get(document_at(path, n).id).await?;
        assert_eq!(read.map(|document| document.version), Some(version));
    }
    let back = Document {
        bytes_sha256: document_at(path, 1).bytes_sha256,
        ..document_at(path, 4)
    };
    let stored = documents.insert(&back, b"one").await?;
    assert_eq!(stored, Inserted::New { version: 4 });
    Ok(())
}

/// The old version is there until the moment at which the new one is ready, and then it is not; a
/// version that comes too late finds itself gone.
pub async fn a_published_version_takes_the_place_of_smaller_ones(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let [old, late, new] = [1, 2, 3].map(|n| document_at("a.md", n));
    let elsewhere = document_at("b.md", 9);
    assert_eq!(published(documents, &old).await?, []);
    published(documents, &elsewhere).await?;
    chunked(documents, &late).await?;
    chunked(documents, &new).await?;
    let stage = documents.get(old.id).await?.map(|document| document.stage);
    assert_eq!(stage, Some(Stage::Ready));
    let before = documents.last_change().await?;

    let replaced = documents.publish(new.id, worker(1)).await?;
    assert_eq!(replaced, Some(vec![old.id, late.id]));
    for gone in [old.id, late.id] {
        assert_eq!(documents.get(gone).await?, None);
        assert_eq!(documents.text(gone).await?, None);
        assert_eq!(documents.chunks(gone).await?, Vec::new());
    }
    assert_eq!(documents.publish(late.id, worker(1)).await?, None);
    let ready = documents.ready(None, 10).await?;
    let ready: Vec<DocumentId> = ready.into_iter().map(|document| document.id).collect();
    assert_eq!(ready, [new.id, elsewhere.id]);
    let changes = documents.changes(before, 10).await?;
    let changes: Vec<_> = changes.iter().map(|c| (c.document, c.kind)).collect();
    let expected = [
        (old.id, ChangeKind::Gone),
        (late.id, ChangeKind::Gone),
        (new.id, ChangeKind::Ready),
    ];
    assert_eq!(changes, expected);
    Ok(())
}

/// Collection and path name a document together.
pub async fn the_same_path_in_another_collection_is_another_document(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let filed = document_at("a.md", 1);
    let bytes_sha256 = filed.bytes_sha256.clone();
    let unfiled = Document {
        collection: None,
        bytes_sha256: bytes_sha256.clone(),
        ..document_at("a.md", 2)
    };
    let other = Document {
        bytes_sha256,
        ..document_at("b.md", 3)
    };
    for document in [&filed, &unfiled, &other] {
        assert_eq!(published(documents, document).await?, []);
    }
    assert_eq!(documents.counts().await?.ready, 3);
    Ok(())
}

/// Bytes that failed may be tried again, in one step and under their id.
pub async fn a_failed_document_begins_anew_with_its_bytes(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let failed = document_at("a.md", 1);
    claimed(documents, &failed).await?;
    documents.fail(failed.id, worker(1), "no").await?;
    assert!(
        !documents
            .claim(failed.id, worker(1), now(), later())
            .await?
    );
    let again = Document {
        bytes_sha256: failed.bytes_sha256.clone(),
        ..document_at("a.md", 2)
    };
    let stored = documents.insert(&again, b"two").await?;
    assert_eq!(stored, Inserted::Restarted(Box::new(failed.clone())));
    assert_eq!(documents.get(failed.id).await?, Some(failed.clone()));
    let file = documents.file(failed.id).await?;
    assert_eq!(file.as_deref(), Some(&b"two"[..]));
    assert!(
        documents
            .claim(failed.id, worker(2), now(), later())
            .await?
    );
    Ok(())
}

/// Versions that come at once are counted one after the other.
pub async fn concurrent_versions_have_numbers_of_their_own(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let [a, b, c] = [1, 2, 3].map(|n| document_at("a.md", n));
    let (a, b, c) = tokio::join!(
        documents.insert(&a, b"one"),
        documents.insert(&b, b"two"),
        documents.insert(&c, b"three")
    );
    let mut found = Vec::new();
    for inserted in [a?, b?, c?] {
        if let Inserted::New { version } = inserted {
            found.push(version);
        }
    }
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3]);
    Ok(())
}
