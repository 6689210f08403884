//! Vectors of chunks.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the repository's errors on"
)]

use super::{Outcome, chunked, chunks, document, later, model, now, published, worker};
use crate::model::Stage;
use crate::ports::{
    ChangeKind, DocumentRepository, EmbeddingModel, Recut, VectorCount, VectorRepository,
};

const ONE: [f32; 3] = [1.0, -0.5, 1e-7];
const TWO: [f32; 3] = [0.0, 0.25, -1.0];

/// Vectors are whole or absent, exact, and known by the model and its dimensions.
pub async fn vectors_come_back_by_model_when_all_are_there<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    let (id, model) = (document(1).id, model("a"));
    chunked(store, &document(1)).await?;
    assert_eq!(store.vectors(id, &model).await?, None);
    let first = store
        .put_vectors(id, worker(1), &model, 0, &[ONE.to_vec()])
        .await?;
    assert!(first);
    assert_eq!(store.embedded(id, &model).await?, 1);
    assert_eq!(store.vectors(id, &model).await?, None, "one is missing");
    let read = store.get(id).await?;
    let said = read.map(|d| (d.stage, d.vectors, d.chunks));
    assert_eq!(said, Some((Stage::Vectors, 1, 2)));
    let second = store
        .put_vectors(id, worker(1), &model, 1, &[TWO.to_vec()])
        .await?;
    assert!(second);
    let whole = Some(vec![ONE.to_vec(), TWO.to_vec()]);
    assert_eq!(store.vectors(id, &model).await?, whole);
    let namesake = EmbeddingModel {
        dimensions: 4,
        ..model.clone()
    };
    assert_eq!(store.vectors(id, &namesake).await?, None);
    assert_eq!(store.embedded(id, &namesake).await?, 0);
    Ok(())
}

/// A batch that does not follow on, exceeds the chunks or is not the claimant's changes nothing.
pub async fn batches_of_vectors_come_in_order_or_not_at_all<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    let (id, model) = (document(1).id, model("a"));
    let missing = store
        .put_vectors(id, worker(1), &model, 0, &[ONE.to_vec()])
        .await?;
    assert!(!missing);
    chunked(store, &document(1)).await?;
    let (one, three) = (vec![ONE.to_vec()], vec![ONE.to_vec(); 3]);
    for (worker_id, first, vectors) in [
        (worker(2), 0, &one),
        (worker(1), 1, &one),
        (worker(1), 0, &three),
        (worker(1), u32::MAX, &one),
    ] {
        let stored = store
            .put_vectors(id, worker_id, &model, first, vectors)
            .await?;
        assert!(!stored, "{worker_id:?} {first} {}", vectors.len());
    }
    assert_eq!(store.embedded(id, &model).await?, 0);
    let stage = store.get(id).await?.map(|document| document.stage);
    assert_eq!(stage, Some(Stage::Chunks));
    assert!(store.put_vectors(id, worker(1), &model, 0, &one).await?);
    assert!(!store.put_vectors(id, worker(1), &model, 0, &one).await?);
    Ok(())
}

/// Another model's vectors take the old ones' place, in a ready document, which stays ready.
pub async fn vectors_of_another_model_are_replaced_chunk_by_chunk<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    let (id, old, new) = (document(1).id, model("a"), model("b"));
    chunked(store, &document(1)).await?;
    let both = [ONE.to_vec(), TWO.to_vec()];
    store.put_vectors(id, worker(1), &old, 0, &both).await?;
    store.publish(id, worker(1)).await?;
    assert!(store.claim(id, worker(2), now(), later()).await?);
    let first = store
        .put_vectors(id, worker(2), &new, 0, &[TWO.to_vec()])
        .await?;
    assert!(first);
    assert_eq!(store.embedded(id, &new).await?, 1);
    assert_eq!(store.vectors(id, &old).await?, None);
    assert_eq!(store.vectors(id, &new).await?, None);
    let second = store
        .put_vectors(id, worker(2), &new, 1, &[ONE.to_vec()])
        .await?;
    assert!(second);
    let whole = Some(vec![TWO.to_vec(), ONE.to_vec()]);
    assert_eq!(store.vectors(id, &new).await?, whole);
    let read = store.get(id).await?;
    let said = read.map(|document| (document.stage, document.vectors));
    assert_eq!(said, Some((Stage::Ready, 2)));
    Ok(())
}

