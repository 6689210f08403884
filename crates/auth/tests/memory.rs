//! What is remembered between requests, and what never is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_auth::*;
use resync_kernel::{Clock, ExposeSecret, UserId};
use resync_memory::auth::{InMemoryApiKeyRepository, InMemorySessionStore};
use tokio::task::JoinSet;

use crate::world::{HOME, PASSWORD, World, by, local, secret};

/// Sessions in memory, which count how often they are asked and can go away.
#[derive(Default)]
struct Sessions {
    inner: InMemorySessionStore,
    asked: AtomicU32,
    touched: AtomicU32,
    away: AtomicBool,
}

impl Sessions {
    fn answer<T>(&self, answer: T) -> Result<T, SessionStoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(SessionStoreError::Unavailable("away".into()));
        }
        Ok(answer)
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, session: &Session) -> Result<(), SessionStoreError> {
        self.answer(())?;
        self.inner.create(session).await
    }

    async fn find_active(
        &self,
        id: SessionId,
        token_id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, SessionStoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer(())?;
        self.inner.find_active(id, token_id, now).await
    }

    async fn touch(&self, id: SessionId, now: DateTime<Utc>) -> Result<(), SessionStoreError> {
        self.touched.fetch_add(1, Ordering::SeqCst);
        self.answer(())?;
        self.inner.touch(id, now).await
    }

    async fn revoke(&self, user_id: UserId, id: SessionId) -> Result<bool, SessionStoreError> {
        self.answer(())?;
        self.inner.revoke(user_id, id).await
    }

    async fn revoke_all(&self, user_id: UserId) -> Result<u64, SessionStoreError> {
        self.answer(())?;
        self.inner.revoke_all(user_id).await
    }

    async fn list_active(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>, SessionStoreError> {
        self.inner.list_active(user_id, now).await
    }

    async fn remove_expired(&self, now: DateTime<Utc>) -> Result<u64, SessionStoreError> {
        self.inner.remove_expired(now).await
    }
}

async fn world() -> (World, Arc<Sessions>, LoggedIn) {
    let store = Arc::new(Sessions::default());
    let world = World::new().with_ports(|ports| ports.sessions = Arc::clone(&store) as _);
    world.user("root", Role::Admin).await;
    world.user("ana", Role::Operator).await;
    let ana = world.log_in("ana").await;
    (world, store, ana)
}

#[tokio::test]
async fn a_token_that_was_just_good_asks_no_store() {
    let (world, store, ana) = world().await;
    for _ in 0..100 {
        assert_eq!(world.who(&ana).await.unwrap(), ana.principal);
    }
    assert_eq!(store.asked(), 1);
    world.feed.changed();
    world.who(&ana).await.unwrap();
    assert_eq!(store.asked(), 2, "somebody changed something");
    world.feed.set_away(true);
    for _ in 0..3 {
        world.who(&ana).await.unwrap();
    }
    assert_eq!(store.asked(), 5, "nobody says whether somebody does");
    world.feed.set_away(false);
    world.who(&ana).await.unwrap();
    world.who(&ana).await.unwrap();
    assert_eq!(store.asked(), 6);
}

