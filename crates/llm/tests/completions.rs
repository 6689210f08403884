//! `HttpLanguageModel` against a server that sends what a test says, as slowly as it says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::{StreamExt, stream};
use resync_chat::{
    Finish, LanguageModel, ModelError, ModelMessage, ModelRequest, Piece, TokenUse, ToolSpec,
};
use resync_kernel::SecretString;
use resync_llm::{HttpLanguageModel, HttpLanguageModelConfig, ModelCounts};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const KEY: &str = "sk-canary-key";

#[derive(Default)]
struct Script {
    answers: VecDeque<Response>,
    asked: Vec<(Uri, HeaderMap, Value)>,
}

type Shared = Arc<Mutex<Script>>;

async fn answer(
    State(script): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let mut script = script.lock().unwrap();
    script.asked.push((uri, headers, body));
    let none_left = || StatusCode::IM_A_TEAPOT.into_response();
    script.answers.pop_front().unwrap_or_else(none_left)
}

/// A server with these answers, and how to reach it. It ends with the test's runtime.
async fn server(answers: impl IntoIterator<Item = Response>) -> (Shared, HttpLanguageModelConfig) {
    let script = Shared::default();
    script.lock().unwrap().answers = answers.into_iter().collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1/chat/completions", post(answer));
    let router = router.with_state(script.clone());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await });
    tasks.detach_all();
    let config = HttpLanguageModelConfig::new(format!("http://{address}/v1"), "first");
    (script, config)
}

/// A stream of these bytes, in blocks of `size` bytes.
fn streamed(bytes: &'static [u8], size: usize) -> Response {
    let blocks = bytes
        .chunks(size)
        .map(|block| Ok::<_, std::io::Error>(Bytes::from(block)));
    let body = Body::from_stream(stream::iter(blocks));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// A stream that sends this and then nothing, without ending; and word of its end.
fn stalled(bytes: &'static str) -> (Response, oneshot::Receiver<()>) {
    let (alive, ended) = oneshot::channel::<()>();
    let never = stream::once(async move {
        std::future::pending::<()>().await;
        drop(alive);
        Ok(Bytes::new())
    });
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes))]);
    let body = Body::from_stream(first.chain(never));
    let response = ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response();
    (response, ended)
}

fn status(code: u16, body: &'static str) -> Response {
    (StatusCode::from_u16(code).unwrap(), body).into_response()
}

fn request() -> ModelRequest {
    ModelRequest {
        messages: vec![
            ModelMessage::System("rules".to_owned()),
            ModelMessage::User("canary question".to_owned()),
        ],
        tools: vec![ToolSpec {
            name: "job_log",
            description: "A log.",
            parameters: json!({"type": "object", "properties": {"job": {"type": "string"}}}),
        }],
    }
}

fn model(config: HttpLanguageModelConfig) -> (HttpLanguageModel, ModelCounts) {
    let counts = ModelCounts::default();
    let model = HttpLanguageModel::new(config, counts.clone()).unwrap();
    (model, counts)
}

async fn pieces(model: &HttpLanguageModel) -> Vec<Result<Piece, ModelError>> {
    model.complete(request()).await.unwrap().collect().await
}

/// The text, and what came behind it.
async fn said(model: &HttpLanguageModel) -> (String, Vec<Result<Piece, ModelError>>) {
    let (mut text, mut rest) = (String::new(), Vec::new());
    for piece in pieces(model).await {
        match piece {
            Ok(Piece::Text(more)) => text.push_str(&more),
            Ok(Piece::Begun(_)) => {}
            other => rest.push(other),
        }
    }
    (text, rest)
}

macro_rules! fixture {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("completions/", $name)).as_slice(),
        )
    };
}

