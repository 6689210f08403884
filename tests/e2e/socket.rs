//! The chat over a real WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{Options, Resync, Session};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(
    resync: &Resync,
    session: Option<&Session>,
    origin: Option<&str>,
) -> Result<Socket, u16> {
    let url = format!("ws://{}/api/v1/ws/chat", resync.address);
    let mut request = url.into_client_request().unwrap();
    if let Some(session) = session {
        request.headers_mut().insert(
            "cookie",
            session.headers["cookie"].to_str().unwrap().parse().unwrap(),
        );
    }
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", HeaderValue::from_str(origin).unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn event(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn closed(socket: &mut Socket) -> u16 {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// W1
#[tokio::test]
async fn only_a_session_from_our_own_page_opens_a_socket() {
    let resync = Resync::start(Options::default()).await;
    let (session, ours) = (resync.sign_in("olga").await, resync.origin());
    assert_eq!(connect(&resync, None, Some(&ours)).await.err(), Some(401));
    assert_eq!(
        connect(&resync, Some(&session), None).await.err(),
        Some(403)
    );
    for foreign in [
        "http://evil.example",
        "null",
        &format!("{ours}.evil.example"),
    ] {
        assert_eq!(
            connect(&resync, Some(&session), Some(foreign)).await.err(),
            Some(403),
            "{foreign}"
        );
    }
    assert!(connect(&resync, Some(&session), Some(&ours)).await.is_ok());
}

#[tokio::test]
async fn a_question_is_answered_in_numbered_events_with_its_sources() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("olga").await;
    let mut socket = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    assert_eq!(event(&mut socket).await["type"], "ready");
    socket
        .send(Message::text("Why did FIN_GL_POST fail?"))
        .await
        .unwrap();
    let mut kinds = Vec::new();
    let last = loop {
        let event = event(&mut socket).await;
        // Within the answer, from 1.
        assert_eq!(event["seq"], kinds.len() + 1);
        kinds.push(event["type"].as_str().unwrap().to_owned());
        if event["is_final"] == true {
            break event;
        }
    };
    assert_eq!(kinds.first().map(String::as_str), Some("stream_start"));
    assert!(kinds.iter().any(|kind| kind == "citation"), "{kinds:?}");
    assert!(
        last["citations"]
            .as_array()
            .is_some_and(|all| !all.is_empty()),
        "{last}"
    );
    socket
        .send(Message::text(json!({"type": "heartbeat"}).to_string()))
        .await
        .unwrap();
    assert_eq!(event(&mut socket).await["type"], "heartbeat_ack");
}

/// P1-07 on a real socket: it is closed with 1000, and gives its place back.
#[tokio::test]
async fn an_idle_socket_is_closed_and_forgotten() {
    let adjust = |config: &mut resync_server::config::Config| config.ws.idle_timeout_seconds = 1;
    let resync = Resync::start(Options {
        adjust,
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    let mut socket = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    assert_eq!(closed(&mut socket).await, 1000);
    drop(socket);
    let gone = async {
        while resync.app.sockets.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap();
}

#[tokio::test]
async fn too_large_a_message_too_many_sockets_and_shutdown_have_codes_of_their_own() {
    let adjust =
        |config: &mut resync_server::config::Config| config.ws.max_connections_per_user = 2;
    let resync = Resync::start(Options {
        adjust,
        ..Options::default()
    })
    .await;
    let session = resync.sign_in("olga").await;
    let mut large = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    let mut quiet = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    let mut third = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    assert_eq!(closed(&mut third).await, 1013);
    large.send(Message::text("x".repeat(70_000))).await.unwrap();
    assert_eq!(closed(&mut large).await, 1009);
    resync.begin_shutdown();
    assert_eq!(closed(&mut quiet).await, 1001);
    drop((large, quiet, third));
    resync.stop().await;
}

#[tokio::test]
async fn signing_out_closes_the_socket() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("olga").await;
    let mut socket = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    assert_eq!(session.post("/api/v1/auth/logout", json!({})).await.0, 200);
    socket
        .send(Message::text("Why did FIN_GL_POST fail?"))
        .await
        .unwrap();
    assert_eq!(closed(&mut socket).await, 1008);
}

/// W4: who closes gets its close frame back, and a frame that breaks the rules is told so.
#[tokio::test]
async fn a_goodbye_is_answered_and_a_broken_frame_is_a_1002() {
    let resync = Resync::start(Options::default()).await;
    let session = resync.sign_in("olga").await;
    let mut polite = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    polite
        .close(Some(CloseFrame {
            code: 1000.into(),
            reason: "".into(),
        }))
        .await
        .unwrap();
    assert_eq!(closed(&mut polite).await, 1000);
    let mut broken = connect(&resync, Some(&session), Some(&resync.origin()))
        .await
        .unwrap();
    // A text frame without a mask.
    let raw = b"\x81\x02hi";
    broken.get_mut().write_all(raw).await.unwrap();
    assert_eq!(closed(&mut broken).await, 1002);
}
