//! Looking after users.

use resync_auth::*;
use resync_kernel::Limit;

use crate::world::{HOME, PASSWORD, World, by, host, name, secret};

#[tokio::test]
async fn the_first_admin_is_made_once_and_only_with_a_good_password() {
    let world = World::new();
    world.user("rui", Role::Viewer).await;
    let ensure = async |user: &str, password: &str| {
        world
            .users
            .ensure_first_admin(name(user), secret(password))
            .await
    };
    assert!(matches!(
        ensure("ana", "too short").await,
        Err(CreateUserError::Password(_))
    ));
    assert!(matches!(
        ensure("rui", PASSWORD).await,
        Err(CreateUserError::UsernameTaken)
    ));
    let Ok(FirstAdmin::Created(ana)) = ensure("ana", PASSWORD).await else {
        panic!("not made")
    };
    assert_eq!(ana.role, Role::Admin);
    assert!(matches!(
        world.last_event(),
        AuthEventKind::UserCreated {
            role: Role::Admin,
            ..
        }
    ));
    assert_eq!(
        ensure("eva", "plover under granite sky").await.unwrap(),
        FirstAdmin::Exists
    );
    assert_eq!(
        ensure("ana", "plover under granite sky").await.unwrap(),
        FirstAdmin::Exists
    );
    world.log_in("ana").await;
    assert!(
        world
            .try_log_in("eva", "plover under granite sky", HOME)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_user_needs_a_free_name_and_a_good_password() {
    let world = World::new();
    let admin = world.user("root", Role::Admin).await;
    let actor = world.log_in("root").await.principal;
    let create = async |user: &str, password: &str| {
        let new = NewUser {
            username: name(user),
            password: secret(password),
            role: Role::Viewer,
        };
        world.users.create(new, by(&actor)).await
    };
    let short = create("ana", "elevenchars").await;
    assert!(matches!(
        short,
        Err(CreateUserError::Password(PasswordPolicyError::TooShort {
            min_chars: 12
        }))
    ));
    let ana = create("Ana", "owl kettle 93 fjord").await.unwrap();
    assert_eq!(world.last_actor(), Some(admin.id));
    assert!(matches!(
        create("ana", "owl kettle 93 fjord").await,
        Err(CreateUserError::UsernameTaken)
    ));
    assert_eq!(world.users.get(ana.id).await.unwrap(), ana);
}

#[tokio::test]
async fn users_are_listed_in_pages_to_the_end() {
    let world = World::new();
    for user in ["eva", "ana", "rui", "bia", "leo"] {
        world.user(user, Role::Viewer).await;
    }
    let mut names = Vec::new();
    let mut cursor = None;
    loop {
        let limit = Limit::parse(2).unwrap();
        let page = world.users.list(limit, cursor.as_deref()).await.unwrap();
        names.extend(page.items.iter().map(|user| user.username.to_string()));
        let Some(next) = page.next else { break };
        cursor = Some(next.as_str().to_owned());
    }
    assert_eq!(names, ["ana", "bia", "eva", "leo", "rui"]);
    let bad = world.users.list(Limit::default(), Some("no cursor")).await;
    assert!(matches!(bad, Err(ManageUserError::Cursor(_))));
}

fn role(role: Role) -> UserChange {
    UserChange {
        role: Some(role),
        password: None,
    }
}

fn password(text: &str) -> UserChange {
    UserChange {
        role: None,
        password: Some(secret(text)),
    }
}

/// Role and password are one change: what is refused of it leaves the other as it was.
#[tokio::test]
async fn a_role_and_a_password_are_changed_together_or_not_at_all() {
    let world = World::new();
    let root = world.user("root", Role::Admin).await;
    let actor = world.log_in("root").await.principal;
    let both = |role, text: &str| UserChange {
        role: Some(role),
        password: Some(secret(text)),
    };
    let weak = both(Role::Admin, "short");
    let refused = world.users.change(root.id, weak, by(&actor)).await;
    assert!(matches!(refused, Err(ChangeUserError::Password(_))));
    let last = both(Role::Viewer, "seven amber turnstiles");
    let refused = world.users.change(root.id, last, by(&actor)).await;
    assert!(matches!(refused, Err(ChangeUserError::LastAdmin)));
    let nothing = UserChange::default();
    let refused = world.users.change(root.id, nothing, by(&actor)).await;
    assert!(matches!(refused, Err(ChangeUserError::Nothing)));
    world.log_in("root").await;

    let ana = world.user("ana", Role::Viewer).await;
    let old = world.log_in("ana").await;
    let change = both(Role::Operator, "seven amber turnstiles");
    let changed = world.users.change(ana.id, change, by(&actor)).await;
    let changed = changed.unwrap();
    assert_eq!(
        (changed.role, changed.session_version),
        (Role::Operator, ana.session_version + 1)
    );
    assert!(world.is_dead(&old).await);
    let user_id = ana.id;
    let role = Role::Operator;
    let kinds: Vec<_> = world
        .events
        .recorded()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert!(kinds.ends_with(&[
        AuthEventKind::RoleChanged { user_id, role },
        AuthEventKind::PasswordChanged { user_id },
    ]));
}

/// ASVS 8.3.2: a change of role applies at once.
#[tokio::test]
async fn another_role_ends_the_sessions_and_holds_from_the_next_login() {
    let world = World::new();
    world.user("root", Role::Admin).await;
    let ana = world.user("ana", Role::Viewer).await;
    let (actor, old) = (world.log_in("root").await, world.log_in("ana").await);
    world
        .users
        .change(ana.id, role(Role::Operator), by(&actor.principal))
        .await
        .unwrap();
    assert!(world.is_dead(&old).await);
    assert_eq!(
        world.last_event(),
        AuthEventKind::RoleChanged {
            user_id: ana.id,
            role: Role::Operator
        }
    );
    let new = world.log_in("ana").await;
    assert!(
        world
            .who(&new)
            .await
            .unwrap()
            .can(Permission::ConfirmActions)
    );
    assert!(world.who(&actor).await.is_ok());
}

#[tokio::test]
async fn the_last_admin_stays() {
    let world = World::new();
    let root = world.user("root", Role::Admin).await;
    let actor = world.log_in("root").await;
    let before = world.events.recorded().len();
    let demoted = world
        .users
        .change(root.id, role(Role::Viewer), by(&actor.principal))
        .await;
    assert!(matches!(demoted, Err(ChangeUserError::LastAdmin)));
    let deleted = world.users.delete(root.id, by(&actor.principal)).await;
    assert!(matches!(deleted, Err(ManageUserError::LastAdmin)));
    assert!(world.who(&actor).await.is_ok());
    // P3: who tried it is on record, each time.
    let refused = |change| AuthEventKind::Refused {
        change,
        user_id: Some(root.id),
        reason: AccountRefusal::LastAdmin,
    };
    let recorded = world.events.recorded().split_off(before);
    assert!(
        recorded
            .iter()
            .all(|event| event.origin == by(&actor.principal))
    );
    let kinds: Vec<_> = recorded.into_iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            refused(AccountChange::Update),
            refused(AccountChange::Delete)
        ]
    );
}

