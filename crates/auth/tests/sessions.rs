//! Sessions: how they live and how they end.

use std::sync::Arc;
use std::time::Duration;

use resync_auth::*;
use resync_kernel::ExposeSecret;
use tokio::task::JoinSet;

use crate::world::{HOME, PASSWORD, World, by, secret};

/// P0-02, A5: all eight other holders of the token are out at the very next request.
#[tokio::test]
async fn after_a_logout_the_token_is_dead_for_everybody_who_holds_it() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let (ended, other) = (world.log_in("ana").await, world.log_in("ana").await);
    let who = world.who(&ended).await.unwrap();
    world.sessions.log_out(&who, by(&who)).await.unwrap();
    for _ in 0..8 {
        assert!(world.is_dead(&ended).await);
    }
    assert!(world.who(&other).await.is_ok());
    let session_id = who.session_id;
    assert_eq!(world.last_event(), AuthEventKind::LoggedOut { session_id });
}

/// C4: 16 requests race with a logout; afterwards the answer is no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_race_with_a_logout_revive_nothing() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    for _ in 0..3 {
        let logged_in = world.log_in("ana").await;
        world.clock.advance(SessionPolicy::NOTE_EVERY);
        let mut requests = JoinSet::new();
        for _ in 0..16 {
            let (sessions, token) = (Arc::clone(&world.sessions), logged_in.token.clone());
            requests
                .spawn(async move { sessions.authenticate(token.expose_secret()).await.is_ok() });
        }
        world
            .sessions
            .log_out(&logged_in.principal, by(&logged_in.principal))
            .await
            .unwrap();
        assert!(world.is_dead(&logged_in).await);
        requests.join_all().await;
        assert!(world.is_dead(&logged_in).await);
    }
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_of_ones_sessions_and_nobody_elses() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    world.user("bia", Role::Viewer).await;
    let (one, two, bia) = (
        world.log_in("ana").await,
        world.log_in("ana").await,
        world.log_in("bia").await,
    );
    let ended = world
        .sessions
        .log_out_all(&one.principal, by(&one.principal))
        .await
        .unwrap();
    assert_eq!(ended, 2);
    assert!(world.is_dead(&one).await && world.is_dead(&two).await);
    assert!(world.who(&bia).await.is_ok());
    assert_eq!(
        world.last_event(),
        AuthEventKind::LoggedOutEverywhere { sessions: 2 }
    );
}

#[tokio::test]
async fn one_of_ones_own_sessions_can_be_ended_and_a_foreign_one_is_not_there() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    world.user("bia", Role::Viewer).await;
    let (here, lost, bia) = (
        world.log_in("ana").await,
        world.log_in("ana").await,
        world.log_in("bia").await,
    );
    let listed = world.sessions.list(&here.principal).await.unwrap();
    assert_eq!(
        listed.iter().map(|session| session.id).collect::<Vec<_>>(),
        [here.principal.session_id, lost.principal.session_id]
    );
    let revoke = async |id| {
        world
            .sessions
            .revoke(&here.principal, id, by(&here.principal))
            .await
            .unwrap()
    };
    assert!(revoke(lost.principal.session_id).await);
    assert!(!revoke(lost.principal.session_id).await);
    assert!(!revoke(bia.principal.session_id).await);
    assert!(world.is_dead(&lost).await);
    assert!(world.who(&here).await.is_ok() && world.who(&bia).await.is_ok());
}

/// ASVS 7.4.1, 8.3.2: the version in the user's row alone ends the tokens, should a session be left over.
#[tokio::test]
async fn a_token_of_an_older_session_version_is_dead_although_its_session_is_there() {
    let world = World::new();
    let ana = world.user("ana", Role::Viewer).await;
    let old = world.log_in("ana").await;
    world
        .ports
        .users
        .update(ana.id, ana.password_hash.clone().into())
        .await
        .unwrap();
    world.feed.changed();
    assert_eq!(world.sessions.list(&old.principal).await.unwrap().len(), 1);
    assert!(world.is_dead(&old).await);
    let new = world.log_in("ana").await;
    assert!(world.who(&new).await.is_ok());
}

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_lives_to_its_end() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let (idle, used) = (world.log_in("ana").await, world.log_in("ana").await);
    for _ in 0..15 {
        world.clock.advance(Duration::from_mins(30));
        assert!(world.who(&used).await.is_ok());
    }
    assert!(world.is_dead(&idle).await);
    assert_eq!(world.sessions.list(&used.principal).await.unwrap().len(), 1);
    world
        .clock
        .advance(Duration::from_mins(30) + Duration::from_secs(6));
    assert!(world.is_dead(&used).await, "eight hours, whatever happens");
    assert_eq!(world.sessions.remove_expired().await.unwrap(), 2);
}

#[tokio::test]
async fn an_hour_without_use_is_not_yet_idle() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let logged_in = world.log_in("ana").await;
    world.clock.advance(Duration::from_hours(1));
    assert!(world.who(&logged_in).await.is_ok());
    world
        .clock
        .advance(Duration::from_hours(1) + Duration::from_millis(1));
    assert!(world.is_dead(&logged_in).await);
}

