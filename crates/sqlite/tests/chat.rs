//! Conversations on a file.

use resync_chat::ConversationStore;
use resync_chat::contract::{session, turn, user};
use resync_sqlite::SqliteDatabase;
use resync_sqlite::chat::SqliteConversationStore;
use tempfile::TempDir;

/// The laws on a file of its own, which goes with the guard.
mod laws {
    resync_chat::conversation_store_contract!(super::store().await);
}

async fn store() -> (TempDir, SqliteConversationStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteConversationStore::new(open(&folder).await);
    (folder, store)
}

async fn open(folder: &TempDir) -> SqliteDatabase {
    SqliteDatabase::open(folder.path().join("resync.db"))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_conversation_survives_a_reopen() {
    let (folder, store) = store().await;
    store.append(&turn(user(1), session(1), 1)).await.unwrap();
    let before = store.messages(user(1), session(1), None, 10).await.unwrap();
    assert_eq!(before.as_ref().map(Vec::len), Some(2));
    drop(store);
    let reopened = SqliteConversationStore::new(open(&folder).await);
    assert_eq!(
        reopened
            .messages(user(1), session(1), None, 10)
            .await
            .unwrap(),
        before
    );
}

/// P2-04: a turn that cannot be stored whole leaves nothing, not even its session.
#[tokio::test]
async fn a_turn_that_fails_half_way_leaves_nothing() {
    let (_folder, store) = store().await;
    let mut broken = turn(user(1), session(1), 1);
    // The second message has the id of the first one, which the table refuses.
    broken.question.message_id = broken.answer.message_id;
    assert!(store.append(&broken).await.is_err());
    assert!(store.sessions(user(1), None, 10).await.unwrap().is_empty());
    assert_eq!(
        store.messages(user(1), session(1), None, 10).await.unwrap(),
        None
    );
}

/// P1-04: the rows themselves are gone.
#[tokio::test]
async fn a_deleted_conversation_leaves_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    let store = SqliteConversationStore::new(database.clone());
    store.append(&turn(user(1), session(1), 1)).await.unwrap();
    assert_eq!(store.delete(user(1), session(1)).await.unwrap(), Some(2));
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM chat_messages")
        .fetch_one(database.reader())
        .await
        .unwrap();
    assert_eq!(rows, 0);
}