#[tokio::test]
async fn a_deleted_user_is_out_at_once() {
    let world = World::new();
    world.user("root", Role::Admin).await;
    let ana = world.user("ana", Role::Viewer).await;
    let (actor, old) = (world.log_in("root").await, world.log_in("ana").await);
    world
        .users
        .delete(ana.id, by(&actor.principal))
        .await
        .unwrap();
    assert!(world.is_dead(&old).await);
    assert_eq!(
        world.last_event(),
        AuthEventKind::UserDeleted { user_id: ana.id }
    );
    let refused = world.try_log_in("ana", PASSWORD, HOME).await;
    assert!(matches!(refused, Err(LoginError::BadCredentials)));
    let again = world.users.delete(ana.id, by(&actor.principal)).await;
    assert!(matches!(again, Err(ManageUserError::NotFound)));
}

#[tokio::test]
async fn a_password_change_takes_the_current_one_and_ends_all_sessions() {
    let world = World::new();
    let ana = world.user("ana", Role::Viewer).await;
    let (here, there) = (world.log_in("ana").await, world.log_in("ana").await);
    let change = async |current: &str, new: &str| {
        let (current, new) = (secret(current), secret(new));
        world
            .users
            .change_password(&here.principal, current, new, &HOME.into())
            .await
    };
    let wrong = change("wrong password", "seven amber turnstiles").await;
    assert!(matches!(wrong, Err(ChangePasswordError::WrongPassword)));
    assert!(matches!(
        change(PASSWORD, "short").await,
        Err(ChangePasswordError::Password(_))
    ));
    assert!(world.who(&here).await.is_ok());
    let looks = world.looks();
    let proven = change(PASSWORD, "seven amber turnstiles").await.unwrap();
    assert!(world.is_dead(&here).await && world.is_dead(&there).await);
    assert_eq!(
        world.last_event(),
        AuthEventKind::PasswordChanged { user_id: ana.id }
    );
    // Who changed it is in again without a password being looked at once more (ASVS 7.2.4).
    let again = world.login.open_for(proven, HOME).await.unwrap();
    assert!(world.who(&again).await.is_ok());
    assert_eq!(world.looks(), looks + 1);
    assert!(world.try_log_in("ana", PASSWORD, HOME).await.is_err());
    world
        .try_log_in("ana", "seven amber turnstiles", HOME)
        .await
        .unwrap();
}

