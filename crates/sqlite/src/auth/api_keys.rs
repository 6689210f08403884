//! API keys in SQLite.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_auth::{
    ApiKey, ApiKeyDigest, ApiKeyId, ApiKeyRepository, ApiKeyRepositoryError, Permission,
};
use resync_kernel::UserId;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{FromRow, Sqlite};
use uuid::Uuid;

use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// API keys in the table `api_keys`; the scopes are names with spaces between.
#[derive(Debug, Clone)]
pub struct SqliteApiKeyRepository {
    database: SqliteDatabase,
}

impl SqliteApiKeyRepository {
    /// The API keys of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    label: String,
    digest: Vec<u8>,
    scopes: String,
    user_version: u32,
    created_at_ms: i64,
    expires_at_ms: i64,
    last_used_at_ms: Option<i64>,
}

impl TryFrom<Row> for ApiKey {
    type Error = SqliteError;

    fn try_from(row: Row) -> Result<Self, SqliteError> {
        let name = RowName {
            table: "api_keys",
            id: &row.id,
        };
        let last_used_at = row
            .last_used_at_ms
            .map(|millis| name.time("last_used_at_ms", millis));
        let digest = <[u8; 32]>::try_from(row.digest.as_slice());
        let scopes: Result<BTreeSet<_>, _> = row.scopes.split(' ').map(Permission::parse).collect();
        Ok(Self {
            id: ApiKeyId(row.id),
            user_id: UserId(row.user_id),
            digest: ApiKeyDigest(digest.map_err(|error| name.broken("digest", error))?),
            scopes: scopes.map_err(|error| name.broken("scopes", error))?,
            user_version: row.user_version,
            created_at: name.time("created_at_ms", row.created_at_ms)?,
            expires_at: name.time("expires_at_ms", row.expires_at_ms)?,
            last_used_at: last_used_at.transpose()?,
            label: row.label,
        })
    }
}

fn unavailable(error: impl Into<SqliteError>) -> ApiKeyRepositoryError {
    ApiKeyRepositoryError::Unavailable(error.into().into())
}

impl SqliteApiKeyRepository {
    /// Runs one statement and says how many rows it changed.
    async fn change(
        &self,
        query: Query<'static, Sqlite, SqliteArguments>,
    ) -> Result<u64, ApiKeyRepositoryError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move { Ok::<_, SqliteError>(query.execute(tx).await?.rows_affected()) })
        });
        work.await.map_err(unavailable)
    }
}

#[async_trait]
impl ApiKeyRepository for SqliteApiKeyRepository {
    async fn insert(&self, key: &ApiKey, most: u32) -> Result<bool, ApiKeyRepositoryError> {
        let names: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let query = sqlx::query(
            "INSERT INTO api_keys
                 (id, user_id, label, digest, scopes, user_version, created_at_ms, expires_at_ms,
                  last_used_at_ms)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
             WHERE (SELECT count(*) FROM api_keys WHERE user_id = ?2) < ?10",
        )
        .bind(key.id.0)
        .bind(key.user_id.0)
        .bind(key.label.clone())
        .bind(key.digest.0.to_vec())
        .bind(names.join(" "))
        .bind(key.user_version)
        .bind(key.created_at.timestamp_millis())
        .bind(key.expires_at.timestamp_millis())
        .bind(key.last_used_at.map(|at| at.timestamp_millis()))
        .bind(most);
        self.change(query).await.map(|rows| rows == 1)
    }

    async fn find(&self, digest: ApiKeyDigest) -> Result<Option<ApiKey>, ApiKeyRepositoryError> {
        let row: Option<Row> = sqlx::query_as("SELECT * FROM api_keys WHERE digest = ?")
            .bind(digest.0.to_vec())
            .fetch_optional(self.database.reader())
            .await
            .map_err(unavailable)?;
        row.map(ApiKey::try_from).transpose().map_err(unavailable)
    }

    async fn list(&self, user_id: UserId) -> Result<Vec<ApiKey>, ApiKeyRepositoryError> {
        let sql = "SELECT * FROM api_keys WHERE user_id = ? ORDER BY created_at_ms, id";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(user_id.0)
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        rows.into_iter()
            .map(ApiKey::try_from)
            .collect::<Result<_, _>>()
            .map_err(unavailable)
    }

    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), ApiKeyRepositoryError> {
        let sql = "UPDATE api_keys SET last_used_at_ms = max(coalesce(last_used_at_ms, ?1), ?1)
                   WHERE id = ?2";
        self.change(sqlx::query(sql).bind(at.timestamp_millis()).bind(id.0))
            .await
            .map(|_| ())
    }

    async fn renew_digest(
        &self,
        id: ApiKeyId,
        old: ApiKeyDigest,
        new: ApiKeyDigest,
    ) -> Result<bool, ApiKeyRepositoryError> {
        let query = sqlx::query("UPDATE api_keys SET digest = ? WHERE id = ? AND digest = ?")
            .bind(new.0.to_vec())
            .bind(id.0)
            .bind(old.0.to_vec());
        self.change(query).await.map(|rows| rows == 1)
    }

    async fn delete(&self, user_id: UserId, id: ApiKeyId) -> Result<bool, ApiKeyRepositoryError> {
        let query = sqlx::query("DELETE FROM api_keys WHERE id = ? AND user_id = ?")
            .bind(id.0)
            .bind(user_id.0);
        self.change(query).await.map(|rows| rows > 0)
    }
}
