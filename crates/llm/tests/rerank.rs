//! `HttpReranker` against a server that answers what a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use resync_kernel::{SecretString, error_chain};
use resync_llm::{HttpReranker, HttpRerankerConfig};
use resync_rag::Reranker;
use serde_json::{Value, json};

#[derive(Default)]
struct Script {
    /// In this order; when none is left, the last text is the best.
    answers: VecDeque<Response>,
    asked: Vec<(HeaderMap, Value)>,
}

type Shared = Arc<Mutex<Script>>;

async fn answer(
    State(script): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let count = body["documents"].as_array().unwrap().len();
    let mut script = script.lock().unwrap();
    script.asked.push((headers, body));
    script.answers.pop_front().unwrap_or_else(|| {
        let results: Vec<_> = (0..count)
            .rev()
            .map(|index| json!({"index": index, "relevance_score": index}))
            .collect();
        Json(json!({"results": results})).into_response()
    })
}

async fn server(answers: impl IntoIterator<Item = Response>) -> (Shared, HttpRerankerConfig) {
    let script = Shared::default();
    script.lock().unwrap().answers = answers.into_iter().collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1/rerank", post(answer));
    let router = router.with_state(script.clone());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });
    tasks.detach_all();
    let config = HttpRerankerConfig {
        api_key: Some(SecretString::from("sk-canary".to_owned())),
        pause: Duration::ZERO,
        deadline: Duration::from_secs(30),
        ..HttpRerankerConfig::new(format!("http://{address}/v1"), "bge-reranker")
    };
    (script, config)
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

fn texts() -> Vec<String> {
    vec!["canary one".to_owned(), "canary two".to_owned()]
}

#[tokio::test]
async fn a_question_and_its_texts_are_sent_and_scores_come_back() {
    let (script, config) = server([status(503), status(429)]).await;
    let reranker = HttpReranker::new(config).unwrap();
    assert_eq!(
        reranker.rerank("disk full", texts()).await.unwrap(),
        [0.0, 1.0]
    );
    assert!(
        reranker
            .rerank("disk full", Vec::new())
            .await
            .unwrap()
            .is_empty()
    );
    let script = script.lock().unwrap();
    assert_eq!(
        script.asked.len(),
        3,
        "what may pass is tried again, and nothing is not asked"
    );
    let (headers, body) = &script.asked[2];
    assert_eq!(headers["authorization"], "Bearer sk-canary");
    assert_eq!(
        *body,
        json!({"model": "bge-reranker", "query": "disk full", "documents": ["canary one", "canary two"],
               "top_n": 2, "return_documents": false})
    );
}

#[tokio::test]
async fn a_server_that_fails_says_why_without_key_or_texts() {
    for (answer, said) in [
        (status(401), "401"),
        ("no json".into_response(), "no list of scores"),
        (
            Json(json!({"results": []})).into_response(),
            "0 scores for 2 texts",
        ),
    ] {
        let (_, config) = server([answer]).await;
        let reranker = HttpReranker::new(config).unwrap();
        let error = reranker.rerank("disk full", texts()).await.unwrap_err();
        let error = error_chain(&error);
        assert!(error.contains(said) && !error.contains("canary"), "{error}");
    }
}
