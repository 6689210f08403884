//! What no well-meaning client sends, on a real socket.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Options, Resync};

/// All that comes back to these bytes until the server closes, or for a moment when it does not.
async fn exchange(resync: &Resync, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(resync.address).await.unwrap();
    // The server may close before all is sent; what it said is still there.
    let _sent = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _read =
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A server that waits a second for what a client does not send.
async fn impatient() -> Resync {
    Resync::start(Options {
        adjust: |config| config.server.header_timeout_seconds = 1,
        ..Options::default()
    })
    .await
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

/// B3: two readers of one of these heads may disagree on where the request ends.
#[tokio::test]
async fn an_ambiguous_head_never_gets_two_answers() {
    let resync = impatient().await;
    // As long as each head says that its body is: who reads another length answers it, too.
    let hidden = "GET /livez HTTP/1.1\r\nHost: hiddn.example\r\n\r\n";
    assert_eq!(hidden.len(), 44);
    let heads = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "Content-Length: 0, 44\r\n\r\n",
        "Content-Length: +44\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 0x10\r\n\r\n",
        "Content-Length : 44\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "X: a\r\n Content-Length: 44\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "Host: y\r\nContent-Length: 44\r\n\r\n",
    ];
    let server = &resync;
    let asked = heads.iter().map(|head| async move {
        let bytes = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{head}{hidden}");
        exchange(server, bytes.as_bytes()).await
    });
    for (head, text) in heads.iter().zip(join_all(asked).await) {
        assert!(answers(&text) <= 1, "{head:?}\n{text}");
        assert!(!text.starts_with("HTTP/1.1 5"), "{head:?}\n{text}");
    }
}

/// B2, B4: too long, too many, too deep, or not text.
#[tokio::test]
async fn an_absurd_request_is_a_4xx_and_the_server_goes_on() {
    let resync = impatient().await;
    let request = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes()
    };
    let long = "a".repeat(9 * 1024);
    let cookies = format!("Cookie: {}\r\n", "a=b; ".repeat(20_000));
    let many = "X-A: b\r\n".repeat(200);
    let huge = format!("X-A: {}\r\n", "a".repeat(10 << 20));
    let mut not_text = b"GET /api/v1/rag/search?q=\xff HTTP/1.1\r\nHost: x\r\n".to_vec();
    not_text.extend_from_slice(b"Connection: close\r\n\r\n");
    // HTTP/2 without asking first, which nobody here speaks.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let table: [(&str, Vec<u8>, &[&str]); 7] = [
        ("HTTP/2", preface, &["400", "505", ""]),
        (
            "long address",
            request(&format!("GET /{long}"), ""),
            &["414"],
        ),
        ("cookie bomb", request("GET /", &cookies), &["431", ""]),
        ("many headers", request("GET /", &many), &["431"]),
        ("10 MB header", request("GET /", &huge), &["431", ""]),
        (
            "path of no text",
            request("GET /ws/%ff%fe", ""),
            &["400", "401"],
        ),
        ("query of no text", not_text, &["400", "401"]),
    ];
    for (name, bytes, allowed) in table {
        let text = exchange(&resync, &bytes).await;
        let status = text.get(9..12).unwrap_or("");
        assert!(allowed.contains(&status), "{name}: {text}");
    }
    let deep = "[".repeat(400_000);
    let login = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{deep}",
        deep.len()
    );
    let text = exchange(&resync, login.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 400"), "{:?}", text.get(..300));
    let text = exchange(&resync, &request("GET /healthz", "")).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}
