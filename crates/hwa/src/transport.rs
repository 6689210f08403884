//! One call: which host, how long, how much, and what its outcome means.
//!
//! - Redirects are not followed, proxies of the environment are not used, nothing is sent twice.
//! - The next host is tried only when no connection could be made, so that no request ever reaches
//!   two of them. A host that answered is asked first the next time.
//! - A body is counted while it is read; JSON ends at 8 MiB.
//! - The path of a call is made of our own words and ids that are percent-encoded, one segment each.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, Method, Response, Url};
use resync_kernel::{ExposeSecret, IdGenerator, SystemIds, causes};
use resync_tws::ports::GatewayError;
use serde::de::DeserializeOwned;

use crate::config::{self, Credentials, HwaConfig, HwaConfigError};
use crate::encode;
use crate::message;
use crate::wire::Object;

/// The most bytes of a JSON answer.
pub(crate) const JSON_CAP: usize = 8 << 20;
/// The most bytes of an error's body that are looked at.
const ERROR_CAP: usize = 64 << 10;

/// One request below the base URL.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Begins with a slash; its ids are encoded by [`encode::segment`].
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) accept: &'static str,
    pub(crate) json: Option<&'static str>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            accept: "application/json",
            json: None,
        }
    }

    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self {
            method: Method::PUT,
            ..Self::get(path)
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.query.push((name, value.into().0));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.push((HeaderName::from_static(name), value));
        self
    }
}

/// A value of a query, not encoded yet.
pub(crate) struct Value(String);

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self(number.to_string())
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self(number.to_string())
    }
}

/// How far a call came.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection was made to any host: nothing was sent.
    NotSent(GatewayError),
    /// It was sent, or may have been, and no usable answer came.
    Unanswered(GatewayError),
    /// An answer came, with another status than 2xx.
    Status {
        status: u16,
        retry_after: Option<Duration>,
        message: Arc<str>,
    },
}

impl Failure {
    /// The error of a read. `absent` is what a 404 means for it.
    pub(crate) fn into_error(self, absent: GatewayError) -> GatewayError {
        match self {
            Self::NotSent(error) | Self::Unanswered(error) => error,
            Self::Status { status: 404, .. } => absent,
            Self::Status {
                status,
                retry_after,
                message,
            } => status_error(status, retry_after, message),
        }
    }

    /// Whether the object asked for does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }
}

/// What a status other than 2xx and 404 means.
pub(crate) fn status_error(
    status: u16,
    retry_after: Option<Duration>,
    message: Arc<str>,
) -> GatewayError {
    match status {
        401 => GatewayError::CredentialsRefused,
        403 => GatewayError::Forbidden,
        404 | 405 | 406 | 415 | 501 => GatewayError::Unsupported,
        429 | 503 => GatewayError::Busy { retry_after },
        300..=399 => GatewayError::Unreadable("a redirect, which is not followed".into()),
        400..=499 => GatewayError::Rejected(message),
        _ => GatewayError::Unreachable(format!("it answered with status {status}").into()),
    }
}

/// A body with what is known of it.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) html: bool,
    pub(crate) json: bool,
    /// Whether there was more than the cap.
    pub(crate) cut: bool,
}

impl Body {
    /// The object in it.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, GatewayError> {
        let start = self
            .bytes
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.bytes);
        let begins_with_tag = start.trim_ascii_start().first() == Some(&b'<');
        if self.html || begins_with_tag {
            return Err(GatewayError::Unreadable(
                "a web page instead of JSON".into(),
            ));
        }
        // Checked as a whole, so that it does not depend on which fields are read.
        let text = std::str::from_utf8(start)
            .map_err(|_| GatewayError::Unreadable("bytes that are no UTF-8".into()))?;
        match serde_json::from_str::<Object<T>>(text) {
            Ok(Object(Some(value))) => Ok(value),
            Ok(Object(None)) => Err(GatewayError::Unreadable("JSON, but no object".into())),
            Err(error) => Err(GatewayError::Unreadable(json_fault(text, &error).into())),
        }
    }
}