/// Each dialect, however its bytes are cut: within a letter, a line end or an event.
#[tokio::test]
async fn each_dialect_is_read_however_it_is_cut() {
    let counted = Some(TokenUse {
        prompt: 20,
        completion: 5,
    });
    for ((name, bytes), usage) in [
        (fixture!("handmade/openai.sse"), counted),
        (fixture!("handmade/azure.sse"), counted),
        (fixture!("handmade/llama-cpp.sse"), counted),
        (fixture!("handmade/vllm.sse"), counted),
        (fixture!("handmade/ollama.sse"), None),
        (fixture!("handmade/gateway.sse"), None),
    ] {
        for size in [1, 2, 3, 7, 64, 100_000] {
            let (_, config) = server([streamed(bytes, size)]).await;
            let (model, counts) = model(config);
            let (text, rest) = said(&model).await;
            assert_eq!(text, "A está em ABEND [e1].", "{name} by {size}");
            let mut expected: Vec<Piece> = usage.map(Piece::Usage).into_iter().collect();
            expected.push(Piece::Finished(Finish::Stop));
            let rest: Vec<Piece> = rest.into_iter().map(Result::unwrap).collect();
            assert_eq!(rest, expected, "{name} by {size}");
            assert_eq!(counts.ends(), [("ok".to_owned(), 1)]);
        }
    }
}

#[tokio::test]
async fn calls_of_each_dialect_are_whole() {
    for (name, bytes) in [
        fixture!("handmade/vllm-tools.sse"),
        fixture!("handmade/ollama-tools.sse"),
        fixture!("handmade/gateway-tools.sse"),
    ] {
        let (_, config) = server([streamed(bytes, 11)]).await;
        let (text, rest) = said(&model(config).0).await;
        assert_eq!(text, "", "{name}");
        let Some(Ok(Piece::Calls(calls))) = rest.first() else {
            panic!("{name}: {rest:?}");
        };
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].name, "job_log", "{name}");
        assert_eq!(calls[0].arguments, json!({"job": "AÇAO"}), "{name}");
        assert!(matches!(
            rest.last(),
            Some(Ok(Piece::Finished(Finish::Calls)))
        ));
    }
}

/// What a real server and a real, small model sent.
#[tokio::test]
async fn what_a_real_server_sent_is_read() {
    let read = async |bytes| {
        let (_, config) = server([streamed(bytes, 1_000)]).await;
        said(&model(config).0).await
    };
    let (text, rest) = read(fixture!("recorded/stop.sse").1).await;
    assert_eq!(text, "O que aconteceu? - Ao que o que aconteceu?");
    assert!(
        matches!(rest[..], [Ok(Piece::Finished(Finish::Stop))]),
        "{rest:?}"
    );
    let (text, rest) = read(fixture!("recorded/length.sse").1).await;
    assert_eq!(text, "O que é um agendador de");
    assert!(
        matches!(rest[..], [Ok(Piece::Finished(Finish::Length))]),
        "{rest:?}"
    );
    let (text, rest) = read(fixture!("recorded/tool.sse").1).await;
    assert_eq!(text, "");
    let [Ok(Piece::Calls(calls)), Ok(Piece::Finished(Finish::Calls))] = &rest[..] else {
        panic!("{rest:?}");
    };
    assert_eq!(calls[0].name, "job_log");
    assert!(
        calls[0].arguments["job"]
            .as_str()
            .unwrap()
            .contains("soccer player")
    );
    let (text, rest) = read(fixture!("recorded/emptied.sse").1).await;
    assert!(
        text.is_empty() && matches!(rest[..], [Err(ModelError::CutOff)]),
        "{rest:?}"
    );
    let whole = fixture!("recorded/whole.json").1;
    let whole = ([(header::CONTENT_TYPE, "application/json")], whole).into_response();
    let (_, config) = server([whole]).await;
    let (text, rest) = said(&model(config).0).await;
    assert_eq!(text, "I'm ready to assist you. What's your request?");
    assert!(matches!(
        rest[..],
        [Ok(Piece::Usage(_)), Ok(Piece::Finished(Finish::Stop))]
    ));
}

