//! The laws of [`SessionStore`].

use resync_kernel::UserId;
use uuid::Uuid;

use super::{at, session};
use crate::model::{Session, SessionId, TokenId};
use crate::ports::SessionStore;

/// Gives an adapter one test for each law.
#[macro_export]
macro_rules! session_store_contract {
    ($make:path) => {
        $crate::session_store_contract!(@ $make:
            a_stored_session_is_active_until_its_end,
            another_token_of_the_session_is_not_active,
            an_ended_session_is_dead_at_the_next_question,
            a_session_is_ended_by_its_owner_only,
            all_sessions_of_one_user_end_and_no_others,
            use_is_noted_and_never_goes_back,
            noting_a_use_does_not_bring_a_session_back,
            sessions_are_listed_oldest_first_while_active,
            expired_rows_are_removed_and_active_ones_stay,
            ends_and_questions_at_once_leave_nothing_active,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let fixture = $make().await;
                $crate::contract::sessions::$law(&*fixture).await;
            }
        )*
    };
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

async fn found(store: &dyn SessionStore, session: &Session, minute: i64) -> Option<Session> {
    store
        .find_active(session.id, session.token_id, at(minute))
        .await
        .unwrap()
}

/// The end itself is not part of the session.
pub async fn a_stored_session_is_active_until_its_end(store: &dyn SessionStore) {
    let one = session(1, 7);
    let bare = Session {
        address: None,
        agent: None,
        ..session(2, 7)
    };
    store.create(&bare).await.unwrap();
    assert_eq!(found(store, &bare, 0).await, Some(bare));
    assert_eq!(found(store, &one, 0).await, None);
    store.create(&one).await.unwrap();
    assert_eq!(found(store, &one, 0).await, Some(one.clone()));
    assert_eq!(found(store, &one, 59).await, Some(one.clone()));
    assert_eq!(found(store, &one, 60).await, None);
}

/// Session and token have to fit each other.
pub async fn another_token_of_the_session_is_not_active(store: &dyn SessionStore) {
    let one = session(1, 7);
    store.create(&one).await.unwrap();
    let other = TokenId(Uuid::from_u128(5));
    assert_eq!(store.find_active(one.id, other, at(1)).await.unwrap(), None);
}

/// P0-02, A5: revocation is real, and asking for it twice is no error.
pub async fn an_ended_session_is_dead_at_the_next_question(store: &dyn SessionStore) {
    let one = session(1, 7);
    store.create(&one).await.unwrap();
    assert!(store.revoke(user(7), one.id).await.unwrap());
    assert_eq!(found(store, &one, 1).await, None);
    assert!(!store.revoke(user(7), one.id).await.unwrap());
}

/// Whoever guesses an id ends nobody's session.
pub async fn a_session_is_ended_by_its_owner_only(store: &dyn SessionStore) {
    let one = session(1, 7);
    store.create(&one).await.unwrap();
    assert!(!store.revoke(user(8), one.id).await.unwrap());
    assert!(
        !store
            .revoke(user(7), SessionId(Uuid::from_u128(2)))
            .await
            .unwrap()
    );
    assert!(found(store, &one, 1).await.is_some());
}

/// Others are not logged out along.
pub async fn all_sessions_of_one_user_end_and_no_others(store: &dyn SessionStore) {
    let [one, two, foreign] = [session(1, 7), session(2, 7), session(3, 8)];
    for session in [&one, &two, &foreign] {
        store.create(session).await.unwrap();
    }
    assert_eq!(store.revoke_all(user(7)).await.unwrap(), 2);
    assert_eq!(found(store, &one, 1).await, None);
    assert_eq!(found(store, &two, 1).await, None);
    assert!(found(store, &foreign, 1).await.is_some());
    assert_eq!(store.revoke_all(user(7)).await.unwrap(), 0);
}

/// Two requests at once may note their times in either order.
pub async fn use_is_noted_and_never_goes_back(store: &dyn SessionStore) {
    let one = session(1, 7);
    store.create(&one).await.unwrap();
    for minute in [5, 3] {
        store.touch(one.id, at(minute)).await.unwrap();
        assert_eq!(found(store, &one, 6).await.unwrap().last_seen_at, at(5));
    }
}

/// A request that is under way while its session ends must not revive it.
pub async fn noting_a_use_does_not_bring_a_session_back(store: &dyn SessionStore) {
    let one = session(1, 7);
    store.create(&one).await.unwrap();
    store.revoke(user(7), one.id).await.unwrap();
    store.touch(one.id, at(5)).await.unwrap();
    assert_eq!(found(store, &one, 6).await, None);
}

/// What is over is not shown.
pub async fn sessions_are_listed_oldest_first_while_active(store: &dyn SessionStore) {
    let old = Session {
        expires_at: at(5),
        ..session(1, 7)
    };
    let second = Session {
        created_at: at(2),
        ..session(2, 7)
    };
    let first = Session {
        created_at: at(1),
        ..session(3, 7)
    };
    for session in [&old, &second, &first, &session(4, 8)] {
        store.create(session).await.unwrap();
    }
    assert_eq!(
        store.list_active(user(7), at(5)).await.unwrap(),
        [first, second]
    );
}

/// Sweeping touches only what is over.
pub async fn expired_rows_are_removed_and_active_ones_stay(store: &dyn SessionStore) {
    let old = Session {
        expires_at: at(5),
        ..session(1, 7)
    };
    let one = session(2, 7);
    store.create(&old).await.unwrap();
    store.create(&one).await.unwrap();
    assert_eq!(store.remove_expired(at(5)).await.unwrap(), 1);
    assert_eq!(store.remove_expired(at(5)).await.unwrap(), 0);
    assert!(found(store, &one, 5).await.is_some());
}

/// C4: whatever races with the end of a session, afterwards it is over.
pub async fn ends_and_questions_at_once_leave_nothing_active(store: &dyn SessionStore) {
    let one = session(1, 7);
    for _ in 0..3 {
        store.create(&one).await.unwrap();
        let (ended, touched, ..) = tokio::join!(
            store.revoke(user(7), one.id),
            store.touch(one.id, at(2)),
            store.find_active(one.id, one.token_id, at(2)),
            store.touch(one.id, at(3)),
            store.find_active(one.id, one.token_id, at(3)),
        );
        assert!(ended.unwrap());
        touched.unwrap();
        assert_eq!(found(store, &one, 4).await, None);
    }
}
