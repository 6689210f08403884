//! What happens when something happens to the server (F2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use resync_kernel::SystemClock;
use resync_postgres::{PgChannel, PgDatabase, PgError, PgNotices};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::own::OwnPostgres;
use crate::server::until;

/// How soon an error must come, and how soon the database must be in use again.
const PROMISED: Duration = Duration::from_secs(2);
/// What a machine that does other things may take beside that.
const SLACK: Duration = Duration::from_millis(700);

async fn write(database: &PgDatabase) -> Result<(), PgError> {
    database
        .write(|tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO notes VALUES (clock_timestamp())")
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
}

/// A database with a table, used by several connections.
async fn busy(own: &OwnPostgres) -> PgDatabase {
    let database = own.open().await;
    sqlx::query("CREATE TABLE notes (at timestamptz NOT NULL)")
        .execute(database.pool())
        .await
        .unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let database = database.clone();
        writers.spawn(async move { write(&database).await });
    }
    for written in writers.join_all().await {
        written.unwrap();
    }
    database
}

/// Eight callers at once all get an error, and in time.
async fn all_fail_within(database: &PgDatabase, most: Duration) {
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let database = database.clone();
        writers.spawn(async move {
            let began = Instant::now();
            (write(&database).await, began.elapsed())
        });
    }
    for (written, took) in writers.join_all().await {
        assert!(written.is_err());
        assert!(took <= most, "{took:?}");
    }
}

/// After the first write that succeeds, in time, none fails any more: no connection is left in a failed
/// transaction or with a server that is gone.
async fn is_back(database: &PgDatabase) {
    let took = until(async || write(database).await.is_ok()).await;
    assert!(took <= PROMISED + SLACK, "{took:?}");
    for _ in 0..40 {
        write(database).await.unwrap();
    }
}

/// F2, F6: killed in mid-air, and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_is_an_error_in_time_and_is_used_again_in_time() {
    let own = OwnPostgres::start().await;
    let database = busy(&own).await;
    for _ in 0..2 {
        own.kill();
        all_fail_within(&database, PROMISED + SLACK).await;
        all_fail_within(&database, PROMISED + SLACK).await;
        own.begin().await;
        is_back(&database).await;
    }
}

/// F2: a server that holds its connections and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_silent_is_an_error_in_time_and_is_used_again_in_time() {
    let own = OwnPostgres::start().await;
    let database = busy(&own).await;
    own.pause();
    // A transaction on a connection that was just in use ends after six times a statement's time;
    // everything else after the wait for a connection.
    all_fail_within(&database, Duration::from_secs(6) + PROMISED + SLACK).await;
    all_fail_within(&database, PROMISED + SLACK).await;
    own.resume();
    is_back(&database).await;
}

/// F2: what was committed before the crash and acknowledged is there after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_crash_is_there_after_it() {
    let own = OwnPostgres::start().await;
    let database = busy(&own).await;
    let mut acknowledged = 8;
    for round in 1..=3 {
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let database = database.clone();
            writers.spawn(async move {
                let mut written = 0_i64;
                while write(&database).await.is_ok() {
                    written += 1;
                }
                written
            });
        }
        let mut counted = 0;
        until(async || {
            counted += 1;
            counted > 20 * round
        })
        .await;
        own.kill();
        acknowledged += writers.join_all().await.iter().sum::<i64>();
        own.begin().await;
        is_back(&database).await;
        acknowledged += 41;
        let (rows,): (i64,) = sqlx::query_as("SELECT count(*) FROM notes")
            .fetch_one(database.pool())
            .await
            .unwrap();
        // A commit whose answer was lost may be there as well, one a writer at most.
        assert!(
            rows >= acknowledged && rows <= acknowledged + 4 * round,
            "{rows} {acknowledged}"
        );
    }
}

/// F2, A5: nobody believes what is remembered while the server is away; afterwards everything has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_are_not_believed_while_the_server_is_away() {
    let own = OwnPostgres::start().await;
    let notices = Arc::new(PgNotices::new(
        own.open().await,
        Arc::new(SystemClock::new()),
    ));
    let end = CancellationToken::new();
    let mut listening = JoinSet::new();
    let (listener, until_end) = (Arc::clone(&notices), end.clone());
    listening.spawn(async move { listener.run(until_end).await });
    for hurt in [OwnPostgres::pause, OwnPostgres::kill] {
        until(async || notices.is_following()).await;
        let before = notices.generation(PgChannel::Auth);
        hurt(&own);
        let took = until(async || !notices.is_following()).await;
        assert!(took <= Duration::from_secs(1) + SLACK, "{took:?}");
        own.resume();
        own.kill();
        own.begin().await;
        let took = until(async || notices.is_following()).await;
        assert!(took <= PROMISED + SLACK, "{took:?}");
        assert_ne!(notices.generation(PgChannel::Auth), before);
    }
    end.cancel();
    listening.join_all().await;
}
