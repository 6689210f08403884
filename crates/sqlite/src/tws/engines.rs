//! Engines in SQLite.

use async_trait::async_trait;
use resync_tws::model::EngineName;
use resync_tws::ports::{EngineRepository, EngineRepositoryError, StoredEngine};

use crate::row::RowName;
use crate::{SqliteDatabase, SqliteError};

/// Engines in the table `engines`.
#[derive(Debug, Clone)]
pub struct SqliteEngineRepository {
    database: SqliteDatabase,
}

fn unavailable(error: impl Into<SqliteError>) -> EngineRepositoryError {
    EngineRepositoryError::Unavailable(error.into().into())
}

fn read((name, body): (String, String)) -> Result<StoredEngine, EngineRepositoryError> {
    let row = RowName {
        table: "engines",
        id: &name,
    };
    row.json("body", &body).map_err(unavailable)
}

fn body_of(engine: &StoredEngine) -> Result<String, EngineRepositoryError> {
    serde_json::to_string(engine).map_err(|error| EngineRepositoryError::Unavailable(error.into()))
}

impl SqliteEngineRepository {
    /// The engines of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl EngineRepository for SqliteEngineRepository {
    async fn list(&self) -> Result<Vec<StoredEngine>, EngineRepositoryError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, body FROM engines ORDER BY name")
                .fetch_all(self.database.reader())
                .await
                .map_err(unavailable)?;
        rows.into_iter().map(read).collect()
    }

    async fn find(&self, name: &EngineName) -> Result<Option<StoredEngine>, EngineRepositoryError> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT name, body FROM engines WHERE name = ?")
                .bind(name.as_str())
                .fetch_optional(self.database.reader())
                .await
                .map_err(unavailable)?;
        row.map(read).transpose()
    }

    async fn insert(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError> {
        let (name, body) = (engine.name.to_string(), body_of(engine)?);
        let insert = self.database.write(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO engines (name, body) VALUES (?, ?)")
                    .bind(name)
                    .bind(body)
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(())
            })
        });
        insert.await.map_err(|error| {
            if error.is_unique_violation() {
                EngineRepositoryError::AlreadyExists
            } else {
                unavailable(error)
            }
        })
    }

    async fn update(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError> {
        let (name, body) = (engine.name.to_string(), body_of(engine)?);
        let update = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("UPDATE engines SET body = ? WHERE name = ?")
                    .bind(body)
                    .bind(name)
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(done.rows_affected())
            })
        });
        match update.await.map_err(unavailable)? {
            0 => Err(EngineRepositoryError::Missing),
            _ => Ok(()),
        }
    }

    async fn remove(&self, name: &EngineName) -> Result<bool, EngineRepositoryError> {
        let name = name.to_string();
        let remove = self.database.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM engines WHERE name = ?")
                    .bind(name)
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(done.rows_affected())
            })
        });
        Ok(remove.await.map_err(unavailable)? > 0)
    }
}