/// What is wrong with a JSON text, without repeating any of it.
fn json_fault(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        "an empty body".to_owned()
    } else if error.is_eof() {
        format!("half of a JSON text, {} bytes", text.len())
    } else {
        format!(
            "no JSON from line {}, column {}",
            error.line(),
            error.column()
        )
    }
}

/// The HTTP client of one engine.
pub(crate) struct Transport {
    client: Client,
    bases: Vec<String>,
    /// The host that answered last. Only a hint, so no order of memory is needed.
    current: AtomicUsize,
    credentials: Credentials,
    timeout: Duration,
    engine: resync_tws::model::EngineName,
    ids: SystemIds,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("engine", &self.engine)
            .field("hosts", &self.bases.len())
            .field("credentials", &self.credentials)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Transport {
    pub(crate) fn new(config: HwaConfig) -> Result<Self, HwaConfigError> {
        let bases = config::base_urls(&config.base_urls)?;
        config::check_credentials(&config.credentials)?;
        if config.timeout.is_zero() {
            return Err(HwaConfigError::Timeout);
        }
        let connect = config
            .connect_timeout
            .clamp(Duration::from_secs(1), Duration::from_secs(3))
            .min(config.timeout);
        let mut builder = Client::builder()
            .user_agent("resync")
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(connect)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(16);
        if let Some(pem) = &config.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| HwaConfigError::CaFile(Some(error)))?;
            if certificates.is_empty() {
                return Err(HwaConfigError::CaFile(None));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if config.insecure_tls {
            tracing::warn!(engine.name = %config.engine, "certificates of the engine are not checked");
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        Ok(Self {
            client: builder.build().map_err(HwaConfigError::Client)?,
            bases,
            current: AtomicUsize::new(0),
            credentials: config.credentials,
            timeout: config.timeout,
            engine: config.engine,
            ids: SystemIds,
        })
    }

    /// Sends `call` once and reads at most `cap` bytes of a 2xx body. `cut_at_cap` tells whether a
    /// larger one is cut or an error.
    ///
    /// Cancel safe for reads; a write that is dropped may or may not have been sent.
    #[tracing::instrument(name = "hwa.call", level = "debug", skip_all,
        fields(engine.name = %self.engine, http.method = %call.method))]
    pub(crate) async fn send(
        &self,
        call: Call,
        cap: usize,
        cut_at_cap: bool,
    ) -> Result<Body, Failure> {
        // Which failure it is when time runs out: a connection that is not made yet has carried
        // nothing, but from here that cannot be seen, so the cautious reading is taken.
        tokio::time::timeout(self.timeout, self.send_in_time(&call, cap, cut_at_cap))
            .await
            .unwrap_or(Err(Failure::Unanswered(GatewayError::TimedOut(
                self.timeout,
            ))))
    }

    async fn send_in_time(
        &self,
        call: &Call,
        cap: usize,
        cut_at_cap: bool,
    ) -> Result<Body, Failure> {
        let response = self.connect(call).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let success = response.status().is_success();
        let (cap, cut_at_cap) = if success {
            (cap, cut_at_cap)
        } else {
            (ERROR_CAP, true)
        };
        let read = read_body(response, cap, cut_at_cap).await;
        if !success {
            // A half body still leaves the status to be told.
            let bytes = read.map_or_else(|_| Vec::new(), |(bytes, _)| bytes);
            return Err(Failure::Status {
                status,
                retry_after: retry_after(&headers),
                message: message::from_body(status, &bytes),
            });
        }
        let (bytes, cut) = read.map_err(Failure::Unanswered)?;
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
            .to_ascii_lowercase();
        Ok(Body {
            bytes,
            html: kind.starts_with("text/html") || kind.starts_with("application/xhtml"),
            json: kind.contains("json"),
            cut,
        })
    }

