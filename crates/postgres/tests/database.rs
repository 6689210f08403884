//! The pool, its transactions and the schema, whole and under faults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use resync_postgres::{PgConfig, PgDatabase, PgError, PgSchema};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::server::{Own, config, run, until};

async fn write_sql(database: &PgDatabase, sql: &'static str) -> Result<(), PgError> {
    database
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(sql).execute(tx).await?;
                Ok(())
            })
        })
        .await
}

async fn with_notes(own: &Own) -> PgDatabase {
    let database = own.open().await;
    write_sql(&database, "CREATE TABLE notes (text text NOT NULL UNIQUE)")
        .await
        .unwrap();
    database
}

async fn notes(database: &PgDatabase) -> i64 {
    let (count,) = sqlx::query_as("SELECT count(*) FROM notes")
        .fetch_one(database.pool())
        .await
        .unwrap();
    count
}

#[tokio::test]
async fn a_transaction_commits_its_ok_and_rolls_its_error_back() {
    let own = Own::empty().await;
    let database = with_notes(&own).await;
    let failed = database
        .write(|tx| {
            Box::pin(async move {
                for _ in 0..2 {
                    sqlx::query("INSERT INTO notes VALUES ('a')")
                        .execute(&mut *tx)
                        .await?;
                }
                Ok::<_, PgError>(())
            })
        })
        .await
        .unwrap_err();
    assert!(failed.is_unique_violation());
    assert_eq!(failed.constraint(), Some("notes_text_key"));
    assert_eq!(notes(&database).await, 0);
    write_sql(&database, "INSERT INTO notes VALUES ('a')")
        .await
        .unwrap();
    assert_eq!(notes(&database).await, 1);
}

#[tokio::test]
async fn a_panic_in_a_transaction_rolls_it_back() {
    let own = Own::empty().await;
    let database = with_notes(&own).await;
    let failed = database
        .write(|tx| -> resync_postgres::Write<'_, (), PgError> {
            Box::pin(async move {
                sqlx::query("INSERT INTO notes VALUES ('a')")
                    .execute(tx)
                    .await?;
                panic!("on purpose")
            })
        })
        .await;
    assert!(matches!(failed, Err(PgError::Unfinished(_))));
    write_sql(&database, "INSERT INTO notes VALUES ('b')")
        .await
        .unwrap();
    assert_eq!(notes(&database).await, 1);
}

#[tokio::test]
async fn a_cancelled_caller_leaves_nothing_half_done() {
    let own = Own::empty().await;
    let database = with_notes(&own).await;
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
                        Ok::<_, PgError>(())
                    })
                })
                .await
        });
    }
    begun.notified().await;
    caller.shutdown().await;
    assert_eq!(notes(&database).await, 0, "nothing shows before the commit");
    go_on.notify_one();
    until(async || notes(&database).await == 2).await;
}

/// F2: a caller that goes away in the middle of the library's `begin` leaves an open transaction behind;
/// nobody ever gets that connection.
#[tokio::test]
async fn a_cancelled_caller_leaves_no_open_transaction() {
    let own = Own::empty().await;
    let database = PgDatabase::open(&PgConfig {
        max_connections: 2,
        ..config(&own.url)
    })
    .await
    .unwrap();
    let mut left_open = 0;
    for polls in 1..=40 {
        let mut connection = database.pool().acquire().await.unwrap();
        {
            let mut begin = Box::pin(connection.begin());
            // Dropped after as many steps as the round has.
            for _ in 0..polls {
                let step = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(begin.as_mut().poll(context).is_pending())
                });
                if !step.await {
                    break;
                }
                tokio::task::yield_now().await;
                left_open += 1;
            }
        }
        drop(connection);
        // In a transaction that somebody else began, its time is another one than the statement's.
        let row = sqlx::raw_sql("SELECT now() = statement_timestamp()")
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert!(row.get::<bool, _>(0), "after {polls} steps");
    }
    assert!(left_open > 0, "no round was dropped half way");
    let mut elsewhere = own.elsewhere().await;
    until(async || {
        let (open,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        )
        .fetch_one(&mut elsewhere)
        .await
        .unwrap();
        open == 0
    })
    .await;
}

