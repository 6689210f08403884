//! Sessions in SQLite. A revoked session has no row, so a restart cannot bring it back.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_auth::{AgentLabel, Session, SessionId, SessionStore, SessionStoreError, TokenId};
use resync_kernel::UserId;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{FromRow, Sqlite};
use uuid::Uuid;

use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// Sessions in the table `sessions`.
#[derive(Debug, Clone)]
pub struct SqliteSessionStore {
    database: SqliteDatabase,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    token_id: Uuid,
    created_at_ms: i64,
    last_seen_at_ms: i64,
    expires_at_ms: i64,
    address: Option<String>,
    agent: Option<String>,
}

impl TryFrom<Row> for Session {
    type Error = SqliteError;

    fn try_from(row: Row) -> Result<Self, SqliteError> {
        let name = RowName {
            table: "sessions",
            id: &row.id,
        };
        let address = row.address.as_deref().map(str::parse::<IpAddr>).transpose();
        Ok(Self {
            address: address.map_err(|error| name.broken("address", error))?,
            agent: row.agent.as_deref().and_then(AgentLabel::of),
            id: SessionId(row.id),
            user_id: UserId(row.user_id),
            token_id: TokenId(row.token_id),
            created_at: name.time("created_at_ms", row.created_at_ms)?,
            last_seen_at: name.time("last_seen_at_ms", row.last_seen_at_ms)?,
            expires_at: name.time("expires_at_ms", row.expires_at_ms)?,
        })
    }
}

fn unavailable(error: impl Into<SqliteError>) -> SessionStoreError {
    SessionStoreError::Unavailable(error.into().into())
}

impl SqliteSessionStore {
    /// The sessions of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }

    /// Runs one statement and says how many rows it changed.
    async fn change(
        &self,
        query: Query<'static, Sqlite, SqliteArguments>,
    ) -> Result<u64, SessionStoreError> {
        let work = self.database.write(move |tx| {
            Box::pin(async move { Ok::<_, SqliteError>(query.execute(tx).await?.rows_affected()) })
        });
        work.await.map_err(unavailable)
    }
}

#[async_trait]
impl SessionStore for SqliteSessionStore {
    async fn create(&self, session: &Session) -> Result<(), SessionStoreError> {
        let query = sqlx::query(
            "INSERT INTO sessions
                 (id, user_id, token_id, created_at_ms, last_seen_at_ms, expires_at_ms, address, agent)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(session.id.0)
        .bind(session.user_id.0)
        .bind(session.token_id.0)
        .bind(session.created_at.timestamp_millis())
        .bind(session.last_seen_at.timestamp_millis())
        .bind(session.expires_at.timestamp_millis())
        .bind(session.address.map(|address| address.to_string()))
        .bind(session.agent.as_ref().map(ToString::to_string));
        self.change(query).await.map(|_| ())
    }

    async fn find_active(
        &self,
        id: SessionId,
        token_id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, SessionStoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT * FROM sessions WHERE id = ? AND token_id = ? AND expires_at_ms > ?",
        )
        .bind(id.0)
        .bind(token_id.0)
        .bind(now.timestamp_millis())
        .fetch_optional(self.database.reader())
        .await
        .map_err(unavailable)?;
        row.map(Session::try_from).transpose().map_err(unavailable)
    }

    async fn touch(&self, id: SessionId, now: DateTime<Utc>) -> Result<(), SessionStoreError> {
        let sql = "UPDATE sessions SET last_seen_at_ms = max(last_seen_at_ms, ?) WHERE id = ?";
        self.change(sqlx::query(sql).bind(now.timestamp_millis()).bind(id.0))
            .await
            .map(|_| ())
    }

    async fn revoke(&self, user_id: UserId, id: SessionId) -> Result<bool, SessionStoreError> {
        let sql = "DELETE FROM sessions WHERE id = ? AND user_id = ?";
        self.change(sqlx::query(sql).bind(id.0).bind(user_id.0))
            .await
            .map(|rows| rows > 0)
    }

    async fn revoke_all(&self, user_id: UserId) -> Result<u64, SessionStoreError> {
        self.change(sqlx::query("DELETE FROM sessions WHERE user_id = ?").bind(user_id.0))
            .await
    }

    async fn list_active(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>, SessionStoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT * FROM sessions WHERE user_id = ? AND expires_at_ms > ?
             ORDER BY created_at_ms, id",
        )
        .bind(user_id.0)
        .bind(now.timestamp_millis())
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter()
            .map(Session::try_from)
            .collect::<Result<_, _>>()
            .map_err(unavailable)
    }

    async fn remove_expired(&self, now: DateTime<Utc>) -> Result<u64, SessionStoreError> {
        let sql = "DELETE FROM sessions WHERE expires_at_ms <= ?";
        self.change(sqlx::query(sql).bind(now.timestamp_millis()))
            .await
    }
}
