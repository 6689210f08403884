//! Documents, their files, texts and chunks.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the repository's errors on"
)]

use super::{
    Outcome, chunked, chunks, claimed, document, document_at, later, now, published, read_text,
    worker,
};
use crate::model::{Document, DocumentId, Language, Media, Stage};
use crate::ports::{
    DocumentCounts, DocumentFilter, DocumentRepository, Inserted, ReadText, StageName,
};

const NEW: Inserted = Inserted::New { version: 1 };

/// Every field of a document and its file come back as they were.
pub async fn an_inserted_document_reads_back_whole(documents: &dyn DocumentRepository) -> Outcome {
    let plain = Document {
        collection: None,
        tags: Vec::new(),
        language: None,
        ..document(2)
    };
    let at_path = document_at("runbooks/a.md", 3);
    for (document, file) in [
        (document(1), &b"a\0\xff"[..]),
        (plain, b""),
        (at_path, b"three"),
    ] {
        assert_eq!(documents.insert(&document, file).await?, NEW);
        assert_eq!(documents.file(document.id).await?.as_deref(), Some(file));
        assert_eq!(documents.text(document.id).await?, None);
        assert_eq!(documents.get(document.id).await?, Some(document));
    }
    Ok(())
}

/// A text that was read is there, with what it says of the document, and the file is gone.
pub async fn a_read_text_takes_the_place_of_the_file(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let (document, other) = (document(1), document(2));
    claimed(documents, &document).await?;
    claimed(documents, &other).await?;
    let text = ReadText {
        title: Some("Título".to_owned()),
        ..read_text("ação 😀")
    };
    assert!(documents.put_text(document.id, worker(1), &text).await?);
    assert_eq!(documents.file(document.id).await?, None);
    assert_eq!(
        documents.text(document.id).await?.as_deref(),
        Some("ação 😀")
    );
    let expected = Document {
        title: "Título".to_owned(),
        format: Some("Markdown".to_owned()),
        encoding: Some("UTF-8".to_owned()),
        media: Media::Markdown,
        chars: 6,
        stage: Stage::Text,
        ..document
    };
    assert_eq!(documents.get(expected.id).await?, Some(expected));
    let binary = ReadText {
        encoding: None,
        ..read_text("one")
    };
    assert!(documents.put_text(other.id, worker(1), &binary).await?);
    let read = documents.get(other.id).await?;
    let said = read.map(|document| (document.title, document.encoding));
    assert_eq!(
        said,
        Some((other.title, None)),
        "no title keeps the old one"
    );
    Ok(())
}

/// A second document with the same bytes is answered by the first, and is not stored.
pub async fn the_same_bytes_are_one_document(documents: &dyn DocumentRepository) -> Outcome {
    for (first, second) in [
        (document(1), document(2)),
        (document_at("a.md", 3), document_at("a.md", 4)),
    ] {
        let second = Document {
            bytes_sha256: first.bytes_sha256.clone(),
            ..second
        };
        documents.insert(&first, b"one").await?;
        assert_eq!(
            documents.insert(&second, b"two").await?,
            Inserted::Existing(Box::new(first.clone()))
        );
        assert_eq!(documents.get(second.id).await?, None);
        let file = documents.file(first.id).await?;
        assert_eq!(file.as_deref(), Some(&b"one"[..]));
    }
    Ok(())
}

/// Of insertions that race, one stores and the other is answered by it.
pub async fn concurrent_inserts_of_the_same_bytes_keep_one(
    documents: &dyn DocumentRepository,
) -> Outcome {
    for (first, second) in [
        (document(1), document(2)),
        (document_at("a.md", 3), document_at("a.md", 4)),
    ] {
        let second = Document {
            bytes_sha256: first.bytes_sha256.clone(),
            ..second
        };
        let (a, b) = tokio::join!(
            documents.insert(&first, b"one"),
            documents.insert(&second, b"two")
        );
        match (a?, b?) {
            (Inserted::New { .. }, Inserted::Existing(known)) => assert_eq!(*known, first),
            (Inserted::Existing(known), Inserted::New { .. }) => assert_eq!(*known, second),
            both => assert!(
                matches!(both, (Inserted::New { .. }, Inserted::Existing(_))),
                "{both:?}"
            ),
        }
    }
    let all = documents
        .newest(&DocumentFilter::default(), None, 10)
        .await?;
    assert_eq!(all.len(), 2);
    Ok(())
}

