//! Calls to the provider: bounded in time and size, to addresses that may be trusted.

use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, Response, Url};
use resync_kernel::BoxError;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The longest that one call may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
pub(crate) const MAX_BODY: usize = 512 * 1024;

/// Why a call brought nothing.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// It was not answered.
    #[error("the identity provider did not answer")]
    Away(#[source] BoxError),
    /// Another status than success.
    #[error("the identity provider answered with status {0}")]
    Status(u16),
    /// More bytes than [`MAX_BODY`].
    #[error("the identity provider's answer is too large")]
    TooLarge,
    /// No JSON of the right shape.
    #[error("the identity provider's answer is not understood")]
    Garbage(#[source] serde_json::Error),
}

/// Whether secrets may travel there: https, or http within this machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let loopback = match url.host_str() {
        Some("localhost" | "127.0.0.1" | "[::1]") => true,
        Some(_) | None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// A client that trusts the system's authorities, or `authorities` alone.
pub(crate) fn client(authorities: Option<Vec<Certificate>>) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .user_agent("resync")
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(Duration::from_secs(3))
        .timeout(TIMEOUT);
    if let Some(authorities) = authorities {
        builder = builder.tls_certs_only(authorities);
    }
    builder.build()
}

/// Sends and reads JSON.
pub(crate) async fn json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, CallError> {
    // The address of an error may hold what was asked.
    let away = |error: reqwest::Error| CallError::Away(error.without_url().into());
    let mut response: Response = request.send().await.map_err(away)?;
    if !response.status().is_success() {
        return Err(CallError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(away)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(CallError::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_the_loopback_alone() {
        let safe = |url: &str| is_safe(&Url::parse(url).unwrap());
        assert!(
            safe("https://idp.example/") && safe("http://127.0.0.1:9/") && safe("http://[::1]/")
        );
        for url in [
            "http://idp.example/",
            "http://127.0.0.1.evil.example/",
            "ftp://127.0.0.1/",
        ] {
            assert!(!safe(url), "{url}");
        }
    }
}
