//! The laws of [`UserRepository`].

use resync_kernel::{Limit, UserId};
use uuid::Uuid;

use super::user;
use crate::model::{PasswordHash, Role, User, Username};
use crate::ports::{UserFilter, UserRepository, UserRepositoryError, UserUpdate};

/// Gives an adapter one test for each law.
#[macro_export]
macro_rules! user_repository_contract {
    ($make:path) => {
        $crate::user_repository_contract!(@ $make:
            a_user_reads_back_by_name_and_by_id,
            an_absent_user_is_none,
            a_taken_name_or_id_is_refused,
            users_are_listed_by_name_in_pages,
            a_renewed_hash_replaces_only_the_one_it_was_made_for,
            a_new_password_raises_the_session_version,
            a_new_role_raises_the_session_version,
            a_role_and_a_password_change_together_or_not_at_all,
            the_last_admin_cannot_go,
            two_demotions_at_once_leave_an_admin,
            users_are_listed_by_role_and_by_part_of_the_name,
            a_change_of_nobody_is_not_found,
            there_is_one_first_admin,
            a_deleted_user_is_gone_and_its_name_is_free,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let fixture = $make().await;
                $crate::contract::users::$law(&*fixture).await;
            }
        )*
    };
}

fn id(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn is_not_found<T>(result: &Result<T, UserRepositoryError>) -> bool {
    matches!(result, Err(UserRepositoryError::NotFound))
}

/// What was inserted reads back whole.
pub async fn a_user_reads_back_by_name_and_by_id(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Operator);
    users.insert(&ana).await.unwrap();
    let name = Username::parse("ANA").unwrap();
    assert_eq!(
        users.find_by_username(&name).await.unwrap(),
        Some(ana.clone())
    );
    assert_eq!(users.find_by_id(ana.id).await.unwrap(), Some(ana));
}

/// Absence is no error.
pub async fn an_absent_user_is_none(users: &dyn UserRepository) {
    let name = Username::parse("nobody").unwrap();
    assert_eq!(users.find_by_username(&name).await.unwrap(), None);
    assert_eq!(users.find_by_id(id(1)).await.unwrap(), None);
    assert_eq!(users.count_admins().await.unwrap(), 0);
}

/// No two users share a name or an id, and the first one stays as it is.
pub async fn a_taken_name_or_id_is_refused(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Operator);
    users.insert(&ana).await.unwrap();
    for twin in [user(2, "ana", Role::Admin), user(1, "bia", Role::Admin)] {
        let refused = users.insert(&twin).await;
        assert!(
            matches!(refused, Err(UserRepositoryError::AlreadyExists)),
            "{refused:?}"
        );
    }
    assert_eq!(users.find_by_id(ana.id).await.unwrap(), Some(ana));
    assert_eq!(users.find_by_id(id(2)).await.unwrap(), None);
}

/// Pages follow each other by name and lose nobody.
pub async fn users_are_listed_by_name_in_pages(users: &dyn UserRepository) {
    for (number, name) in [(1, "rui"), (2, "ana"), (3, "bia")] {
        users
            .insert(&user(number, name, Role::Viewer))
            .await
            .unwrap();
    }
    let page = async |after: Option<&str>| {
        let after = after.map(|name| Username::parse(name).unwrap());
        let page = users
            .list(UserFilter::default(), after, Limit::parse(2).unwrap())
            .await
            .unwrap();
        page.into_iter()
            .map(|user| user.username.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, ["ana", "bia"]);
    assert_eq!(page(Some("bia")).await, ["rui"]);
    assert!(page(Some("rui")).await.is_empty());
    assert_eq!(
        page(Some("alf")).await,
        ["ana", "bia"],
        "the cursor's user may be gone"
    );
}

/// A re-hash at login must not undo a change of password that came between.
pub async fn a_renewed_hash_replaces_only_the_one_it_was_made_for(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Viewer);
    users.insert(&ana).await.unwrap();
    let renewed = PasswordHash::from_stored("renewed".into());
    assert!(
        users
            .update_password_hash(ana.id, &ana.password_hash, &renewed)
            .await
            .unwrap()
    );
    let late = PasswordHash::from_stored("late".into());
    assert!(
        !users
            .update_password_hash(ana.id, &ana.password_hash, &late)
            .await
            .unwrap()
    );
    assert!(
        !users
            .update_password_hash(id(2), &ana.password_hash, &late)
            .await
            .unwrap()
    );
    let now = users.find_by_id(ana.id).await.unwrap().unwrap();
    assert_eq!(
        (now.password_hash, now.session_version),
        (renewed, ana.session_version)
    );
}

