use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::*;

async fn file() -> (tempfile::TempDir, SqliteDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(folder.path().join("test.db"))
        .await
        .unwrap();
    make_table(&database).await;
    (folder, database)
}

async fn make_table(database: &SqliteDatabase) {
    write_sql(
        database,
        "CREATE TABLE notes (text TEXT NOT NULL UNIQUE) STRICT",
    )
    .await
    .unwrap();
}

async fn write_sql(database: &SqliteDatabase, sql: &'static str) -> Result<(), SqliteError> {
    database
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(sql).execute(tx).await?;
                Ok(())
            })
        })
        .await
}

async fn notes(database: &SqliteDatabase) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(database.reader())
        .await
        .unwrap()
}

#[tokio::test]
async fn committed_rows_survive_a_reopen() {
    let (folder, database) = file().await;
    write_sql(&database, "INSERT INTO notes VALUES ('a')")
        .await
        .unwrap();
    database.close().await;
    let again = SqliteDatabase::open(folder.path().join("test.db"))
        .await
        .unwrap();
    assert_eq!(notes(&again).await, 1);
}

#[tokio::test]
async fn the_pragmas_are_as_promised_on_both_pools() {
    let (_folder, database) = file().await;
    for pool in [&database.readers, &database.writer] {
        let text = |sql: &'static str| async move {
            sqlx::query_scalar::<_, String>(sql)
                .fetch_one(pool)
                .await
                .unwrap()
        };
        let number = |sql: &'static str| async move {
            sqlx::query_scalar::<_, i64>(sql)
                .fetch_one(pool)
                .await
                .unwrap()
        };
        assert_eq!(text("PRAGMA journal_mode").await, "wal");
        assert_eq!(number("PRAGMA synchronous").await, 2, "FULL");
        assert_eq!(number("PRAGMA foreign_keys").await, 1);
        assert_eq!(number("PRAGMA busy_timeout").await, 5000);
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, database) = file().await;
    let refused = sqlx::query("INSERT INTO notes VALUES ('a')")
        .execute(database.reader())
        .await;
    assert!(refused.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn an_error_rolls_back_and_the_writer_goes_on() {
    let (_folder, database) = file().await;
    let failed = database
        .write(|tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO notes VALUES ('a')")
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("INSERT INTO notes VALUES ('a')")
                    .execute(tx)
                    .await?;
                Ok::<_, SqliteError>(())
            })
        })
        .await;
    assert!(failed.unwrap_err().is_unique_violation());
    assert_eq!(notes(&database).await, 0);
    write_sql(&database, "INSERT INTO notes VALUES ('a')")
        .await
        .unwrap();
    assert_eq!(notes(&database).await, 1);
}

#[tokio::test]
async fn a_panic_in_a_write_rolls_back_and_the_writer_goes_on() {
    let (_folder, database) = file().await;
    let failed = database
        .write(|tx| -> Write<'_, (), SqliteError> {
            Box::pin(async move {
                sqlx::query("INSERT INTO notes VALUES ('a')")
                    .execute(tx)
                    .await?;
                panic!("on purpose")
            })
        })
        .await;
    assert!(matches!(failed, Err(SqliteError::Unfinished(_))));
    write_sql(&database, "INSERT INTO notes VALUES ('b')")
        .await
        .unwrap();
    assert_eq!(notes(&database).await, 1);
}

#[tokio::test]
async fn a_dropped_caller_leaves_nothing_half_done() {
    let (_folder, database) = file().await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut caller = JoinSet::new();
    {
        let (database, begun, go_on) = (database.clone(), Arc::clone(&begun), Arc::clone(&go_on));
        caller.spawn(async move {
            database
                .write(move |tx| {
                    Box::pin(async move {
                        sqlx::query("INSERT INTO notes VALUES ('a')")
                            .execute(&mut *tx)
                            .await?;
                        begun.notify_one();
                        go_on.notified().await;
                        sqlx::query("INSERT INTO notes VALUES ('b')")
                            .execute(tx)
                            .await?;
                        Ok::<_, SqliteError>(())
                    })
                })
                .await
        });
    }
    begun.notified().await;
    caller.shutdown().await;
    assert_eq!(
        notes(&database).await,
        0,
        "nothing is visible before the commit"
    );
    go_on.notify_one();
    database.writes.close();
    database.writes.wait().await;
    assert_eq!(notes(&database).await, 2, "both rows or none");
}

