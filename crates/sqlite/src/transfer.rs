//! Every row as text, for a move to another database.
//!
//! Invariants:
//! - `every_table_is_moved_or_said_not_to_be`: a table that is new to the schema fails a test until it is
//!   named here.
//! - Rows come in the order of their table's key, so a move that was broken off goes on after the last
//!   key that arrived.
//! - The text of a value is the one that PostgreSQL prints: ids with hyphens in lower case, bytes as
//!   `\x` and hexadecimal digits, `true` and `false`, and all else as it stands.

use sqlx::{AssertSqlSafe, Row as _};

use crate::{SqliteDatabase, SqliteError};

/// A row: its columns' texts in the table's order, `None` for NULL.
pub type TextRow = Vec<Option<String>>;

/// A table that is moved row by row.
#[derive(Debug)]
pub struct MovedTable {
    /// Its name here and there.
    pub name: &'static str,
    /// Rows that are read at once; few where one row may be large.
    pub page: u32,
    /// Columns that are not moved, since they are about a process of before.
    pub left: &'static [&'static str],
    /// Columns of bytes that are no ids.
    bytes: &'static [&'static str],
    /// Columns of 0 and 1 that are true or false.
    flags: &'static [&'static str],
}

const fn plain(name: &'static str) -> MovedTable {
    MovedTable {
        name,
        page: 500,
        left: &[],
        bytes: &[],
        flags: &[],
    }
}

/// The tables, those that others refer to first. Vectors are not among them: how they are stored depends
/// on the database, so they are moved through their port.
pub const MOVED_TABLES: &[MovedTable] = &[
    plain("users"),
    plain("sessions"),
    MovedTable {
        bytes: &["digest"],
        ..plain("api_keys")
    },
    MovedTable {
        bytes: &["digest"],
        ..plain("setup_token")
    },
    plain("identities"),
    plain("engines"),
    plain("thresholds"),
    plain("proposals"),
    plain("audit"),
    MovedTable {
        flags: &["good"],
        ..plain("run_history")
    },
    plain("run_history_since"),
    plain("chat_sessions"),
    plain("chat_messages"),
    plain("chat_feedback"),
    MovedTable {
        left: &["claimed_by", "claimed_until_ms"],
        ..plain("documents")
    },
    MovedTable {
        page: 10,
        ..plain("document_texts")
    },
    // One may be as large as an upload may be.
    MovedTable {
        page: 1,
        bytes: &["file"],
        ..plain("document_files")
    },
    plain("chunks"),
];

/// A column of a table.
struct Column {
    name: String,
    declared: String,
    /// Its place in the key, from 1; 0 when it is not in it.
    key: i64,
}

impl MovedTable {
    /// How PostgreSQL prints the column.
    fn printed(&self, column: &Column) -> String {
        let name = &column.name;
        if self.flags.contains(&name.as_str()) {
            return format!("CASE {name} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END");
        }
        if column.declared != "BLOB" {
            return format!("CAST({name} AS TEXT)");
        }
        if self.bytes.contains(&name.as_str()) {
            // hex() makes an empty text of NULL.
            return format!("iif({name} IS NULL, NULL, '\\x' || lower(hex({name})))");
        }
        let part = |from: u8, length: u8| format!("substr(hex({name}), {from}, {length})");
        let parts = [
            part(1, 8),
            part(9, 4),
            part(13, 4),
            part(17, 4),
            part(21, 12),
        ];
        let text = format!("lower({})", parts.join(" || '-' || "));
        format!("iif({name} IS NULL, NULL, {text})")
    }
}

impl Column {
    /// The value of a key's printed text.
    fn read(&self) -> &'static str {
        match self.declared.as_str() {
            "BLOB" => "unhex(replace(?, '-', ''))",
            "INTEGER" => "CAST(? AS INTEGER)",
            _ => "?",
        }
    }
}

impl SqliteDatabase {
    /// The names of the table's columns, in order.
    ///
    /// # Errors
    /// [`SqliteError::Query`].
    pub async fn column_names(&self, table: &MovedTable) -> Result<Vec<String>, SqliteError> {
        let columns = self.columns(table).await?;
        Ok(columns.into_iter().map(|column| column.name).collect())
    }

    /// The names of the columns of the table's key, in its order.
    ///
    /// # Errors
    /// [`SqliteError::Query`].
    pub async fn key_names(&self, table: &MovedTable) -> Result<Vec<String>, SqliteError> {
        let columns = self.columns(table).await?;
        Ok(key(&columns).map(|column| column.name.clone()).collect())
    }