/// Another password ends all tokens.
pub async fn a_new_password_raises_the_session_version(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Viewer);
    users.insert(&ana).await.unwrap();
    let new = PasswordHash::from_stored("new".into());
    users.update(ana.id, new.clone().into()).await.unwrap();
    let now = users.find_by_id(ana.id).await.unwrap().unwrap();
    assert_eq!(
        (now.password_hash, now.session_version),
        (new, ana.session_version + 1)
    );
}

/// Another role ends all tokens.
pub async fn a_new_role_raises_the_session_version(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Viewer);
    users.insert(&ana).await.unwrap();
    users.update(ana.id, Role::Operator.into()).await.unwrap();
    let now = users.find_by_id(ana.id).await.unwrap().unwrap();
    assert_eq!(
        (now.role, now.session_version),
        (Role::Operator, ana.session_version + 1)
    );
}

/// Role and password at once are one change: all of it, or nothing when the role is refused.
pub async fn a_role_and_a_password_change_together_or_not_at_all(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Admin);
    users.insert(&ana).await.unwrap();
    let both = |role| UserUpdate {
        role: Some(role),
        password_hash: Some(PasswordHash::from_stored("new".into())),
    };
    let refused = users.update(ana.id, both(Role::Viewer)).await;
    assert!(
        matches!(refused, Err(UserRepositoryError::LastAdmin)),
        "{refused:?}"
    );
    assert_eq!(
        users.find_by_id(ana.id).await.unwrap().unwrap(),
        ana,
        "the password is as before"
    );
    users.insert(&user(2, "bia", Role::Admin)).await.unwrap();
    let changed = users.update(ana.id, both(Role::Viewer)).await.unwrap();
    let expected = User {
        role: Role::Viewer,
        password_hash: PasswordHash::from_stored("new".into()),
        session_version: ana.session_version + 1,
        ..ana
    };
    assert_eq!(changed, expected);
    let stored = users.find_by_id(expected.id).await.unwrap();
    assert_eq!(stored, Some(expected));
}

/// Of two admins one can go, by role or by deletion; the other cannot.
pub async fn the_last_admin_cannot_go(users: &dyn UserRepository) {
    users.insert(&user(1, "ana", Role::Admin)).await.unwrap();
    users.insert(&user(2, "bia", Role::Admin)).await.unwrap();
    users.insert(&user(3, "rui", Role::Viewer)).await.unwrap();
    assert_eq!(users.count_admins().await.unwrap(), 2);
    users.update(id(1), Role::Admin.into()).await.unwrap();
    users.update(id(1), Role::Operator.into()).await.unwrap();
    let demoted = users.update(id(2), Role::Viewer.into()).await;
    assert!(
        matches!(demoted, Err(UserRepositoryError::LastAdmin)),
        "{demoted:?}"
    );
    let deleted = users.delete(id(2)).await;
    assert!(
        matches!(deleted, Err(UserRepositoryError::LastAdmin)),
        "{deleted:?}"
    );
    users.update(id(2), Role::Admin.into()).await.unwrap();
    users.delete(id(3)).await.unwrap();
    assert_eq!(users.count_admins().await.unwrap(), 1);
}

