//! Keys for machines.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use resync_auth::*;
use resync_kernel::ExposeSecret;
use resync_memory::auth::InMemoryApiKeyRepository;

use crate::world::{World, secret};

const DAY: Duration = Duration::from_hours(24);

fn service(world: &World) -> ApiKeyService {
    let keys = AuthKeys::derive(&secret("an example of thirty-two bytes or more")).unwrap();
    let stored = Arc::new(InMemoryApiKeyRepository::default());
    ApiKeyService::new(world.ports.clone(), stored, &keys).unwrap()
}

fn new(scopes: &[Permission]) -> NewApiKey {
    let scopes = scopes.iter().copied().collect();
    NewApiKey {
        label: "nightly report".into(),
        scopes,
        lifetime: 30 * DAY,
    }
}

async fn operator(world: &World) -> (User, Principal) {
    let ana = world.user("ana", Role::Operator).await;
    (ana, world.log_in("ana").await.principal)
}

#[tokio::test]
async fn a_key_speaks_for_its_user_within_its_scopes() {
    let world = World::new();
    let (ana, login) = operator(&world).await;
    let keys = service(&world);
    let made = keys
        .create(new(&[Permission::ReadPlan]), &login)
        .await
        .unwrap();
    let text = made.text.expose_secret();
    assert!(text.starts_with("rsk_") && text.len() == 47);
    let who = keys.authenticate(text).await.unwrap();
    assert_eq!((who.user_id, who.session_id.0), (ana.id, made.key.id.0));
    assert_eq!(who.scopes, Some(BTreeSet::from([Permission::ReadPlan])));
    assert!(who.can(Permission::ReadPlan) && !who.can(Permission::Chat));
    let noted = ApiKey {
        last_used_at: Some(resync_kernel::Clock::now(&*world.clock)),
        ..made.key.clone()
    };
    assert_eq!(keys.list(&login).await.unwrap(), [noted]);
    assert!(!format!("{made:?}").contains(text));
}

#[tokio::test]
async fn a_key_confirms_nothing_makes_no_key_and_has_no_more_than_its_user() {
    let world = World::new();
    let (_, login) = operator(&world).await;
    let keys = service(&world);
    for scopes in [
        &[][..],
        &[Permission::ConfirmActions],
        &[Permission::Chat, Permission::ReadAudit],
    ] {
        let refused = keys.create(new(scopes), &login).await;
        assert!(
            matches!(refused, Err(CreateApiKeyError::Scopes)),
            "{scopes:?}"
        );
    }
    let made = keys.create(new(&[Permission::Chat]), &login).await.unwrap();
    let key = keys.authenticate(made.text.expose_secret()).await.unwrap();
    let refused = keys.create(new(&[Permission::Chat]), &key).await;
    assert!(matches!(refused, Err(CreateApiKeyError::NotALogin)));
}

#[tokio::test]
async fn labels_lifetimes_and_numbers_are_bounded() {
    let world = World::new();
    let (_, login) = operator(&world).await;
    let keys = service(&world);
    for label in [String::new(), "x".repeat(65), "two\nlines".into()] {
        let refused = keys
            .create(
                NewApiKey {
                    label,
                    ..new(&[Permission::Chat])
                },
                &login,
            )
            .await;
        assert!(matches!(refused, Err(CreateApiKeyError::Label)));
    }
    for lifetime in [Duration::from_millis(999), 367 * DAY] {
        let refused = keys
            .create(
                NewApiKey {
                    lifetime,
                    ..new(&[Permission::Chat])
                },
                &login,
            )
            .await;
        assert!(matches!(refused, Err(CreateApiKeyError::Lifetime)));
    }
    for _ in 0..ApiKeyService::MOST {
        keys.create(new(&[Permission::Chat]), &login).await.unwrap();
    }
    let refused = keys.create(new(&[Permission::Chat]), &login).await;
    assert!(matches!(refused, Err(CreateApiKeyError::TooMany)));
}

#[tokio::test]
async fn a_key_ends_by_time_by_its_owner_and_with_its_users_password() {
    let world = World::new();
    let (ana, login) = operator(&world).await;
    let keys = service(&world);
    let make = async || keys.create(new(&[Permission::Chat]), &login).await.unwrap();
    let is_dead = async |made: &MadeApiKey| {
        let answer = keys.authenticate(made.text.expose_secret()).await;
        matches!(answer, Err(AuthenticateError::Invalid))
    };
    let (revoked, other) = (make().await, make().await);
    assert!(keys.revoke(revoked.key.id, &login).await.unwrap());
    assert!(!keys.revoke(revoked.key.id, &login).await.unwrap());
    assert!(is_dead(&revoked).await && !is_dead(&other).await);

    world
        .ports
        .users
        .set_password(ana.id, &ana.password_hash)
        .await
        .unwrap();
    world.feed.changed();
    assert!(is_dead(&other).await);

    let timed = make().await;
    world.clock.advance(29 * DAY + Duration::from_hours(23));
    assert!(!is_dead(&timed).await);
    world.clock.advance(Duration::from_hours(1));
    assert!(is_dead(&timed).await);

    let last = make().await;
    world.user("root", Role::Admin).await;
    world.users.delete(ana.id, None).await.unwrap();
    assert!(is_dead(&last).await);
}

/// No silent success: each key has its row when it is made and when it is ended, and only then.
#[tokio::test]
async fn what_happens_to_a_key_is_recorded() {
    let world = World::new();
    let (ana, login) = operator(&world).await;
    let keys = service(&world);
    let before = world.events.recorded().len();
    let made = keys.create(new(&[Permission::Chat]), &login).await.unwrap();
    assert!(keys.create(new(&[]), &login).await.is_err());
    keys.revoke(made.key.id, &login).await.unwrap();
    keys.revoke(made.key.id, &login).await.unwrap();
    let recorded = world.events.recorded().split_off(before);
    assert!(recorded.iter().all(|event| event.actor == Some(ana.id)));
    let kinds: Vec<_> = recorded.into_iter().map(|event| event.kind).collect();
    let (user_id, key_id) = (ana.id, made.key.id);
    assert_eq!(
        kinds,
        [
            AuthEventKind::ApiKeyCreated { user_id, key_id },
            AuthEventKind::ApiKeyRevoked { user_id, key_id }
        ]
    );
}

/// A6: no text but the key's own is a key.
#[tokio::test]
async fn other_texts_are_no_key() {
    let world = World::new();
    let (_, login) = operator(&world).await;
    let keys = service(&world);
    let made = keys.create(new(&[Permission::Chat]), &login).await.unwrap();
    let text = made.text.expose_secret();
    let session = world.log_in("ana").await;
    for bad in [
        String::new(),
        "rsk_".into(),
        text[..46].into(),
        format!("{text}="),
        format!("{}A", &text[..46]) + if text.ends_with('A') { "B" } else { "" },
        text.to_uppercase(),
        format!("rsk_{}", "A".repeat(43)),
        session.token.expose_secret().into(),
    ] {
        let answer = keys.authenticate(&bad).await;
        assert!(matches!(answer, Err(AuthenticateError::Invalid)), "{bad}");
    }
}
