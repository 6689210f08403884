//! Why the database did not do it.

use std::time::Duration;

use resync_kernel::BoxError;
use sqlx::migrate::MigrateError;
use thiserror::Error;

/// Why the database did not do it.
#[derive(Debug, Error)]
pub enum PgError {
    /// A value of the configuration cannot be used. It does not repeat the URL.
    #[error("the configuration of the database: {0}")]
    Config(&'static str),
    /// No connection could be had in time: the server is away, refuses us, or all connections are busy.
    #[error("no connection to the database")]
    Connect(#[source] sqlx::Error),
    /// The server is older than what we are tested against.
    #[error("the server is PostgreSQL {found}; {least} or later is needed")]
    TooOld {
        /// The server's major version.
        found: u32,
        /// The oldest that will do.
        least: u32,
    },
    /// A migration did not run; the database is as it was before that migration.
    #[error("the database could not be migrated")]
    Migrate(#[source] MigrateError),
    /// The database has migrations that this program does not know: a later one made them.
    #[error(
        "the database belongs to a later version of this program: it does not know the migrations {}",
        list(.0)
    )]
    Newer(Vec<i64>),
    /// The database lacks migrations of this program.
    #[error("the database lacks the migrations {}; run `resync migrate`", list(.0))]
    Behind(Vec<i64>),
    /// Migrations that ran have another text in this program.
    #[error("the migrations {} are not those that the database was made with", list(.0))]
    Changed(Vec<i64>),
    /// The server has no pgvector, or we may not turn it on.
    #[error("pgvector cannot be used: {0}")]
    Vectors(String),
    /// A vector has another number of dimensions than its model.
    #[error("a vector of {found} dimensions where the model {model} has {expected}")]
    Dimensions {
        /// The model's id.
        model: String,
        /// Its dimensions.
        expected: u32,
        /// Those of the vector.
        found: usize,
    },
    /// A statement failed.
    #[error("the database did not do it")]
    Query(#[from] sqlx::Error),
    /// The server did not answer in time. Whether a change was made is unknown.
    #[error("the database did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// A change ended without an answer: it panicked, or the runtime is going down. It was not committed.
    #[error("a change ended without an answer")]
    Unfinished(#[source] tokio::task::JoinError),
    /// A column holds what the domain does not take.
    #[error("column {column} of table {table} does not parse in row {id}")]
    Column {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        id: String,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
}

fn list(versions: &[i64]) -> String {
    let texts: Vec<String> = versions.iter().map(i64::to_string).collect();
    texts.join(", ")
}

impl PgError {
    /// Whether a statement failed because a unique key is taken.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Query(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }

    /// The constraint that a statement would have broken.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Query(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// The code of five characters that the server gave, such as `57014` for a statement that took too
    /// long.
    #[must_use]
    pub fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Query(error) | Self::Connect(error) => sqlstate(error),
            _ => None,
        }
    }
}

pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Database(error) => error.code().map(Into::into),
        _ => None,
    }
}