/// Of two admins that demote or delete each other at once, one stays.
pub async fn two_demotions_at_once_leave_an_admin(users: &dyn UserRepository) {
    users.insert(&user(1, "ana", Role::Admin)).await.unwrap();
    users.insert(&user(2, "bia", Role::Admin)).await.unwrap();
    for _ in 0..8 {
        let (one, two, three) = tokio::join!(
            users.update(id(1), Role::Operator.into()),
            users.update(id(2), Role::Viewer.into()),
            users.update(id(1), Role::Viewer.into()),
        );
        let refused = [one, two, three]
            .iter()
            .filter(|result| matches!(result, Err(UserRepositoryError::LastAdmin)))
            .count();
        assert!((1..=2).contains(&refused), "{refused} of 3 were refused");
        assert_eq!(users.count_admins().await.unwrap(), 1);
        users.update(id(1), Role::Admin.into()).await.unwrap();
        users.update(id(2), Role::Admin.into()).await.unwrap();
    }
    let (one, two) = tokio::join!(users.delete(id(1)), users.delete(id(2)));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(users.count_admins().await.unwrap(), 1);
}

/// A filter takes its text as it is: no character of it is a wildcard.
pub async fn users_are_listed_by_role_and_by_part_of_the_name(users: &dyn UserRepository) {
    for (number, name, role) in [
        (1, "ana.silva", Role::Operator),
        (2, "mariana", Role::Viewer),
        (3, "rui_costa", Role::Viewer),
        (4, "ruiscosta", Role::Operator),
    ] {
        users.insert(&user(number, name, role)).await.unwrap();
    }
    let listed = async |role: Option<Role>, name: Option<&str>, after: Option<&str>| {
        let filter = UserFilter {
            role,
            name: name.map(str::to_owned),
        };
        let after = after.map(|name| Username::parse(name).unwrap());
        let found = users.list(filter, after, Limit::default()).await.unwrap();
        let names = found.iter().map(|user| user.username.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        listed(None, Some("ANA"), None).await,
        ["ana.silva", "mariana"]
    );
    assert_eq!(listed(None, Some("i_c"), None).await, ["rui_costa"]);
    assert_eq!(listed(None, Some("%"), None).await, Vec::<String>::new());
    assert_eq!(
        listed(Some(Role::Viewer), None, None).await,
        ["mariana", "rui_costa"]
    );
    assert_eq!(
        listed(Some(Role::Viewer), Some("r"), Some("mariana")).await,
        ["rui_costa"]
    );
}

/// Changing nobody is an error, not a success.
pub async fn a_change_of_nobody_is_not_found(users: &dyn UserRepository) {
    let hash = PasswordHash::from_stored("x".into());
    assert!(is_not_found(&users.update(id(9), hash.into()).await));
    assert!(is_not_found(
        &users.update(id(9), Role::Viewer.into()).await
    ));
    assert!(is_not_found(&users.delete(id(9)).await));
}

/// Of many callers at once, exactly one makes the first admin.
pub async fn there_is_one_first_admin(users: &dyn UserRepository) {
    users.insert(&user(9, "rui", Role::Viewer)).await.unwrap();
    let taken = users.insert_first_admin(&user(8, "rui", Role::Admin)).await;
    assert!(
        matches!(taken, Err(UserRepositoryError::AlreadyExists)),
        "{taken:?}"
    );
    let [ana, bia, eva] =
        [(1, "ana"), (2, "bia"), (3, "eva")].map(|(n, name)| user(n, name, Role::Admin));
    let (first, second, third) = tokio::join!(
        users.insert_first_admin(&ana),
        users.insert_first_admin(&bia),
        users.insert_first_admin(&eva)
    );
    let made = [first, second, third].map(Result::unwrap);
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    assert_eq!(users.count_admins().await.unwrap(), 1);
}

/// A name may be given again once its user is deleted.
pub async fn a_deleted_user_is_gone_and_its_name_is_free(users: &dyn UserRepository) {
    let ana = user(1, "ana", Role::Viewer);
    users.insert(&ana).await.unwrap();
    users.delete(ana.id).await.unwrap();
    assert_eq!(users.find_by_id(ana.id).await.unwrap(), None);
    assert_eq!(users.find_by_username(&ana.username).await.unwrap(), None);
    users.insert(&user(2, "ana", Role::Viewer)).await.unwrap();
}