/// F4: a stream that ends before the model said so is an error, and what came of it is marked so.
#[tokio::test]
async fn what_breaks_off_is_no_answer() {
    for ((name, bytes), word) in [
        (fixture!("handmade/cut-off.sse"), "cut_off"),
        (fixture!("handmade/done-without-end.sse"), "cut_off"),
        (fixture!("handmade/half-a-call.sse"), "cut_off"),
        (fixture!("handmade/gateway-error.sse"), "busy"),
    ] {
        let (script, config) = server([streamed(bytes, 9)]).await;
        let config = HttpLanguageModelConfig {
            models: vec!["first".to_owned(), "second".to_owned()],
            ..config
        };
        let (model, counts) = model(config);
        let (text, rest) = said(&model).await;
        let error = rest.into_iter().next_back().unwrap().unwrap_err();
        if text.is_empty() {
            // Nobody has heard a word: the second model was asked, and refused.
            assert_eq!(
                (error.word(), script.lock().unwrap().asked.len()),
                ("refused", 2)
            );
        } else {
            assert_eq!(
                (error.word(), script.lock().unwrap().asked.len()),
                (word, 1),
                "{name}"
            );
        }
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert!(
            counts.ends().contains(&(word.to_owned(), 1)),
            "{name}: {counts:?}"
        );
    }
    let (_, config) = server([streamed(fixture!("handmade/azure-filtered.sse").1, 9)]).await;
    let (text, rest) = said(&model(config).0).await;
    assert_eq!(text, "A está");
    assert!(matches!(rest[..], [Ok(Piece::Finished(Finish::Filtered))]));
}

/// F4: a server that goes silent in the middle is left, and the connection is closed.
#[tokio::test]
async fn silence_ends_the_call() {
    let first = "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n";
    for (sent, heard) in [(first, "A"), (": alive\n\n", "")] {
        let (response, ended) = stalled(sent);
        let (_, config) = server([response]).await;
        let config = HttpLanguageModelConfig {
            idle_timeout: Duration::from_millis(40),
            ..config
        };
        let (text, rest) = said(&model(config).0).await;
        assert_eq!(text, heard);
        assert!(
            matches!(rest[..], [Err(ModelError::Silent { .. })]),
            "{rest:?}"
        );
        assert!(ended.await.is_err());
    }
    let (response, ended) = stalled(first);
    let (_, config) = server([response]).await;
    let config = HttpLanguageModelConfig {
        timeout: Duration::from_millis(40),
        ..config
    };
    let (_, rest) = said(&model(config).0).await;
    assert!(matches!(rest[..], [Err(ModelError::TimedOut)]), "{rest:?}");
    assert!(ended.await.is_err());
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let (response, ended) = stalled("data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n");
    let (_, config) = server([response]).await;
    let (model, counts) = model(config);
    let mut stream = model.complete(request()).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(Piece::Begun(_)))));
    assert_eq!(model.under_way(), 1);
    drop(stream);
    assert!(ended.await.is_err());
    assert_eq!(model.under_way(), 0);
    assert_eq!(counts.ends(), [("given_up".to_owned(), 1)]);
    assert!(model.is_ready());
}

#[tokio::test]
async fn the_models_are_asked_in_order_and_a_failing_one_is_left_alone() {
    let good = || streamed(fixture!("handmade/openai.sse").1, 100_000);
    let answers = [
        status(503, ""),
        good(),
        status(500, ""),
        good(),
        status(429, ""),
        good(),
        good(),
    ];
    let (script, config) = server(answers).await;
    let config = HttpLanguageModelConfig {
        models: vec!["first".to_owned(), "second".to_owned()],
        ..config
    };
    let (model, counts) = model(config);
    for _ in 0..4 {
        let pieces = pieces(&model).await;
        assert!(matches!(&pieces[0], Ok(Piece::Begun(name)) if name == "second"));
    }
    let asked: Vec<Value> = script
        .lock()
        .unwrap()
        .asked
        .iter()
        .map(|(_, _, body)| body["model"].clone())
        .collect();
    assert_eq!(
        asked,
        [
            "first", "second", "first", "second", "first", "second", "second"
        ]
    );
    assert!(model.is_ready());
    assert_eq!(
        counts.calls(),
        [("first".to_owned(), 3), ("second".to_owned(), 4)]
    );
    let tokens = TokenUse {
        prompt: 80,
        completion: 20,
    };
    assert_eq!(counts.tokens(), [("second".to_owned(), tokens)]);
}

#[tokio::test]
async fn when_all_models_rest_nobody_is_asked() {
    let (script, config) = server((0..3).map(|_| status(500, "canary"))).await;
    let (model, _) = model(config);
    for _ in 0..3 {
        let error = pieces(&model).await.remove(0).unwrap_err();
        assert!(matches!(error, ModelError::Busy { status: 500 }));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let error = pieces(&model).await.remove(0).unwrap_err();
    assert!(matches!(error, ModelError::Resting), "{error}");
    assert_eq!(script.lock().unwrap().asked.len(), 3);
    assert!(!model.is_ready());
}

#[tokio::test]
async fn a_server_that_is_away_is_told_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (model, _) = model(HttpLanguageModelConfig::new(
        format!("http://{address}/v1"),
        "m",
    ));
    let error = pieces(&model).await.remove(0).unwrap_err();
    assert!(matches!(error, ModelError::Unreachable(_)), "{error}");
}

