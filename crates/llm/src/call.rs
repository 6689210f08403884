//! One request to a model server: bounded in time and size, and its failures sorted by whether they
//! may pass.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use resync_kernel::BoxError;
use thiserror::Error;

/// Why a model server brought nothing. Holds neither the key nor what was asked.
#[derive(Debug, Error)]
pub enum CallError {
    /// It could not be reached, or did not answer in time; this may pass.
    #[error("the model server did not answer")]
    Away(#[source] BoxError),
    /// It is busy or failing; this may pass.
    #[error("the model server answered with status {status}")]
    Busy {
        /// 408, 429 or 500 to 599.
        status: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// It will not do it.
    #[error("the model server refused with status {status}")]
    Refused {
        /// Any other status than success.
        status: u16,
    },
    /// The time was over.
    #[error("the model server did not answer before the deadline")]
    Deadline,
    /// The answer is not what was asked for.
    #[error("the model server's answer is wrong: {0}")]
    Wrong(String),
}

/// Follows no redirect, uses no proxy, and ends each request by `timeout`.
pub(crate) fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent("resync")
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .timeout(timeout)
        .build()
}

/// Whether a key may travel there: https, or http within this machine.
pub(crate) fn may_carry_key(url: &Url) -> bool {
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || loopback
}

/// Sends, and reads an answer of `most` bytes at most.
pub(crate) async fn send(request: RequestBuilder, most: usize) -> Result<Vec<u8>, CallError> {
    // The address of an error may hold what is private.
    let away = |error: reqwest::Error| CallError::Away(error.without_url().into());
    let mut response = request.send().await.map_err(away)?;
    if !response.status().is_success() {
        return Err(failure(&response));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(away)? {
        if body.len() + chunk.len() > most {
            return Err(CallError::Wrong(format!("more than {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure(response: &Response) -> CallError {
    let status = response.status();
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    let status = status.as_u16();
    if !passing {
        return CallError::Refused { status };
    }
    // In seconds; the other form is a date, which needs both clocks to agree.
    let seconds = response.headers().get(header::RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    CallError::Busy {
        status,
        retry_after: seconds.map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_travels_in_the_clear_within_this_machine_alone() {
        let may = |url: &str| may_carry_key(&Url::parse(url).unwrap());
        assert!(may("https://llm.example/v1") && may("http://127.0.0.1:8080/v1"));
        assert!(!may("http://llm.example/v1") && !may("http://127.0.0.1.evil.example/"));
    }
}