/// Deletion frees the bytes.
pub async fn deleted_bytes_may_come_again(documents: &dyn DocumentRepository) -> Outcome {
    let first = document(1);
    documents.insert(&first, b"one").await?;
    assert!(documents.delete(first.id).await?);
    let again = Document {
        bytes_sha256: first.bytes_sha256,
        ..document(2)
    };
    assert_eq!(documents.insert(&again, b"one").await?, NEW);
    Ok(())
}

/// Chunks come back in order; new ones take the place of all old ones; number and stage follow.
pub async fn chunks_are_replaced_as_a_whole(documents: &dyn DocumentRepository) -> Outcome {
    let id = document(1).id;
    claimed(documents, &document(1)).await?;
    let many = chunks(id, &["um", "dois", "três"]);
    assert!(documents.put_chunks(id, worker(1), &many).await?);
    assert_eq!(documents.chunks(id).await?, many);
    let few = chunks(id, &["outro"]);
    assert!(documents.put_chunks(id, worker(1), &few).await?);
    assert_eq!(documents.chunks(id).await?, few);
    let read = documents.get(id).await?;
    let said = read.map(|document| (document.chunks, document.stage));
    assert_eq!(said, Some((1, Stage::Chunks)));
    Ok(())
}

/// The reason of a failure comes back; nothing of what was failed is left beside the document.
pub async fn a_failure_keeps_its_reason_and_nothing_else(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let (early, late) = (document(1), document(2));
    claimed(documents, &early).await?;
    chunked(documents, &late).await?;
    for id in [early.id, late.id] {
        assert!(documents.fail(id, worker(1), "no text").await?);
        let read = documents.get(id).await?;
        let expected = Stage::Failed {
            reason: "no text".to_owned(),
        };
        let said = read.map(|document| (document.stage, document.chars, document.chunks));
        assert_eq!(said, Some((expected, 0, 0)));
        assert_eq!(documents.file(id).await?, None);
        assert_eq!(documents.text(id).await?, None);
        assert_eq!(documents.chunks(id).await?, Vec::new());
    }
    Ok(())
}

/// Absence is an answer, not an error, and a late writer brings no deleted document back.
pub async fn a_missing_document_is_none_and_nothing_is_written(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let (id, worker) = (document(1).id, worker(1));
    assert_eq!(documents.get(id).await?, None);
    assert_eq!(documents.file(id).await?, None);
    assert_eq!(documents.text(id).await?, None);
    assert_eq!(documents.chunks(id).await?, Vec::new());
    assert!(!documents.delete(id).await?);
    assert!(!documents.claim(id, worker, now(), later()).await?);
    assert!(!documents.defer(id, worker, later(), None).await?);
    assert!(!documents.put_text(id, worker, &read_text("one")).await?);
    let chunks = chunks(id, &["um"]);
    assert!(!documents.put_chunks(id, worker, &chunks).await?);
    assert!(!documents.fail(id, worker, "no").await?);
    assert_eq!(documents.publish(id, worker).await?, None);
    assert_eq!(documents.counts().await?, DocumentCounts::default());
    assert_eq!(documents.last_change().await?, 0);
    Ok(())
}

/// Nothing of a deleted document is left, and nothing of another one goes.
pub async fn deletion_takes_everything_along(documents: &dyn DocumentRepository) -> Outcome {
    let (early, gone, kept) = (document(1), document(2), document(3));
    documents.insert(&early, b"one").await?;
    published(documents, &gone).await?;
    published(documents, &kept).await?;
    assert!(documents.delete(early.id).await?);
    assert!(documents.delete(gone.id).await?);
    assert_eq!(documents.file(early.id).await?, None);
    assert_eq!(documents.text(gone.id).await?, None);
    assert_eq!(documents.chunks(gone.id).await?, Vec::new());
    assert_eq!(documents.chunks(kept.id).await?.len(), 2);
    assert_eq!(documents.text(kept.id).await?.as_deref(), Some("one"));
    assert_eq!(documents.counts().await?.chunks, 2);
    Ok(())
}

fn ids(page: Vec<Document>) -> Vec<DocumentId> {
    page.into_iter().map(|document| document.id).collect()
}

