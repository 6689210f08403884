//! What turns texts into vectors, as `rag.embedder` says.

use std::sync::Arc;

use resync_embed::{BundledEmbedder, BundledModel};
use resync_llm::{ConnectError, HttpEmbedder, HttpEmbedderConfig};
use resync_rag::Embedder;

use super::StartError;
use crate::config::{ConfigError, RagConfig};

/// The embedder, or none where search is to be by words alone. A server is asked for the length of
/// its vectors unless `rag.embedder_dimensions` tells it; when it is away, the start fails and
/// says so.
pub(super) async fn embedder(rag: &RagConfig) -> Result<Option<Arc<dyn Embedder>>, StartError> {
    let bundled = |model| Some(Arc::new(BundledEmbedder::new(model)) as Arc<dyn Embedder>);
    let alone = rag.embedder_model.is_none() && rag.embedder_api_key.is_none();
    match rag.embedder.as_str() {
        "bundled" if alone => Ok(bundled(BundledModel::MultilingualAndEnglish)),
        "bundled-light" if alone => Ok(bundled(BundledModel::Multilingual)),
        "none" if alone => Ok(None),
        "bundled" | "bundled-light" | "none" => Err(wrong(
            "rag.embedder_model, rag.embedder_api_key",
            "belong to a server; set rag.embedder to its address or remove them",
        )),
        url => Ok(Some(Arc::new(server(url, rag).await?))),
    }
}

async fn server(url: &str, rag: &RagConfig) -> Result<HttpEmbedder, StartError> {
    let Some(model) = rag.embedder_model.clone() else {
        return Err(wrong(
            "rag.embedder_model",
            "is missing; a server at rag.embedder needs it",
        ));
    };
    let config = HttpEmbedderConfig {
        api_key: rag.embedder_api_key.clone(),
        dimensions: Some(rag.embedder_dimensions).filter(|known| *known > 0),
        ..HttpEmbedderConfig::new(url, model)
    };
    HttpEmbedder::connect(config).await.map_err(|error| match error {
        ConnectError::Url(problem) => wrong(
            "rag.embedder",
            &format!("{problem}; or write bundled, bundled-light or none"),
        ),
        ConnectError::Model => wrong("rag.embedder_model", &error.to_string()),
        ConnectError::Dimensions(_) | ConnectError::Client(_) => StartError::failed(
            "the server at rag.embedder cannot be used (rag.embedder_dimensions spares the question)",
            error,
        ),
    })
}

fn wrong(key: &str, problem: &str) -> StartError {
    ConfigError::new(key, problem).into()
}

#[cfg(test)]
mod tests {
    use resync_kernel::SecretString;

    use super::*;

    fn config(kind: &str) -> RagConfig {
        RagConfig {
            embedder: kind.to_owned(),
            ..RagConfig::default()
        }
    }

    #[tokio::test]
    async fn each_kind_of_embedder_is_built() {
        let dimensions = async |rag: RagConfig| {
            let embedder = embedder(&rag).await.unwrap();
            embedder.map(|embedder| embedder.model().dimensions)
        };
        assert_eq!(dimensions(config("bundled")).await, Some(896));
        assert_eq!(dimensions(config("bundled-light")).await, Some(512));
        assert_eq!(dimensions(config("none")).await, None);
        let server = RagConfig {
            embedder_model: Some("bge-m3".to_owned()),
            embedder_dimensions: 1024,
            ..config("https://llm.example/v1")
        };
        assert_eq!(dimensions(server).await, Some(1024));
    }

    #[tokio::test]
    async fn what_does_not_fit_together_names_its_key() {
        let key = SecretString::from("canary".to_owned());
        let with_key = RagConfig {
            embedder_api_key: Some(key.clone()),
            ..config("bundled")
        };
        let in_the_clear = RagConfig {
            embedder_api_key: Some(key),
            embedder_model: Some("m".to_owned()),
            ..config("http://llm.example/v1")
        };
        let unnamed = RagConfig {
            embedder_model: Some("m".to_owned()),
            ..config("bundle")
        };
        for (rag, place) in [
            (with_key, "rag.embedder_api_key"),
            (in_the_clear, "rag.embedder"),
            (config("https://llm.example/v1"), "rag.embedder_model"),
            (unnamed, "rag.embedder"),
        ] {
            let error = embedder(&rag).await.err().unwrap().to_string();
            assert!(
                error.contains(place) && !error.contains("canary"),
                "{error}"
            );
        }
    }
}
