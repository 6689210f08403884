//! SIGTERM, with clients that do not let go.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{PATIENCE, Server};

/// F10: with one client stuck in its head, one in its body and one idle, a signal ends it cleanly and
/// in time.
#[tokio::test]
async fn a_signal_ends_it_with_0_although_clients_are_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[("RESYNC_SERVER_SHUTDOWN_SECONDS", "3")]).await;
    let mut stuck = Vec::new();
    let body = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    for sent in ["GET /api/v1/auth/ver", body, ""] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stuck.push(stream);
    }
    // One that was answered and stays open: the three before it were accepted, too.
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");

    let (address, signalled) = (server.address, Instant::now());
    server.terminate();
    // The idle one is let go at once, and nobody new comes in.
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, idle.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "an idle connection was kept");
    let (status, said) = server.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(
        signalled.elapsed() < Duration::from_secs(10),
        "{:?}",
        signalled.elapsed()
    );
    assert!(TcpStream::connect(address).await.is_err());
}
