//! The port of re-ranking on a server's `/v1/rerank`, as Cohere, Jina, vLLM, Infinity and others have
//! it.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};
use resync_kernel::{ExposeSecret, SecretString};
use resync_rag::{Reranker, RerankerError};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::call::{self, CallError};
use crate::embedder::{ConnectError, endpoint};
use crate::retry::{Pace, retried};

const ENDPOINT: &str = "/rerank";
/// Bytes of one result in an answer without its text, more than any server writes.
const RESULT_BYTES: usize = 256;

/// Which server, and how it is asked.
#[derive(Debug, Clone)]
pub struct HttpRerankerConfig {
    /// The server's base, such as `https://llm.example/v1`, or the whole address of `/rerank`.
    pub url: String,
    /// Sent as a bearer token.
    pub api_key: Option<SecretString>,
    /// The model's name at the server, 1 to 128 characters.
    pub model: String,
    /// How long a question may take, its retries among it.
    pub deadline: Duration,
    /// The first pause between two tries; each next one is twice as long, up to 1 s.
    pub pause: Duration,
}

impl HttpRerankerConfig {
    /// No key; 1.8 s a question, as a person waits for the search.
    #[must_use]
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            api_key: None,
            model: model.into(),
            deadline: Duration::from_millis(1800),
            pause: Duration::from_millis(100),
        }
    }
}

/// A re-ranking server behind the port of `resync-rag`.
pub struct HttpReranker {
    client: Client,
    url: Url,
    config: HttpRerankerConfig,
}

impl HttpReranker {
    /// Checks the configuration; asks nothing yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] says which part of the configuration is wrong.
    pub fn new(config: HttpRerankerConfig) -> Result<Self, ConnectError> {
        if config.model.is_empty() || config.model.chars().count() > 128 {
            return Err(ConnectError::Model);
        }
        Ok(Self {
            client: call::client(config.deadline).map_err(ConnectError::Client)?,
            url: endpoint(&config.url, config.api_key.is_some(), ENDPOINT)?,
            config,
        })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [String],
    top_n: usize,
    return_documents: bool,
}

#[derive(Deserialize)]
struct Answer {
    /// Under the name that one family of servers has, or the other.
    #[serde(alias = "data")]
    results: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    index: usize,
    #[serde(alias = "score")]
    relevance_score: f32,
}

/// The scores of `count` texts in their order.
fn read(body: &[u8], count: usize) -> Result<Vec<f32>, CallError> {
    let wrong = |what: String| Err(CallError::Wrong(what));
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            return wrong(format!("no list of scores (line {line}, column {column})"));
        }
    };
    if answer.results.len() != count {
        let found = answer.results.len();
        return wrong(format!("{found} scores for {count} texts"));
    }
    let mut scores: Vec<Option<f32>> = vec![None; count];
    for Scored {
        index,
        relevance_score,
    } in answer.results
    {
        match scores.get_mut(index) {
            Some(slot) if slot.is_none() && relevance_score.is_finite() => {
                *slot = Some(relevance_score);
            }
            _ => {
                return wrong(format!(
                    "index {index} twice, beyond {count} texts, or no number"
                ));
            }
        }
    }
    Ok(scores.into_iter().flatten().collect())
}

#[async_trait]
impl Reranker for HttpReranker {
    #[tracing::instrument(
        name = "llm.rerank", skip_all, fields(model = %self.config.model, texts = texts.len())
    )]
    async fn rerank(&self, question: &str, texts: Vec<String>) -> Result<Vec<f32>, RerankerError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request {
            model: &self.config.model,
            query: question,
            documents: &texts,
            top_n: texts.len(),
            return_documents: false,
        };
        let pace = Pace {
            first: self.config.pause,
            longest: Duration::from_secs(1),
        };
        // Some servers send the texts back all the same.
        let sent: usize = texts.iter().map(String::len).sum();
        let most = sent * 6 + texts.len() * RESULT_BYTES + (1 << 16);
        let body = retried(pace, Instant::now() + self.config.deadline, || {
            let mut post = self.client.post(self.url.clone()).json(&request);
            if let Some(key) = &self.config.api_key {
                post = post.bearer_auth(key.expose_secret());
            }
            call::send(post, most)
        });
        let scores = match body.await {
            Ok(body) => read(&body, texts.len()),
            Err(error) => Err(error),
        };
        scores.map_err(|error| RerankerError::Unavailable(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stand_in_the_order_of_the_texts() {
        for body in [
            r#"{"id":"x","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1,"document":{"text":"t"}}]}"#,
            r#"{"object":"list","data":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}"#,
            r#"{"results":[{"index":1,"score":0.9},{"index":0,"score":0.1}],"usage":{}}"#,
        ] {
            assert_eq!(read(body.as_bytes(), 2).unwrap(), [0.1, 0.9], "{body}");
        }
    }

    #[test]
    fn an_answer_that_does_not_fit_is_refused_without_its_content() {
        for body in [
            "canary",
            "{}",
            r#"{"results":[]}"#,
            r#"{"results":[{"index":0,"relevance_score":1}]}"#,
            r#"{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]}"#,
            r#"{"results":[{"index":0,"relevance_score":1},{"index":2,"relevance_score":1}]}"#,
            r#"{"results":[{"index":0,"relevance_score":1},{"index":1,"relevance_score":1e99}]}"#,
        ] {
            let error = read(body.as_bytes(), 2).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn what_is_configured_wrongly_is_said_and_no_key_is_shown() {
        let config = |url: &str, model: &str, key: Option<&str>| HttpRerankerConfig {
            api_key: key.map(|key| SecretString::from(key.to_owned())),
            ..HttpRerankerConfig::new(url, model)
        };
        for wrong in [
            config("h", "m", None),
            config("https://h/v1", "", None),
            config("http://h/v1", "m", Some("canary")),
        ] {
            assert!(!format!("{wrong:?}").contains("canary"));
            assert!(HttpReranker::new(wrong).is_err());
        }
        let right = HttpReranker::new(config("https://h/v1/", "m", Some("canary"))).unwrap();
        assert_eq!(right.url.as_str(), "https://h/v1/rerank");
    }
}
