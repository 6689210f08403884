//! Documents, vectors and the search of the nearest on PostgreSQL.

use resync_postgres::rag::{PgDocumentRepository, PgVectorSearch};
use resync_rag::contract::{chunked, chunks, claimed, document, model, published, worker};
use resync_rag::{
    DocumentRepository, DocumentRepositoryError, EmbeddingModel, NearestQuery, Stage,
    VectorRepository, VectorSearch,
};
use tokio::task::JoinSet;

use crate::server::{On, Own, run, until};

mod laws {
    resync_rag::document_repository_contract!(super::repository().await);
    resync_rag::vector_repository_contract!(super::repository().await);
    resync_rag::vector_search_contract!(super::search().await);
}

/// So few vectors are compared one by one unless the server is told not to; here it is told.
mod laws_by_the_index {
    resync_rag::vector_search_contract!(super::search_by_the_index().await);
}

async fn repository() -> (Own, PgDocumentRepository) {
    let On { store, own, .. } = On::new(PgDocumentRepository::new).await;
    (own, store)
}

async fn search() -> (Own, PgDocumentRepository, PgVectorSearch) {
    let On {
        store,
        own,
        database,
    } = On::new(PgDocumentRepository::new).await;
    (own, store, PgVectorSearch::new(database))
}

/// What the database of a test asks of its planner.
async fn settings(own: &Own, settings: &[&str]) {
    let mut elsewhere = own.elsewhere().await;
    for setting in settings {
        let sql = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$"
        );
        run(&mut elsewhere, sql).await;
    }
}

async fn search_by_the_index() -> (Own, PgDocumentRepository, PgVectorSearch) {
    let own = Own::migrated().await;
    settings(&own, &["enable_sort = off"]).await;
    let database = own.open().await;
    let search = PgVectorSearch::new(database.clone()).exact_up_to(0);
    (own, PgDocumentRepository::new(database), search)
}

/// Chunks that cannot all be stored leave the old ones and the old stage.
#[tokio::test]
async fn a_failed_replacement_of_chunks_changes_nothing() {
    let (_own, repository) = repository().await;
    let document = document(1);
    chunked(&repository, &document).await.unwrap();
    let old = chunks(document.id, &["um", "dois"]);
    let mut broken = chunks(document.id, &["a", "b"]);
    broken[1].ordinal = 0;
    let error = repository
        .put_chunks(document.id, worker(1), &broken)
        .await
        .unwrap_err();
    assert!(matches!(error, DocumentRepositoryError::Unavailable(_)));
    assert_eq!(repository.chunks(document.id).await.unwrap(), old);
    assert_eq!(
        repository.get(document.id).await.unwrap().unwrap().stage,
        Stage::Chunks
    );
}

#[tokio::test]
async fn a_column_that_does_not_parse_is_named() {
    let (own, repository) = repository().await;
    let document = document(1);
    chunked(&repository, &document).await.unwrap();
    let mut elsewhere = own.elsewhere().await;
    run(
        &mut elsewhere,
        "UPDATE chunks SET heading_path = '{}' WHERE ordinal = 1",
    )
    .await;
    let error = repository.chunks(document.id).await.unwrap_err();
    let expected = format!(
        "the document store holds an unreadable heading_path in chunks at {}/1",
        document.id
    );
    assert_eq!(error.to_string(), expected);
}

/// A NUL, which PostgreSQL cannot hold, makes no document unstorable and no search fail.
#[tokio::test]
async fn a_text_with_a_nul_is_stored_with_a_sign_in_its_place() {
    let (_own, repository) = repository().await;
    let mut odd = document(1);
    odd.collection = Some("a\0b".to_owned());
    odd.tags = vec!["a\0b".to_owned()];
    claimed(&repository, &odd).await.unwrap();
    let text = resync_rag::contract::read_text("a\0b");
    assert!(repository.put_text(odd.id, worker(1), &text).await.unwrap());
    let stored = repository.text(odd.id).await.unwrap();
    assert_eq!(stored.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(
        repository.get(odd.id).await.unwrap().unwrap().tags,
        ["a\u{fffd}b"]
    );
}

/// Two replicas publish and delete at once: numbers come in order and nobody waits in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_publish_at_once_enter_all_changes_in_order() {
    let (own, here) = repository().await;
    let there = PgDocumentRepository::new(own.open().await);
    // Two versions at each of fifteen places.
    for number in 1..=30 {
        let mut document = document(number);
        document.path = Some(format!("{}.md", number % 15));
        chunked(&here, &document).await.unwrap();
    }
    let mut work = JoinSet::new();
    for number in 1..=30 {
        let store = if number % 2 == 0 {
            here.clone()
        } else {
            there.clone()
        };
        work.spawn(async move {
            // The smaller version may be gone by then.
            store.publish(document(number).id, worker(1)).await.unwrap();
            store.delete(document(number).id).await.unwrap();
        });
    }
    work.join_all().await;
    let changes = here.changes(0, 1_000).await.unwrap();
    let last = there.last_change().await.unwrap();
    assert_eq!(changes.last().map(|change| change.seq), Some(last));
    assert!(changes.is_sorted_by_key(|change| change.seq));
    assert_eq!(here.counts().await.unwrap().documents, 0);
}

