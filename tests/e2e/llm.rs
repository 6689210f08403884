//! A language model behind the server's own wiring: what it says is shown when it stands, and its
//! failure costs an answer its words and nothing else (F4).

use reqwest::Method;
use resync_kernel::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::{Options, Resync, read};

const KEY: &str = "sk-canary-of-the-model-server";
const QUESTION: &str = "How is the plan doing?";

/// A stream of a model that says one sentence that stands and one that does not.
fn stream() -> String {
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 900, "completion_tokens": 30}});
    [
        chunk(json!({"role": "assistant"}), Value::Null),
        chunk(
            json!({"content": "This is how the plan stands"}),
            Value::Null,
        ),
        chunk(
            json!({"content": " [e1]. It has 987654 jobs [e1]."}),
            Value::Null,
        ),
        chunk(json!({}), json!("stop")),
        format!("data: {usage}\n\ndata: [DONE]\n\n"),
    ]
    .concat()
}

/// Reads one request to its end and streams the answer; returns the request.
async fn serve(mut socket: TcpStream) -> std::io::Result<String> {
    let mut request = Vec::new();
    loop {
        let mut block = [0; 8192];
        let count = socket.read(&mut block).await?;
        request.extend_from_slice(&block[..count]);
        let text = String::from_utf8_lossy(&request);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            length.is_some_and(|length: usize| body.len() >= length)
        });
        if whole || count == 0 {
            break;
        }
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(stream().as_bytes()).await?;
    socket.shutdown().await?;
    Ok(String::from_utf8_lossy(&request).into_owned())
}

/// A model server that answers until it is ended, and its base address.
async fn model_server() -> (JoinHandle<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async move {
        while let Ok((socket, _)) = listener.accept().await {
            let request = serve(socket).await.unwrap();
            assert!(request.contains(&format!("Bearer {KEY}")), "{request}");
            assert!(request.contains("<evidence id="), "{request}");
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the test ends it")]
    let serving = tokio::spawn(serving);
    (serving, format!("http://{address}/v1"))
}

#[tokio::test]
async fn a_model_words_an_answer_and_its_failure_costs_only_its_words() {
    let (serving, url) = model_server().await;
    let resync = Resync::start_with(Options::default(), |config| {
        config.llm.url = Some(url);
        config.llm.model = Some("small".to_owned());
        config.llm.api_key = Some(SecretString::from(KEY));
    })
    .await;
    let session = resync.sign_in("olga").await;
    let answer = session.ask(QUESTION).await;
    assert_eq!(answer["mode"], "small", "{answer}");
    let text = answer["answer"].as_str().unwrap();
    assert!(
        text.starts_with("This is how the plan stands [e1]."),
        "{text}"
    );
    assert!(!text.contains("987654"), "{text}");
    assert_eq!(answer["model"]["prompt_version"], "answer.v1");
    assert_eq!(answer["model"]["struck"], 1, "{answer}");
    assert_eq!(answer["model"]["prompt_tokens"], 900);
    assert!(
        answer["evidence"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    let ready = async || read(resync.anonymous(Method::GET, "/readyz", None).await).await;
    let (status, checks) = ready().await;
    assert_eq!(
        (status, &checks["checks"]["llm"]["status"]),
        (200, &json!("ok")),
        "{checks}"
    );

    serving.abort();
    let _ended = serving.await;
    for _ in 0..4 {
        let answer = session.ask(QUESTION).await;
        assert_eq!(answer["mode"], "deterministic", "{answer}");
        assert!(answer["model"]["fell_back"].is_string(), "{answer}");
        assert!(
            !answer["figures"].as_array().unwrap().is_empty(),
            "{answer}"
        );
        assert!(!answer.to_string().contains(KEY));
    }
    let (status, checks) = ready().await;
    assert_eq!(status, 200, "{checks}");
    assert_eq!(checks["checks"]["llm"]["status"], "degraded", "{checks}");
}
