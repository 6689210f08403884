//! Conversations on PostgreSQL.

use resync_chat::ConversationStore;
use resync_chat::contract::{session, turn, user};
use resync_postgres::chat::PgConversationStore;

use crate::server::{On, Own};

mod laws {
    resync_chat::conversation_store_contract!(super::store().await);
}

async fn store() -> (Own, PgConversationStore) {
    let On { store, own, .. } = On::new(PgConversationStore::new).await;
    (own, store)
}

/// P2-04: a turn that cannot be stored whole leaves nothing, not even its session.
#[tokio::test]
async fn a_turn_that_fails_half_way_leaves_nothing() {
    let (_own, store) = store().await;
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
    let On {
        store,
        database,
        own,
    } = On::new(PgConversationStore::new).await;
    store.append(&turn(user(1), session(1), 1)).await.unwrap();
    assert_eq!(store.delete(user(1), session(1)).await.unwrap(), Some(2));
    let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM chat_messages")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(rows, 0);
    drop(own);
}

/// Two replicas answer in one session at the same time: each message has a place, and none is lost.
#[tokio::test]
async fn turns_of_two_replicas_all_stay() {
    let (own, here) = store().await;
    let there = PgConversationStore::new(own.open().await);
    let mut turns = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = if number % 2 == 0 {
            here.clone()
        } else {
            there.clone()
        };
        turns.spawn(async move { store.append(&turn(user(1), session(1), number)).await });
    }
    for appended in turns.join_all().await {
        appended.unwrap();
    }
    let messages = here.messages(user(1), session(1), None, 100).await.unwrap();
    let places: Vec<u64> = messages.unwrap().iter().map(|one| one.place).collect();
    assert_eq!(places, (1..=40).collect::<Vec<_>>());
}

/// A NUL, which PostgreSQL cannot hold, does not make a turn unstorable.
#[tokio::test]
async fn a_text_with_a_nul_is_stored_with_a_sign_in_its_place() {
    let (_own, store) = store().await;
    let mut odd = turn(user(1), session(1), 1);
    odd.question.text = "a\0b".to_owned();
    store.append(&odd).await.unwrap();
    let messages = store.messages(user(1), session(1), None, 10).await.unwrap();
    assert_eq!(messages.unwrap()[0].message.text, "a\u{fffd}b");
}
