//! Cutting anew, working off what waits, and what may come between.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resync_kernel::ManualClock;
use resync_rag::{
    DocumentId, DocumentRepository, KnowledgeConfig, KnowledgeParts, KnowledgeService, Reindexed,
    SearchQuery, Stage, VectorRepository,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{Model, Switched, parts, taken_in, upload};

const DISK: &str = "# Disk full\n\nRemove old files.\n\n## Afterwards\n\nOpen a ticket.\n";

fn with(store: &Arc<Switched>, model: &Arc<Model>, chunk_chars: usize) -> KnowledgeService {
    KnowledgeService::new(KnowledgeParts {
        embedder: Some(Arc::clone(model) as _),
        config: KnowledgeConfig {
            chunk_chars,
            ..KnowledgeConfig::default()
        },
        ..parts(Arc::clone(store), Arc::<ManualClock>::default())
    })
}

async fn found(knowledge: &KnowledgeService) -> Vec<(DocumentId, usize)> {
    let found = knowledge
        .search(SearchQuery::new("disk full"))
        .await
        .unwrap();
    let hits = found.items.iter();
    hits.map(|hit| (hit.document_id, hit.text.chars().count()))
        .collect()
}

/// Search goes on with the old chunks until the new ones take their place, here and in other processes.
#[tokio::test]
async fn documents_are_cut_anew_while_they_are_searched() {
    let (store, model) = (Arc::new(Switched::default()), Arc::<Model>::default());
    let text = format!(
        "# Disk full\n\n{}",
        "When the disk is full, call. \n".repeat(60)
    );
    let before = with(&store, &model, 1200);
    let long = taken_in(&before, upload("long.md", text)).await;
    let short = taken_in(&before, upload("short.md", DISK)).await;
    let after = with(&store, &model, 400);
    let old = found(&after).await;
    assert!(old.iter().any(|(_, chars)| *chars > 600));

    model.gate.forget_permits(Semaphore::MAX_PERMITS);
    model.begun.store(0, Ordering::SeqCst);
    let mut tasks = JoinSet::new();
    let cutting = after.clone();
    tasks.spawn(async move {
        let mut told = Vec::new();
        let outcome = cutting
            .reindex(|document, outcome, progress| {
                told.push((document.id, outcome.clone(), progress.done, progress.total));
            })
            .await;
        outcome.map(|()| told)
    });
    while model.begun.load(Ordering::SeqCst) == 0 {
        assert_eq!(found(&after).await, old);
        tokio::task::yield_now().await;
    }
    assert_eq!(
        found(&after).await,
        old,
        "the old chunks are found meanwhile"
    );
    let stage = after
        .get(long.id)
        .await
        .unwrap()
        .map(|document| document.stage);
    assert_eq!(stage, Some(Stage::Ready));
    model.gate.add_permits(100);
    let told = tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(
        told,
        [
            (long.id, Reindexed::Cut, 1, 2),
            (short.id, Reindexed::Same, 2, 2)
        ]
    );
    // The same words in new chunks: none is longer than the new length, heading and all.
    for knowledge in [&after, &with(&store, &model, 1200)] {
        let new = found(knowledge).await;
        assert!(
            !new.is_empty() && new.iter().all(|(_, chars)| *chars <= 420),
            "{new:?}"
        );
    }
    let chunks = store.chunks(long.id).await.unwrap();
    let vectors = store.vectors(long.id, &model.named).await.unwrap().unwrap();
    assert_eq!(vectors.len(), chunks.len());
}

/// A model that is away stops the work and leaves each document as it was, free to be claimed.
#[tokio::test]
async fn cutting_anew_without_the_model_changes_nothing() {
    let (store, model) = (Arc::new(Switched::default()), Arc::<Model>::default());
    let text = format!(
        "# Disk full\n\n{}",
        "When the disk is full, call. \n".repeat(60)
    );
    let document = taken_in(&with(&store, &model, 1200), upload("a.md", text)).await;
    let old = store.chunks(document.id).await.unwrap();
    model.away.store(true, Ordering::SeqCst);
    let knowledge = with(&store, &model, 400);
    knowledge.reindex(|_, _, _| ()).await.unwrap_err();
    assert_eq!(store.chunks(document.id).await.unwrap(), old);
    assert_eq!(
        store.get(document.id).await.unwrap().unwrap().stage,
        Stage::Ready
    );
    model.away.store(false, Ordering::SeqCst);
    knowledge.reindex(|_, _, _| ()).await.unwrap();
    assert!(store.chunks(document.id).await.unwrap().len() > old.len());
}

/// What waits for a model is worked off as soon as that is back; what still waits is said.
#[tokio::test(start_paused = true)]
async fn what_waits_is_worked_off_or_said() {
    let (store, model) = (Arc::new(Switched::default()), Arc::<Model>::default());
    let clock: Arc<ManualClock> = Arc::default();
    let knowledge = KnowledgeService::new(KnowledgeParts {
        embedder: Some(Arc::clone(&model) as _),
        ..parts(Arc::clone(&store), Arc::clone(&clock))
    });
    model.away.store(true, Ordering::SeqCst);
    let document = taken_in(&knowledge, upload("a.md", DISK)).await;
    let waits = knowledge
        .work_off(&[document.id], Duration::ZERO)
        .await
        .unwrap();
    let said: Vec<_> = waits
        .iter()
        .map(|one| (one.id, one.waiting.is_some()))
        .collect();
    assert_eq!(said, [(document.id, true)]);
    model.away.store(false, Ordering::SeqCst);
    // Time goes on while it works.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for _ in 0..100 {
            clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let minute = Duration::from_mins(1);
    let waits = knowledge.work_off(&[document.id], minute).await.unwrap();
    assert_eq!(waits, []);
    assert_eq!(
        store.get(document.id).await.unwrap().unwrap().stage,
        Stage::Ready
    );
}

/// Deleted while its vectors are made: nothing of it stays, and the model is not asked for the rest.
#[tokio::test]
async fn a_document_deleted_while_it_is_embedded_leaves_nothing() {
    let (store, model) = (Arc::new(Switched::default()), Arc::<Model>::default());
    model.gate.forget_permits(Semaphore::MAX_PERMITS);
    let knowledge = with(&store, &model, 1200);
    let text = "# A\n\ndisk full\n\n".repeat(100);
    let id = knowledge.upload(upload("a.md", text)).await.unwrap().id;
    model.gate.add_permits(1);
    while model.begun.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert!(knowledge.delete(id).await.unwrap());
    knowledge.settled(id).await;
    model.gate.add_permits(100);
    assert_eq!(knowledge.get(id).await.unwrap(), None);
    assert_eq!(store.models().await.unwrap(), []);
    assert_eq!(found(&knowledge).await, []);
    assert_eq!(model.begun.load(Ordering::SeqCst), 2);
}

/// However many upload the same file at the same time, it is one document, worked on once.
#[tokio::test]
async fn two_uploads_of_one_document_at_once_are_one() {
    let (store, model) = (Arc::new(Switched::default()), Arc::<Model>::default());
    let (here, there) = (with(&store, &model, 1200), with(&store, &model, 1200));
    let mut uploads = JoinSet::new();
    for knowledge in [&here, &there, &here, &there] {
        let knowledge = knowledge.clone();
        uploads.spawn(async move { knowledge.upload(upload("a.md", DISK)).await.unwrap().id });
    }
    let mut ids = uploads.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
    while store.get(ids[0]).await.unwrap().unwrap().stage != Stage::Ready {
        tokio::task::yield_now().await;
    }
    here.settled(ids[0]).await;
    there.settled(ids[0]).await;
    assert_eq!(store.published.load(Ordering::SeqCst), 1);
    assert_eq!(model.made.load(Ordering::SeqCst), 2);
}