/// Whoever finds an open screen cannot guess the password on it.
#[tokio::test]
async fn guesses_at_the_current_password_are_counted_as_logins_are() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let here = world.log_in("ana").await;
    let guess = async || {
        let (current, new) = (secret("a guess, no more"), secret("seven amber turnstiles"));
        world
            .users
            .change_password(&here.principal, current, new, &HOME.into())
            .await
    };
    for _ in 0..5 {
        assert!(matches!(
            guess().await,
            Err(ChangePasswordError::WrongPassword)
        ));
    }
    let looks = world.looks();
    assert!(matches!(
        guess().await,
        Err(ChangePasswordError::Locked { .. })
    ));
    let refused = world.events.recorded().pop().unwrap();
    assert_eq!(refused.kind, AuthEventKind::LockedOut);
    assert_eq!(refused.origin, by(&here.principal), "who it was is known");
    assert!(world.try_log_in("ana", PASSWORD, HOME).await.is_err());
    assert_eq!(world.looks(), looks);
}

#[tokio::test]
async fn an_admin_resets_a_password_and_unlocks_an_account() {
    let world = World::new();
    world.user("root", Role::Admin).await;
    let ana = world.user("ana", Role::Viewer).await;
    let actor = world
        .try_log_in("root", PASSWORD, host(200))
        .await
        .unwrap()
        .principal;
    let old = world.log_in("ana").await;
    world
        .users
        .change(ana.id, password("seven amber turnstiles"), by(&actor))
        .await
        .unwrap();
    assert!(world.is_dead(&old).await);
    for number in 0..20 {
        assert!(
            world
                .try_log_in("ana", "wrong password", host(number))
                .await
                .is_err()
        );
    }
    let locked = world
        .try_log_in("ana", "seven amber turnstiles", host(99))
        .await;
    assert!(matches!(locked, Err(LoginError::Locked { .. })));
    world.users.unlock(ana.id, by(&actor)).await.unwrap();
    assert_eq!(
        world.last_event(),
        AuthEventKind::UserUnlocked { user_id: ana.id }
    );
    world
        .try_log_in("ana", "seven amber turnstiles", host(99))
        .await
        .unwrap();
    let nobody = world
        .users
        .unlock(resync_kernel::UserId(uuid::Uuid::nil()), by(&actor))
        .await;
    assert!(matches!(nobody, Err(ManageUserError::NotFound)));
}
