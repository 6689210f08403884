//! The PostgreSQL and the Redis that `scripts/test` starts are there and are its own.

use redis::AsyncCommands;
use sqlx::{Connection, PgConnection, Row};

/// What `scripts/services` hands over. Without it these tests fail; they never skip.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's services are named by its environment"
)]
fn url(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; run the tests by scripts/test"))
}

fn port(url: &str) -> u16 {
    let after_host = url.rsplit(':').next().unwrap();
    after_host.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn postgresql_answers_on_the_port_it_was_given_and_has_pgvector() {
    let url = url("RESYNC_TEST_POSTGRES_URL");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE EXTENSION IF NOT EXISTS vector")
        .execute(&mut connection)
        .await
        .unwrap();
    let row = sqlx::query(
        "SELECT inet_server_port(), ('[1,0]'::vector <=> '[0,1]'::vector)::float8, current_setting('server_version_num')::int",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(row.get::<i32, _>(0), i32::from(port(&url)));
    assert!(
        (row.get::<f64, _>(1) - 1.0).abs() < 1e-9,
        "vectors at a right angle are at distance 1"
    );
    assert!(row.get::<i32, _>(2) >= 160_000);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn redis_answers_on_the_port_it_was_given_and_keeps_a_value() {
    let url = url("RESYNC_TEST_REDIS_URL");
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("smoke:{}", std::process::id());
    let _: () = connection.set_ex(&key, "kept", 60).await.unwrap();
    assert_eq!(connection.get::<_, String>(&key).await.unwrap(), "kept");
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(
        info.contains(&format!("tcp_port:{}", port(&url))),
        "another server answered"
    );
}
