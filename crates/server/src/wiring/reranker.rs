//! What puts the best hits into a better order, as `rag.reranker_url` says.

use std::sync::Arc;

use resync_llm::{ConnectError, HttpReranker, HttpRerankerConfig};
use resync_rag::Reranker;

use super::StartError;
use crate::config::{ConfigError, RagConfig};

/// The re-ranker, or none where no server is named. It is not asked at the start: a search does
/// without it while it is away.
pub(super) fn reranker(rag: &RagConfig) -> Result<Option<Arc<dyn Reranker>>, StartError> {
    let wrong = |key: &str, problem: &str| StartError::from(ConfigError::new(key, problem));
    let Some(url) = &rag.reranker_url else {
        if rag.reranker_model.is_some() || rag.reranker_api_key.is_some() {
            return Err(wrong(
                "rag.reranker_url",
                "is missing; rag.reranker_model and rag.reranker_api_key belong to it",
            ));
        }
        return Ok(None);
    };
    let Some(model) = &rag.reranker_model else {
        return Err(wrong(
            "rag.reranker_model",
            "is missing; rag.reranker_url needs it",
        ));
    };
    let config = HttpRerankerConfig {
        api_key: rag.reranker_api_key.clone(),
        ..HttpRerankerConfig::new(url, model)
    };
    match HttpReranker::new(config) {
        Ok(reranker) => Ok(Some(Arc::new(reranker))),
        Err(ConnectError::Url(problem)) => Err(wrong("rag.reranker_url", problem)),
        Err(error @ ConnectError::Model) => Err(wrong("rag.reranker_model", &error.to_string())),
        Err(error @ (ConnectError::Dimensions(_) | ConnectError::Client(_))) => Err(
            StartError::failed("the server at rag.reranker_url cannot be used", error),
        ),
    }
}

#[cfg(test)]
mod tests {
    use resync_kernel::SecretString;

    use super::*;

    fn config(url: Option<&str>, model: Option<&str>, key: Option<&str>) -> RagConfig {
        RagConfig {
            reranker_url: url.map(str::to_owned),
            reranker_model: model.map(str::to_owned),
            reranker_api_key: key.map(|key| SecretString::from(key.to_owned())),
            ..RagConfig::default()
        }
    }

    #[test]
    fn a_re_ranker_is_built_where_one_is_named_whole() {
        assert!(reranker(&config(None, None, None)).unwrap().is_none());
        let whole = config(Some("https://h/v1"), Some("m"), Some("k"));
        assert!(reranker(&whole).unwrap().is_some());
        for (rag, place) in [
            (config(None, Some("m"), None), "rag.reranker_url"),
            (config(None, None, Some("canary")), "rag.reranker_url"),
            (
                config(Some("https://h/v1"), None, None),
                "rag.reranker_model",
            ),
            (
                config(Some("https://h/v1"), Some(""), None),
                "rag.reranker_model",
            ),
            (config(Some("h"), Some("m"), None), "rag.reranker_url"),
            (
                config(Some("http://h/v1"), Some("m"), Some("canary")),
                "rag.reranker_url",
            ),
        ] {
            let error = reranker(&rag).err().unwrap().to_string();
            assert!(
                error.contains(place) && !error.contains("canary"),
                "{error}"
            );
        }
    }
}
