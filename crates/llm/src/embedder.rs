//! The port on a server's `/v1/embeddings`.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};
use resync_kernel::{ExposeSecret, SecretString};
use resync_rag::{Embedder, EmbedderError, EmbeddingKind, EmbeddingModel};
use thiserror::Error;
use tokio::time::Instant;

use crate::call::{self, CallError};
use crate::retry::{Pace, retried};
use crate::wire;

/// Bytes of one number in an answer, more than any server writes.
const NUMBER_BYTES: usize = 32;
/// Numbers in a vector at most, as the port says.
const MAX_DIMENSIONS: usize = 4000;
const ENDPOINT: &str = "/embeddings";

/// Which server, and how it is asked.
#[derive(Debug, Clone)]
pub struct HttpEmbedderConfig {
    /// The server's base, such as `https://llm.example/v1`, or the whole address of `/embeddings`.
    pub url: String,
    /// Sent as a bearer token.
    pub api_key: Option<SecretString>,
    /// The model's name at the server, 1 to 128 characters.
    pub model: String,
    /// Numbers in a vector, 1 to 4000; the server is asked when they are not given.
    pub dimensions: Option<u32>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Texts of one request, 1 or more.
    pub batch: usize,
    /// How long a question may take, its retries among it.
    pub query_deadline: Duration,
    /// How long a batch of passages may take, its retries among it.
    pub passage_deadline: Duration,
    /// The first pause between two tries; each next one is twice as long, up to 8 s.
    pub pause: Duration,
}

impl HttpEmbedderConfig {
    /// No key; 32 texts a request; 30 s a request, 4 s a question, 2 min a batch of passages.
    #[must_use]
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            api_key: None,
            model: model.into(),
            dimensions: None,
            timeout: Duration::from_secs(30),
            batch: 32,
            query_deadline: Duration::from_secs(4),
            passage_deadline: Duration::from_mins(2),
            pause: Duration::from_millis(250),
        }
    }
}

/// The embedder could not be set up.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address is none, or carries credentials, or would carry the key in the clear.
    #[error("{0}")]
    Url(&'static str),
    /// The model's name is empty or longer than 128 characters.
    #[error("the model's name must have 1 to 128 characters")]
    Model,
    /// The server was asked for the length of a vector, in vain.
    #[error("the length of a vector is not known")]
    Dimensions(#[source] CallError),
    /// The HTTP client could not be built.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
}

/// A model server behind the port of `resync-rag`.
pub struct HttpEmbedder {
    client: Client,
    url: Url,
    config: HttpEmbedderConfig,
    model: EmbeddingModel,
}

impl HttpEmbedder {
    /// Checks the address. Asks the server, within [`HttpEmbedderConfig::query_deadline`], when the
    /// length of a vector is not given.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which part of the configuration is wrong, or that the server was asked
    /// in vain.
    pub async fn connect(config: HttpEmbedderConfig) -> Result<Self, ConnectError> {
        if config.model.is_empty() || config.model.chars().count() > 128 {
            return Err(ConnectError::Model);
        }
        let mut embedder = Self {
            client: call::client(config.timeout).map_err(ConnectError::Client)?,
            url: endpoint(&config.url, config.api_key.is_some(), ENDPOINT)?,
            model: EmbeddingModel {
                id: config.model.clone(),
                dimensions: config.dimensions.unwrap_or_default(),
            },
            config,
        };
        if embedder.config.dimensions.is_none() {
            let deadline = Instant::now() + embedder.config.query_deadline;
            let probe = embedder.ask(&["dimensions"], deadline).await;
            let probe = probe.map_err(ConnectError::Dimensions)?;
            let length = probe.first().map_or(0, Vec::len);
            embedder.model.dimensions = u32::try_from(length).unwrap_or(u32::MAX);
        }
        Ok(embedder)
    }

    /// The vectors of one batch.
    async fn ask(&self, texts: &[&str], deadline: Instant) -> Result<Vec<Vec<f32>>, CallError> {
        let pace = Pace {
            first: self.config.pause,
            longest: Duration::from_secs(8),
        };
        let request = wire::Request {
            model: &self.config.model,
            input: texts,
        };
        let known = Some(self.model.dimensions).filter(|known| *known > 0);
        let most = texts.len() * MAX_DIMENSIONS * NUMBER_BYTES + (1 << 16);
        let body = retried(pace, deadline, || {
            let mut post = self.client.post(self.url.clone()).json(&request);
            if let Some(key) = &self.config.api_key {
                post = post.bearer_auth(key.expose_secret());
            }
            call::send(post, most)
        });
        let vectors = wire::read(&body.await?, texts.len(), known)?;
        match vectors.first() {
            Some(vector) if vector.len() > MAX_DIMENSIONS => {
                let length = vector.len();
                Err(CallError::Wrong(format!(
                    "{length} dimensions, more than {MAX_DIMENSIONS}"
                )))
            }
            _ => Ok(vectors),
        }
    }
}

#[async_trait]
impl Embedder for HttpEmbedder {
    fn model(&self) -> &EmbeddingModel {
        &self.model
    }

    #[tracing::instrument(
        name = "llm.embed", skip_all, fields(model = %self.model.id, texts = texts.len())
    )]
    async fn embed(
        &self,
        kind: EmbeddingKind,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let limit = match kind {
            EmbeddingKind::Query => self.config.query_deadline,
            EmbeddingKind::Passage => self.config.passage_deadline,
        };
        let zeros = vec![0.0; usize::try_from(self.model.dimensions).unwrap_or(0)];
        let mut vectors = vec![zeros; texts.len()];
        // Servers refuse blank texts, and their vectors would say nothing.
        let mut places: Vec<_> = vectors
            .iter_mut()
            .zip(&texts)
            .filter(|(_, text)| !text.trim().is_empty())
            .collect();
        for batch in places.chunks_mut(self.config.batch.max(1)) {
            let texts: Vec<&str> = batch.iter().map(|(_, text)| text.as_str()).collect();
            let found = self.ask(&texts, Instant::now() + limit).await;
            let found = found.map_err(|error| EmbedderError::Unavailable(error.into()))?;
            for ((place, _), vector) in batch.iter_mut().zip(found) {
                **place = vector;
            }
        }
        Ok(vectors)
    }
}

