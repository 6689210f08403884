//! Sessions in PostgreSQL. A revoked session has no row, so a restart cannot bring it back.

use std::net::IpAddr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_auth::{AgentLabel, Session, SessionId, SessionStore, SessionStoreError, TokenId};
use resync_kernel::UserId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::row::{RowName, storable};
use crate::{PgDatabase, PgError};

/// Sessions in the table `sessions`.
#[derive(Debug, Clone)]
pub struct PgSessionStore {
    database: PgDatabase,
}

impl PgSessionStore {
    /// The sessions of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
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
    type Error = PgError;

    fn try_from(row: Row) -> Result<Self, PgError> {
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

impl From<PgError> for SessionStoreError {
    fn from(error: PgError) -> Self {
        Self::Unavailable(error.into())
    }
}

#[async_trait]
impl SessionStore for PgSessionStore {
    async fn create(&self, session: &Session) -> Result<(), SessionStoreError> {
        let agent = session.agent.as_ref().map(ToString::to_string);
        let query = sqlx::query(
            "INSERT INTO sessions
                 (id, user_id, token_id, created_at_ms, last_seen_at_ms, expires_at_ms, address, agent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(session.id.0)
        .bind(session.user_id.0)
        .bind(session.token_id.0)
        .bind(session.created_at.timestamp_millis())
        .bind(session.last_seen_at.timestamp_millis())
        .bind(session.expires_at.timestamp_millis())
        .bind(session.address.map(|address| address.to_string()))
        .bind(agent.map(|agent| storable(&agent).into_owned()));
        self.database.change(query).await?;
        Ok(())
    }

    async fn find_active(
        &self,
        id: SessionId,
        token_id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, SessionStoreError> {
        let query = sqlx::query_as::<_, Row>(
            "SELECT * FROM sessions WHERE id = $1 AND token_id = $2 AND expires_at_ms > $3",
        )
        .bind(id.0)
        .bind(token_id.0)
        .bind(now.timestamp_millis());
        let row = self.database.row(query).await?;
        Ok(row.map(Session::try_from).transpose()?)
    }

    async fn touch(&self, id: SessionId, now: DateTime<Utc>) -> Result<(), SessionStoreError> {
        let query = sqlx::query(
            "UPDATE sessions SET last_seen_at_ms = $1 WHERE id = $2 AND last_seen_at_ms < $1",
        )
        .bind(now.timestamp_millis())
        .bind(id.0);
        self.database.change(query).await?;
        Ok(())
    }

    async fn revoke(&self, user_id: UserId, id: SessionId) -> Result<bool, SessionStoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE id = $1 AND user_id = $2")
            .bind(id.0)
            .bind(user_id.0);
        Ok(self.database.change(query).await? > 0)
    }

    async fn revoke_all(&self, user_id: UserId) -> Result<u64, SessionStoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user_id.0);
        Ok(self.database.change(query).await?)
    }

    async fn list_active(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>, SessionStoreError> {
        let query = sqlx::query_as::<_, Row>(
            "SELECT * FROM sessions WHERE user_id = $1 AND expires_at_ms > $2
             ORDER BY created_at_ms, id",
        )
        .bind(user_id.0)
        .bind(now.timestamp_millis());
        let rows = self.database.rows(query).await?;
        Ok(rows
            .into_iter()
            .map(Session::try_from)
            .collect::<Result<_, _>>()?)
    }

    async fn remove_expired(&self, now: DateTime<Utc>) -> Result<u64, SessionStoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE expires_at_ms <= $1")
            .bind(now.timestamp_millis());
        Ok(self.database.change(query).await?)
    }
}
