//! The laws of [`IdentityStore`].

use super::user;
use crate::model::Role;
use crate::oidc::{ExternalAccount, IdentityStore, IdentityStoreError};
use crate::ports::UserRepository;

/// The store and the users that it links with.
pub trait IdentityHarness {
    /// The store.
    fn identities(&self) -> &dyn IdentityStore;
    /// Its users.
    fn users(&self) -> &dyn UserRepository;
}

/// Gives an adapter one test for each law.
#[macro_export]
macro_rules! identity_store_contract {
    ($make:path) => {
        $crate::identity_store_contract!(@ $make:
            a_provisioned_account_finds_its_user_as_it_is_now,
            an_account_is_known_by_issuer_and_subject_together,
            a_name_of_somebody_else_is_refused_and_nothing_is_linked,
            a_linked_account_is_not_linked_again,
            a_deleted_user_takes_its_link_along,
        );
    };
    (@ $make:path: $($law:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $law() {
                let fixture = $make().await;
                $crate::contract::identities::$law(&fixture).await;
            }
        )*
    };
}

fn account(subject: &str) -> ExternalAccount {
    ExternalAccount {
        issuer: "https://idp.example".to_owned(),
        subject: subject.to_owned(),
    }
}

/// The user comes with the link, and later changes of it show.
pub async fn a_provisioned_account_finds_its_user_as_it_is_now(at: &dyn IdentityHarness) {
    let ana = user(1, "ana", Role::Viewer);
    assert_eq!(at.identities().find(&account("1")).await.unwrap(), None);
    at.identities()
        .provision(&account("1"), &ana)
        .await
        .unwrap();
    assert_eq!(
        at.identities().find(&account("1")).await.unwrap(),
        Some(ana.clone())
    );
    assert_eq!(
        at.users().find_by_id(ana.id).await.unwrap(),
        Some(ana.clone())
    );
    at.users()
        .update(ana.id, Role::Operator.into())
        .await
        .unwrap();
    let now = at.identities().find(&account("1")).await.unwrap().unwrap();
    assert_eq!(now.role, Role::Operator);
}

/// Neither alone names anybody, and case counts in both.
pub async fn an_account_is_known_by_issuer_and_subject_together(at: &dyn IdentityHarness) {
    let ana = user(1, "ana", Role::Viewer);
    at.identities()
        .provision(&account("a"), &ana)
        .await
        .unwrap();
    let elsewhere = ExternalAccount {
        issuer: "https://other.example".to_owned(),
        subject: "a".to_owned(),
    };
    for other in [account("b"), account("A"), elsewhere] {
        assert_eq!(at.identities().find(&other).await.unwrap(), None);
    }
}

/// Nobody becomes somebody by choosing a name at the provider.
pub async fn a_name_of_somebody_else_is_refused_and_nothing_is_linked(at: &dyn IdentityHarness) {
    let local = user(1, "ana", Role::Admin);
    at.users().insert(&local).await.unwrap();
    let taken = at
        .identities()
        .provision(&account("1"), &user(2, "ana", Role::Viewer))
        .await;
    assert!(
        matches!(taken, Err(IdentityStoreError::NameTaken)),
        "{taken:?}"
    );
    assert_eq!(at.identities().find(&account("1")).await.unwrap(), None);
    assert_eq!(at.users().find_by_id(local.id).await.unwrap(), Some(local));
}

/// Of two first sign-ins at once one makes the user; the other learns that there is one.
pub async fn a_linked_account_is_not_linked_again(at: &dyn IdentityHarness) {
    let ana = user(1, "ana", Role::Viewer);
    at.identities()
        .provision(&account("1"), &ana)
        .await
        .unwrap();
    for (number, name) in [(2, "ana"), (3, "bia")] {
        let again = at
            .identities()
            .provision(&account("1"), &user(number, name, Role::Viewer))
            .await;
        assert!(
            matches!(again, Err(IdentityStoreError::AlreadyLinked)),
            "{again:?}"
        );
    }
    assert_eq!(
        at.identities().find(&account("1")).await.unwrap(),
        Some(ana)
    );
}

/// Who is deleted here may come again, as somebody new.
pub async fn a_deleted_user_takes_its_link_along(at: &dyn IdentityHarness) {
    let ana = user(1, "ana", Role::Viewer);
    at.identities()
        .provision(&account("1"), &ana)
        .await
        .unwrap();
    at.users().delete(ana.id).await.unwrap();
    assert_eq!(at.identities().find(&account("1")).await.unwrap(), None);
    let again = user(2, "ana", Role::Viewer);
    at.identities()
        .provision(&account("1"), &again)
        .await
        .unwrap();
    assert_eq!(
        at.identities().find(&account("1")).await.unwrap(),
        Some(again)
    );
}
