//! Rows as text, for a move from another database.
//!
//! Invariants:
//! - Texts are those that PostgreSQL prints, but arrays are printed as JSON; so what went in comes out.
//! - Rows go in by key, a page in one transaction: what is there is all that was there before the last key.
//! - While a move is not finished the database says so, and [`PgDatabase::unfinished_transfer`] tells whose.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::{PgDatabase, PgError};

/// A row: its columns' texts in the order that was asked for, `None` for NULL.
pub type TextRow = Vec<Option<String>>;

/// A table as both databases know it. The names are those of a schema, never what somebody typed.
#[derive(Debug, Clone)]
pub struct TextTable {
    name: &'static str,
    columns: Vec<String>,
    key: Vec<String>,
    types: Types,
}

/// What PostgreSQL calls the types of columns.
type Types = Vec<(String, String)>;

impl TextTable {
    /// The columns whose texts make a row, in its order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Those of the key, in the key's order.
    #[must_use]
    pub fn key(&self) -> &[String] {
        &self.key
    }

    fn key_list(&self) -> String {
        self.key.join(", ")
    }
}

fn type_of<'a>(types: &'a Types, column: &str) -> Option<&'a str> {
    let found = types.iter().find(|(name, _)| name == column);
    found.map(|(_, declared)| declared.as_str())
}

fn is_array(declared: &str) -> bool {
    declared.ends_with("[]")
}

/// How the column is printed.
fn printed(types: &Types, column: &str) -> String {
    if type_of(types, column).is_some_and(is_array) {
        format!("array_to_json({column})::text")
    } else {
        format!("{column}::text")
    }
}

/// The value of a printed text.
fn read(types: &Types, column: &str, text: &str) -> String {
    match type_of(types, column) {
        Some(declared) if is_array(declared) => {
            format!("ARRAY(SELECT json_array_elements_text({text}::json))::{declared}")
        }
        Some(declared) => format!("{text}::{declared}"),
        None => text.to_owned(),
    }
}

struct Texts(TextRow);

