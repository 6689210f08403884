//! Logging in, and being kept from it.

use std::time::Duration;

use resync_auth::*;
use resync_kernel::{Clock, ExposeSecret};
use tokio::task::JoinSet;

use crate::world::{HOME, PASSWORD, World, by, host, secret};

#[tokio::test]
async fn a_login_proves_who_asks_until_its_end() {
    let world = World::new();
    let ana = world.user("ana", Role::Operator).await;
    let logged_in = world.log_in("Ana").await;
    let who = world.who(&logged_in).await.unwrap();
    assert_eq!(who, logged_in.principal);
    assert_eq!(
        (who.user_id, who.role, who.scopes.clone()),
        (ana.id, Role::Operator, None)
    );
    assert_eq!(who.expires_at, world.clock.now() + Duration::from_hours(8));
    assert!(
        world
            .csrf
            .verify(who.session_id, logged_in.csrf.expose_secret())
    );
    let session_id = who.session_id;
    assert_eq!(
        world.last_event(),
        AuthEventKind::LoginSucceeded { session_id }
    );
    assert_eq!(world.events.recorded().pop().unwrap().origin, by(&who));
}

/// ASVS 7.2.4: each login has a session, a token and a CSRF token of its own.
#[tokio::test]
async fn two_logins_share_nothing() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let (one, two) = (world.log_in("ana").await, world.log_in("ana").await);
    assert_ne!(one.principal.session_id, two.principal.session_id);
    assert_ne!(one.principal.token_id, two.principal.token_id);
    assert_ne!(one.token.expose_secret(), two.token.expose_secret());
    assert_ne!(one.csrf.expose_secret(), two.csrf.expose_secret());
}

/// A7: one answer for all, one look at a password for all, and no unknown name is written down.
#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_cannot_be_told_apart() {
    let world = World::new();
    let ana = world.user("ana", Role::Viewer).await;
    world.user("robot", Role::Service).await;
    for (user, password) in [
        ("ana", "wrong password"),
        ("nobody", PASSWORD),
        ("my secret pass phrase", PASSWORD),
        ("robot", PASSWORD),
    ] {
        let before = world.looks();
        let refused = world.try_log_in(user, password, HOME).await.unwrap_err();
        assert_eq!(refused.to_string(), "user name or password is wrong");
        assert_eq!(world.looks(), before + 1, "{user}");
        let known = user == "ana" || user == "robot";
        let AuthEventKind::LoginFailed { user: named } = world.last_event() else {
            panic!("{user}")
        };
        assert_eq!(named.is_some(), known);
        assert!(user != "ana" || named == Some((ana.id, ana.username.clone())));
    }
    assert!(!format!("{:?}", world.events.recorded()).contains("secret pass"));
}

/// P1-01: a password that bcrypt would cut cannot be anybody's.
#[tokio::test]
async fn a_password_of_more_than_72_bytes_is_wrong_and_counts() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    for _ in 0..5 {
        let refused = world.try_log_in("ana", &"x".repeat(73), HOME).await;
        assert!(matches!(refused, Err(LoginError::BadCredentials)));
    }
    assert!(matches!(
        world.try_log_in("ana", PASSWORD, HOME).await,
        Err(LoginError::Locked { .. })
    ));
}

/// P1-01
#[tokio::test]
async fn rehash_on_login_when_cost_low() {
    let world = World::new();
    let ana = world.user("ana", Role::Viewer).await;
    let old = world.log_in("ana").await;
    let world = world.with_cost(5);
    assert!(
        world
            .try_log_in("ana", "wrong password", HOME)
            .await
            .is_err()
    );
    let stored = async || world.ports.users.find_by_id(ana.id).await.unwrap().unwrap();
    assert_eq!(
        stored().await.password_hash,
        ana.password_hash,
        "a wrong password renews nothing"
    );
    world.log_in("ana").await;
    let renewed = stored().await;
    assert!(renewed.password_hash.expose().starts_with("$2b$05$"));
    assert!(
        world.who(&old).await.is_ok(),
        "the password is the same, so sessions live on"
    );
    world.log_in("ana").await;
    assert_eq!(stored().await, renewed, "once is enough");
}

/// Residual risk "lockout": five failures lock, the sixth is refused even with the right password.
#[tokio::test]
async fn five_failures_lock_even_the_right_password_out_until_the_window_is_over() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    for _ in 0..5 {
        let refused = world.try_log_in("ana", "wrong password", HOME).await;
        assert!(matches!(refused, Err(LoginError::BadCredentials)));
    }
    let looks = world.looks();
    let Err(LoginError::Locked { retry_after }) = world.try_log_in("ana", PASSWORD, HOME).await
    else {
        panic!("not locked")
    };
    assert_eq!(world.looks(), looks, "the password was not looked at");
    assert_eq!(world.last_event(), AuthEventKind::LockedOut);
    assert_eq!(retry_after, Duration::from_mins(15));
    world.try_log_in("ana", PASSWORD, host(2)).await.unwrap();
    world.clock.advance(retry_after);
    world.log_in("ana").await;
}

/// Residual risk "lockout": success before the lock clears it.
#[tokio::test]
async fn a_success_before_the_lock_forgets_the_failures() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert!(
                world
                    .try_log_in("ana", "wrong password", HOME)
                    .await
                    .is_err()
            );
        }
        world.log_in("ana").await;
    }
}

/// A2: 40 logins at once, 5 looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_wrong_logins_at_once_are_five_looks() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let mut logins = JoinSet::new();
    for _ in 0..40 {
        let login = std::sync::Arc::clone(&world.login);
        logins.spawn(async move { login.log_in("ana", secret("wrong password"), HOME).await });
    }
    let (mut wrong, mut locked) = (0, 0);
    while let Some(answer) = logins.join_next().await {
        match answer.unwrap() {
            Err(LoginError::BadCredentials) => wrong += 1,
            Err(LoginError::Locked { .. }) => locked += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((wrong, locked, world.looks()), (5, 35, 5));
}

/// A3: sessions live on while the account is locked.
#[tokio::test]
async fn a_lock_ends_no_session() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let owner = world.try_log_in("ana", PASSWORD, host(9)).await.unwrap();
    for number in 1..6 {
        for _ in 0..5 {
            assert!(
                world
                    .try_log_in("ana", "wrong password", host(number))
                    .await
                    .is_err()
            );
        }
    }
    assert!(matches!(
        world.try_log_in("ana", PASSWORD, host(50)).await,
        Err(LoginError::Locked { .. })
    ));
    assert!(world.who(&owner).await.is_ok());
}

#[tokio::test]
async fn debug_of_a_login_shows_no_secret() {
    let world = World::new();
    let ana = world.user("ana", Role::Viewer).await;
    let logged_in = world.log_in("ana").await;
    let text = format!("{logged_in:?} {ana:?} {:?}", world.events.recorded());
    for shown in [
        "eyJ",
        PASSWORD,
        ana.password_hash.expose(),
        logged_in.csrf.expose_secret(),
        "$2b$",
    ] {
        assert!(!text.contains(shown), "{shown}");
    }
}
