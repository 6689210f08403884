//! Making users and changing passwords when a port fails.

use super::*;

#[tokio::test]
async fn a_user_that_is_created_without_its_audit_row_is_reported() {
    let mut mocks = Mocks::default();
    mocks
        .hasher
        .expect_hash()
        .returning(|_| Ok(PasswordHash::from_stored("new".into())));
    mocks.users.expect_insert().once().returning(|_| Ok(()));
    mocks.does_not_record();
    let service = UserService::new(mocks.ports(), PasswordPolicy::default());
    let new = NewUser {
        username: Username::parse("ana").unwrap(),
        password: SecretString::from("owl kettle 93 fjord"),
        role: Role::Viewer,
    };
    let made = service.create(new, by()).await;
    assert!(
        matches!(made, Err(CreateUserError::NotRecorded(_))),
        "{made:?}"
    );
}

/// A full queue while a password is checked costs no attempt here either.
#[tokio::test]
async fn a_password_change_that_was_not_looked_at_gives_the_attempt_back() {
    let mut mocks = Mocks::default();
    mocks
        .users
        .expect_find_by_id()
        .returning(|_| Ok(Some(ana(Role::Operator))));
    mocks.reserves();
    mocks.hasher.expect_verify().returning(|_, _| {
        Err(HasherError::Overloaded {
            retry_after: Duration::from_secs(2),
        })
    });
    mocks.settles(Outcome::NotLooked);
    let service = UserService::new(mocks.ports(), PasswordPolicy::default());
    let (current, new) = (
        SecretString::from("current one"),
        SecretString::from("another new one"),
    );
    let answer = service
        .change_password(&principal(), current, new, &ADDRESS.into())
        .await;
    assert!(
        matches!(answer, Err(ChangePasswordError::Overloaded { .. })),
        "{answer:?}"
    );
}

/// No silent success: the password is another one, and whoever changed it learns that the row is missing.
#[tokio::test]
async fn a_password_that_is_changed_without_its_audit_row_is_reported_as_changed() {
    let mut mocks = Mocks::default();
    mocks
        .users
        .expect_find_by_id()
        .returning(|_| Ok(Some(ana(Role::Operator))));
    mocks.reserves();
    mocks.hasher.expect_verify().returning(|_, _| Ok(true));
    mocks.settles(Outcome::Succeeded);
    mocks
        .hasher
        .expect_hash()
        .once()
        .returning(|_| Ok(PasswordHash::from_stored("new".into())));
    mocks
        .users
        .expect_update()
        .once()
        .returning(|_, _| Ok(ana(Role::Operator)));
    // The session version makes them dead, so that what stays in the store lets nobody in.
    mocks
        .sessions
        .expect_revoke_all()
        .once()
        .returning(|_| Err(SessionStoreError::Unavailable(down())));
    mocks.does_not_record();
    let service = UserService::new(mocks.ports(), PasswordPolicy::default());
    let (current, new) = (
        SecretString::from("current one"),
        SecretString::from("owl kettle 93 fjord"),
    );
    let answer = service
        .change_password(&principal(), current, new, &ADDRESS.into())
        .await;
    assert!(
        matches!(answer, Err(ChangePasswordError::NotRecorded(_))),
        "{answer:?}"
    );
}