impl FromRow<'_, PgRow> for Texts {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        (0..row.len())
            .map(|n| row.try_get(n))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl PgDatabase {
    /// Whose move into this database began and did not finish; `None` when there is none.
    ///
    /// # Errors
    /// [`PgError::Query`] or [`PgError::TimedOut`].
    pub async fn unfinished_transfer(&self) -> Result<Option<String>, PgError> {
        let rows: Vec<(String,)> = self
            .rows(sqlx::query_as(
                "SELECT source FROM transfer WHERE finished_at_ms IS NULL",
            ))
            .await?;
        Ok(rows.into_iter().next().map(|(source,)| source))
    }

    /// Notes that a move from `source` begins. `false` when another one has been here, finished or not.
    ///
    /// # Errors
    /// [`PgError::Query`], [`PgError::TimedOut`] or [`PgError::Unfinished`].
    pub async fn begin_transfer(&self, source: &str, now: DateTime<Utc>) -> Result<bool, PgError> {
        let (source, now) = (source.to_owned(), now.timestamp_millis());
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "INSERT INTO transfer (only_row, source, began_at_ms) VALUES (1, $1, $2)
                     ON CONFLICT DO NOTHING",
                )
                .bind(source)
                .bind(now)
                .execute(tx)
                .await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
    }

    /// Notes that the move is finished; from now on the database may be used.
    ///
    /// # Errors
    /// As [`PgDatabase::begin_transfer`].
    pub async fn finish_transfer(&self, now: DateTime<Utc>) -> Result<(), PgError> {
        let now = now.timestamp_millis();
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE transfer SET finished_at_ms = $1")
                    .bind(now)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// The table `name` whose rows have `columns`, with the key `key`. `None` unless these are, in any
    /// order, the columns that can be written, but for those that are `left` out.
    ///
    /// # Errors
    /// [`PgError::Query`] or [`PgError::TimedOut`].
    pub async fn text_table(
        &self,
        name: &'static str,
        columns: Vec<String>,
        key: Vec<String>,
        left: &[&str],
    ) -> Result<Option<TextTable>, PgError> {
        let mut types = self.types(name).await?;
        types.retain(|(column, _)| !left.contains(&column.as_str()));
        let same = types.len() == columns.len()
            && columns
                .iter()
                .all(|column| type_of(&types, column).is_some());
        Ok(same.then_some(TextTable {
            name,
            columns,
            key,
            types,
        }))
    }

    /// How many rows the table has.
    ///
    /// # Errors
    /// As [`PgDatabase::text_table`].
    pub async fn count(&self, table: &TextTable) -> Result<u64, PgError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let (rows,): (i64,) = self.one(sqlx::query_as(AssertSqlSafe(sql))).await?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// The key of the last row; `None` in an empty table.
    ///
    /// # Errors
    /// As [`PgDatabase::text_table`].
    pub async fn last_key(&self, table: &TextTable) -> Result<Option<Vec<String>>, PgError> {
        let types = &table.types;
        let key: Vec<_> = table.key.iter().map(|name| printed(types, name)).collect();
        let last: Vec<_> = table
            .key
            .iter()
            .map(|name| format!("{name} DESC"))
            .collect();
        let sql = format!(
            "SELECT ARRAY[{}] FROM {} ORDER BY {} LIMIT 1",
            key.join(", "),
            table.name,
            last.join(", ")
        );
        let rows: Vec<(Vec<String>,)> = self.rows(sqlx::query_as(AssertSqlSafe(sql))).await?;
        Ok(rows.into_iter().next().map(|(key,)| key))
    }

    /// At most `limit` rows after the one with the key `after`, from the first without one, by key.
    ///
    /// # Errors
    /// As [`PgDatabase::text_table`].
    pub async fn text_rows(
        &self,
        table: &TextTable,
        after: Option<&[String]>,
        limit: u32,
    ) -> Result<Vec<TextRow>, PgError> {
        let types = &table.types;
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|name| printed(types, name))
            .collect();
        let values = table.key.iter().zip(1..);
        let values = values.map(|(name, n)| read(types, name, &format!("${n}::text")));
        let values: Vec<_> = values.collect();
        let from = after.map_or_else(String::new, |_| {
            format!("WHERE ({}) > ({})", table.key_list(), values.join(", "))
        });
        let sql = format!(
            "SELECT {} FROM {} {from} ORDER BY {} LIMIT {limit}",
            columns.join(", "),
            table.name,
            table.key_list()
        );
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for value in after.unwrap_or_default() {
            query = query.bind(value.clone());
        }
        let rows: Vec<Texts> = self.rows(query).await?;
        Ok(rows.into_iter().map(|Texts(row)| row).collect())
    }

    /// Puts rows in, all or none, in their order.
    ///
    /// # Errors
    /// [`PgError::Query`] when a row does not fit or its key is taken, [`PgError::TimedOut`] or
    /// [`PgError::Unfinished`].
    pub async fn put_text_rows(
        &self,
        table: &TextTable,
        rows: Vec<TextRow>,
    ) -> Result<(), PgError> {
        let types = &table.types;
        let columns = table.columns.iter().zip(1..);
        let values: Vec<_> = columns
            .clone()
            .map(|(name, n)| read(types, name, &format!("v.c{n}")))
            .collect();
        let given: Vec<_> = columns
            .clone()
            .map(|(_, n)| format!("${n}::text[]"))
            .collect();
        let named: Vec<_> = columns.map(|(_, n)| format!("c{n}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT {} FROM unnest({}) WITH ORDINALITY AS v({}, place) ORDER BY place",
            table.name,
            table.columns.join(", "),
            values.join(", "),
            given.join(", "),
            named.join(", ")
        );
        let width = table.columns.len();
        let mut by_column: Vec<TextRow> = vec![Vec::with_capacity(rows.len()); width];
        for row in rows {
            for (column, text) in by_column.iter_mut().zip(row) {
                column.push(text);
            }
        }
        self.write(move |tx| {
            Box::pin(async move {
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for column in by_column {
                    query = query.bind(column);
                }
                query.execute(tx).await?;
                Ok(())
            })
        })
        .await
    }

    async fn types(&self, table: &str) -> Result<Types, PgError> {
        self.rows(
            sqlx::query_as(
                "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
                 WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
                     AND attgenerated = '' ORDER BY attnum",
            )
            .bind(table.to_owned()),
        )
        .await
    }
}