/// A5: each of our own changes is known to the next request, although no feed tells of it.
#[tokio::test]
async fn each_change_of_ours_ends_what_is_remembered_before_it_returns() {
    let (world, _, _) = world().await;
    let root = world.log_in("root").await.principal;
    let id = world.log_in("ana").await.principal.user_id;
    let warm = async || {
        let name = world.users.get(id).await.unwrap().username;
        let ana = world.log_in(name.as_str()).await;
        for _ in 0..2 {
            world.who(&ana).await.unwrap();
        }
        ana
    };
    let ana = warm().await;
    world
        .sessions
        .log_out(&ana.principal, by(&ana.principal))
        .await
        .unwrap();
    assert!(world.is_dead(&ana).await);

    let ana = warm().await;
    world
        .sessions
        .log_out_all(&ana.principal, by(&ana.principal))
        .await
        .unwrap();
    assert!(world.is_dead(&ana).await);

    let ana = warm().await;
    let session_id = ana.principal.session_id;
    let revoked = world.sessions.revoke_of(id, session_id, by(&root));
    assert!(revoked.await.unwrap());
    assert!(world.is_dead(&ana).await);

    let ana = warm().await;
    world.sessions.revoke_all_of(id, local()).await.unwrap();
    assert!(world.is_dead(&ana).await);

    let ana = warm().await;
    let again = world
        .login
        .log_in_instead_of(&ana.principal, "ana", secret(PASSWORD), HOME)
        .await
        .unwrap();
    assert!(world.is_dead(&ana).await && world.who(&again).await.is_ok());

    let ana = warm().await;
    let role = Role::Viewer;
    let change = UserChange {
        role: Some(role),
        password: None,
    };
    world.users.change(id, change, by(&root)).await.unwrap();
    assert!(world.is_dead(&ana).await);
    assert_eq!(world.who(&warm().await).await.unwrap().role, role);

    let ana = warm().await;
    let new = secret(PASSWORD);
    let change = UserChange {
        role: None,
        password: Some(new),
    };
    world.users.change(id, change, local()).await.unwrap();
    assert!(world.is_dead(&ana).await);

    let ana = warm().await;
    let (same, client) = (secret(PASSWORD), HOME.into());
    let change = world
        .users
        .change_password(&ana.principal, same.clone(), same, &client);
    change.await.unwrap();
    assert!(world.is_dead(&ana).await);

    let ana = warm().await;
    world.users.delete(id, by(&root)).await.unwrap();
    assert!(world.is_dead(&ana).await);
}

