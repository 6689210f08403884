//! P0-05: the index is built once, a failed build is not kept, a cancelled builder hands over.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use resync_rag::SearchQuery;
use tokio::task::JoinSet;

use crate::support::{Switched, service, taken_in, upload};

/// A store with one ready document, as an earlier process left it.
async fn store() -> Arc<Switched> {
    let store = Arc::new(Switched::default());
    let document = taken_in(
        &service(Arc::clone(&store)),
        upload(
            "deadlock.md",
            "# Deadlock\n\nRerun FIN_GL_POST after ORA-00060.\n",
        ),
    )
    .await;
    assert_eq!(document.chunks, 1);
    store.loads.store(0, Ordering::SeqCst);
    store
}

/// P0-05: concurrent first use runs one init.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rag_init_once_under_100_tasks() {
    let store = store().await;
    let knowledge = service(Arc::clone(&store));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let knowledge = knowledge.clone();
        tasks.spawn(async move { knowledge.search(SearchQuery::new("ORA-00060")).await });
    }
    let mut answers = 0;
    while let Some(answer) = tasks.join_next().await {
        assert_eq!(answer.unwrap().unwrap().items.len(), 1);
        answers += 1;
    }
    assert_eq!(answers, 100);
    assert_eq!(store.loads.load(Ordering::SeqCst), 1);
}

/// P0-05: a failed init is not cached.
#[tokio::test]
async fn rag_init_retries_after_error() {
    let store = store().await;
    let knowledge = service(Arc::clone(&store));
    store.broken.store(true, Ordering::SeqCst);
    assert!(knowledge.load().await.is_err());
    assert!(
        knowledge
            .search(SearchQuery::new("ORA-00060"))
            .await
            .is_err()
    );
    store.broken.store(false, Ordering::SeqCst);
    let found = knowledge
        .search(SearchQuery::new("ORA-00060"))
        .await
        .unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(store.loads.load(Ordering::SeqCst), 3);
}

/// P0-05: a cancelled initialiser hands over to one who waits.
#[tokio::test]
async fn rag_init_survives_cancelled_first_caller() {
    let store = store().await;
    let knowledge = service(Arc::clone(&store));
    store
        .gate
        .forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let mut tasks = JoinSet::new();
    let first = {
        let knowledge = knowledge.clone();
        tasks.spawn(async move { knowledge.load().await.map(|()| 0) })
    };
    while store.loads.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let waiting = knowledge.clone();
    tasks.spawn(async move {
        let found = waiting.search(SearchQuery::new("ORA-00060")).await.unwrap();
        Ok(found.items.len())
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    store.gate.add_permits(100);
    assert_eq!(tasks.join_next().await.unwrap().unwrap().unwrap(), 1);
    assert_eq!(store.loads.load(Ordering::SeqCst), 2);
}

/// A build that is cut off in its middle leaves nothing half-built behind.
#[tokio::test]
async fn a_cancelled_build_leaves_no_double_chunks() {
    let store = store().await;
    let knowledge = service(Arc::clone(&store));
    // One permit: the first page is read and added, the second page is waited for.
    store
        .gate
        .forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    store.gate.add_permits(1);
    let mut tasks = JoinSet::new();
    let building = knowledge.clone();
    tasks.spawn(async move { building.load().await });
    while store.gate.available_permits() > 0 || store.loads.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    tasks.shutdown().await;
    store.gate.add_permits(100);
    knowledge.load().await.unwrap();
    assert_eq!(knowledge.stats().await.unwrap().indexed_chunks, 1);
}
