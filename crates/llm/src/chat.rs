//! The port to a language model on a server's `/v1/chat/completions`.
//!
//! 1. A call ends by its deadline; a stream that falls silent ends after the idle timeout. Comments
//!    that keep a connection alive are no pieces and extend neither.
//! 2. The models are asked in order; the next one is asked only while nobody has heard a word.
//! 3. At most so many calls are under way, a few wait, and the rest are refused at once.
//! 4. Dropping the stream closes the connection.

mod assembly;
mod attempt;
mod breaker;
mod counts;
mod told;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};
use resync_chat::{LanguageModel, ModelError, ModelRequest, Piece, Pieces};
use resync_kernel::SecretString;
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};

use crate::call;
use breaker::Breaker;
pub use counts::ModelCounts;
use wire::Quirks;

const ENDPOINT: &str = "/chat/completions";
/// Stands in an address for the name of the model.
const MODEL: &str = "{model}";
/// Calls that wait for a place, for each that is under way.
const WAITING: usize = 4;

/// Which server, and how it is asked.
#[derive(Debug, Clone)]
pub struct HttpLanguageModelConfig {
    /// The server's base, such as `https://llm.example/v1`, or the whole address of
    /// `/chat/completions`. `{model}` in it stands for the model's name.
    pub url: String,
    /// Sent as a bearer token, or in `api-key` where there is an API version.
    pub api_key: Option<SecretString>,
    /// The version that an Azure deployment wants in its address.
    pub api_version: Option<String>,
    /// The models in the order of asking; at least one.
    pub models: Vec<String>,
    /// How long one call may take in all.
    pub timeout: Duration,
    /// How long a stream may be silent; the first piece may take twice as long.
    pub idle_timeout: Duration,
    /// The most tokens that an answer may have; the server's own limit when `None`.
    pub max_tokens: Option<u32>,
    /// Calls at once, at least 1; four times as many may wait.
    pub max_concurrent: usize,
}

impl HttpLanguageModelConfig {
    /// No key; 60 s a call, 15 s of silence, four calls at once.
    #[must_use]
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            api_key: None,
            api_version: None,
            models: vec![model.into()],
            timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_secs(15),
            max_tokens: None,
            max_concurrent: 4,
        }
    }
}

/// The client could not be set up.
#[derive(Debug, Error)]
pub enum LanguageModelError {
    /// The address is none, or carries credentials, or would carry the key in the clear.
    #[error("{0}")]
    Url(&'static str),
    /// There is no model, or a name is empty or longer than 128 characters.
    #[error("there must be a model, and each name must have 1 to 128 characters")]
    Model,
    /// The HTTP client could not be built.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
}

/// A model server behind the port of `resync-chat`. Cheap to clone; clones share their limits.
#[derive(Clone)]
pub struct HttpLanguageModel {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    config: HttpLanguageModelConfig,
    models: Vec<Model>,
    places: Semaphore,
    waiting: AtomicUsize,
    counts: ModelCounts,
}

/// One of the models.
struct Model {
    name: String,
    url: Url,
    breaker: Breaker,
    /// What its server does not take; learned from refusals. No await is made under it.
    quirks: Mutex<Quirks>,
}

impl fmt::Debug for HttpLanguageModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLanguageModel")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl HttpLanguageModel {
    /// Checks the configuration; asks nobody.
    ///
    /// # Errors
    /// [`LanguageModelError`] says which part of the configuration is wrong.
    pub fn new(
        config: HttpLanguageModelConfig,
        counts: ModelCounts,
    ) -> Result<Self, LanguageModelError> {
        if config.models.is_empty() {
            return Err(LanguageModelError::Model);
        }
        let models = config.models.iter().map(|name| {
            if name.is_empty() || name.chars().count() > 128 {
                return Err(LanguageModelError::Model);
            }
            Ok(Model {
                name: name.clone(),
                url: endpoint(&config, name)?,
                breaker: Breaker::default(),
                quirks: Mutex::default(),
            })
        });
        let models = models.collect::<Result<Vec<_>, _>>()?;
        // Our own deadlines are to be the first, since they say which one it was.
        let client = call::client(config.timeout + Duration::from_secs(1));
        let client = client.map_err(LanguageModelError::Client)?;
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                models,
                places: Semaphore::new(config.max_concurrent.max(1)),
                waiting: AtomicUsize::new(0),
                counts,
                config,
            }),
        })
    }

    /// Whether one of the models at least is not left alone for its failures. Asks nobody.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.models.iter().any(|m| m.breaker.is_closed())
    }

    /// Calls that are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        let places = self.shared.config.max_concurrent.max(1);
        places - self.shared.places.available_permits().min(places)
    }
}

#[async_trait]
impl LanguageModel for HttpLanguageModel {
    fn name(&self) -> &str {
        self.shared.models.first().map_or("", |model| &model.name)
    }