/// The whole address of an endpoint such as `/embeddings`, by its server's base or as it stands.
pub(crate) fn endpoint(base: &str, keyed: bool, endpoint: &str) -> Result<Url, ConnectError> {
    const NONE: &str = "must be an address such as https://host/v1";
    let mut url = Url::parse(base).map_err(|_| ConnectError::Url(NONE))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return Err(ConnectError::Url(NONE));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConnectError::Url("must not carry credentials"));
    }
    if keyed && !call::may_carry_key(&url) {
        return Err(ConnectError::Url("must be https, as a key is sent there"));
    }
    let path = url.path().trim_end_matches('/');
    let base = path.strip_suffix(endpoint).unwrap_or(path);
    let path = format!("{base}{endpoint}");
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, key: Option<&str>) -> HttpEmbedderConfig {
        HttpEmbedderConfig {
            api_key: key.map(|key| SecretString::from(key.to_owned())),
            ..HttpEmbedderConfig::new(url, "m")
        }
    }

    #[test]
    fn a_base_and_a_whole_address_are_the_same() {
        for url in ["https://h/v1", "https://h/v1/", "https://h/v1/embeddings"] {
            let found = endpoint(url, false, ENDPOINT).unwrap();
            assert_eq!(found.as_str(), "https://h/v1/embeddings");
        }
    }

    #[test]
    fn an_address_that_is_none_or_gives_secrets_away_is_refused() {
        for url in ["h", "ftp://h/v1", "https://u:pw@h/v1", "https://h/v1?key=k"] {
            let error = endpoint(url, false, ENDPOINT).unwrap_err().to_string();
            assert!(!error.contains("pw") && !error.contains("key="), "{error}");
        }
        assert!(endpoint("http://h/v1", true, ENDPOINT).is_err());
        assert!(endpoint("http://h/v1", false, ENDPOINT).is_ok());
    }

    #[test]
    fn the_key_is_not_in_the_debug_form() {
        let shown = format!("{:?}", config("https://h/v1", Some("canary")));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
