//! The laws of [`ApiKeyRepository`].

use std::collections::BTreeSet;

use resync_kernel::UserId;
use uuid::Uuid;

use super::at;
use crate::model::{ApiKey, ApiKeyDigest, ApiKeyId, Permission};
use crate::ports::ApiKeyRepository;

/// Gives an adapter one test for each law.
#[macro_export]
macro_rules! api_key_repository_contract {
    ($make:path) => {
        $crate::api_key_repository_contract!(@ $make:
            a_key_reads_back_by_its_digest,
            an_unknown_digest_is_none,
            keys_are_listed_oldest_first_and_by_owner,
            a_key_is_ended_by_its_owner_only,
            the_use_of_a_key_is_noted_and_never_goes_back,
            a_renewed_digest_replaces_only_the_one_it_was_made_for,
            keys_at_once_do_not_get_past_the_limit,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let fixture = $make().await;
                $crate::contract::api_keys::$law(&*fixture).await;
            }
        )*
    };
}

fn key(number: u8, user: u128) -> ApiKey {
    ApiKey {
        id: ApiKeyId(Uuid::from_u128(number.into())),
        user_id: UserId(Uuid::from_u128(user)),
        label: format!("key {number}"),
        digest: ApiKeyDigest([number; 32]),
        scopes: BTreeSet::from([Permission::ReadPlan, Permission::Chat]),
        user_version: 3,
        created_at: at(i64::from(number)),
        expires_at: at(1000),
        last_used_at: None,
    }
}

/// What was kept reads back whole.
pub async fn a_key_reads_back_by_its_digest(keys: &dyn ApiKeyRepository) {
    let one = key(1, 7);
    assert!(keys.insert(&one, 20).await.unwrap());
    assert_eq!(keys.find(one.digest).await.unwrap(), Some(one));
}

/// Absence is no error.
pub async fn an_unknown_digest_is_none(keys: &dyn ApiKeyRepository) {
    keys.insert(&key(1, 7), 20).await.unwrap();
    assert_eq!(keys.find(ApiKeyDigest([9; 32])).await.unwrap(), None);
}

/// Nobody sees another's keys.
pub async fn keys_are_listed_oldest_first_and_by_owner(keys: &dyn ApiKeyRepository) {
    for (number, user) in [(3, 7), (1, 7), (2, 8)] {
        keys.insert(&key(number, user), 20).await.unwrap();
    }
    let listed = keys.list(UserId(Uuid::from_u128(7))).await.unwrap();
    assert_eq!(listed, [key(1, 7), key(3, 7)]);
}

/// Whoever guesses an id ends nobody's key.
pub async fn a_key_is_ended_by_its_owner_only(keys: &dyn ApiKeyRepository) {
    let one = key(1, 7);
    keys.insert(&one, 20).await.unwrap();
    assert!(
        !keys
            .delete(UserId(Uuid::from_u128(8)), one.id)
            .await
            .unwrap()
    );
    assert!(keys.find(one.digest).await.unwrap().is_some());
    assert!(keys.delete(one.user_id, one.id).await.unwrap());
    assert_eq!(keys.find(one.digest).await.unwrap(), None);
    assert!(!keys.delete(one.user_id, one.id).await.unwrap());
}

/// Two requests at once may note their times in either order, and an ended key stays ended.
pub async fn the_use_of_a_key_is_noted_and_never_goes_back(keys: &dyn ApiKeyRepository) {
    let one = key(1, 7);
    keys.insert(&one, 20).await.unwrap();
    for minute in [5, 3] {
        keys.note_use(one.id, at(minute)).await.unwrap();
        let noted = keys.find(one.digest).await.unwrap().unwrap();
        assert_eq!(noted.last_used_at, Some(at(5)));
    }
    keys.delete(one.user_id, one.id).await.unwrap();
    keys.note_use(one.id, at(6)).await.unwrap();
    assert_eq!(keys.find(one.digest).await.unwrap(), None);
}

/// Another secret, the same key: nothing else of it changes.
pub async fn a_renewed_digest_replaces_only_the_one_it_was_made_for(keys: &dyn ApiKeyRepository) {
    let one = key(1, 7);
    keys.insert(&one, 20).await.unwrap();
    let new = ApiKeyDigest([9; 32]);
    assert!(keys.renew_digest(one.id, one.digest, new).await.unwrap());
    assert!(!keys.renew_digest(one.id, one.digest, new).await.unwrap());
    assert_eq!(keys.find(one.digest).await.unwrap(), None);
    let renewed = ApiKey { digest: new, ..one };
    assert_eq!(keys.find(new).await.unwrap(), Some(renewed));
}

/// The limit is each user's own.
pub async fn keys_at_once_do_not_get_past_the_limit(keys: &dyn ApiKeyRepository) {
    let [one, two, three, foreign] = [key(1, 7), key(2, 7), key(3, 7), key(4, 8)];
    let (first, second, third, other) = tokio::join!(
        keys.insert(&one, 2),
        keys.insert(&two, 2),
        keys.insert(&three, 2),
        keys.insert(&foreign, 2),
    );
    assert!(other.unwrap());
    let kept = [first, second, third].map(Result::unwrap);
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 2);
    assert_eq!(keys.list(one.user_id).await.unwrap().len(), 2);
}
