//! What is needed to reach an engine, checked before the first call.
//!
//! Secrets stay in [`SecretString`]: no `Debug` of this crate prints one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use resync_kernel::{Clock, ExposeSecret, SecretString, SystemClock, fill_random};
use resync_tws::model::EngineName;
use thiserror::Error;

use crate::resilience::Limits;

/// How Resync shows the engine who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// HTTP Basic.
    Basic {
        /// The engine's user, without a colon.
        username: String,
        /// Their password.
        password: SecretString,
    },
    /// A token made from an API key, sent as `Bearer`.
    ApiKey(SecretString),
}

/// How an engine is reached.
#[derive(Clone)]
pub struct HwaConfig {
    /// The name of the engine in Resync, for logs.
    pub engine: EngineName,
    /// `https://host:31116/twsd/api/v2` of the master, then of its backups: the next one is tried
    /// when no connection can be made. At least one.
    pub base_urls: Vec<String>,
    /// Who we are.
    pub credentials: Credentials,
    /// Certificates in PEM form that alone are trusted; without them, those of the system are.
    pub ca_pem: Option<Vec<u8>>,
    /// Accepts any certificate. For laboratories.
    pub insecure_tls: bool,
    /// For one call with its hosts, its retries, its waiting and its body. 15 s.
    pub timeout: Duration,
    /// For making a connection to one host, held to 1 to 3 s. 2 s.
    pub connect_timeout: Duration,
    /// Bytes of a job log that are read before it is cut. 2 MiB.
    pub log_cap: usize,
    /// How much the engine is asked, and how patiently.
    pub limits: Limits,
    /// Where time comes from; the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// What the waits before retries are drawn from; a random number. Replicas need different ones.
    pub jitter_seed: u64,
}

impl HwaConfig {
    /// One host, with the timeouts and limits named at the fields.
    #[must_use]
    pub fn new(engine: EngineName, base_url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            engine,
            base_urls: vec![base_url.into()],
            credentials,
            ca_pem: None,
            insecure_tls: false,
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(2),
            log_cap: 2 << 20,
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            jitter_seed: random_seed(),
        }
    }
}

impl fmt::Debug for HwaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HwaConfig")
            .field("engine", &self.engine)
            .field("base_urls", &self.base_urls.len())
            .field("credentials", &self.credentials)
            .field("ca_pem", &self.ca_pem.as_ref().map(Vec::len))
            .field("insecure_tls", &self.insecure_tls)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("log_cap", &self.log_cap)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why no client can be made of a configuration.
#[derive(Debug, Error)]
pub enum HwaConfigError {
    /// No host is named.
    #[error("no base url is given")]
    NoBaseUrl,
    /// A base URL is no absolute `http` or `https` URL, or carries credentials, query or fragment.
    #[error("base url {position} is not usable: {why}")]
    BaseUrl {
        /// Counted from 1.
        position: usize,
        /// What is wrong, without repeating the text.
        why: &'static str,
    },
    /// A username with a colon, or a token that no header can carry.
    #[error("the credentials cannot be sent: {0}")]
    Credentials(&'static str),
    /// A timeout of zero.
    #[error("the timeout is zero")]
    Timeout,
    /// The CA file holds no certificate that can be read.
    #[error("the CA file cannot be read as PEM certificates")]
    CaFile(#[source] Option<reqwest::Error>),
    /// TLS could not be set up.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

/// Without randomness the waits are still spread over time, alike in each process.
fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    match fill_random(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

/// The base URLs without a slash at their ends.
pub(crate) fn base_urls(texts: &[String]) -> Result<Vec<String>, HwaConfigError> {
    if texts.is_empty() {
        return Err(HwaConfigError::NoBaseUrl);
    }
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            base_url(text).map_err(|why| HwaConfigError::BaseUrl {
                position: index + 1,
                why,
            })
        })
        .collect()
}

fn base_url(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "it is no absolute URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("its scheme is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries credentials");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it carries a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

pub(crate) fn check_credentials(credentials: &Credentials) -> Result<(), HwaConfigError> {
    match credentials {
        Credentials::Basic { username, .. } if username.contains(':') => Err(
            HwaConfigError::Credentials("a username for HTTP Basic holds no colon"),
        ),
        Credentials::Basic { .. } => Ok(()),
        Credentials::ApiKey(token) => HeaderValue::from_str(token.expose_secret())
            .map(|_| ())
            .map_err(|_| HwaConfigError::Credentials("an API key is visible ASCII")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> HwaConfig {
        HwaConfig::new(
            EngineName::parse("PROD").unwrap(),
            "https://master:31116/twsd/api/v2",
            Credentials::Basic {
                username: "resync".to_owned(),
                password: SecretString::from("hunter2-hunter2"),
            },
        )
    }

    #[test]
    fn debug_shows_no_secret() {
        let basic = format!("{:?}", config());
        assert!(basic.contains("resync"));
        assert!(!basic.contains("hunter2"), "{basic}");
        let key = format!(
            "{:?}",
            Credentials::ApiKey(SecretString::from("eyJhbGciOi"))
        );
        assert!(!key.contains("eyJ"), "{key}");
    }

    #[test]
    fn a_base_url_loses_its_last_slash() {
        let urls = base_urls(&["https://master:31116/twsd/api/v2/".to_owned()]).unwrap();
        assert_eq!(urls, ["https://master:31116/twsd/api/v2"]);
    }

    #[test]
    fn a_base_url_that_could_mislead_is_refused() {
        for text in [
            "master:31116",
            "ftp://master/",
            "https://user:pw@master/twsd",
            "https://master/twsd?x=1",
            "https://master/twsd#x",
            "/twsd/api/v2",
        ] {
            let refused = base_urls(&["https://good/".to_owned(), text.to_owned()]);
            assert!(
                matches!(refused, Err(HwaConfigError::BaseUrl { position: 2, .. })),
                "{text}"
            );
        }
        assert!(matches!(base_urls(&[]), Err(HwaConfigError::NoBaseUrl)));
    }

    #[test]
    fn credentials_that_no_header_can_carry_are_refused() {
        let colon = Credentials::Basic {
            username: "a:b".to_owned(),
            password: SecretString::from("x"),
        };
        assert!(check_credentials(&colon).is_err());
        let newline = Credentials::ApiKey(SecretString::from("a\nX-Evil: 1"));
        assert!(check_credentials(&newline).is_err());
        assert!(check_credentials(&config().credentials).is_ok());
    }
}
