//! How connections are opened and looked at.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

use crate::PgConfig;

/// A connection lives so long at most, so that a server behind a moved name is left in the end.
const MAX_LIFETIME: Duration = Duration::from_mins(30);
/// One that nobody uses is closed after this long.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
/// After this much rest a connection is looked at before it is used again.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// The longest that looking at a connection may take.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// One simple query, for in the extended protocol `now()` is never quite the statement's own time.
/// Inside a transaction it is the time of its `BEGIN`; in a failed one this query fails.
const LOOK: &str = "SELECT now() = statement_timestamp() \
     AND current_setting('transaction_read_only') = 'off'";

/// A commit that is acknowledged is on the disk, also where the server's default says otherwise; a
/// setting that asks for more stays.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') IN ('off', 'local')";

pub(super) fn options(config: &PgConfig) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .max_lifetime(MAX_LIFETIME)
        .idle_timeout(IDLE_TIMEOUT)
        // Ours looks at more, and less often.
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(sqlx::raw_sql(DURABLE)).await.map(|_| ()) })
        })
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for < LOOK_AFTER {
                    return Ok(true);
                }
                is_fit(connection).await
            })
        })
        .after_release(|connection, _| Box::pin(is_fit(connection)))
}

/// Whether the connection is outside a transaction and takes writes.
async fn is_fit(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let look = sqlx::raw_sql(LOOK).fetch_one(connection);
    match timeout(LOOK_WITHIN, look).await {
        Ok(row) => row?.try_get(0),
        Err(_elapsed) => Err(sqlx::Error::Protocol(
            "the server did not answer in time".to_owned(),
        )),
    }
}
