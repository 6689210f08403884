//! Keys for machines.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use resync_auth::*;
use resync_kernel::ExposeSecret;
use resync_memory::auth::InMemoryApiKeyRepository;

use crate::world::{World, by, local, secret};

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
        .create(login.user_id, new(&[Permission::ReadPlan]), by(&login))
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
        let refused = keys.create(login.user_id, new(scopes), by(&login)).await;
        assert!(
            matches!(refused, Err(CreateApiKeyError::Scopes)),
            "{scopes:?}"
        );
    }
    let made = keys
        .create(login.user_id, new(&[Permission::Chat]), by(&login))
        .await
        .unwrap();
    let key = keys.authenticate(made.text.expose_secret()).await.unwrap();
    let refused = keys
        .create(key.user_id, new(&[Permission::Chat]), by(&key))
        .await;
    assert!(matches!(refused, Err(CreateApiKeyError::NotALogin)));
    let row = world.events.recorded().pop().unwrap();
    assert_eq!(row.kind, refusal(login.user_id, AccountRefusal::ByApiKey));
    assert_eq!(row.origin.actor.api_key(), Some(made.key.id));
}

fn refusal(owner: resync_kernel::UserId, reason: AccountRefusal) -> AuthEventKind {
    AuthEventKind::Refused {
        change: AccountChange::CreateApiKey,
        user_id: Some(owner),
        reason,
    }
}

#[tokio::test]
async fn labels_lifetimes_and_numbers_are_bounded() {
    let world = World::new();
    let (_, login) = operator(&world).await;
    let keys = service(&world);
    for label in [String::new(), "x".repeat(65), "two\nlines".into()] {
        let refused = keys
            .create(
                login.user_id,
                NewApiKey {
                    label,
                    ..new(&[Permission::Chat])
                },
                by(&login),
            )
            .await;
        assert!(matches!(refused, Err(CreateApiKeyError::Label)));
    }
    for lifetime in [Duration::from_millis(999), 367 * DAY] {
        let refused = keys
            .create(
                login.user_id,
                NewApiKey {
                    lifetime,
                    ..new(&[Permission::Chat])
                },
                by(&login),
            )
            .await;
        assert!(matches!(refused, Err(CreateApiKeyError::Lifetime)));
    }
    for _ in 0..ApiKeyService::MOST {
        keys.create(login.user_id, new(&[Permission::Chat]), by(&login))
            .await
            .unwrap();
    }
    let refused = keys
        .create(login.user_id, new(&[Permission::Chat]), by(&login))
        .await;
    assert!(matches!(refused, Err(CreateApiKeyError::TooMany)));
}

#[tokio::test]
async fn a_key_ends_by_time_by_its_owner_and_with_its_users_password() {
    let world = World::new();
    let (ana, login) = operator(&world).await;
    let keys = service(&world);
    let make = async || {
        keys.create(login.user_id, new(&[Permission::Chat]), by(&login))
            .await
            .unwrap()
    };
    let is_dead = async |made: &MadeApiKey| {
        let answer = keys.authenticate(made.text.expose_secret()).await;
        matches!(answer, Err(AuthenticateError::Invalid))
    };
    let (revoked, other) = (make().await, make().await);
    assert!(
        keys.revoke(login.user_id, revoked.key.id, by(&login))
            .await
            .unwrap()
    );
    assert!(
        !keys
            .revoke(login.user_id, revoked.key.id, by(&login))
            .await
            .unwrap()
    );
    assert!(is_dead(&revoked).await && !is_dead(&other).await);

    world
        .ports
        .users
        .update(ana.id, ana.password_hash.clone().into())
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
    world.users.delete(ana.id, local()).await.unwrap();
    assert!(is_dead(&last).await);
}

