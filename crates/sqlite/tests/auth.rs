use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant};

use chrono::{DateTime, Duration, Utc};
use resync_auth::*;
use resync_kernel::{ExposeSecret, ManualClock, SystemClock, SystemIds, UserId};
use resync_memory::auth::InMemoryAuthEvents;
use resync_sqlite::SqliteDatabase;
use resync_sqlite::auth::{
    SqliteApiKeyRepository, SqliteIdentityStore, SqliteSessionFeed, SqliteSessionStore,
    SqliteSetupTokenStore, SqliteUserRepository,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// An adapter on a file of its own, which goes with it.
struct OnFile<S> {
    store: S,
    folder: TempDir,
    database: SqliteDatabase,
}

impl<S> Deref for OnFile<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

impl<S> OnFile<S> {
    async fn new(store: impl Fn(SqliteDatabase) -> S) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(folder.path().join("resync.db"))
            .await
            .unwrap();
        Self {
            store: store(database.clone()),
            folder,
            database,
        }
    }

    async fn reopened(self, store: impl Fn(SqliteDatabase) -> S) -> Self {
        self.database.close().await;
        let database = SqliteDatabase::open(self.folder.path().join("resync.db"))
            .await
            .unwrap();
        Self {
            store: store(database.clone()),
            folder: self.folder,
            database,
        }
    }

    async fn run(&self, sql: &'static str) {
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    sqlx::query(sql).execute(tx).await?;
                    Ok::<_, resync_sqlite::SqliteError>(())
                })
            })
            .await
            .unwrap();
    }
}

mod users {
    use super::*;

    async fn make() -> OnFile<SqliteUserRepository> {
        OnFile::new(SqliteUserRepository::new).await
    }

    resync_auth::user_repository_contract!(make);
}

mod identities {
    use resync_auth::contract::identities::IdentityHarness;

    use super::*;

    type Both = OnFile<(SqliteIdentityStore, SqliteUserRepository)>;

    impl IdentityHarness for Both {
        fn identities(&self) -> &dyn IdentityStore {
            &self.store.0
        }

        fn users(&self) -> &dyn UserRepository {
            &self.store.1
        }
    }

    async fn make() -> Both {
        OnFile::new(|database| {
            (
                SqliteIdentityStore::new(database.clone()),
                SqliteUserRepository::new(database),
            )
        })
        .await
    }

    resync_auth::identity_store_contract!(make);
}

mod api_keys {
    use super::*;

    async fn make() -> OnFile<SqliteApiKeyRepository> {
        OnFile::new(SqliteApiKeyRepository::new).await
    }

    resync_auth::api_key_repository_contract!(make);
}

mod setup {
    use super::*;

    async fn make() -> OnFile<SqliteSetupTokenStore> {
        OnFile::new(SqliteSetupTokenStore::new).await
    }

    resync_auth::setup_token_store_contract!(make);
}

mod sessions {
    use super::*;

    async fn make() -> OnFile<SqliteSessionStore> {
        OnFile::new(SqliteSessionStore::new).await
    }

    resync_auth::session_store_contract!(make);
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_772_409_600_123).unwrap()
}

fn ana() -> User {
    User {
        id: UserId(Uuid::from_u128(1)),
        username: Username::parse("ana").unwrap(),
        role: Role::Admin,
        password_hash: PasswordHash::from_stored("$2b$04$x".into()),
        session_version: 3,
        created_at: now(),
    }
}

fn session(number: u128) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(number)),
        user_id: ana().id,
        token_id: TokenId(Uuid::from_u128(number + 100)),
        created_at: now(),
        last_seen_at: now(),
        expires_at: now() + Duration::hours(8),
        address: None,
        agent: None,
    }
}

#[tokio::test]
async fn users_survive_a_restart() {
    let users = OnFile::new(SqliteUserRepository::new).await;
    users.insert(&ana()).await.unwrap();
    let users = users.reopened(SqliteUserRepository::new).await;
    assert_eq!(users.find_by_id(ana().id).await.unwrap(), Some(ana()));
}

/// A5: what was ended stays ended over a restart, and what was not stays.
#[tokio::test]
async fn ends_of_sessions_survive_a_restart() {
    let store = OnFile::new(SqliteSessionStore::new).await;
    let (ended, other) = (session(1), session(2));
    store.create(&ended).await.unwrap();
    store.create(&other).await.unwrap();
    assert!(store.revoke(ana().id, ended.id).await.unwrap());
    let store = store.reopened(SqliteSessionStore::new).await;
    assert_eq!(
        store
            .find_active(ended.id, ended.token_id, now())
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .find_active(other.id, other.token_id, now())
            .await
            .unwrap(),
        Some(other)
    );
}

#[tokio::test]
async fn a_name_that_does_not_parse_names_its_row_and_is_no_user() {
    let users = OnFile::new(SqliteUserRepository::new).await;
    users.insert(&ana()).await.unwrap();
    users.run("UPDATE users SET username = 'Ana'").await;
    let error = users.find_by_id(ana().id).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "column username of table users does not parse in row 00000000-0000-0000-0000-000000000001"
    );
}

#[tokio::test]
async fn a_closed_database_is_an_error_and_lets_nobody_in() {
    let store = OnFile::new(SqliteSessionStore::new).await;
    let one = session(1);
    store.create(&one).await.unwrap();
    store.database.close().await;
    assert!(
        store
            .find_active(one.id, one.token_id, now())
            .await
            .is_err()
    );
    assert!(
        store.revoke(ana().id, one.id).await.is_err(),
        "not revoked, so not a success"
    );
}

