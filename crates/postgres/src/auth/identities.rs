//! Which user an account at an identity provider is, in PostgreSQL.

use async_trait::async_trait;
use resync_auth::{ExternalAccount, IdentityStore, IdentityStoreError, User};

use super::users;
use crate::failed::Failed;
use crate::lock::Lock;
use crate::row::storable;
use crate::{PgDatabase, PgError};

/// Links in the table `identities`.
#[derive(Debug, Clone)]
pub struct PgIdentityStore {
    database: PgDatabase,
}

impl PgIdentityStore {
    /// The links of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

impl From<PgError> for IdentityStoreError {
    fn from(error: PgError) -> Self {
        match error.constraint() {
            Some("identities_pkey") => Self::AlreadyLinked,
            Some("users_username_key" | "users_pkey") => Self::NameTaken,
            _ => Self::Unavailable(error.into()),
        }
    }
}

/// Whether both texts are as PostgreSQL can hold them. An account with a NUL is nobody's.
fn is_storable(account: &ExternalAccount) -> bool {
    [&account.issuer, &account.subject]
        .iter()
        .all(|text| matches!(storable(text), std::borrow::Cow::Borrowed(_)))
}

#[async_trait]
impl IdentityStore for PgIdentityStore {
    async fn find(&self, account: &ExternalAccount) -> Result<Option<User>, IdentityStoreError> {
        if !is_storable(account) {
            return Ok(None);
        }
        let query = sqlx::query_as::<_, users::Row>(
            "SELECT users.* FROM users JOIN identities ON users.id = identities.user_id
             WHERE issuer = $1 AND subject = $2",
        )
        .bind(&account.issuer)
        .bind(&account.subject);
        let row = self.database.row(query).await?;
        Ok(row.map(User::try_from).transpose()?)
    }

    async fn provision(
        &self,
        account: &ExternalAccount,
        user: &User,
    ) -> Result<(), IdentityStoreError> {
        let (account, user) = (account.clone(), user.clone());
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                Lock::Identities.take(tx).await?;
                // Who is linked already is told so, though the name is taken as well: by its own user.
                let (linked,): (bool,) = sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM identities WHERE issuer = $1 AND subject = $2)",
                )
                .bind(&account.issuer)
                .bind(&account.subject)
                .fetch_one(&mut *tx)
                .await?;
                if linked {
                    return Err(Failed(IdentityStoreError::AlreadyLinked));
                }
                users::insert(&mut *tx, &user).await?;
                sqlx::query(
                    "INSERT INTO identities (issuer, subject, user_id) VALUES ($1, $2, $3)",
                )
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