/// What a server does not take is not sent again, to it alone.
#[tokio::test]
async fn a_refusal_teaches() {
    let good = || streamed(fixture!("handmade/openai.sse").1, 100_000);
    let answers = [
        status(
            400,
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#,
        ),
        status(
            400,
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}"#,
        ),
        status(
            500,
            r#"{"error":{"message":"tools param requires --jinja flag"}}"#,
        ),
        good(),
        good(),
        status(400, r#"{"error":{"message":"no such model"}}"#),
    ];
    let (script, config) = server(answers).await;
    let config = HttpLanguageModelConfig {
        max_tokens: Some(300),
        ..config
    };
    let (model, _) = model(config);
    assert_eq!(said(&model).await.0, "A está em ABEND [e1].");
    assert_eq!(said(&model).await.0, "A está em ABEND [e1].");
    let error = pieces(&model).await.remove(0).unwrap_err();
    assert!(
        matches!(error, ModelError::Refused { status: 400 }),
        "{error}"
    );
    let script = script.lock().unwrap();
    assert_eq!(script.asked.len(), 6);
    assert!(script.asked[0].2.get("tools").is_some());
    for (_, _, body) in &script.asked[3..] {
        assert!(body.get("stream_options").is_none() && body.get("tools").is_none());
        assert_eq!(
            (&body["max_completion_tokens"], body["stream"].as_bool()),
            (&json!(300), Some(true))
        );
    }
}

#[tokio::test]
async fn the_key_is_a_bearer_token_or_azures_header() {
    let good = || streamed(fixture!("handmade/azure.sse").1, 100_000);
    for version in [None, Some("2024-10-21")] {
        let (script, config) = server([good()]).await;
        let config = HttpLanguageModelConfig {
            api_key: Some(SecretString::from(KEY.to_owned())),
            api_version: version.map(str::to_owned),
            ..config
        };
        said(&model(config).0).await;
        let script = script.lock().unwrap();
        let (uri, headers, _) = &script.asked[0];
        if version.is_some() {
            assert_eq!(headers["api-key"], KEY);
            assert!(headers.get(header::AUTHORIZATION).is_none());
            assert_eq!(uri.query(), Some("api-version=2024-10-21"));
        } else {
            assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {KEY}"));
            assert!(headers.get("api-key").is_none() && uri.query().is_none());
        }
    }
}

#[tokio::test]
async fn what_is_under_way_and_what_waits_is_bounded() {
    let first = "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n";
    let (response, _ended) = stalled(first);
    let good = streamed(fixture!("handmade/openai.sse").1, 100_000);
    let (_, config) = server([response, good]).await;
    let config = HttpLanguageModelConfig {
        max_concurrent: 1,
        ..config
    };
    let (model, counts) = model(config);
    let mut held = model.complete(request()).await.unwrap();
    assert!(held.next().await.unwrap().is_ok());
    let mut waiting: Vec<_> = Vec::new();
    for _ in 0..4 {
        let mut stream = model.complete(request()).await.unwrap();
        assert!(futures_util::poll!(stream.next()).is_pending());
        waiting.push(stream);
    }
    let error = pieces(&model).await.remove(0).unwrap_err();
    assert!(matches!(error, ModelError::Full), "{error}");
    assert!(counts.ends().contains(&("full".to_owned(), 1)));
    drop(held);
    let piece = waiting.remove(0).next().await.unwrap();
    assert!(matches!(piece, Ok(Piece::Begun(_))), "{piece:?}");
}

#[tokio::test]
async fn a_stream_without_end_is_cut() {
    let comments =
        stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b':'; 1 << 16])));
    let body = Body::from_stream(comments);
    let endless = ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response();
    let (_, config) = server([endless]).await;
    let error = pieces(&model(config).0).await.remove(0).unwrap_err();
    assert!(
        matches!(&error, ModelError::Unreadable(what) if what.contains("bytes")),
        "{error}"
    );
}
