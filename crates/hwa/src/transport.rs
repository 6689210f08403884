//! One call: which host, what is sent, and what its outcome means.
//!
//! - Redirects are not followed, proxies of the environment are not used. Whether a call is repeated
//!   is decided by [`Guard`] alone; nothing here or in the HTTP client sends anything twice.
//! - The next host is tried only when no connection could be made, so that no write ever reaches two
//!   of them. A host that answered is asked first the next time; a read that is repeated because its
//!   host gave no answer begins with the next one.
//! - A body is counted while it is read. JSON ends at 8 MiB; a list is decoded as it comes and ends at
//!   32 MiB.
//! - The path of a call is made of our own words and ids that are percent-encoded, one segment each.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, Method, Response, Url};
use resync_kernel::{ExposeSecret, IdGenerator, SystemIds, causes};
use resync_tws::ports::GatewayError;

use crate::body::{Bytes, Head, Sink};
use crate::config::{self, Credentials, HwaConfig, HwaConfigError};
use crate::encode;
use crate::failure::Failure;
use crate::message;
use crate::resilience::{ClientHealth, Guard, OnRefusal};

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
    pub(crate) json: Option<String>,
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

/// The HTTP client of one engine.
pub(crate) struct Transport {
    client: Client,
    bases: Vec<String>,
    /// The host that answered last. Only a hint, so no order of memory is needed.
    current: AtomicUsize,
    credentials: Credentials,
    guard: Guard,
    engine: resync_tws::model::EngineName,
    ids: SystemIds,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("engine", &self.engine)
            .field("hosts", &self.bases.len())
            .field("credentials", &self.credentials)
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
            guard: Guard::new(
                config.engine.clone(),
                config.timeout,
                config.limits,
                config.clock,
                config.jitter_seed,
            ),
            engine: config.engine,
            ids: SystemIds,
        })
    }

    /// How calls to this engine fare.
    pub(crate) fn health(&self) -> ClientHealth {
        self.guard.health()
    }

    /// Asks, and asks again where that is safe and of use. `sink` makes what takes the body, anew for
    /// each attempt. Cancel safe.
    #[tracing::instrument(name = "hwa.read", level = "debug", skip_all,
        fields(engine.name = %self.engine))]
    pub(crate) async fn read<S: Sink>(
        &self,
        call: Call,
        sink: impl Fn() -> S + Send + Sync,
    ) -> Result<S::Output, Failure> {
        debug_assert_eq!(call.method, Method::GET, "only reads are repeated");
        let on_refusal = match self.credentials {
            Credentials::ApiKey(_) => OnRefusal::AskOnceMore,
            Credentials::Basic { .. } => OnRefusal::GiveUp,
        };
        let mut asked = self.current.load(Ordering::Relaxed);
        let (call, sink) = (&call, &sink);
        self.guard
            .read(on_refusal, |previous| {
                if matches!(previous, Some(Failure::Unanswered(_))) {
                    // Others may have moved on already; then theirs is the better guess.
                    if self.current.load(Ordering::Relaxed) == asked {
                        let next = (asked + 1) % self.bases.len().max(1);
                        self.current.store(next, Ordering::Relaxed);
                    }
                }
                asked = self.current.load(Ordering::Relaxed);
                self.exchange(call, sink())
            })
            .await
    }

    /// Sends `call` once. A write that is dropped may or may not have been sent.
    #[tracing::instrument(name = "hwa.write", level = "debug", skip_all,
        fields(engine.name = %self.engine))]
    pub(crate) async fn write<S: Sink>(&self, call: Call, sink: S) -> Result<S::Output, Failure> {
        self.guard.write(self.exchange(&call, sink)).await
    }

    async fn exchange<S: Sink>(&self, call: &Call, mut sink: S) -> Result<S::Output, Failure> {
        let mut response = self.connect(call).await?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let headers = response.headers().clone();
            // A half body still leaves the status to be told.
            let mut said = Bytes::cut(ERROR_CAP);
            drop(pour(&mut response, &mut said).await);
            let bytes = said.end().map_or_else(|_| Vec::new(), |body| body.bytes);
            return Err(Failure::Status {
                status,
                retry_after: retry_after(&headers),
                message: message::from_body(status, &bytes),
            });
        }
        sink.begin(Head::of(response.headers(), response.content_length()))?;
        pour(&mut response, &mut sink).await?;
        sink.end()
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
        if let Some(json) = &call.json {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(json.clone());
        }
        Ok(match &self.credentials {
            Credentials::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Credentials::ApiKey(token) => request.bearer_auth(token.expose_secret()),
        })
    }
}

/// Gives a body to `sink`, chunk by chunk, until it ends or the sink has enough.
async fn pour<S: Sink>(response: &mut Response, sink: &mut S) -> Result<(), Failure> {
    let mut came = 0;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                came += chunk.len();
                if !sink.chunk(&chunk)? {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(_) => {
                return Err(Failure::Unanswered(GatewayError::Unreadable(
                    format!("half of a body, {came} bytes").into(),
                )));
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