/// No silent success: each key has its row when it is made and when it is ended, and only then.
#[tokio::test]
async fn what_happens_to_a_key_is_recorded() {
    let world = World::new();
    let (ana, login) = operator(&world).await;
    let keys = service(&world);
    let before = world.events.recorded().len();
    let made = keys
        .create(login.user_id, new(&[Permission::Chat]), by(&login))
        .await
        .unwrap();
    assert!(
        keys.create(login.user_id, new(&[]), by(&login))
            .await
            .is_err()
    );
    keys.revoke(login.user_id, made.key.id, by(&login))
        .await
        .unwrap();
    keys.revoke(login.user_id, made.key.id, by(&login))
        .await
        .unwrap();
    let recorded = world.events.recorded().split_off(before);
    assert!(
        recorded
            .iter()
            .all(|event| event.origin.actor.user_id() == Some(ana.id))
    );
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
    let made = keys
        .create(login.user_id, new(&[Permission::Chat]), by(&login))
        .await
        .unwrap();
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

/// A machine has no login, so an administrator makes its keys, within the machine's role.
#[tokio::test]
async fn an_admin_makes_and_sees_the_keys_of_a_machine() {
    let world = World::new();
    world.user("root", Role::Admin).await;
    let machine = world.user("nightly", Role::Service).await;
    let root = world.log_in("root").await.principal;
    let keys = service(&world);
    let refused = keys
        .create(machine.id, new(&[Permission::ReadAudit]), by(&root))
        .await;
    assert!(matches!(refused, Err(CreateApiKeyError::Scopes)));
    assert_eq!(
        world.last_event(),
        refusal(machine.id, AccountRefusal::BeyondRole)
    );
    let made = keys
        .create(machine.id, new(&[Permission::ReadPlan]), by(&root))
        .await
        .unwrap();
    assert_eq!(world.last_actor(), Some(root.user_id));
    let who = keys.authenticate(made.text.expose_secret()).await.unwrap();
    assert_eq!((who.user_id, who.role), (machine.id, Role::Service));
    assert_eq!(keys.list_of(machine.id).await.unwrap().len(), 1);
    assert_eq!(keys.list(&root).await.unwrap().len(), 0);
    let nobody = resync_kernel::UserId(uuid::Uuid::nil());
    let refused = keys.create(nobody, new(&[Permission::Chat]), local()).await;
    assert!(matches!(refused, Err(CreateApiKeyError::NotFound)));
}

/// A key outlives a change of the secret that names the old one, and no longer needs it once it was used.
#[tokio::test]
async fn a_key_made_under_a_previous_secret_is_renewed_at_its_next_use() {
    let world = World::new();
    let (_, login) = operator(&world).await;
    let stored = Arc::new(InMemoryApiKeyRepository::default());
    let under = |current: &str, previous: &[&str]| {
        let previous: Vec<_> = previous.iter().map(|text| secret(text)).collect();
        let keys = AuthKeys::derive_with_previous(&secret(current), &previous).unwrap();
        // A memory of its own, as after a restart.
        let memory = SessionMemory::off(Arc::clone(&world.clock) as _);
        let ports = AuthPorts {
            memory,
            ..world.ports.clone()
        };
        ApiKeyService::new(ports, Arc::clone(&stored) as _, &keys).unwrap()
    };
    let old = "an example of thirty-two bytes or more";
    let newer = "another example of thirty-two bytes or more";
    let make = under(old, &[]);
    let (used, unused) = (
        make.create(login.user_id, new(&[Permission::Chat]), by(&login))
            .await
            .unwrap(),
        make.create(login.user_id, new(&[Permission::Chat]), by(&login))
            .await
            .unwrap(),
    );
    let rotated = under(newer, &["a third example of thirty-two bytes", old]);
    let who = rotated.authenticate(used.text.expose_secret()).await;
    assert_eq!(who.unwrap().session_id.0, used.key.id.0);
    let later = under(newer, &[]);
    assert!(later.authenticate(used.text.expose_secret()).await.is_ok());
    let gone = later.authenticate(unused.text.expose_secret()).await;
    assert!(matches!(gone, Err(AuthenticateError::Invalid)));
    let back = under(old, &[])
        .authenticate(used.text.expose_secret())
        .await;
    assert!(matches!(back, Err(AuthenticateError::Invalid)));
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    let world = World::new();
    let (_, login) = operator(&world).await;
    let keys = service(&world);
    let made = keys
        .create(login.user_id, new(&[Permission::Chat]), by(&login))
        .await
        .unwrap();
    let last_used = async || keys.list(&login).await.unwrap()[0].last_used_at;
    let start = resync_kernel::Clock::now(&*world.clock);
    let mut noted = Vec::new();
    for seconds in [0, 30, 29, 1, 59, 2] {
        world.clock.advance(Duration::from_secs(seconds));
        keys.authenticate(made.text.expose_secret()).await.unwrap();
        noted.push((last_used().await.unwrap() - start).num_seconds());
    }
    assert_eq!(noted, [0, 0, 0, 60, 60, 121]);
}

#[test]
fn only_the_form_of_a_key_is_well_formed() {
    let good = format!("rsk_{}", "aZ0-_".repeat(9)[..43].to_owned());
    assert!(ApiKeyService::is_well_formed(&good));
    for bad in [
        "",
        "rsk_",
        &good[..46],
        &format!("{good}a"),
        &good.replace('-', "+"),
        &good.replace("rsk_", "RSK_"),
        &format!("rsk_{}", "ç".repeat(22)),
        &format!("rsk_{} ", &good[4..46]),
    ] {
        assert!(!ApiKeyService::is_well_formed(bad), "{bad}");
    }
}
