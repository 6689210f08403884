//! The link of the first start.

use std::sync::Arc;
use std::time::Duration;

use resync_auth::*;
use resync_kernel::ExposeSecret;
use resync_memory::auth::InMemorySetupTokenStore;
use tokio::task::JoinSet;

use crate::world::{HOME, PASSWORD, World, name, secret};

fn setup(world: &World) -> (Arc<SetupService>, Arc<InMemorySetupTokenStore>) {
    let tokens = Arc::new(InMemorySetupTokenStore::default());
    let service = SetupService::new(world.ports.clone(), Arc::clone(&tokens) as _);
    (Arc::new(service), tokens)
}

async fn complete(
    world: &World,
    setup: &SetupService,
    token: &str,
    username: &str,
    password: &str,
) -> Result<User, SetupError> {
    let (username, password) = (name(username), secret(password));
    setup
        .complete(
            token,
            username,
            password,
            &world.users,
            Origin::of(Actor::Unproven).at(HOME),
        )
        .await
}

#[tokio::test]
async fn the_link_makes_one_admin_once_and_dies_with_it() {
    let world = World::new();
    let (setup, tokens) = setup(&world);
    assert!(!setup.is_open().await.unwrap());
    let ticket = setup.open().await.unwrap().unwrap();
    let token = ticket.token.expose_secret();
    assert!(token.len() == 43 && setup.is_open().await.unwrap());
    assert!(!format!("{ticket:?}").contains(token));
    let kept = format!("{:?}", tokens.find().await.unwrap());
    assert!(!kept.contains(token), "the digest alone is kept");

    let weak = complete(&world, &setup, token, "ana", "password1234").await;
    assert!(matches!(
        weak,
        Err(SetupError::User(CreateUserError::Password(_)))
    ));
    let ana = complete(&world, &setup, token, "ana", PASSWORD).await;
    assert_eq!(ana.unwrap().role, Role::Admin);
    let recorded = world.events.recorded().pop().unwrap();
    assert_eq!(recorded.origin, Origin::of(Actor::Unproven).at(HOME));

    let again = complete(&world, &setup, token, "bia", PASSWORD).await;
    assert!(matches!(again, Err(SetupError::Invalid)));
    assert!(!setup.is_open().await.unwrap());
    assert!(setup.open().await.unwrap().is_none());
    world.log_in("ana").await;
}

/// Two browsers on one link make one administrator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_the_link_at_once_one_becomes_the_admin() {
    let world = Arc::new(World::new());
    let (setup, _) = setup(&world);
    let ticket = setup.open().await.unwrap().unwrap();
    let mut racers = JoinSet::new();
    for number in 0..8 {
        let (world, setup, token) = (Arc::clone(&world), Arc::clone(&setup), ticket.token.clone());
        racers.spawn(async move {
            let (token, user) = (token.expose_secret(), format!("user{number}"));
            complete(&world, &setup, token, &user, PASSWORD).await
        });
    }
    let made = racers.join_all().await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert!(
        made.iter()
            .all(|made| matches!(made, Ok(_) | Err(SetupError::Invalid)))
    );
    assert_eq!(world.ports.users.count_admins().await.unwrap(), 1);
}

#[tokio::test]
async fn another_an_older_and_a_late_link_are_no_link() {
    let world = World::new();
    let (setup, _) = setup(&world);
    let old = setup.open().await.unwrap().unwrap();
    let new = setup.open().await.unwrap().unwrap();
    let text = new.token.expose_secret();
    for bad in [
        old.token.expose_secret(),
        "",
        &text[..42],
        &format!("{text}A"),
        &"A".repeat(43),
        &format!("{}a", "ç".repeat(21)),
    ] {
        let refused = complete(&world, &setup, bad, "ana", PASSWORD).await;
        assert!(matches!(refused, Err(SetupError::Invalid)), "{bad}");
    }
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(setup.is_open().await.unwrap());
    world.clock.advance(Duration::from_secs(1));
    assert!(!setup.is_open().await.unwrap());
    let late = complete(&world, &setup, text, "ana", PASSWORD).await;
    assert!(matches!(late, Err(SetupError::Invalid)));
}

/// However the first administrator came to be, the link is dead from then on.
#[tokio::test]
async fn an_admin_made_elsewhere_ends_the_link() {
    let world = World::new();
    let (setup, _) = setup(&world);
    let ticket = setup.open().await.unwrap().unwrap();
    world.user("root", Role::Admin).await;
    let late = complete(
        &world,
        &setup,
        ticket.token.expose_secret(),
        "ana",
        PASSWORD,
    )
    .await;
    assert!(matches!(late, Err(SetupError::Invalid)));
    assert!(!setup.is_open().await.unwrap());
}
