//! Crashes, replicas, versions and models: what survives, and what the others see.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use resync_kernel::{Clock, ManualClock};
use resync_memory::rag::InMemoryDocumentRepository;
use resync_rag::contract::{read_text, worker};
use resync_rag::{
    Document, DocumentId, DocumentRepository, EmbeddingModel, KnowledgeParts, KnowledgeService,
    NewUpload, SearchQuery, Stage, VectorRepository,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Model, Switched, parts, taken_in, upload};

const DISK: &str = "# Disk full\n\nRemove old files.\n\n## Afterwards\n\nOpen a ticket.\n";

fn replica(store: &Arc<Switched>, clock: &Arc<ManualClock>) -> KnowledgeService {
    KnowledgeService::new(parts(Arc::clone(store), Arc::clone(clock)))
}

async fn hits(knowledge: &KnowledgeService, question: &str) -> Vec<DocumentId> {
    let found = knowledge.search(SearchQuery::new(question)).await.unwrap();
    found.items.iter().map(|hit| hit.document_id).collect()
}

fn at(path: &str, text: &str) -> NewUpload {
    NewUpload {
        path: Some(path.to_owned()),
        ..upload("a.md", text)
    }
}

/// A document as a process left it that died in `stage`, still claimed by that process.
async fn left_in(store: &Switched, clock: &ManualClock, stage: &Stage) -> Document {
    let document = resync_rag::contract::document(1);
    let (id, dead) = (document.id, worker(99));
    let until = clock.now() + TimeDelta::minutes(1);
    let store: &InMemoryDocumentRepository = &store.inner;
    let document = Document {
        source: "disk.md".to_owned(),
        ..document
    };
    store.insert(&document, DISK.as_bytes()).await.unwrap();
    assert!(store.claim(id, dead, clock.now(), until).await.unwrap());
    if *stage == Stage::Received {
        return document;
    }
    let text = read_text(DISK);
    assert!(store.put_text(id, dead, &text).await.unwrap());
    if *stage == Stage::Text {
        return document;
    }
    let cut = resync_rag::chunk(id, DISK, text.media, 1200, 100).unwrap();
    assert!(store.put_chunks(id, dead, &cut).await.unwrap());
    if *stage == Stage::Vectors {
        let one = [vec![1.0, 0.0, 0.0]];
        let model = Model::default().named;
        let stored = store.put_vectors(id, dead, &model, 0, &one).await.unwrap();
        assert!(stored);
    }
    document
}

/// What a process leaves when it dies is shown to nobody, is left alone while its claim lasts, and is
/// finished by the next process afterwards, from whatever stage.
#[tokio::test]
async fn a_document_whose_process_died_is_finished_by_the_next_one() {
    for stage in [Stage::Received, Stage::Text, Stage::Chunks, Stage::Vectors] {
        let (store, clock) = (Arc::new(Switched::default()), Arc::default());
        let document = left_in(&store, &clock, &stage).await;
        let model: Arc<Model> = Arc::default();
        let next = KnowledgeService::new(KnowledgeParts {
            embedder: Some(Arc::clone(&model) as _),
            ..parts(Arc::clone(&store), Arc::clone(&clock))
        });
        next.load().await.unwrap();
        assert_eq!(hits(&next, "disk full").await, [], "{stage:?}");
        next.settled(document.id).await;
        let waits = next.get(document.id).await.unwrap().unwrap();
        assert_eq!(waits.stage, stage);

        clock.advance(std::time::Duration::from_mins(2));
        let again = KnowledgeService::new(KnowledgeParts {
            embedder: Some(Arc::clone(&model) as _),
            ..parts(Arc::clone(&store), Arc::clone(&clock))
        });
        again.load().await.unwrap();
        while again.get(document.id).await.unwrap().unwrap().stage != Stage::Ready {
            tokio::task::yield_now().await;
        }
        again.settled(document.id).await;
        assert!(!hits(&again, "disk full").await.is_empty(), "{stage:?}");
        let ready = again.get(document.id).await.unwrap().unwrap();
        assert_eq!((ready.chunks, ready.vectors), (2, 2), "{stage:?}");
        let vectors = store.vectors(document.id, &model.named).await.unwrap();
        assert_eq!(vectors.map(|vectors| vectors.len()), Some(2));
        // One vector was there already when the process died in `vectors`.
        let made = if stage == Stage::Vectors { 1 } else { 2 };
        assert_eq!(model.made.load(Ordering::SeqCst), made, "{stage:?}");
    }
}

/// What one replica takes in or removes, the other finds or finds no more within two intervals.
#[tokio::test(start_paused = true)]
async fn replicas_follow_each_other() {
    let (store, clock) = (Arc::new(Switched::default()), Arc::default());
    let (here, there) = (replica(&store, &clock), replica(&store, &clock));
    let until = CancellationToken::new();
    let (following, end) = (there.clone(), until.clone());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { following.run(end).await });
    assert_eq!(hits(&there, "disk full").await, []);
    let document = taken_in(&here, upload("disk.md", DISK)).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(hits(&there, "disk full").await[0], document.id);
    assert_eq!(
        there.stats().await.unwrap().version,
        here.stats().await.unwrap().version
    );
    here.delete(document.id).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(hits(&there, "disk full").await, []);
    assert_eq!(there.stats().await.unwrap().indexed_chunks, 0);
    until.cancel();
    tasks.join_next().await;
}

