//! `HttpEmbedder` against a server that answers what a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use resync_kernel::SecretString;
use resync_llm::{ConnectError, HttpEmbedder, HttpEmbedderConfig};
use resync_rag::{Embedder, EmbedderError, EmbeddingKind};
use serde_json::{Value, json};

const KEY: &str = "sk-canary-key";
const TEXT: &str = "canary text of a document";

/// What the server is to answer, and what it was asked.
#[derive(Default)]
struct Script {
    /// In this order; when none is left, a right answer of three dimensions.
    answers: VecDeque<Response>,
    asked: Vec<(HeaderMap, Value)>,
}

type Shared = Arc<Mutex<Script>>;

async fn answer(
    State(script): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let count = body["input"].as_array().unwrap().len();
    let mut script = script.lock().unwrap();
    script.asked.push((headers, body));
    script.answers.pop_front().unwrap_or_else(|| {
        let data: Vec<_> = (0..count)
            .map(|index| json!({"index": index, "embedding": [index + 1, 0, 0]}))
            .collect();
        Json(json!({"data": data})).into_response()
    })
}

/// A server with these answers, and how to reach it. It ends with the test's runtime.
async fn server(answers: impl IntoIterator<Item = Response>) -> (Shared, HttpEmbedderConfig) {
    let script = Shared::default();
    script.lock().unwrap().answers = answers.into_iter().collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1/embeddings", post(answer));
    let router = router.with_state(script.clone());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });
    tasks.detach_all();
    let config = HttpEmbedderConfig {
        dimensions: Some(3),
        pause: Duration::ZERO,
        ..HttpEmbedderConfig::new(format!("http://{address}/v1"), "bge-m3")
    };
    (script, config)
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

fn body(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn embed(config: HttpEmbedderConfig, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedderError> {
    let embedder = HttpEmbedder::connect(config).await.unwrap();
    let texts = texts.iter().copied().map(str::to_owned).collect();
    embedder.embed(EmbeddingKind::Passage, texts).await
}

/// The error with its sources, as a log would show it.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    told
}

#[tokio::test]
async fn each_dialect_is_read() {
    for (name, dialect) in [
        ("OpenAI", include_str!("dialects/openai.json")),
        ("llama.cpp", include_str!("dialects/llama-cpp.json")),
        (
            "llama-cpp-python",
            include_str!("dialects/llama-cpp-python.json"),
        ),
        ("Ollama", include_str!("dialects/ollama.json")),
        ("vLLM", include_str!("dialects/vllm.json")),
        (
            "TEI",
            include_str!("dialects/text-embeddings-inference.json"),
        ),
    ] {
        let (_, config) = server([body(dialect)]).await;
        let vectors = embed(config, &["a", "b"]).await.unwrap();
        let expected = [[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]];
        for (found, expected) in vectors.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-6, "{name}: {vectors:?}");
        }
    }
}

#[tokio::test]
async fn the_length_of_a_vector_is_learned_once() {
    let (script, config) = server([]).await;
    let config = HttpEmbedderConfig {
        dimensions: None,
        ..config
    };
    let embedder = HttpEmbedder::connect(config).await.unwrap();
    assert_eq!(embedder.model().dimensions, 3);
    assert_eq!(embedder.model().id, "bge-m3");
    assert_eq!(script.lock().unwrap().asked.len(), 1);
    let wrong = body(r#"{"data":[{"embedding":[1,0]}]}"#);
    script.lock().unwrap().answers.push_back(wrong);
    let error = embedder
        .embed(EmbeddingKind::Query, vec!["a".to_owned()])
        .await;
    let error = told(&error.unwrap_err());
    assert!(error.contains("2 dimensions instead of 3"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_an_error_that_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = HttpEmbedderConfig {
        query_deadline: Duration::from_millis(50),
        ..HttpEmbedderConfig::new(format!("http://{address}/v1"), "m")
    };
    let error = HttpEmbedder::connect(config).await.err().unwrap();
    assert!(matches!(error, ConnectError::Dimensions(_)), "{error:?}");
}

#[tokio::test]
async fn texts_go_in_batches_and_come_back_in_order() {
    let (script, config) = server([]).await;
    let config = HttpEmbedderConfig { batch: 2, ..config };
    let vectors = embed(config, &["a", " ", "b", "c", ""]).await.unwrap();
    let firsts: Vec<f32> = vectors.iter().map(|vector| vector[0]).collect();
    assert_eq!(firsts, [1.0, 0.0, 1.0, 1.0, 0.0]);
    let asked: Vec<Value> = script
        .lock()
        .unwrap()
        .asked
        .iter()
        .map(|(_, body)| body.clone())
        .collect();
    assert_eq!(
        asked,
        [
            json!({"model": "bge-m3", "input": ["a", "b"]}),
            json!({"model": "bge-m3", "input": ["c"]}),
        ]
    );
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_what_may_not_is_not() {
    let (script, config) = server([status(429), status(503), status(500)]).await;
    embed(config, &["a"]).await.unwrap();
    assert_eq!(script.lock().unwrap().asked.len(), 4);
    for code in [400, 401, 404, 413, 422, 301] {
        let (script, config) = server([status(code)]).await;
        let error = told(&embed(config, &["a"]).await.unwrap_err());
        assert!(error.contains(&code.to_string()), "{error}");
        assert_eq!(script.lock().unwrap().asked.len(), 1, "{code}");
    }
}

#[tokio::test]
async fn the_key_is_sent_and_neither_it_nor_a_text_is_told() {
    let echo = body(r#"{"data":[{"embedding":"canary text of a document sk-canary-key"}]}"#);
    let (script, config) = server([echo]).await;
    let key = SecretString::from(KEY.to_owned());
    let config = HttpEmbedderConfig {
        api_key: Some(key),
        ..config
    };
    let error = embed(config, &[TEXT]).await.unwrap_err();
    let shown = format!("{} {error:?}", told(&error));
    assert!(!shown.contains("canary"), "{shown}");
    let script = script.lock().unwrap();
    let (headers, asked) = script.asked.first().unwrap();
    assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {KEY}"));
    assert_eq!(asked["input"], json!([TEXT]));
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let long = format!("{{\"data\":[{}", " ".repeat(4000 * 32 + (1 << 17)));
    let (_, config) = server([long.into_response()]).await;
    let error = told(&embed(config, &["a"]).await.unwrap_err());
    assert!(error.contains("more than"), "{error}");
}
