//! Where the database is, and how long one waits for it.
//!
//! Invariants:
//! - The URL is a secret; no error repeats it.
//! - Away from the loopback a connection is encrypted and the server's certificate checked, unless the
//!   URL says `sslmode=disable`, `require` or `verify-ca` in so many words.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use resync_kernel::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::PgError;

/// What a certificate in PEM form begins with.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A transaction that its client forgot is ended by the server after this long.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// Where PostgreSQL is.
#[derive(Debug, Clone)]
pub struct PgConfig {
    /// `postgres://[user[:password]@]host[:port]/database[?sslmode=…]`. A secret, since it may carry a
    /// password. Without `sslmode`, or with `prefer` or `allow`, which promise nothing, a host that is
    /// not the loopback is asked as by `verify-full`.
    pub url: SecretString,
    /// Certificates in PEM form that are trusted beside the public authorities. With them `sslmode`
    /// is `verify-full`, whatever the URL says.
    pub ca_pem: Option<Vec<u8>>,
    /// Most connections of this process, at least 2; the listener of [`PgNotices`](crate::PgNotices)
    /// has one more of its own.
    pub max_connections: u32,
    /// The longest wait for a connection, opening one included; at most 2 s.
    pub acquire_timeout: Duration,
    /// The longest that one statement may take; at most 5 s. Migrations are not bound by it.
    pub statement_timeout: Duration,
    /// The longest wait for another transaction's lock; at most the statement's time.
    pub lock_timeout: Duration,
}

impl PgConfig {
    /// How many connections there are when nobody says.
    pub const DEFAULT_CONNECTIONS: u32 = 10;
    /// The longest that [`PgConfig::acquire_timeout`] may be.
    pub const MAX_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
    /// The longest that [`PgConfig::statement_timeout`] may be.
    pub const MAX_STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

    /// The database at `url` with the defaults: 10 connections, 1.5 s for a connection, 5 s for a
    /// statement, 3 s for a lock.
    #[must_use]
    pub const fn new(url: SecretString) -> Self {
        Self {
            url,
            ca_pem: None,
            max_connections: Self::DEFAULT_CONNECTIONS,
            acquire_timeout: Duration::from_millis(1_500),
            statement_timeout: Self::MAX_STATEMENT_TIMEOUT,
            lock_timeout: Duration::from_secs(3),
        }
    }

    /// Whether every value is within its bounds and the URL is one.
    ///
    /// # Errors
    /// [`PgError::Config`] with the words for whoever wrote the configuration.
    pub fn check(&self) -> Result<(), PgError> {
        self.options().map(|_| ())
    }

    /// What every connection is opened with.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, PgError> {
        let within = |time: Duration, most: Duration| !time.is_zero() && time <= most;
        if self.max_connections < 2 {
            return Err(PgError::Config("max_connections is at least 2"));
        }
        if !within(self.acquire_timeout, Self::MAX_ACQUIRE_TIMEOUT) {
            return Err(PgError::Config(
                "acquire_timeout is above 0 and at most 2 s",
            ));
        }
        if !within(self.statement_timeout, Self::MAX_STATEMENT_TIMEOUT) {
            return Err(PgError::Config(
                "statement_timeout is above 0 and at most 5 s",
            ));
        }
        if !within(self.lock_timeout, self.statement_timeout) {
            return Err(PgError::Config(
                "lock_timeout is above 0 and at most statement_timeout",
            ));
        }
        let url = self.url.expose_secret();
        let scheme = ["postgres://", "postgresql://"];
        if !scheme.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(PgError::Config(
                "is not a URL of PostgreSQL, such as postgres://user@host/database",
            ));
        }
        // The cause is dropped: it may repeat a part of the URL.
        let mut options = PgConnectOptions::from_str(url).map_err(|_| {
            PgError::Config("is not a URL of PostgreSQL, such as postgres://user@host/database")
        })?;
        if options.get_application_name().is_none() {
            options = options.application_name("resync");
        }
        match &self.ca_pem {
            Some(pem) if !pem.trim_ascii_start().starts_with(CERTIFICATE) => {
                return Err(PgError::Config(
                    "the authority's file holds certificates in PEM form",
                ));
            }
            Some(pem) => {
                options = options
                    .ssl_root_cert_from_pem(pem.clone())
                    .ssl_mode(PgSslMode::VerifyFull);
            }
            None => {
                let optional =
                    matches!(options.get_ssl_mode(), PgSslMode::Prefer | PgSslMode::Allow);
                if optional && !is_local(&options) {
                    options = options.ssl_mode(PgSslMode::VerifyFull);
                }
            }
        }
        Ok(options.options([
            ("statement_timeout", millis(self.statement_timeout)),
            ("lock_timeout", millis(self.lock_timeout)),
            (
                "idle_in_transaction_session_timeout",
                millis(IDLE_IN_TRANSACTION),
            ),
        ]))
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().max(1).to_string()
}

/// Whether nobody can listen on the way to the server.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> PgConfig {
        PgConfig::new(url.into())
    }

    fn mode(url: &str) -> String {
        format!("{:?}", of(url).options().unwrap().get_ssl_mode())
    }

    #[test]
    fn a_host_that_is_not_the_loopback_is_checked_unless_the_url_says_otherwise() {
        assert_eq!(mode("postgres://resync@db.example/resync"), "VerifyFull");
        assert_eq!(
            mode("postgres://resync@db.example/resync?sslmode=prefer"),
            "VerifyFull"
        );
        assert_eq!(
            mode("postgres://resync@db.example/resync?sslmode=disable"),
            "Disable"
        );
        assert_eq!(
            mode("postgres://resync@db.example/resync?sslmode=require"),
            "Require"
        );
        for local in ["localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(mode(&format!("postgres://resync@{local}/resync")), "Prefer");
        }
    }

    #[test]
    fn an_authority_of_ones_own_is_checked_whatever_the_url_says() {
        let mut config = of("postgres://resync@127.0.0.1/resync?sslmode=disable");
        config.ca_pem = Some(b"-----BEGIN CERTIFICATE-----\n".to_vec());
        let options = config.options().unwrap();
        assert!(matches!(options.get_ssl_mode(), PgSslMode::VerifyFull));
        config.ca_pem = Some(b"nothing".to_vec());
        assert!(matches!(config.check(), Err(PgError::Config(_))));
    }

    #[test]
    fn values_out_of_their_bounds_are_refused() {
        let good = of("postgres://resync@localhost/resync");
        good.check().unwrap();
        let refused = |change: fn(&mut PgConfig)| {
            let mut config = good.clone();
            change(&mut config);
            matches!(config.check(), Err(PgError::Config(_)))
        };
        assert!(refused(|config| config.max_connections = 1));
        assert!(refused(
            |config| config.acquire_timeout = Duration::from_millis(2_001)
        ));
        assert!(refused(|config| config.acquire_timeout = Duration::ZERO));
        assert!(refused(
            |config| config.statement_timeout = Duration::from_secs(6)
        ));
        assert!(refused(
            |config| config.lock_timeout = Duration::from_secs(6)
        ));
        assert!(refused(|config| config.url = "mysql://host/base".into()));
        assert!(refused(
            |config| config.url = "postgres://host:port/base".into()
        ));
    }

    /// P2: no error and no `Debug` repeats the URL.
    #[test]
    fn a_password_is_in_no_error_and_no_debug() {
        let config = of("postgres://resync:canary-77@host:port/base");
        let error = config.check().unwrap_err();
        let shown = format!(
            "{config:?} {error:?} {}",
            resync_kernel::error_chain(&error)
        );
        assert!(!shown.contains("canary-77"), "{shown}");
    }
}
