//! Documents and vectors in a file of SQLite.

use resync_rag::contract::{chunked, chunks, claimed, document, published, worker};
use resync_rag::{DocumentRepository, DocumentRepositoryError, Stage};
use resync_sqlite::SqliteDatabase;
use resync_sqlite::rag::SqliteDocumentRepository;
use sqlx::Connection;
use tempfile::TempDir;

/// The laws on a file of its own, which goes with the guard.
mod laws {
    resync_rag::document_repository_contract!(super::repository().await);
    resync_rag::vector_repository_contract!(super::repository().await);
}

async fn repository() -> (TempDir, SqliteDocumentRepository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = open(&folder).await;
    (folder, repository)
}

async fn open(folder: &TempDir) -> SqliteDocumentRepository {
    let path = folder.path().join("resync.db");
    SqliteDocumentRepository::new(SqliteDatabase::open(path).await.unwrap())
}

#[tokio::test]
async fn documents_survive_a_reopen() {
    let (folder, repository) = repository().await;
    let document = document(1);
    published(&repository, &document).await.unwrap();
    let before = repository.get(document.id).await.unwrap();
    drop(repository);
    let reopened = open(&folder).await;
    assert_eq!(reopened.get(document.id).await.unwrap(), before);
    assert_eq!(
        reopened.chunks(document.id).await.unwrap(),
        chunks(document.id, &["um", "dois"])
    );
}

/// Chunks that cannot all be stored leave the old ones and the old stage.
#[tokio::test]
async fn a_failed_replacement_of_chunks_changes_nothing() {
    let (_folder, repository) = repository().await;
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
    let (folder, repository) = repository().await;
    let document = document(1);
    claimed(&repository, &document).await.unwrap();
    let url = format!("sqlite://{}", folder.path().join("resync.db").display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("UPDATE documents SET tags = '{}'")
        .execute(&mut other)
        .await
        .unwrap();
    let error = repository.get(document.id).await.unwrap_err();
    let expected = format!(
        "the document store holds an unreadable tags in documents at {}",
        document.id
    );
    assert_eq!(error.to_string(), expected);
}