/// Two replicas meet a new model at once: it has one number and one index.
#[tokio::test]
async fn a_model_that_two_replicas_meet_at_once_is_one() {
    let (own, here) = repository().await;
    let there = PgDocumentRepository::new(own.open().await);
    chunked(&here, &document(1)).await.unwrap();
    chunked(&here, &document(2)).await.unwrap();
    let (model, vectors) = (model("a"), vec![vec![1.0, 0.0, 0.0]; 2]);
    let (one, other) = tokio::join!(
        here.put_vectors(document(1).id, worker(1), &model, 0, &vectors),
        there.put_vectors(document(2).id, worker(1), &model, 0, &vectors),
    );
    assert!(one.unwrap() && other.unwrap());
    assert_eq!(here.models().await.unwrap()[0].vectors, 4);
    let mut elsewhere = own.elsewhere().await;
    let (indexes,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'chunk_vectors_near_%'",
    )
    .fetch_one(&mut elsewhere)
    .await
    .unwrap();
    assert_eq!(indexes, 1);
}

/// I-14: vectors that are not the model's are refused in words that name both numbers.
#[tokio::test]
async fn a_vector_of_other_dimensions_is_refused_by_name() {
    let (_own, repository) = repository().await;
    chunked(&repository, &document(1)).await.unwrap();
    let error = repository
        .put_vectors(document(1).id, worker(1), &model("a"), 0, &[vec![1.0, 0.0]])
        .await
        .unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(
        source.to_string(),
        "a vector of 2 dimensions where the model a has 3"
    );
}

/// Numbers from −1 to 1 that are the same in each run.
fn noise(seed: &mut u64) -> f32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let [high, low, ..] = seed.to_be_bytes();
    f32::from(i16::from_be_bytes([high, low])) / 32_768.0
}

fn direction(seed: &mut u64, dimensions: u32) -> Vec<f32> {
    let raw: Vec<f32> = (0..dimensions).map(|_| noise(seed)).collect();
    let length = raw.iter().map(|n| n * n).sum::<f32>().sqrt();
    raw.iter().map(|n| n / length).collect()
}

/// The question goes through the model's index, and how far it is searched is set for it alone: with the
/// server's own setting of one candidate, the index would give next to nothing.
#[tokio::test]
async fn the_index_is_used_and_searched_as_far_as_the_question_needs() {
    let own = Own::migrated().await;
    let one_candidate = [
        "hnsw.ef_search = 1",
        "hnsw.iterative_scan = off",
        "enable_sort = off",
    ];
    settings(&own, &one_candidate).await;
    let mut elsewhere = own.elsewhere().await;
    let database = own.open().await;
    let repository = PgDocumentRepository::new(database.clone());
    let search = PgVectorSearch::new(database.clone());
    let model = EmbeddingModel {
        id: "wide".to_owned(),
        dimensions: 16,
    };
    let mut seed = 3;
    let mut all = Vec::new();
    for number in 1..=10 {
        let id = document(number).id;
        claimed(&repository, &document(number)).await.unwrap();
        let cut = chunks(id, &["um"; 200]);
        assert!(repository.put_chunks(id, worker(1), &cut).await.unwrap());
        let vectors: Vec<_> = (0..200).map(|_| direction(&mut seed, 16)).collect();
        assert!(
            repository
                .put_vectors(id, worker(1), &model, 0, &vectors)
                .await
                .unwrap()
        );
        assert!(repository.publish(id, worker(1)).await.unwrap().is_some());
        all.extend(
            (0..)
                .zip(vectors)
                .map(|(ordinal, vector)| (id, ordinal, vector)),
        );
    }
    run(&mut elsewhere, "ANALYZE").await;
    let mut found = 0;
    for _ in 0..20 {
        let vector = direction(&mut seed, 16);
        let answer = search
            .nearest(NearestQuery {
                model: model.clone(),
                vector: vector.clone(),
                collection: None,
                limit: 10,
            })
            .await
            .unwrap();
        let mut exact: Vec<_> = all
            .iter()
            .map(|(id, ordinal, other)| {
                let cosine: f32 = other.iter().zip(&vector).map(|(a, b)| a * b).sum();
                (-cosine, *id, *ordinal)
            })
            .collect();
        exact.sort_by(|a, b| a.0.total_cmp(&b.0));
        found += exact
            .iter()
            .take(10)
            .filter(|(_, id, ordinal)| {
                answer
                    .iter()
                    .any(|one| (one.document, one.ordinal) == (*id, *ordinal))
            })
            .count();
    }
    assert!(found >= 196, "{found} of 200");
    // Another's question on the same connections has the server's own setting.
    let (setting,): (String,) = sqlx::query_as("SELECT current_setting('hnsw.ef_search')")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(setting, "1");
    // The server counts uses of an index within a second or so.
    until(async || {
        let (uses,): (i64,) = sqlx::query_as(
            "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes
             WHERE indexrelname LIKE 'chunk_vectors_near_%'",
        )
        .fetch_one(&mut elsewhere)
        .await
        .unwrap();
        uses >= 20
    })
    .await;
}

/// A published document is told to every replica.
#[tokio::test]
async fn a_published_document_is_told_on_its_channel() {
    use resync_kernel::SystemClock;
    use resync_postgres::{PgChannel, PgNotices};
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    let (own, repository) = repository().await;
    let notices = Arc::new(PgNotices::new(
        own.open().await,
        Arc::new(SystemClock::new()),
    ));
    let end = CancellationToken::new();
    let mut listening = JoinSet::new();
    let (listener, until_end) = (Arc::clone(&notices), end.clone());
    listening.spawn(async move { listener.run(until_end).await });
    until(async || notices.is_following()).await;
    let mut documents = notices.watch(PgChannel::Documents);
    documents.mark_unchanged();
    published(&repository, &document(1)).await.unwrap();
    documents.changed().await.unwrap();
    end.cancel();
    listening.join_all().await;
}