    async fn connect(&self, call: &Call) -> Result<Response, Failure> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = GatewayError::Unreachable("no host is configured".into());
        for step in 0..self.bases.len() {
            let index = (first + step) % self.bases.len();
            let Some(base) = self.bases.get(index) else {
                continue;
            };
            match self.request(base, call)?.send().await {
                Ok(response) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(response);
                }
                Err(error) if error.is_connect() => {
                    tracing::warn!(engine.name = %self.engine, host = index + 1, "no connection");
                    last = GatewayError::Unreachable(connect_fault(&error).into());
                }
                Err(error) if error.is_timeout() => {
                    return Err(Failure::Unanswered(GatewayError::TimedOut(self.timeout)));
                }
                Err(_) => {
                    return Err(Failure::Unanswered(GatewayError::Unreachable(
                        "the connection ended before an answer".into(),
                    )));
                }
            }
        }
        Err(Failure::NotSent(last))
    }

    fn request(&self, base: &str, call: &Call) -> Result<reqwest::RequestBuilder, Failure> {
        let refuse = || {
            Failure::NotSent(GatewayError::Rejected(
                "the request cannot be written as a URL".into(),
            ))
        };
        let mut url = Url::parse(&format!("{base}{}", call.path)).map_err(|_| refuse())?;
        if !call.query.is_empty() {
            let text: Vec<String> = call
                .query
                .iter()
                .map(|(name, value)| format!("{name}={}", encode::query_value(value)))
                .collect();
            url.set_query(Some(&text.join("&")));
        }
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .header(ACCEPT, call.accept)
            .header("request-id", self.ids.next().to_string());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(json) = call.json {
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        Ok(match &self.credentials {
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Credentials::ApiKey(token) => request.bearer_auth(token.expose_secret()),
        })
    }
}

async fn read_body(
    mut response: Response,
    cap: usize,
    cut_at_cap: bool,
) -> Result<(Vec<u8>, bool), GatewayError> {
    let too_large = || GatewayError::Unreadable(format!("larger than {cap} bytes").into());
    if !cut_at_cap
        && response
            .content_length()
            .is_some_and(|length| length > cap as u64)
    {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = cap - bytes.len();
                if chunk.len() > room {
                    if !cut_at_cap {
                        return Err(too_large());
                    }
                    bytes.extend_from_slice(chunk.get(..room).unwrap_or(&[]));
                    return Ok((bytes, true));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok((bytes, false)),
            Err(_) => {
                return Err(GatewayError::Unreadable(
                    format!("half of a body, {} bytes", bytes.len()).into(),
                ));
            }
        }
    }
}

/// What kept a connection from being made: its kind, without addresses.
fn connect_fault(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        return "no connection in time";
    }
    // The outermost text may name the address.
    let inner: Vec<String> = causes(error).skip(1).map(ToString::to_string).collect();
    let text = inner.join(" ").to_ascii_lowercase();
    if text.contains("certificate") {
        "its certificate is not trusted"
    } else if text.contains("dns") || text.contains("lookup") || text.contains("resolve") {
        "its name cannot be resolved"
    } else if text.contains("refused") {
        "the connection was refused"
    } else if text.contains("tls") || text.contains("handshake") || text.contains("corrupt message")
    {
        "no TLS connection could be made"
    } else {
        "no connection could be made"
    }
}

/// `Retry-After` in seconds, or as a date measured against the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(Duration::from_hours(24)));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok()?;
    (until - now)
        .to_std()
        .ok()
        .map(|wait| wait.min(Duration::from_hours(24)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> HwaConfig {
        HwaConfig::new(
            resync_tws::model::EngineName::parse("PROD").unwrap(),
            "https://master/twsd/api/v2",
            Credentials::ApiKey("abc".into()),
        )
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        for pem in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
            let mut config = config();
            config.ca_pem = Some(pem.as_bytes().to_vec());
            let refused = Transport::new(config);
            assert!(matches!(refused, Err(HwaConfigError::CaFile(_))), "{pem}");
        }
    }

    #[test]
    fn a_timeout_of_zero_is_refused() {
        let mut config = config();
        config.timeout = Duration::ZERO;
        let refused = Transport::new(config);
        assert!(matches!(refused, Err(HwaConfigError::Timeout)));
    }

    #[test]
    fn a_date_to_retry_after_is_measured_against_the_answers_own_date() {
        let mut headers = HeaderMap::new();
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Mon, 02 Mar 2026 22:41:37 GMT"),
        );
        assert_eq!(retry_after(&headers), None);
        headers.insert(
            DATE,
            HeaderValue::from_static("Mon, 02 Mar 2026 22:41:07 GMT"),
        );
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(5)));
    }
}