#[tokio::test]
async fn writers_queue_up_and_none_is_refused() {
    let (_folder, database) = file().await;
    let mut writers = JoinSet::new();
    for number in 0..40 {
        let database = database.clone();
        writers.spawn(async move {
            database
                .write(move |tx| {
                    Box::pin(async move {
                        let sql = "INSERT INTO notes VALUES ('n' || ?)";
                        sqlx::query(sql).bind(number).execute(tx).await?;
                        Ok::<_, SqliteError>(())
                    })
                })
                .await
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(notes(&database).await, 40);
}

#[tokio::test]
async fn an_in_memory_database_is_whole_and_private() {
    let (one, other) = (
        SqliteDatabase::open_in_memory().await.unwrap(),
        SqliteDatabase::open_in_memory().await.unwrap(),
    );
    make_table(&one).await;
    make_table(&other).await;
    write_sql(&one, "INSERT INTO notes VALUES ('a')")
        .await
        .unwrap();
    assert_eq!((notes(&one).await, notes(&other).await), (1, 0));
    one.ping().await.unwrap();
}

#[tokio::test]
async fn a_closed_database_is_not_ready() {
    let (_folder, database) = file().await;
    database.ping().await.unwrap();
    database.close().await;
    assert!(database.ping().await.is_err());
}

#[tokio::test]
async fn a_folder_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        SqliteDatabase::open(folder.path()).await,
        Err(SqliteError::Open(_))
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_side_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let database = SqliteDatabase::open(folder.path().join("new.db"))
        .await
        .unwrap();
    let modes: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    assert!(
        modes.len() >= 2,
        "the write-ahead log is not there: {modes:?}"
    );
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    database.close().await;
}

/// A copy that is made while others write is the database as it was at one moment: of two rows that
/// stand for each other it has both or neither.
#[tokio::test]
async fn a_backup_is_one_moment_of_a_database_that_others_change() {
    let (folder, database) = file().await;
    let mut writing = JoinSet::new();
    writing.spawn({
        let database = database.clone();
        async move {
            for n in 0..200 {
                let pair = database.write(move |tx| {
                    Box::pin(async move {
                        sqlx::query("INSERT INTO notes VALUES (?), (?)")
                            .bind(format!("{n}, one"))
                            .bind(format!("{n}, other"))
                            .execute(tx)
                            .await?;
                        Ok::<_, SqliteError>(())
                    })
                });
                pair.await.unwrap();
            }
        }
    });
    let mut sizes = Vec::new();
    for n in 0..5 {
        let path = folder.path().join(format!("copy-{n}.db"));
        database.back_up_to(&path).await.unwrap();
        let copy = SqliteDatabase::open(&path).await.unwrap();
        sizes.push(notes(&copy).await);
        copy.close().await;
    }
    writing.join_next().await.unwrap().unwrap();
    assert!(sizes.iter().all(|rows| rows % 2 == 0), "{sizes:?}");
    assert!(sizes.is_sorted(), "{sizes:?}");
    let path = folder.path().join("last.db");
    database.back_up_to(&path).await.unwrap();
    let copy = SqliteDatabase::open(&path).await.unwrap();
    assert_eq!(notes(&copy).await, 400);
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_its_owners_alone_and_replaces_nothing() {
    use std::os::unix::fs::PermissionsExt as _;

    let (folder, database) = file().await;
    let path = folder.path().join("copy.db");
    database.back_up_to(&path).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&path).unwrap();
    let again = database.back_up_to(&path).await;
    assert!(matches!(again, Err(SqliteError::Make(_))), "{again:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let nowhere = database
        .back_up_to(folder.path().join("no/such/folder.db"))
        .await;
    assert!(matches!(nowhere, Err(SqliteError::Make(_))), "{nowhere:?}");
    // The connection that may write is gone: readers still cannot.
    let written = sqlx::query("DELETE FROM users").execute(database.reader());
    assert!(written.await.is_err());
}
