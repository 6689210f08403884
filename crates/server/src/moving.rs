//! A move of everything from SQLite to PostgreSQL.
//!
//! Invariants:
//! - A move that was broken off goes on where it stood; until it is finished nobody may use the database.
//! - It is finished only when every table has as many rows on both sides with the same SHA-256, and the
//!   vectors of every document are there.
//! - Into a database that has rows of its own nothing is moved.
//!
//! Rows go as text by their key, vectors through their ports, for how those are stored depends on the
//! database.

use std::path::Path;
use std::sync::Arc;

use resync_kernel::{BoxError, Clock};
use resync_postgres::rag::PgDocumentRepository;
use resync_postgres::{PgDatabase, PgError, TextTable};
use resync_rag::{
    DocumentFilter, DocumentId, DocumentRepository, EmbeddingModel, VectorRepository, WorkerId,
};
use resync_sqlite::rag::SqliteDocumentRepository;
use resync_sqlite::{MOVED_TABLES, MovedTable, SqliteDatabase, SqliteError};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Documents that are looked at once.
const DOCUMENTS: u32 = 100;

/// Why not everything was moved. What was moved stays, and the next try goes on there.
#[derive(Debug, Error)]
pub enum MoveError {
    /// The database has rows, and no move from this file began them.
    #[error("the database is not empty: {table} has {rows} rows")]
    NotEmpty {
        /// A table that has some.
        table: &'static str,
        /// How many.
        rows: u64,
    },
    /// A move from another file began, or one is finished.
    #[error("another move into this database began or is finished")]
    Another,
    /// A table has other columns on the other side.
    #[error("table {table} has other columns in PostgreSQL")]
    Schema {
        /// The table.
        table: &'static str,
    },
    /// Both sides tell different things after the move. The file was changed meanwhile, or somebody wrote
    /// to the database.
    #[error("{what} is not the same on both sides; was the server stopped? make the database anew")]
    Different {
        /// A table, or vectors.
        what: String,
    },
    /// SQLite failed.
    #[error("the file cannot be read")]
    Source(#[from] SqliteError),
    /// PostgreSQL failed.
    #[error("the database did not take it")]
    Target(#[from] PgError),
    /// The documents' stores failed.
    #[error("the documents cannot be moved")]
    Documents(#[source] BoxError),
}

impl From<resync_rag::DocumentRepositoryError> for MoveError {
    fn from(error: resync_rag::DocumentRepositoryError) -> Self {
        Self::Documents(error.into())
    }
}

/// How far the move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved<'a> {
    /// A table, or `vectors`.
    pub what: &'a str,
    /// What is done with it.
    pub step: Step,
    /// Rows so far.
    pub done: u64,
    /// Rows in all.
    pub of: u64,
}

/// What is done with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Rows are copied.
    Copy,
    /// Both sides are compared.
    Check,
}

/// What was moved of a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MovedRows {
    /// A table, or `vectors`.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over all of them in the order of their key, the same on both sides; none for vectors.
    pub sha256: Option<String>,
}

/// A move between two open databases.
pub struct Move<'a> {
    /// From here.
    pub from: &'a SqliteDatabase,
    /// The file, which names the move.
    pub file: &'a Path,
    /// To here; migrated.
    pub to: &'a PgDatabase,
    /// For the note of the move.
    pub clock: Arc<dyn Clock>,
    /// Whose the documents are while their vectors go in.
    pub worker: WorkerId,
}

