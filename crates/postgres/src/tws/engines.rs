//! Engines in PostgreSQL.

use async_trait::async_trait;
use resync_tws::model::EngineName;
use resync_tws::ports::{EngineRepository, EngineRepositoryError, StoredEngine};

use crate::row::RowName;
use crate::{PgDatabase, PgError};

/// Engines in the table `engines`.
#[derive(Debug, Clone)]
pub struct PgEngineRepository {
    database: PgDatabase,
}

impl From<PgError> for EngineRepositoryError {
    fn from(error: PgError) -> Self {
        if error.is_unique_violation() {
            Self::AlreadyExists
        } else {
            Self::Unavailable(error.into())
        }
    }
}

fn read((name, body): (String, String)) -> Result<StoredEngine, PgError> {
    let row = RowName {
        table: "engines",
        id: &name,
    };
    row.json("body", &body)
}

fn body_of(engine: &StoredEngine) -> Result<String, EngineRepositoryError> {
    serde_json::to_string(engine).map_err(|error| EngineRepositoryError::Unavailable(error.into()))
}

impl PgEngineRepository {
    /// The engines of `database`.
    #[must_use]
    pub const fn new(database: PgDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl EngineRepository for PgEngineRepository {
    async fn list(&self) -> Result<Vec<StoredEngine>, EngineRepositoryError> {
        let query = sqlx::query_as("SELECT name, body::text FROM engines ORDER BY name");
        let rows: Vec<(String, String)> = self.database.rows(query).await?;
        Ok(rows.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn find(&self, name: &EngineName) -> Result<Option<StoredEngine>, EngineRepositoryError> {
        let query = sqlx::query_as("SELECT name, body::text FROM engines WHERE name = $1")
            .bind(name.as_str());
        let row: Option<(String, String)> = self.database.row(query).await?;
        Ok(row.map(read).transpose()?)
    }

    async fn insert(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError> {
        let query = sqlx::query("INSERT INTO engines (name, body) VALUES ($1, $2::json)")
            .bind(engine.name.to_string())
            .bind(body_of(engine)?);
        self.database.change(query).await?;
        Ok(())
    }

    async fn update(&self, engine: &StoredEngine) -> Result<(), EngineRepositoryError> {
        let query = sqlx::query("UPDATE engines SET body = $1::json WHERE name = $2")
            .bind(body_of(engine)?)
            .bind(engine.name.to_string());
        match self.database.change(query).await? {
            0 => Err(EngineRepositoryError::Missing),
            _ => Ok(()),
        }
    }

    async fn remove(&self, name: &EngineName) -> Result<bool, EngineRepositoryError> {
        let query = sqlx::query("DELETE FROM engines WHERE name = $1").bind(name.to_string());
        Ok(self.database.change(query).await? > 0)
    }
}