/// The clock and the two processes of a test of the feed: each has the file open for itself.
async fn two_processes() -> (
    OnFile<Arc<SqliteSessionFeed>>,
    SqliteDatabase,
    Arc<ManualClock>,
) {
    let clock = Arc::new(ManualClock::default());
    let time = Arc::clone(&clock);
    let here = OnFile::new(move |database| {
        Arc::new(SqliteSessionFeed::new(database, Arc::clone(&time) as _))
    })
    .await;
    let path = here.folder.path().join("resync.db");
    (here, SqliteDatabase::open(path).await.unwrap(), clock)
}

#[tokio::test]
async fn what_another_process_commits_is_a_new_generation_and_what_we_do_is_not() {
    let (here, elsewhere, _) = two_processes().await;
    assert_eq!(here.generation(), None, "nobody has asked yet");
    here.poll().await.unwrap();
    let before = here.generation().unwrap();
    here.poll().await.unwrap();
    assert_eq!(here.generation(), Some(before));

    let ours = SqliteUserRepository::new(here.database.clone());
    ours.insert(&ana()).await.unwrap();
    here.poll().await.unwrap();
    assert_eq!(here.generation(), Some(before));

    let theirs = SqliteUserRepository::new(elsewhere);
    let new = PasswordHash::from_stored("$2b$04$y".into());
    theirs.update(ana().id, new.into()).await.unwrap();
    here.poll().await.unwrap();
    assert_ne!(here.generation(), Some(before));
}

/// What guards never fails open: an old answer and a failed question are no answer.
#[tokio::test]
async fn changes_are_not_followed_when_the_answer_is_old_or_the_database_away() {
    let (here, _elsewhere, clock) = two_processes().await;
    here.poll().await.unwrap();
    clock.advance(std::time::Duration::from_millis(999));
    assert!(here.generation().is_some());
    clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(here.generation(), None);
    here.poll().await.unwrap();
    assert!(here.generation().is_some());
    here.database.close().await;
    assert!(here.poll().await.is_err());
    assert_eq!(here.generation(), None);
}

/// A5: `resync user passwd`, run as another process on the same file, ends the sessions that this one
/// remembers, by the task that follows the file.
#[tokio::test]
async fn a_password_changed_by_another_process_ends_remembered_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resync.db");
    let here = SqliteDatabase::open(&path).await.unwrap();
    let elsewhere = SqliteDatabase::open(&path).await.unwrap();
    let clock: Arc<SystemClock> = Arc::default();
    let feed = Arc::new(SqliteSessionFeed::new(
        here.clone(),
        Arc::clone(&clock) as _,
    ));
    let ports = |database: &SqliteDatabase, memory| AuthPorts {
        users: Arc::new(SqliteUserRepository::new(database.clone())),
        sessions: Arc::new(SqliteSessionStore::new(database.clone())),
        memory,
        lockout: Arc::new(InProcessLockout::new(
            LockoutLimits::default(),
            Arc::clone(&clock) as _,
        )),
        hasher: Arc::new(
            BcryptPool::start(BcryptConfig {
                cost: 4,
                workers: NonZeroUsize::MIN,
                queue: NonZeroUsize::MIN,
            })
            .unwrap(),
        ),
        events: Arc::new(InMemoryAuthEvents::default()),
        clock: Arc::clone(&clock) as _,
        ids: Arc::new(SystemIds),
        tracker: TaskTracker::new(),
    };
    let memory = SessionMemory::new(Arc::clone(&feed) as _, Arc::clone(&clock) as _);
    let server = ports(&here, memory);
    let command = ports(&elsewhere, SessionMemory::off(Arc::clone(&clock) as _));
    let keys = AuthKeys::derive(&"an example of thirty-two bytes or more".into()).unwrap();
    let config = TokenConfig::default();
    let verifier = TokenVerifier::new(&keys, &config, Arc::clone(&clock) as _).unwrap();
    let minter = TokenMinter::new(&keys, config, Arc::clone(&clock) as _).unwrap();
    let csrf = CsrfTokens::new(&keys).unwrap();
    let login = LoginService::new(server.clone(), minter, csrf);
    let sessions = SessionService::new(server.clone(), verifier, SessionPolicy::default());
    let [serving, administering] =
        [server, command].map(|ports| UserService::new(ports, PasswordPolicy::default()));

    let new = NewUser {
        username: Username::parse("ana").unwrap(),
        password: "correct horse battery".into(),
        role: Role::Operator,
    };
    let ana = serving
        .create(new, Origin::of(Actor::Unproven))
        .await
        .unwrap();
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let logged_in = login.log_in("ana", "correct horse battery".into(), address);
    let logged_in = logged_in.await.unwrap();
    let token = logged_in.token.expose_secret();

    let until = CancellationToken::new();
    let mut following = JoinSet::new();
    let (follower, end) = (Arc::clone(&feed), until.clone());
    following.spawn(async move { follower.run(end).await });
    while feed.generation().is_none() {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        sessions.authenticate(token).await.unwrap();
    }
    let before = feed.generation();
    administering
        .change(
            ana.id,
            UserChange {
                role: None,
                password: Some("seven amber turnstiles".into()),
            },
            Origin::of(Actor::Unproven),
        )
        .await
        .unwrap();
    let changed = Instant::now();
    while feed.generation() == before {
        tokio::task::yield_now().await;
    }
    let answer = sessions.authenticate(token).await;
    assert!(matches!(answer, Err(AuthenticateError::Invalid)));
    // 50 ms between questions; the rest is for a machine that is busy with other tests.
    assert!(changed.elapsed() < StdDuration::from_secs(5));
    until.cancel();
    following.join_all().await;
}