/// F2: a connection that was left in a transaction, or that only reads, is not used again.
#[tokio::test]
async fn a_connection_that_is_of_no_use_is_closed() {
    let own = Own::empty().await;
    let database = with_notes(&own).await;
    for spoil in [
        "BEGIN",
        "BEGIN; SELECT 1/0",
        "SET default_transaction_read_only = on",
    ] {
        let mut connection = database.pool().acquire().await.unwrap();
        let (spoiled,): (i32,) = sqlx::query_as("SELECT pg_backend_pid()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        // The division fails, as it should.
        let _failed_or_not = sqlx::raw_sql(spoil).execute(&mut *connection).await;
        drop(connection);
        for _ in 0..20 {
            let mut connection = database.pool().acquire().await.unwrap();
            let (pid,): (i32,) = sqlx::query_as("SELECT pg_backend_pid()")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_ne!(pid, spoiled, "{spoil}");
        }
        write_sql(
            &database,
            "INSERT INTO notes VALUES (clock_timestamp()::text)",
        )
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let own = Own::empty().await;
    let database = PgDatabase::open(&PgConfig {
        statement_timeout: Duration::from_millis(200),
        lock_timeout: Duration::from_millis(100),
        ..config(&own.url)
    })
    .await
    .unwrap();
    let error = write_sql(&database, "SELECT pg_sleep(30)")
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate().as_deref(), Some("57014"), "{error:?}");

    write_sql(&database, "CREATE TABLE notes (text text NOT NULL UNIQUE)")
        .await
        .unwrap();
    let mut elsewhere = own.elsewhere().await;
    let mut holding = elsewhere.begin().await.unwrap();
    run(&mut holding, "LOCK TABLE notes").await;
    let error = write_sql(&database, "INSERT INTO notes VALUES ('a')")
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate().as_deref(), Some("55P03"), "{error:?}");
    holding.rollback().await.unwrap();
    write_sql(&database, "INSERT INTO notes VALUES ('a')")
        .await
        .unwrap();
}

/// 13.1.2: the pool has an end, and so has the wait for it.
#[tokio::test]
async fn of_fifty_callers_and_two_connections_nobody_waits_without_end() {
    let own = Own::empty().await;
    let database = PgDatabase::open(&PgConfig {
        max_connections: 2,
        acquire_timeout: Duration::from_millis(300),
        ..config(&own.url)
    })
    .await
    .unwrap();
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let database = database.clone();
        callers.spawn(async move { write_sql(&database, "SELECT pg_sleep(0.5)").await });
    }
    until(async || database.metrics().waiting == 48).await;
    assert_eq!(database.metrics().size, 2);
    let ended = callers.join_all().await;
    let served = ended.iter().filter(|one| one.is_ok()).count();
    assert_eq!(served, 2);
    assert!(
        ended.iter().all(|one| matches!(
            one,
            Ok(()) | Err(PgError::Connect(sqlx::Error::PoolTimedOut))
        )),
        "{ended:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    let metrics = database.metrics();
    assert_eq!((metrics.waiting, metrics.max), (0, 2));
    write_sql(&database, "SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_closed_database_is_not_ready() {
    let own = Own::migrated().await;
    let database = own.open().await;
    database.ping().await.unwrap();
    database.close().await;
    assert!(matches!(
        database.ping().await,
        Err(PgError::Connect(sqlx::Error::PoolClosed))
    ));
}

/// `open` neither makes nor changes anything, and says what is missing.
#[tokio::test]
async fn a_database_without_a_schema_is_opened_and_left_as_it_is() {
    let own = Own::empty().await;
    let database = own.open().await;
    let schema = database.schema().await.unwrap();
    assert!(
        schema.missing.len() > 5 && schema.unknown.is_empty(),
        "{schema:?}"
    );
    assert!(matches!(schema.require_current(), Err(PgError::Behind(_))));
    assert!(database.ping().await.is_err());
    let (tables,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(database.pool())
            .await
            .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn of_two_replicas_that_migrate_at_once_one_does_and_the_other_waits() {
    let own = Own::empty().await;
    let replicas = [own.open().await, own.open().await];
    let (one, other) = tokio::join!(replicas[0].migrate(), replicas[1].migrate());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_empty() != other.is_empty(), "{one:?} {other:?}");
    assert_eq!(replicas[0].schema().await.unwrap(), PgSchema::default());
    assert_eq!(replicas[1].migrate().await.unwrap(), Vec::<i64>::new());
}

#[tokio::test]
async fn a_database_of_a_later_program_is_refused_and_left_as_it_is() {
    let own = Own::migrated().await;
    let database = own.open().await;
    let mut elsewhere = own.elsewhere().await;
    run(
        &mut elsewhere,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9901, 'later', true, 'x', 0)",
    )
    .await;
    let error = database.migrate().await.unwrap_err();
    assert!(
        matches!(&error, PgError::Newer(versions) if *versions == [9901]),
        "{error:?}"
    );
    let schema = database.schema().await.unwrap();
    assert_eq!(schema.unknown, [9901]);
    run(
        &mut elsewhere,
        "DELETE FROM _sqlx_migrations WHERE version = 9901",
    )
    .await;
    run(
        &mut elsewhere,
        "UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 101",
    )
    .await;
    let error = database.migrate().await.unwrap_err();
    assert!(
        matches!(&error, PgError::Changed(versions) if *versions == [101]),
        "{error:?}"
    );
}

/// A database whose encoding, collation or role differs from the test's own still does.
#[tokio::test]
async fn every_connection_says_who_it_is_and_has_its_bounds() {
    let own = Own::empty().await;
    let database = own.open().await;
    for (setting, expected) in [
        ("application_name", "resync"),
        ("statement_timeout", "5s"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ] {
        let sql = AssertSqlSafe(format!("SELECT current_setting('{setting}')"));
        let (found,): (String,) = sqlx::query_as(sql)
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert_eq!(found, expected, "{setting}");
    }
}
