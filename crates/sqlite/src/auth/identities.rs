//! Which user an account at an identity provider is, in SQLite.

use async_trait::async_trait;
use resync_auth::{ExternalAccount, IdentityStore, IdentityStoreError, User, UserRepositoryError};

use super::users;
use crate::failed::Failed;
use crate::{SqliteDatabase, SqliteError};

/// Links in the table `identities`.
#[derive(Debug, Clone)]
pub struct SqliteIdentityStore {
    database: SqliteDatabase,
}

impl SqliteIdentityStore {
    /// The links of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

impl From<SqliteError> for IdentityStoreError {
    fn from(error: SqliteError) -> Self {
        if error.is_unique_violation() {
            Self::AlreadyLinked
        } else {
            Self::Unavailable(error.into())
        }
    }
}

fn unavailable(error: impl Into<SqliteError>) -> IdentityStoreError {
    error.into().into()
}

#[async_trait]
impl IdentityStore for SqliteIdentityStore {
    async fn find(&self, account: &ExternalAccount) -> Result<Option<User>, IdentityStoreError> {
        let row: Option<users::Row> = sqlx::query_as(
            "SELECT users.* FROM users JOIN identities ON users.id = identities.user_id
             WHERE issuer = ? AND subject = ?",
        )
        .bind(&account.issuer)
        .bind(&account.subject)
        .fetch_optional(self.database.reader())
        .await
        .map_err(unavailable)?;
        row.map(User::try_from).transpose().map_err(unavailable)
    }

    async fn provision(
        &self,
        account: &ExternalAccount,
        user: &User,
    ) -> Result<(), IdentityStoreError> {
        let (account, user) = (account.clone(), user.clone());
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                let linked: bool = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT 1 FROM identities WHERE issuer = ? AND subject = ?)",
                )
                .bind(&account.issuer)
                .bind(&account.subject)
                .fetch_one(&mut *tx)
                .await?;
                if linked {
                    return Err(Failed(IdentityStoreError::AlreadyLinked));
                }
                users::insert(&mut *tx, &user)
                    .await
                    .map_err(|Failed(error)| {
                        Failed(match error {
                            UserRepositoryError::AlreadyExists => IdentityStoreError::NameTaken,
                            other => IdentityStoreError::Unavailable(other.into()),
                        })
                    })?;
                sqlx::query("INSERT INTO identities (issuer, subject, user_id) VALUES (?, ?, ?)")
                    .bind(account.issuer)
                    .bind(account.subject)
                    .bind(user.id.0)
                    .execute(tx)
                    .await?;
                Ok::<_, Failed<IdentityStoreError>>(())
            })
        });
        work.await.map_err(Failed::port)
    }
}