/// F7: a wall clock that jumps back makes no session longer.
#[tokio::test]
async fn a_clock_that_jumps_back_lets_no_token_in_before_its_time() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let logged_in = world.log_in("ana").await;
    let start = resync_kernel::Clock::now(&*world.clock);
    for hours in [-3, -400 * 24, 3 + 8, 400 * 24] {
        world.clock.set_wall(start + chrono::Duration::hours(hours));
        assert!(world.is_dead(&logged_in).await, "{hours} h");
    }
    world.clock.set_wall(start);
    assert!(world.who(&logged_in).await.is_ok());
}

/// P1-06: who is logged in is not held up by who logs in, however many they are.
#[tokio::test]
async fn auth_lookup_is_not_held_up_by_logins() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let logged_in = world.log_in("ana").await;
    // Twelve is slow enough that these fill the workers and the queue for the whole test.
    let world = world.with_cost(12);
    let mut storm = JoinSet::new();
    for number in 0..60 {
        let login = Arc::clone(&world.login);
        let address = crate::world::host(100 + number);
        storm.spawn(async move {
            login
                .log_in(&format!("user{number}"), secret(PASSWORD), address)
                .await
        });
    }
    while world.looks() < 60 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        assert!(world.who(&logged_in).await.is_ok());
    }
    while let Some(login) = storm.try_join_next() {
        assert!(login.unwrap().is_err());
    }
    assert!(!storm.is_empty(), "a thousand lookups outlasted the storm");
    storm.shutdown().await;
}

/// A person recognises a session by where and with what it was opened.
#[tokio::test]
async fn a_session_says_from_where_and_with_what_it_was_opened() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    let client = Client {
        address: HOME,
        request_id: None,
        agent: AgentLabel::of("Firefox/140 (Linux)\r\n"),
    };
    let ana = world
        .login
        .log_in("ana", secret(PASSWORD), client)
        .await
        .unwrap();
    let [session] = &world.sessions.list(&ana.principal).await.unwrap()[..] else {
        panic!("one session")
    };
    let agent = session.agent.as_ref().map(AgentLabel::as_str);
    assert_eq!(
        (session.address, agent),
        (Some(HOME), Some("Firefox/140 (Linux)"))
    );
    assert_eq!(session.created_at, session.last_seen_at);
}

/// ASVS 7.2.4: a login that succeeds ends the session that came with it, one that fails does not, and an
/// API key is no session.
#[tokio::test]
async fn a_login_takes_the_place_of_the_session_that_came_with_it() {
    let world = World::new();
    world.user("ana", Role::Viewer).await;
    world.user("bia", Role::Viewer).await;
    let (old, other) = (world.log_in("ana").await, world.log_in("ana").await);
    let again = async |old: &Principal, username: &str, password: &str| {
        let password = secret(password);
        world
            .login
            .log_in_instead_of(old, username, password, HOME)
            .await
    };
    assert!(
        again(&old.principal, "ana", "wrong password")
            .await
            .is_err()
    );
    assert!(world.who(&old).await.is_ok());
    let bia = again(&old.principal, "bia", PASSWORD).await.unwrap();
    assert!(world.is_dead(&old).await);
    assert!(world.who(&bia).await.is_ok() && world.who(&other).await.is_ok());
    let key = Principal {
        scopes: Some([Permission::ReadPlan].into()),
        ..other.principal.clone()
    };
    again(&key, "bia", PASSWORD).await.unwrap();
    assert!(world.who(&other).await.is_ok());
}

/// ASVS 7.4.5: an administrator sees and ends the sessions of one user, and the audit says who did it.
#[tokio::test]
async fn an_admin_ends_the_sessions_of_a_user() {
    let world = World::new();
    let root = world.user("root", Role::Admin).await;
    let ana = world.user("ana", Role::Viewer).await;
    let admin = world.log_in("root").await;
    let (one, two, three) = (
        world.log_in("ana").await,
        world.log_in("ana").await,
        world.log_in("ana").await,
    );
    assert_eq!(world.sessions.list_of(ana.id).await.unwrap().len(), 3);
    let session_id = one.principal.session_id;
    let revoke = async |user| {
        world
            .sessions
            .revoke_of(user, session_id, by(&admin.principal))
            .await
            .unwrap()
    };
    assert!(!revoke(root.id).await, "it is not that user's");
    assert!(revoke(ana.id).await && !revoke(ana.id).await);
    assert_eq!(
        world.last_event(),
        AuthEventKind::SessionRevoked {
            user_id: ana.id,
            session_id
        }
    );
    assert!(world.is_dead(&one).await && world.who(&two).await.is_ok());
    let ended = world
        .sessions
        .revoke_all_of(ana.id, by(&admin.principal))
        .await
        .unwrap();
    assert_eq!(ended, 2);
    assert!(world.is_dead(&two).await && world.is_dead(&three).await);
    assert_eq!(world.last_actor(), Some(root.id));
    assert!(world.who(&admin).await.is_ok());
}