/// A list walks back in time without gap or repetition.
pub async fn pages_are_newest_first_and_do_not_overlap(
    documents: &dyn DocumentRepository,
) -> Outcome {
    for n in [3, 1, 5, 2, 4] {
        documents.insert(&document(n), b"one").await?;
    }
    let all = DocumentFilter::default();
    let first = ids(documents.newest(&all, None, 2).await?);
    assert_eq!(first, [document(5).id, document(4).id]);
    let rest = ids(documents.newest(&all, first.last().copied(), 10).await?);
    assert_eq!(rest, [document(3).id, document(2).id, document(1).id]);
    Ok(())
}

/// Each filter keeps what it names; together they keep what all name.
pub async fn filters_narrow_the_list(documents: &dyn DocumentRepository) -> Outcome {
    let other = Document {
        collection: Some("vendas".to_owned()),
        tags: vec!["fin".to_owned()],
        language: Some(Language::En),
        ..document_at("a.md", 2)
    };
    let bare = Document {
        collection: None,
        tags: Vec::new(),
        language: None,
        ..document(3)
    };
    documents.insert(&document(1), b"one").await?;
    published(documents, &other).await?;
    documents.insert(&bare, b"one").await?;
    let filter = DocumentFilter::default;
    let collection = |name: &str| DocumentFilter {
        collection: Some(name.to_owned()),
        ..filter()
    };
    let tag = |name: &str| DocumentFilter {
        tag: Some(name.to_owned()),
        ..filter()
    };
    let language = |language| DocumentFilter {
        language: Some(language),
        ..filter()
    };
    let path = |path: &str| DocumentFilter {
        path: Some(path.to_owned()),
        ..filter()
    };
    let stage = |stage| DocumentFilter {
        stage: Some(stage),
        ..filter()
    };
    let (first, second, third) = (document(1).id, document(2).id, document(3).id);
    for (filter, expected) in [
        (filter(), vec![third, second, first]),
        (collection("finanças"), vec![first]),
        (collection("nada"), vec![]),
        (tag("fin"), vec![second, first]),
        (tag("a, \"b\""), vec![first]),
        (tag("a"), vec![]),
        (language(Language::En), vec![second]),
        (path("a.md"), vec![second]),
        (stage(StageName::Ready), vec![second]),
        (stage(StageName::Received), vec![third, first]),
        (
            DocumentFilter {
                tag: Some("fin".to_owned()),
                ..language(Language::Pt)
            },
            vec![first],
        ),
    ] {
        let found = ids(documents.newest(&filter, None, 10).await?);
        assert_eq!(found, expected, "{filter:?}");
    }
    let first_page = ids(documents.newest(&tag("fin"), Some(second), 1).await?);
    assert_eq!(first_page, [first]);
    Ok(())
}

/// A walk over the ready documents visits these and no others.
pub async fn ready_documents_are_visited_oldest_first(
    documents: &dyn DocumentRepository,
) -> Outcome {
    for n in [4, 1, 3] {
        published(documents, &document(n)).await?;
    }
    chunked(documents, &document(2)).await?;
    claimed(documents, &document(5)).await?;
    documents.fail(document(5).id, worker(1), "no").await?;
    let first = ids(documents.ready(None, 2).await?);
    assert_eq!(first, [document(1).id, document(3).id]);
    let rest = ids(documents.ready(first.last().copied(), 2).await?);
    assert_eq!(rest, [document(4).id]);
    Ok(())
}

/// The numbers are those of what is stored.
pub async fn counts_follow_every_change(documents: &dyn DocumentRepository) -> Outcome {
    published(documents, &document(1)).await?;
    claimed(documents, &document(2)).await?;
    documents.fail(document(2).id, worker(1), "no").await?;
    documents.insert(&document(3), b"one").await?;
    let expected = DocumentCounts {
        documents: 3,
        ready: 1,
        failed: 1,
        chunks: 2,
        chars: 3,
    };
    assert_eq!(documents.counts().await?, expected);
    documents.delete(document(1).id).await?;
    let expected = DocumentCounts {
        documents: 2,
        ready: 0,
        failed: 1,
        chunks: 0,
        chars: 0,
    };
    assert_eq!(documents.counts().await?, expected);
    Ok(())
}
