//! Advisory locks of a transaction: they hold off other replicas until its commit or rollback.
//!
//! All of ours share their first word, so they meet no other program's in the same database. A statement
//! after the lock sees what was committed before it, since transactions are READ COMMITTED.

use sqlx::PgConnection;

/// What is locked.
#[derive(Debug, Clone)]
pub(crate) enum Lock {
    /// Who is an administrator.
    #[cfg(feature = "auth")]
    Admins,
    /// Which accounts at identity providers are whose.
    #[cfg(feature = "auth")]
    Identities,
    /// How many API keys the user has.
    #[cfg(feature = "auth")]
    ApiKeys(uuid::Uuid),
    /// The end of the audit.
    #[cfg(feature = "tws")]
    Audit,
    /// The versions of a document at a place: a collection with a path, or with a digest.
    #[cfg(feature = "rag")]
    Place(String),
}

impl Lock {
    /// Takes the lock for the rest of the transaction of `connection`, or waits for it.
    pub(crate) async fn take(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        // 1 is that of the migrations, 5 that of a new embedding model.
        let query = match self {
            #[cfg(feature = "auth")]
            Self::Admins => sqlx::query("SELECT pg_advisory_xact_lock(1919251321, 2)"),
            #[cfg(feature = "tws")]
            Self::Audit => sqlx::query("SELECT pg_advisory_xact_lock(1919251321, 3)"),
            #[cfg(feature = "auth")]
            Self::Identities => sqlx::query("SELECT pg_advisory_xact_lock(1919251321, 4)"),
            // Two of the following may share a lock and wait for each other; nothing else comes of it.
            #[cfg(feature = "auth")]
            Self::ApiKeys(owner) => {
                sqlx::query("SELECT pg_advisory_xact_lock(1919251322, hashtext($1::text))")
                    .bind(owner)
            }
            #[cfg(feature = "rag")]
            Self::Place(place) => {
                sqlx::query("SELECT pg_advisory_xact_lock(1919251323, hashtext($1))").bind(place)
            }
        };
        query.execute(connection).await?;
        Ok(())
    }
}