/// C4: 16 warm requests race with each logout, three rounds; afterwards the answer is no, from the memory
/// as well as from the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warm_requests_that_race_with_a_logout_revive_nothing() {
    let (world, ..) = world().await;
    for _ in 0..3 {
        let logged_in = world.log_in("ana").await;
        world.who(&logged_in).await.unwrap();
        let mut requests = JoinSet::new();
        for number in 0..16 {
            let (sessions, token) = (Arc::clone(&world.sessions), logged_in.token.clone());
            let feed = Arc::clone(&world.feed);
            requests.spawn(async move {
                for _ in 0..20 {
                    // A cold request now and then, which reads the store and remembers.
                    if number % 4 == 0 {
                        feed.changed();
                    }
                    if sessions.authenticate(token.expose_secret()).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::task::yield_now().await;
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

/// F1: while the store is away, reading goes on for a minute after its last answer, changing does not, and
/// what was ended stays ended.
#[tokio::test]
async fn without_the_store_a_minute_of_reading_is_left_and_no_change() {
    let (world, store, ana) = world().await;
    let (other, unknown) = (world.log_in("ana").await, world.log_in("ana").await);
    world.who(&ana).await.unwrap();
    world.who(&other).await.unwrap();
    world
        .sessions
        .log_out(&other.principal, by(&other.principal))
        .await
        .unwrap();
    store.away.store(true, Ordering::SeqCst);
    world.feed.set_away(true);
    let ask = async |login: &LoggedIn, purpose| {
        let token = login.token.expose_secret();
        match world.sessions.authenticate_for(token, purpose).await {
            Ok(_) => "in",
            Err(AuthenticateError::Invalid) => "out",
            Err(AuthenticateError::Unavailable(_)) => "unavailable",
        }
    };
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(ask(&ana, For::Read).await, "in");
    assert_eq!(ask(&ana, For::Change).await, "unavailable");
    assert_eq!(ask(&other, For::Read).await, "unavailable");
    assert_eq!(ask(&unknown, For::Read).await, "unavailable");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&ana, For::Read).await, "unavailable");
    store.away.store(false, Ordering::SeqCst);
    assert_eq!(ask(&ana, For::Change).await, "in");
    assert_eq!(ask(&other, For::Read).await, "out");
}

/// A logout that the store did not take is not remembered away: the next request asks.
#[tokio::test]
async fn after_a_logout_that_failed_the_store_is_asked() {
    let (world, store, ana) = world().await;
    world.who(&ana).await.unwrap();
    store.away.store(true, Ordering::SeqCst);
    let failed = world
        .sessions
        .log_out(&ana.principal, by(&ana.principal))
        .await;
    assert!(matches!(failed, Err(LogOutError::NotRevoked(_))));
    let asked = world.who(&ana).await;
    assert!(matches!(asked, Err(AuthenticateError::Unavailable(_))));
}

/// A session that is in use is not idle, although the store hears of it once a minute only.
#[tokio::test]
async fn use_is_noted_once_a_minute_and_keeps_a_remembered_session_alive() {
    let (world, store, ana) = world().await;
    let start = world.clock.now();
    for _ in 0..8 * 60 - 1 {
        world.clock.advance(Duration::from_secs(30));
        world.who(&ana).await.unwrap();
        world.who(&ana).await.unwrap();
    }
    let minutes = (world.clock.now() - start).num_minutes();
    let touched = i64::from(store.touched.load(Ordering::SeqCst));
    assert!((minutes - 1..=minutes).contains(&touched), "{touched}");
    let [session] = &world.sessions.list(&ana.principal).await.unwrap()[..] else {
        panic!("one session")
    };
    assert!(world.clock.now() - session.last_seen_at <= chrono::Duration::minutes(1));
    assert!(world.who(&ana).await.is_ok());
    world.clock.advance(Duration::from_mins(61));
    assert!(world.is_dead(&ana).await, "an hour without use");
}

/// An API key is remembered as a session is, and ends as one does.
#[tokio::test]
async fn keys_are_remembered_and_die_at_once() {
    let (world, _, ana) = world().await;
    let root = world.log_in("root").await.principal;
    let keys = AuthKeys::derive(&secret("an example of thirty-two bytes or more")).unwrap();
    let stored = Arc::new(InMemoryApiKeyRepository::default());
    let service = ApiKeyService::new(world.ports.clone(), Arc::clone(&stored) as _, &keys).unwrap();
    let make = async || {
        let new = NewApiKey {
            label: "nightly".into(),
            scopes: [Permission::ReadPlan].into(),
            lifetime: ApiKeyService::DEFAULT_LIFETIME,
        };
        let made = service
            .create(ana.principal.user_id, new, by(&ana.principal))
            .await
            .unwrap();
        service
            .authenticate(made.text.expose_secret())
            .await
            .unwrap();
        made
    };
    let is_dead = async |made: &MadeApiKey| {
        let answer = service.authenticate(made.text.expose_secret()).await;
        matches!(answer, Err(AuthenticateError::Invalid))
    };
    let (mine, known) = (make().await, make().await);
    // Behind the memory's back, to see that it is the memory that answers.
    stored
        .delete(known.key.user_id, known.key.id)
        .await
        .unwrap();
    assert!(!is_dead(&known).await);
    service
        .revoke(ana.principal.user_id, mine.key.id, by(&ana.principal))
        .await
        .unwrap();
    assert!(is_dead(&mine).await);
    let other = make().await;
    let owner = ana.principal.user_id;
    assert_eq!(service.list_of(owner).await.unwrap().len(), 1);
    assert!(
        !service
            .revoke(root.user_id, other.key.id, local())
            .await
            .unwrap()
    );
    assert!(
        service
            .revoke(owner, other.key.id, by(&root))
            .await
            .unwrap()
    );
    assert!(is_dead(&other).await);
    let last = make().await;
    world
        .users
        .change(
            owner,
            UserChange {
                role: Some(Role::Viewer),
                password: None,
            },
            by(&root),
        )
        .await
        .unwrap();
    assert!(is_dead(&last).await);
}
