//! Uploads, reads and deletions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use resync_kernel::Limit;
use resync_rag::{
    DocumentFilter, DocumentRepository, KnowledgeConfig, KnowledgeError, NewUpload, SearchError,
    SearchQuery, Stage, UploadError,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{Switched, service, service_with, taken_in, upload};

const DISK: &str = "# Disk full\n\nRemove old files.\n\n## Afterwards\n\nOpen a ticket.\n";

#[tokio::test]
async fn an_uploaded_document_becomes_searchable_and_citable() {
    let knowledge = service(Arc::new(Switched::default()));
    let answer = knowledge
        .upload(upload("docs/disk.md", DISK.replace('\n', "\r\n")))
        .await
        .unwrap();
    assert_eq!(answer.stage, Stage::Received);
    knowledge.settled(answer.id).await;
    let document = knowledge.get(answer.id).await.unwrap().unwrap();
    assert_eq!(document.stage, Stage::Ready);
    assert_eq!(
        (document.source.as_str(), document.title.as_str()),
        ("disk.md", "Disk full")
    );
    assert_eq!(document.chunks, 2);

    let found = knowledge
        .search(SearchQuery::new("disco cheio"))
        .await
        .unwrap();
    let hit = &found.items[0];
    assert!(found.answerable);
    assert_eq!(hit.heading_path, ["Disk full"]);
    let text = knowledge
        .document_text(hit.document_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(hit.span.slice(&text), Some(hit.text.as_str()));
    assert_eq!((hit.span.start_line, hit.span.end_line), (1, 3));
}

#[tokio::test]
async fn what_is_refused_says_why_and_is_not_stored() {
    let config = KnowledgeConfig {
        max_upload_bytes: 64,
        ..KnowledgeConfig::default()
    };
    let knowledge = service_with(Arc::new(Switched::default()), config);
    let refused = |upload: NewUpload| {
        let knowledge = knowledge.clone();
        async move { knowledge.upload(upload).await.unwrap_err() }
    };
    let error = refused(upload("a.md", vec![b'a'; 65])).await;
    assert!(matches!(error, UploadError::TooLarge { max_bytes: 64 }));
    let error = refused(upload("a.md", b"a\0".to_vec())).await;
    assert!(matches!(error, UploadError::Unreadable { reason } if reason.contains("byte 1")));
    let error = refused(upload("a.md", "\u{feff} \r\n")).await;
    assert!(matches!(error, UploadError::Empty));
    assert!(matches!(
        refused(upload("a.md", "")).await,
        UploadError::Empty
    ));
    let error = refused(upload("a.PDF", "%PDF")).await;
    assert!(matches!(error, UploadError::Unsupported { kind } if kind == ".pdf"));
    let error = refused(upload("../..", "x")).await;
    assert!(matches!(error, UploadError::Unsupported { kind } if kind == "no extension"));
    let error = refused(NewUpload {
        tags: vec!["\n".into()],
        ..upload("a.md", "x")
    })
    .await;
    assert!(matches!(error, UploadError::InvalidField { field: "tags" }));
    let error = refused(NewUpload {
        path: Some("../..".into()),
        ..upload("a.md", "x")
    })
    .await;
    assert!(matches!(error, UploadError::InvalidField { field: "path" }));
    assert_eq!(knowledge.stats().await.unwrap().documents, 0);
}

#[tokio::test]
async fn the_same_bytes_are_one_document_until_deleted() {
    let knowledge = service(Arc::new(Switched::default()));
    let first = taken_in(&knowledge, upload("disk.md", DISK)).await;
    let again = knowledge.upload(upload("other.md", DISK)).await.unwrap();
    assert_eq!(again, first);
    assert!(knowledge.delete(first.id).await.unwrap());
    assert!(!knowledge.delete(first.id).await.unwrap());
    let anew = taken_in(&knowledge, upload("other.md", DISK)).await;
    assert_ne!(anew.id, first.id);
    let found = knowledge
        .search(SearchQuery::new("disk full"))
        .await
        .unwrap();
    assert!(found.items.iter().all(|hit| hit.document_id == anew.id));
}

#[tokio::test]
async fn a_deleted_document_is_found_no_more_and_scores_as_if_it_never_was() {
    let (knowledge, fresh) = (
        service(Arc::new(Switched::default())),
        service(Arc::new(Switched::default())),
    );
    let gone = taken_in(
        &knowledge,
        upload("x.md", "# Other\n\nFull of disk words.\n"),
    )
    .await;
    taken_in(&knowledge, upload("disk.md", DISK)).await;
    taken_in(&fresh, upload("disk.md", DISK)).await;
    assert!(knowledge.delete(gone.id).await.unwrap());
    let scores = |items: Vec<resync_rag::SearchHit>| {
        items
            .into_iter()
            .map(|hit| (hit.text, hit.score))
            .collect::<Vec<_>>()
    };
    let after = knowledge
        .search(SearchQuery::new("disk full"))
        .await
        .unwrap()
        .items;
    let never = fresh
        .search(SearchQuery::new("disk full"))
        .await
        .unwrap()
        .items;
    assert!(!after.is_empty());
    assert_eq!(scores(after), scores(never));
}

#[tokio::test]
async fn a_document_deleted_while_it_is_processed_does_not_come_back() {
    let store = Arc::new(Switched::default());
    let knowledge = service(Arc::clone(&store));
    store.texts.forget_permits(Semaphore::MAX_PERMITS);
    let document = knowledge.upload(upload("disk.md", DISK)).await.unwrap();
    assert!(knowledge.delete(document.id).await.unwrap());
    store.texts.add_permits(10);
    knowledge.settled(document.id).await;
    assert!(
        knowledge
            .search(SearchQuery::new("disk full"))
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let stats = knowledge.stats().await.unwrap();
    assert_eq!((stats.documents, stats.indexed_chunks), (0, 0));
}

#[tokio::test]
async fn unfinished_documents_are_taken_up_again_at_the_next_start() {
    let store = Arc::new(Switched::default());
    store.broken.store(true, Ordering::SeqCst);
    let before = service(Arc::clone(&store));
    let document = taken_in(&before, upload("disk.md", DISK)).await;
    assert_eq!(
        document.stage,
        Stage::Received,
        "the store failed at the first change of stage"
    );
    store.broken.store(false, Ordering::SeqCst);

    let after = service(Arc::clone(&store));
    after.load().await.unwrap();
    after.settled(document.id).await;
    while after.get(document.id).await.unwrap().unwrap().stage != Stage::Ready {
        tokio::task::yield_now().await;
    }
    after.settled(document.id).await;
    assert_eq!(
        after.get(document.id).await.unwrap().unwrap().stage,
        Stage::Ready
    );
    assert!(
        after
            .search(SearchQuery::new("disk full"))
            .await
            .unwrap()
            .answerable
    );
}

#[tokio::test]
async fn a_restart_finds_what_was_ready() {
    let store = Arc::new(Switched::default());
    taken_in(&service(Arc::clone(&store)), upload("disk.md", DISK)).await;
    let after = service(Arc::clone(&store));
    assert_eq!(after.stats().await.unwrap().indexed_chunks, 0);
    after.load().await.unwrap();
    assert_eq!(after.stats().await.unwrap().indexed_chunks, 2);
}

#[tokio::test]
async fn a_full_index_fails_the_document_and_a_later_upload_tries_again() {
    let store = Arc::new(Switched::default());
    let small = KnowledgeConfig {
        max_chunks: 1,
        ..KnowledgeConfig::default()
    };
    let failed = taken_in(
        &service_with(Arc::clone(&store), small),
        upload("a.md", DISK),
    )
    .await;
    assert_eq!(failed.stage.reason(), Some("the knowledge base is full"));
    let again = taken_in(&service(Arc::clone(&store)), upload("a.md", DISK)).await;
    assert_eq!((again.id, again.stage), (failed.id, Stage::Ready));
}

#[tokio::test]
async fn one_upload_too_many_is_refused_and_its_place_comes_free() {
    let store = Arc::new(Switched::default());
    let config = KnowledgeConfig {
        max_pending: 1,
        ..KnowledgeConfig::default()
    };
    let knowledge = service_with(Arc::clone(&store), config);
    store.texts.forget_permits(Semaphore::MAX_PERMITS);
    let first = knowledge.upload(upload("a.md", "one")).await.unwrap();
    let error = knowledge.upload(upload("b.md", "two")).await.unwrap_err();
    assert!(matches!(error, UploadError::Busy));
    store.texts.add_permits(10);
    knowledge.settled(first.id).await;
    assert_eq!(
        taken_in(&knowledge, upload("b.md", "two")).await.stage,
        Stage::Ready
    );
}

#[tokio::test]
async fn uploads_that_race_with_the_same_bytes_make_one_document() {
    let knowledge = service(Arc::new(Switched::default()));
    let mut tasks = JoinSet::new();
    for n in 0..10 {
        let knowledge = knowledge.clone();
        tasks.spawn(async move {
            taken_in(&knowledge, upload(&format!("{n}.md"), DISK))
                .await
                .id
        });
    }
    let ids = tasks.join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(knowledge.stats().await.unwrap().documents, 1);
}

/// The caller goes while the store is at work; the document is stored and processed.
#[tokio::test]
async fn a_dropped_caller_does_not_stop_the_processing() {
    let store = Arc::new(Switched::default());
    let knowledge = service(Arc::clone(&store));
    store.inserts.forget_permits(Semaphore::MAX_PERMITS);
    let mut tasks = JoinSet::new();
    let uploading = knowledge.clone();
    tasks.spawn(async move { uploading.upload(upload("a.md", DISK)).await });
    while store.inserting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    tasks.shutdown().await;
    store.inserts.add_permits(10);
    let document = loop {
        if let Some(document) = store
            .newest(&DocumentFilter::default(), None, 1)
            .await
            .unwrap()
            .pop()
        {
            break document;
        }
        tokio::task::yield_now().await;
    };
    knowledge.settled(document.id).await;
    assert_eq!(
        knowledge.get(document.id).await.unwrap().unwrap().stage,
        Stage::Ready
    );
}

#[tokio::test]
async fn an_upload_takes_up_what_a_failing_store_left_behind() {
    let store = Arc::new(Switched::default());
    let knowledge = service(Arc::clone(&store));
    store.broken.store(true, Ordering::SeqCst);
    let left = taken_in(&knowledge, upload("a.md", DISK)).await;
    assert_eq!(left.stage, Stage::Received);
    store.broken.store(false, Ordering::SeqCst);
    let again = taken_in(&knowledge, upload("a.md", DISK)).await;
    assert_eq!((again.id, again.stage), (left.id, Stage::Ready));
}

#[tokio::test]
async fn lists_are_paged_and_refuse_foreign_cursors() {
    let knowledge = service(Arc::new(Switched::default()));
    for n in 0..5 {
        taken_in(&knowledge, upload(&format!("{n}.txt"), format!("text {n}"))).await;
    }
    let two = Limit::parse(2).unwrap();
    let (mut sources, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = knowledge
            .list(&DocumentFilter::default(), two, cursor.as_deref())
            .await
            .unwrap();
        sources.extend(page.items.into_iter().map(|document| document.source));
        match page.next {
            Some(next) => cursor = Some(next.as_str().to_owned()),
            None => break,
        }
    }
    assert_eq!(sources, ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]);
    let error = knowledge
        .list(&DocumentFilter::default(), two, Some("nonsense"))
        .await
        .unwrap_err();
    assert!(matches!(error, KnowledgeError::Cursor(_)));
}

#[tokio::test]
async fn queries_are_bounded() {
    let knowledge = service(Arc::new(Switched::default()));
    let error = knowledge
        .search(SearchQuery::new(" \u{200b}\n"))
        .await
        .unwrap_err();
    assert!(matches!(error, SearchError::EmptyQuery));
    let error = knowledge
        .search(SearchQuery::new("é".repeat(1001)))
        .await
        .unwrap_err();
    assert!(matches!(error, SearchError::TooLong { max: 1000 }));
    let found = knowledge
        .search(SearchQuery::new("é".repeat(1000)))
        .await
        .unwrap();
    assert!(found.items.is_empty() && !found.answerable);
    for n in 0..60 {
        taken_in(&knowledge, upload("a.txt", format!("deadlock number{n}"))).await;
    }
    let many = SearchQuery {
        k: 5000,
        ..SearchQuery::new("deadlock")
    };
    assert_eq!(
        knowledge.search(many).await.unwrap().items.len(),
        SearchQuery::MAX_K
    );
}

#[tokio::test]
async fn equal_scores_are_ordered_by_document_then_ordinal() {
    let knowledge = service(Arc::new(Switched::default()));
    for n in 0..12 {
        taken_in(
            &knowledge,
            upload("a.txt", format!("deadlock number{n:02}")),
        )
        .await;
    }
    let five = SearchQuery {
        k: 5,
        ..SearchQuery::new("deadlock")
    };
    let found = knowledge.search(five.clone()).await.unwrap().items;
    assert!(
        found
            .windows(2)
            .all(|pair| pair[0].document_id < pair[1].document_id)
    );
    assert!(
        found[0].text.ends_with("00"),
        "the oldest of equals comes first"
    );
    assert_eq!(knowledge.search(five).await.unwrap().items, found);
}

#[tokio::test]
async fn a_collection_limits_the_search_and_an_explanation_names_words() {
    let knowledge = service(Arc::new(Switched::default()));
    let filed = NewUpload {
        collection: Some("fin".into()),
        ..upload("a.md", DISK)
    };
    let filed = taken_in(&knowledge, filed).await;
    taken_in(&knowledge, upload("b.md", format!("{DISK}\nmore\n"))).await;
    let query = SearchQuery {
        collection: Some("fin".into()),
        explain: true,
        ..SearchQuery::new("disk full on FINAPP01")
    };
    let found = knowledge.search(query).await.unwrap();
    assert!(found.items.iter().all(|hit| hit.document_id == filed.id));
    let explanation = found.items[0].explanation.clone().unwrap();
    assert_eq!(explanation.matched, ["disk", "full"]);
    assert_eq!(explanation.missing, ["FINAPP01"]);
    assert!(explanation.coverage > 0.0 && explanation.coverage < 1.0);
}