    /// How many rows the table has.
    ///
    /// # Errors
    /// [`SqliteError::Query`].
    pub async fn count(&self, table: &MovedTable) -> Result<u64, SqliteError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(self.reader())
            .await?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// The rows after the one with the key `after`, from the first without one, by key; at most
    /// `table.page`.
    ///
    /// # Errors
    /// [`SqliteError::Query`].
    pub async fn text_rows(
        &self,
        table: &MovedTable,
        after: Option<&[String]>,
    ) -> Result<Vec<TextRow>, SqliteError> {
        let columns = self.columns(table).await?;
        let printed: Vec<_> = columns.iter().map(|c| table.printed(c)).collect();
        let names: Vec<_> = key(&columns).map(|c| c.name.as_str()).collect();
        let names = names.join(", ");
        let values: Vec<_> = key(&columns).map(Column::read).collect();
        let from = after.map_or_else(String::new, |_| {
            format!("WHERE ({names}) > ({})", values.join(", "))
        });
        // Names are those of the schema and of this file.
        let sql = format!(
            "SELECT {} FROM {} {from} ORDER BY {names} LIMIT {}",
            printed.join(", "),
            table.name,
            table.page
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in after.unwrap_or_default() {
            query = query.bind(value);
        }
        let rows = query.fetch_all(self.reader()).await?;
        let text = |row: sqlx::sqlite::SqliteRow| (0..row.len()).map(|n| row.try_get(n)).collect();
        let rows: Result<Vec<TextRow>, sqlx::Error> = rows.into_iter().map(text).collect();
        Ok(rows?)
    }

    async fn columns(&self, table: &MovedTable) -> Result<Vec<Column>, SqliteError> {
        let columns =
            sqlx::query_as("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid")
                .bind(table.name)
                .fetch_all(self.reader())
                .await?;
        let column = |(name, declared, key)| Column {
            name,
            declared,
            key,
        };
        let moved = |column: &Column| !table.left.contains(&column.name.as_str());
        Ok(columns.into_iter().map(column).filter(moved).collect())
    }
}

/// The columns of the key, in its order.
fn key(columns: &[Column]) -> impl Iterator<Item = &Column> {
    let mut key: Vec<_> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    key.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables that are not moved row by row, and why.
    const OTHERS: &[(&str, &str)] = &[
        ("chunk_vectors", "vectors are moved through their port"),
        ("embedding_models", "so are the models that made them"),
        (
            "document_changes",
            "whoever follows a feed reads everything first",
        ),
        ("document_feed", "a feed is that of one database"),
        ("_sqlx_migrations", "each database has its own migrations"),
    ];

    #[tokio::test]
    async fn every_table_is_moved_or_said_not_to_be() {
        let database = SqliteDatabase::open_in_memory().await.unwrap();
        let there: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )
        .fetch_all(database.reader())
        .await
        .unwrap();
        let moved = MOVED_TABLES.iter().map(|table| table.name);
        let mut named: Vec<_> = moved.chain(OTHERS.iter().map(|(name, _)| *name)).collect();
        named.sort_unstable();
        assert_eq!(there, named);
        for table in MOVED_TABLES {
            let columns = database.column_names(table).await.unwrap();
            let all: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                .bind(table.name)
                .fetch_all(database.reader())
                .await
                .unwrap();
            assert!(
                table
                    .left
                    .iter()
                    .all(|name| all.iter().any(|column| column == name))
            );
            for name in table.bytes.iter().chain(table.flags) {
                assert!(columns.iter().any(|column| column == name), "{table:?}");
            }
            assert!(
                !database.key_names(table).await.unwrap().is_empty(),
                "{table:?}"
            );
        }
    }

    #[tokio::test]
    async fn values_are_printed_as_postgresql_prints_them_and_rows_follow_their_key() {
        let database = SqliteDatabase::open_in_memory().await.unwrap();
        let keys = MOVED_TABLES
            .iter()
            .find(|table| table.name == "api_keys")
            .unwrap();
        for n in 1..=3_u8 {
            database
                .write(move |tx| {
                    Box::pin(async move {
                        sqlx::query(
                            "INSERT INTO api_keys (id, user_id, label, digest, scopes, user_version,
                                 created_at_ms, expires_at_ms) VALUES (?, ?, 'chave é', ?, '[\"plan.read\"]', 0, ?, 9)",
                        )
                        .bind(vec![n; 16])
                        .bind(vec![0xAB; 16])
                        .bind(vec![0xC0 + n; 32])
                        .bind(i64::from(n))
                        .execute(tx)
                        .await?;
                        Ok::<_, SqliteError>(())
                    })
                })
                .await
                .unwrap();
        }
        assert_eq!(database.count(keys).await.unwrap(), 3);
        assert_eq!(database.key_names(keys).await.unwrap(), ["id"]);
        let names = database.column_names(keys).await.unwrap();
        let rows = database.text_rows(keys, None).await.unwrap();
        let cell = |row: &TextRow, name: &str| {
            row[names.iter().position(|column| column == name).unwrap()].clone()
        };
        assert_eq!(
            cell(&rows[0], "id").unwrap(),
            "01010101-0101-0101-0101-010101010101"
        );
        assert_eq!(
            cell(&rows[0], "digest").unwrap(),
            format!("\\x{}", "c1".repeat(32))
        );
        assert_eq!(cell(&rows[0], "label").unwrap(), "chave é");
        assert_eq!(cell(&rows[0], "scopes").unwrap(), "[\"plan.read\"]");
        assert_eq!(cell(&rows[0], "created_at_ms").unwrap(), "1");
        assert_eq!(cell(&rows[0], "last_used_at_ms"), None);
        let after = [cell(&rows[1], "id").unwrap()];
        let rest = database.text_rows(keys, Some(&after)).await.unwrap();
        assert_eq!(rest, rows[2..]);
    }
}