/// No vector outlives its chunk.
pub async fn vectors_go_with_their_chunks_and_documents<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    let model = model("a");
    let both = [ONE.to_vec(), TWO.to_vec()];
    for n in 1..=3 {
        let id = document(n).id;
        chunked(store, &document(n)).await?;
        assert!(store.put_vectors(id, worker(1), &model, 0, &both).await?);
    }
    let [recut, deleted, failed] = [1, 2, 3].map(|n| document(n).id);
    let cut = chunks(recut, &["outro"]);
    assert!(store.put_chunks(recut, worker(1), &cut).await?);
    assert!(store.delete(deleted).await?);
    assert!(store.fail(failed, worker(1), "no").await?);
    for id in [recut, deleted, failed] {
        assert_eq!(store.embedded(id, &model).await?, 0);
        assert_eq!(store.vectors(id, &model).await?, None);
    }
    assert_eq!(store.models().await?, []);
    let vectors = store.get(recut).await?.map(|document| document.vectors);
    assert_eq!(vectors, Some(0));
    Ok(())
}

/// Each model is counted for itself.
pub async fn models_are_counted<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    published(store, &document(1)).await?;
    chunked(store, &document(2)).await?;
    chunked(store, &document(3)).await?;
    let both = [ONE.to_vec(), TWO.to_vec()];
    for (n, id, vectors) in [(2, "b", &both[..]), (3, "a", &both[..1])] {
        let model = model(id);
        let id = document(n).id;
        assert!(store.put_vectors(id, worker(1), &model, 0, vectors).await?);
    }
    let count = |id: &str, vectors| VectorCount {
        model: model(id),
        vectors,
    };
    assert_eq!(store.models().await?, [count("a", 1), count("b", 2)]);
    Ok(())
}

/// New chunks and vectors take the place of the old ones in a document that stays ready, and the feed
/// says so.
pub async fn a_ready_document_is_recut_at_once<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    let (id, model) = (document(1).id, model("a"));
    published(store, &document(1)).await?;
    published(store, &document(2)).await?;
    for vectors in [Some((model.clone(), vec![ONE.to_vec(); 3])), None] {
        let seen = store.last_change().await?;
        assert!(store.claim(id, worker(2), now(), later()).await?);
        let recut = Recut {
            chunks: chunks(id, &["a", "b", "c"]),
            vectors,
        };
        assert!(store.recut(id, worker(2), &recut).await?);
        assert_eq!(store.chunks(id).await?, recut.chunks);
        let count = recut
            .vectors
            .as_ref()
            .map_or(0, |(_, vectors)| vectors.len());
        let stored = store.vectors(id, &model).await?;
        assert_eq!(stored, recut.vectors.map(|(_, vectors)| vectors));
        let read = store.get(id).await?;
        let said = read.map(|d| (d.stage, d.chunks, usize::try_from(d.vectors)));
        assert_eq!(said, Some((Stage::Ready, 3, Ok(count))));
        let changes = store.changes(seen, 10).await?;
        let changes: Vec<_> = changes.iter().map(|one| (one.document, one.kind)).collect();
        assert_eq!(changes, [(id, ChangeKind::Ready)]);
        assert!(
            store.claim(id, worker(3), now(), later()).await?,
            "the claim is over"
        );
        store.defer(id, worker(3), now(), None).await?;
    }
    Ok(())
}

/// Without the claim, before the document is ready, or with fewer vectors than chunks nothing changes.
pub async fn a_recut_needs_the_claim_and_a_vector_for_each_chunk<R>(store: &R) -> Outcome
where
    R: DocumentRepository + VectorRepository,
{
    let (ready, undone) = (document(1).id, document(2).id);
    published(store, &document(1)).await?;
    chunked(store, &document(2)).await?;
    let recut = |id, vectors: usize| Recut {
        chunks: chunks(id, &["a", "b", "c"]),
        vectors: Some((model("a"), vec![ONE.to_vec(); vectors])),
    };
    assert!(!store.recut(ready, worker(1), &recut(ready, 3)).await?);
    assert!(store.claim(ready, worker(1), now(), later()).await?);
    assert!(!store.recut(ready, worker(2), &recut(ready, 3)).await?);
    assert!(!store.recut(ready, worker(1), &recut(ready, 2)).await?);
    assert!(!store.recut(undone, worker(1), &recut(undone, 3)).await?);
    for id in [ready, undone] {
        assert_eq!(store.chunks(id).await?, chunks(id, &["um", "dois"]));
        assert_eq!(store.embedded(id, &model("a")).await?, 0);
    }
    let stage = store.get(undone).await?.map(|document| document.stage);
    assert_eq!(stage, Some(Stage::Chunks));
    Ok(())
}