/// Two replicas that find the same unfinished documents do the work on each once.
#[tokio::test]
async fn replicas_process_each_document_once() {
    let (store, clock) = (Arc::new(Switched::default()), Arc::default());
    for n in 1..=8 {
        let document = Document {
            source: format!("{n}.md"),
            ..resync_rag::contract::document(n)
        };
        store
            .inner
            .insert(&document, DISK.as_bytes())
            .await
            .unwrap();
    }
    let (here, there) = (replica(&store, &clock), replica(&store, &clock));
    let (a, b) = tokio::join!(here.load(), there.load());
    a.and(b).unwrap();
    while store.counts().await.unwrap().ready < 8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.published.load(Ordering::SeqCst), 8);
}

/// The old version answers until the new one does; both are never found, nor neither.
#[tokio::test]
async fn a_new_version_takes_the_place_of_the_old_one_at_once() {
    let (store, clock) = (Arc::new(Switched::default()), Arc::default());
    let knowledge = replica(&store, &clock);
    let old = taken_in(&knowledge, at("runbooks/a.md", DISK)).await;
    store
        .texts
        .forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let new = knowledge
        .upload(at("runbooks/a.md", &format!("{DISK}\nAnd rerun.\n")))
        .await
        .unwrap();
    assert_eq!(
        (new.version, new.path.as_deref()),
        (2, Some("runbooks/a.md"))
    );
    for _ in 0..20 {
        assert_eq!(hits(&knowledge, "disk full").await[0], old.id);
        tokio::task::yield_now().await;
    }
    store.texts.add_permits(10);
    while knowledge.get(old.id).await.unwrap().is_some() {
        let found = hits(&knowledge, "disk full").await;
        assert!(!found.is_empty() && found.iter().all(|id| *id == found[0]));
        tokio::task::yield_now().await;
    }
    knowledge.settled(new.id).await;
    assert!(
        hits(&knowledge, "disk full")
            .await
            .iter()
            .all(|id| *id == new.id)
    );
    let same = knowledge
        .upload(at("runbooks/a.md", &format!("{DISK}\nAnd rerun.\n")))
        .await
        .unwrap();
    assert_eq!((same.id, same.stage), (new.id, Stage::Ready));
}

/// A model that is away keeps a document waiting, with the reason, and not failed; it is tried again.
#[tokio::test(start_paused = true)]
async fn a_document_waits_for_a_model_that_is_away() {
    let (store, clock): (Arc<Switched>, Arc<ManualClock>) = (Arc::default(), Arc::default());
    let model: Arc<Model> = Arc::default();
    model.away.store(true, Ordering::SeqCst);
    let knowledge = KnowledgeService::new(KnowledgeParts {
        embedder: Some(Arc::clone(&model) as _),
        ..parts(Arc::clone(&store), Arc::clone(&clock))
    });
    let document = taken_in(&knowledge, upload("disk.md", DISK)).await;
    assert_eq!(document.stage, Stage::Chunks);
    assert!(document.waiting.unwrap().contains("model is away"));
    let (running, until) = (knowledge.clone(), CancellationToken::new());
    let mut tasks = tokio::task::JoinSet::new();
    let end = until.clone();
    tasks.spawn(async move { running.run(end).await });
    model.away.store(false, Ordering::SeqCst);
    clock.advance(std::time::Duration::from_secs(3));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    knowledge.settled(document.id).await;
    let ready = knowledge.get(document.id).await.unwrap().unwrap();
    assert_eq!(
        (ready.stage, ready.waiting, ready.vectors),
        (Stage::Ready, None, 2)
    );
    until.cancel();
    tasks.join_next().await;
}

/// I-14: vectors of another model are made anew, and search goes on meanwhile.
#[tokio::test]
async fn vectors_of_another_model_are_made_anew() {
    let (store, clock): (Arc<Switched>, Arc<ManualClock>) = (Arc::default(), Arc::default());
    let with = |model: &Arc<Model>| {
        KnowledgeService::new(KnowledgeParts {
            embedder: Some(Arc::clone(model) as _),
            ..parts(Arc::clone(&store), Arc::clone(&clock))
        })
    };
    let old: Arc<Model> = Arc::default();
    let document = taken_in(&with(&old), upload("disk.md", DISK)).await;
    let new = Arc::new(Model {
        named: EmbeddingModel {
            id: "new".to_owned(),
            dimensions: 3,
        },
        ..Model::default()
    });
    let knowledge = with(&new);
    knowledge.reembed();
    while knowledge.stats().await.unwrap().reembedding.is_some() {
        assert!(!hits(&knowledge, "disk full").await.is_empty());
        tokio::task::yield_now().await;
    }
    let counted = store.models().await.unwrap();
    assert_eq!(counted.len(), 1);
    assert_eq!((&counted[0].model, counted[0].vectors), (&new.named, 2));
    let ready = knowledge.get(document.id).await.unwrap().unwrap();
    assert_eq!(ready.stage, Stage::Ready);
}