impl Move<'_> {
    /// Moves what is not there yet and checks everything; tells how far it is.
    ///
    /// Cancel safe: the next run goes on.
    ///
    /// # Errors
    /// [`MoveError`].
    pub async fn run(
        &self,
        tell: &mut (dyn FnMut(Moved<'_>) + Send),
    ) -> Result<Vec<MovedRows>, MoveError> {
        let mut tables = Vec::new();
        for table in MOVED_TABLES {
            tables.push((table, self.both(table).await?));
        }
        self.begin(&tables).await?;
        for (table, both) in &tables {
            self.copy(table, both, tell).await?;
        }
        let vectors = self.vectors(tell).await?;
        let mut report = Vec::new();
        for (table, both) in &tables {
            report.push(self.compare(table, both, tell).await?);
        }
        report.push(vectors);
        self.to.finish_transfer(self.clock.now()).await?;
        Ok(report)
    }

    /// Notes the move, unless it is noted: then it is this one, and not finished.
    async fn begin(&self, tables: &[(&MovedTable, TextTable)]) -> Result<(), MoveError> {
        let source = self.file.display().to_string();
        if self.to.unfinished_transfer().await? == Some(source.clone()) {
            return Ok(());
        }
        for (table, both) in tables {
            let rows = self.to.count(both).await?;
            if rows > 0 {
                let table = table.name;
                return Err(MoveError::NotEmpty { table, rows });
            }
        }
        if self.to.begin_transfer(&source, self.clock.now()).await? {
            Ok(())
        } else {
            Err(MoveError::Another)
        }
    }

    /// The table as both sides know it.
    async fn both(&self, table: &MovedTable) -> Result<TextTable, MoveError> {
        let columns = self.from.column_names(table).await?;
        let key = self.from.key_names(table).await?;
        let both = self.to.text_table(table.name, columns, key, table.left);
        let both = both.await?;
        both.ok_or(MoveError::Schema { table: table.name })
    }

    async fn copy(
        &self,
        table: &MovedTable,
        both: &TextTable,
        tell: &mut (dyn FnMut(Moved<'_>) + Send),
    ) -> Result<(), MoveError> {
        let of = self.from.count(table).await?;
        let mut done = self.to.count(both).await?;
        let mut after = self.to.last_key(both).await?;
        loop {
            let (what, step) = (table.name, Step::Copy);
            tell(Moved {
                what,
                step,
                done,
                of,
            });
            let rows = self.from.text_rows(table, after.as_deref()).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(key_of(both, last));
            done += u64::try_from(rows.len()).unwrap_or_default();
            self.to.put_text_rows(both, rows).await?;
        }
    }

    async fn compare(
        &self,
        table: &MovedTable,
        both: &TextTable,
        tell: &mut (dyn FnMut(Moved<'_>) + Send),
    ) -> Result<MovedRows, MoveError> {
        let of = self.from.count(table).await?;
        let (mut here, mut there) = (Sha256::new(), Sha256::new());
        let (mut after, mut done) = (None, 0);
        loop {
            let (what, step) = (table.name, Step::Check);
            tell(Moved {
                what,
                step,
                done,
                of,
            });
            let rows = self.from.text_rows(table, after.as_deref()).await?;
            let others = self
                .to
                .text_rows(both, after.as_deref(), table.page)
                .await?;
            digest(&mut here, &rows);
            digest(&mut there, &others);
            done += u64::try_from(rows.len()).unwrap_or_default();
            match (rows.last(), others.last()) {
                (None, None) => break,
                (Some(last), Some(_)) if rows == others => after = Some(key_of(both, last)),
                _ => {
                    let what = format!("table {}", table.name);
                    return Err(MoveError::Different { what });
                }
            }
        }
        Ok(MovedRows {
            table: table.name.to_owned(),
            rows: done,
            sha256: Some(hex::encode(here.finalize())),
        })
    }

    /// Moves the vectors of every model and compares what came.
    async fn vectors(
        &self,
        tell: &mut (dyn FnMut(Moved<'_>) + Send),
    ) -> Result<MovedRows, MoveError> {
        let here = SqliteDocumentRepository::new(self.from.clone());
        let there = PgDocumentRepository::new(self.to.clone());
        let models = here.models().await?;
        let of = models.iter().map(|model| model.vectors).sum();
        let mut done = 0;
        let (mut before, any) = (None, DocumentFilter::default());
        loop {
            let page = here.newest(&any, before, DOCUMENTS).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for document in &page {
                for model in &models {
                    done += self
                        .vectors_of(&here, &there, document.id, &model.model)
                        .await?;
                }
                let (what, step) = ("vectors", Step::Copy);
                tell(Moved {
                    what,
                    step,
                    done,
                    of,
                });
            }
        }
        if done == of {
            Ok(MovedRows {
                table: "vectors".to_owned(),
                rows: done,
                sha256: None,
            })
        } else {
            let what = format!("the vectors ({done} of {of} moved)");
            Err(MoveError::Different { what })
        }
    }

    /// Moves a document's vectors of a model, those that are not there, and says how many there are.
    async fn vectors_of(
        &self,
        here: &SqliteDocumentRepository,
        there: &PgDocumentRepository,
        id: DocumentId,
        model: &EmbeddingModel,
    ) -> Result<u64, MoveError> {
        let Some(vectors) = here.vectors(id, model).await? else {
            return Ok(0);
        };
        let first = there.embedded(id, model).await?;
        let rest = usize::try_from(first)
            .ok()
            .and_then(|first| vectors.get(first..));
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            let now = self.clock.now();
            let until = now + chrono::TimeDelta::minutes(1);
            there.claim(id, self.worker, now, until).await?;
            there
                .put_vectors(id, self.worker, model, first, rest)
                .await?;
            there.defer(id, self.worker, now, None).await?;
        }
        let came = there.vectors(id, model).await?.unwrap_or_default();
        if came == vectors {
            Ok(u64::try_from(vectors.len()).unwrap_or_default())
        } else {
            let what = format!("the vectors of document {id}");
            Err(MoveError::Different { what })
        }
    }
}

fn key_of(table: &TextTable, row: &[Option<String>]) -> Vec<String> {
    let place = |name: &String| table.columns().iter().position(|column| column == name);
    let value = |name| place(name).and_then(|n| row.get(n)).cloned().flatten();
    // No column of a key is NULL.
    table
        .key()
        .iter()
        .map(|name| value(name).unwrap_or_default())
        .collect()
}

/// Every value with its length, so that no two rows have the same bytes.
fn digest(into: &mut Sha256, rows: &[Vec<Option<String>>]) {
    for value in rows.iter().flatten() {
        match value {
            None => into.update(u64::MAX.to_le_bytes()),
            Some(text) => {
                let length = u64::try_from(text.len()).unwrap_or_default();
                into.update(length.to_le_bytes());
                into.update(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_change_places_under_a_digest() {
        let of = |rows: &[Vec<Option<String>>]| {
            let mut digest_of = Sha256::new();
            digest(&mut digest_of, rows);
            digest_of.finalize()
        };
        let row = |values: &[Option<&str>]| values.iter().map(|v| v.map(str::to_owned)).collect();
        let ab = of(&[row(&[Some("ab"), Some("")])]);
        assert_ne!(ab, of(&[row(&[Some("a"), Some("b")])]));
        assert_ne!(ab, of(&[row(&[Some("ab"), None])]));
        assert_eq!(ab, of(&[row(&[Some("ab"), Some("")])]));
    }
}
