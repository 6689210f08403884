//! Advisory locks of a transaction: they hold off other replicas until its commit or rollback.
//!
//! All of ours share their first word, so they meet no other program's in the same database. A statement
//! after the lock sees what was committed before it, since transactions are READ COMMITTED.

use sqlx::PgConnection;

/// What is locked.
#[derive(Debug, Clone, Copy)]
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
}

impl Lock {
    /// Takes the lock for the rest of the transaction of `connection`, or waits for it.
    pub(crate) async fn take(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (sql, owner) = match self {
            // 1 is that of the migrations.
            #[cfg(feature = "auth")]
            Self::Admins => ("SELECT pg_advisory_xact_lock(1919251321, 2)", None),
            #[cfg(feature = "auth")]
            Self::Identities => ("SELECT pg_advisory_xact_lock(1919251321, 4)", None),
            #[cfg(feature = "tws")]
            Self::Audit => ("SELECT pg_advisory_xact_lock(1919251321, 3)", None),
            // Two users may share a lock and wait for each other; nothing else comes of it.
            #[cfg(feature = "auth")]
            Self::ApiKeys(owner) => (
                "SELECT pg_advisory_xact_lock(1919251322, hashtext($1::text))",
                Some(owner),
            ),
        };
        let mut query = sqlx::query(sql);
        if let Some(owner) = owner {
            query = query.bind(owner);
        }
        query.execute(connection).await?;
        Ok(())
    }
}
