//! API keys in PostgreSQL.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_auth::{
    ApiKey, ApiKeyDigest, ApiKeyId, ApiKeyRepository, ApiKeyRepositoryError, Permission,
};
use resync_kernel::UserId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::lock::Lock;
use crate::row::{RowName, storable};
use crate::{PgDatabase, PgError};

/// API keys in the table `api_keys`.
#[derive(Debug, Clone)]
pub struct PgApiKeyRepository {
    database: PgDatabase,
}

impl PgApiKeyRepository {
    /// The API keys of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    label: String,
    digest: Vec<u8>,
    scopes: Vec<String>,
    user_version: i64,
    created_at_ms: i64,
    expires_at_ms: i64,
    last_used_at_ms: Option<i64>,
}

impl TryFrom<Row> for ApiKey {
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
        let name = RowName {
            table: "api_keys",
            id: &row.id,
        };
        let last_used_at = row
            .last_used_at_ms
            .map(|millis| name.time("last_used_at_ms", millis));
        let digest = <[u8; 32]>::try_from(row.digest.as_slice());
        let scopes: Result<BTreeSet<_>, _> = row
            .scopes
            .iter()
            .map(|scope| Permission::parse(scope))
            .collect();
        Ok(Self {
            id: ApiKeyId(row.id),
            user_id: UserId(row.user_id),
            digest: ApiKeyDigest(digest.map_err(|error| name.broken("digest", error))?),
            scopes: scopes.map_err(|error| name.broken("scopes", error))?,
            user_version: name.number("user_version", row.user_version)?,
            created_at: name.time("created_at_ms", row.created_at_ms)?,
            expires_at: name.time("expires_at_ms", row.expires_at_ms)?,
            last_used_at: last_used_at.transpose()?,
            label: row.label,
        })
    }
}

impl From<PgError> for ApiKeyRepositoryError {
    fn from(error: PgError) -> Self {
        Self::Unavailable(error.into())
    }
}

#[async_trait]
impl ApiKeyRepository for PgApiKeyRepository {
    async fn insert(&self, key: &ApiKey, most: u32) -> Result<bool, ApiKeyRepositoryError> {
        let key = key.clone();
        let work = self.database.write(move |tx| {
            Box::pin(async move {
                // Keys at once would each count the others too late.
                Lock::ApiKeys(key.user_id.0).take(tx).await?;
                let names: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                let done = sqlx::query(
                    "INSERT INTO api_keys
                         (id, user_id, label, digest, scopes, user_version, created_at_ms,
                          expires_at_ms, last_used_at_ms)
                     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
                     WHERE (SELECT count(*) FROM api_keys WHERE user_id = $2) < $10",
                )
                .bind(key.id.0)
                .bind(key.user_id.0)
                .bind(storable(&key.label))
                .bind(key.digest.0.as_slice())
                .bind(names)
                .bind(i64::from(key.user_version))
                .bind(key.created_at.timestamp_millis())
                .bind(key.expires_at.timestamp_millis())
                .bind(key.last_used_at.map(|at| at.timestamp_millis()))
                .bind(i64::from(most))
                .execute(tx)
                .await?;
                Ok::<_, PgError>(done.rows_affected() == 1)
            })
        });
        Ok(work.await?)
    }

    async fn find(&self, digest: ApiKeyDigest) -> Result<Option<ApiKey>, ApiKeyRepositoryError> {
        let query = sqlx::query_as::<_, Row>("SELECT * FROM api_keys WHERE digest = $1")
            .bind(digest.0.to_vec());
        let row = self.database.row(query).await?;
        Ok(row.map(ApiKey::try_from).transpose()?)
    }

    async fn list(&self, user_id: UserId) -> Result<Vec<ApiKey>, ApiKeyRepositoryError> {
        let query = sqlx::query_as::<_, Row>(
            "SELECT * FROM api_keys WHERE user_id = $1 ORDER BY created_at_ms, id",
        )
        .bind(user_id.0);
        let rows = self.database.rows(query).await?;
        Ok(rows
            .into_iter()
            .map(ApiKey::try_from)
            .collect::<Result<_, _>>()?)
    }

    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), ApiKeyRepositoryError> {
        // `greatest` passes over an absent time.
        let query = sqlx::query(
            "UPDATE api_keys SET last_used_at_ms = greatest(last_used_at_ms, $1) WHERE id = $2",
        )
        .bind(at.timestamp_millis())
        .bind(id.0);
        self.database.change(query).await?;
        Ok(())
    }

    async fn renew_digest(
        &self,
        id: ApiKeyId,
        old: ApiKeyDigest,
        new: ApiKeyDigest,
    ) -> Result<bool, ApiKeyRepositoryError> {
        let query = sqlx::query("UPDATE api_keys SET digest = $1 WHERE id = $2 AND digest = $3")
            .bind(new.0.to_vec())
            .bind(id.0)
            .bind(old.0.to_vec());
        Ok(self.database.change(query).await? == 1)
    }

    async fn delete(&self, user_id: UserId, id: ApiKeyId) -> Result<bool, ApiKeyRepositoryError> {
        let query = sqlx::query("DELETE FROM api_keys WHERE id = $1 AND user_id = $2")
            .bind(id.0)
            .bind(user_id.0);
        Ok(self.database.change(query).await? > 0)
    }
}