    async fn complete(&self, request: ModelRequest) -> Result<Pieces, ModelError> {
        let shared = Arc::clone(&self.shared);
        Ok(told::told(move |pieces| async move {
            shared.run(&request, &pieces).await
        }))
    }
}

impl Shared {
    async fn run(
        &self,
        request: &ModelRequest,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<(), ModelError> {
        let deadline = Instant::now() + self.config.timeout;
        let _place = self.place(deadline).await?;
        let mut last = ModelError::Resting;
        for model in &self.models {
            let Some(leave) = model.breaker.leave() else {
                continue;
            };
            let mut attempt = attempt::Attempt::new(self, model, pieces, deadline);
            match attempt.run(request).await {
                Ok(()) => {
                    leave.succeeded();
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(
                        model = model.name,
                        error = &error as &dyn std::error::Error,
                        "a call of the language model failed"
                    );
                    leave.failed();
                    let over = attempt.was_heard() || Instant::now() >= deadline;
                    if over {
                        return Err(error);
                    }
                    last = error;
                }
            }
        }
        Err(last)
    }

    /// A place among the calls under way.
    async fn place(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, ModelError> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let waits = Waits::among(&self.waiting, self.config.max_concurrent.max(1) * WAITING);
        let _waits = waits.ok_or_else(|| self.refused())?;
        match timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(self.refused()),
        }
    }

    fn refused(&self) -> ModelError {
        self.counts.ended(ModelError::Full.word());
        ModelError::Full
    }
}

/// Counts one who waits, until it is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn among(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let waits = Self(waiting);
        // Dropped when there are too many, which takes it back.
        (waiting.fetch_add(1, Ordering::Relaxed) < most).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Model {
    fn quirks(&self) -> Quirks {
        *self.quirks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the refusal taught something, so that asking again makes sense.
    fn learn(&self, refusal: &str, had_tools: bool) -> bool {
        let mut quirks = self.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *quirks;
        *quirks = before.learned(refusal, had_tools);
        *quirks != before
    }
}

/// The whole address for a model.
fn endpoint(config: &HttpLanguageModelConfig, model: &str) -> Result<Url, LanguageModelError> {
    let none = || LanguageModelError::Url("must be an address such as https://host/v1");
    // A name may hold what ends a path.
    let escaped: String = model.bytes().map(escaped).collect();
    let mut url = Url::parse(&config.url.replace(MODEL, &escaped)).map_err(|_| none())?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return Err(none());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LanguageModelError::Url("must not carry credentials"));
    }
    if config.api_key.is_some() && !call::may_carry_key(&url) {
        return Err(LanguageModelError::Url(
            "must be https, as a key is sent there",
        ));
    }
    let path = url.path().trim_end_matches('/');
    let base = path.strip_suffix(ENDPOINT).unwrap_or(path);
    let path = format!("{base}{ENDPOINT}");
    url.set_path(&path);
    if let Some(version) = &config.api_version {
        url.query_pairs_mut().append_pair("api-version", version);
    }
    Ok(url)
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> HttpLanguageModelConfig {
        HttpLanguageModelConfig::new(url, "gpt/4 x")
    }

    #[test]
    fn the_address_is_a_base_or_whole_and_may_name_the_model() {
        for (url, version, whole) in [
            ("https://h/v1", None, "https://h/v1/chat/completions"),
            (
                "https://h/v1/chat/completions/",
                None,
                "https://h/v1/chat/completions",
            ),
            (
                "https://h/openai/deployments/{model}",
                Some("2024-10-21"),
                "https://h/openai/deployments/gpt%2F4%20x/chat/completions?api-version=2024-10-21",
            ),
        ] {
            let config = HttpLanguageModelConfig {
                api_version: version.map(str::to_owned),
                ..config(url)
            };
            let found = endpoint(&config, "gpt/4 x").unwrap();
            assert_eq!(found.as_str(), whole);
        }
    }

    #[test]
    fn an_address_that_is_none_or_gives_secrets_away_is_refused() {
        let key = || Some(SecretString::from("canary".to_owned()));
        for url in ["h", "ftp://h/v1", "https://u:pw@h/v1", "https://h/v1?key=k"] {
            assert!(
                HttpLanguageModel::new(config(url), ModelCounts::default()).is_err(),
                "{url}"
            );
        }
        let with_key = HttpLanguageModelConfig {
            api_key: key(),
            ..config("http://h/v1")
        };
        assert!(HttpLanguageModel::new(with_key, ModelCounts::default()).is_err());
        let local = HttpLanguageModelConfig {
            api_key: key(),
            ..config("http://127.0.0.1:1/v1")
        };
        let model = HttpLanguageModel::new(local, ModelCounts::default()).unwrap();
        assert!(!format!("{model:?}").contains("canary"));
        let unnamed = HttpLanguageModelConfig {
            models: Vec::new(),
            ..config("https://h/v1")
        };
        assert!(HttpLanguageModel::new(unnamed, ModelCounts::default()).is_err());
    }
}
