use std::ops::Deref;

use chrono::{DateTime, Duration, Utc};
use resync_auth::{
    PasswordHash, Role, Session, SessionId, SessionStore, TokenId, User, UserRepository, Username,
};
use resync_kernel::UserId;
use resync_sqlite::SqliteDatabase;
use resync_sqlite::auth::{
    SqliteApiKeyRepository, SqliteSessionStore, SqliteSetupTokenStore, SqliteUserRepository,
};
use tempfile::TempDir;
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
