//! Clients that hold on to their connections, many at once, on real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::harness::{Options, PASSWORD, Resync};

const SLOW: usize = 1_000;
const IDLE: usize = 500;
/// Room for whoever asks in earnest.
const ROOM: usize = 2;
/// How long a head may take, the default.
const HEAD: Duration = Duration::from_secs(10);
/// What a machine that is busy with other tests may add.
const SLACK: Duration = Duration::from_secs(5);

/// The whole answer on a connection of its own, and how long it took.
async fn exchange(address: SocketAddr, request: String) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // One that was shed may be closed before all of the head was read; what it was told is there.
    let _read = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer, began.elapsed())
}

async fn ask(address: SocketAddr, path: &str, cookie: &str) -> (String, Duration) {
    let head = "Host: x\r\nConnection: close";
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\n{head}\r\nCookie: {cookie}\r\n\r\n"),
    )
    .await
}

/// Signs in without leaving a connection open; the cookie of the session.
async fn sign_in(address: SocketAddr) -> String {
    let body = json!({"username": "vera", "password": PASSWORD}).to_string();
    let head = format!(
        "Host: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}",
        body.len()
    );
    let request = format!("POST /api/v1/auth/login HTTP/1.1\r\n{head}\r\n\r\n{body}");
    let (answer, _) = exchange(address, request).await;
    let from = answer
        .find("resync_session=")
        .unwrap_or_else(|| panic!("{answer}"));
    answer[from..].split(';').next().unwrap().to_owned()
}

/// Holds on until the server lets go, writing a byte of a header now and then when it drips; how long
/// that took.
async fn hold(mut stream: TcpStream, drips: bool) -> Duration {
    let began = Instant::now();
    let mut tick = interval(Duration::from_millis(500));
    let mut answer = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                // It may be told 408 before the end.
                Ok(1..) => {}
                Ok(0) | Err(_) => return began.elapsed(),
            },
            _ = tick.tick(), if drips => {
                // After the end, reading tells.
                let _written = stream.write_all(b"a").await;
            }
        }
    }
}

/// Opens so many connections and leaves each to a task.
async fn crowd(address: SocketAddr, size: usize, drips: bool, held: &mut JoinSet<Duration>) {
    let connect = || async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if drips {
            let begun = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ";
            stream.write_all(begun).await.unwrap();
        }
        stream
    };
    for _ in 0..size / 100 {
        for stream in join_all((0..100).map(|_| connect())).await {
            held.spawn(hold(stream, drips));
        }
    }
}

/// Descriptors of this process, which holds both ends of every connection.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Connections that the server counts.
fn connections(resync: &Resync) -> usize {
    let text = resync.app.metrics.text().unwrap();
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix("resync_connections "));
    row.unwrap().parse().unwrap()
}

/// Waits until it holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut tick = interval(Duration::from_millis(20));
    let reached = async {
        while !holds() {
            tick.tick().await;
        }
    };
    let reached = timeout(HEAD + SLACK, reached).await;
    assert!(reached.is_ok(), "{what}");
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("")
}

/// L3, L4: while 1,000 heads drip in and 500 connections say nothing, whoever asks is answered; over
/// the limit of connections one is told so at once; all of them are gone by the header timeout, and
/// nothing of them stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_idle_clients_keep_nobody_out_and_are_let_go() {
    let options = Options {
        jobs: 50,
        ..Options::default()
    };
    let resync = Resync::start_with(options, |config| {
        config.server.header_timeout_seconds = HEAD.as_secs();
        config.server.max_connections = SLOW + IDLE + ROOM;
    })
    .await;
    let (address, verify) = (resync.address, "/api/v1/auth/verify");
    let cookie = sign_in(address).await;
    until("the sign-in keeps its connection", || {
        connections(&resync) == 0
    })
    .await;
    let (files, running) = (descriptors(), tasks());

    let mut held = JoinSet::new();
    crowd(address, SLOW, true, &mut held).await;
    crowd(address, IDLE, false, &mut held).await;
    let held_alone = || connections(&resync) == SLOW + IDLE;
    until("they were not all accepted", held_alone).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let (health, took) = ask(address, "/healthz", "").await;
        assert_eq!(status(&health), "200", "{health}");
        slowest = slowest.max(took);
    }
    assert!(slowest <= Duration::from_secs(1), "health took {slowest:?}");
    let (answer, _) = ask(address, verify, &cookie).await;
    assert!(
        status(&answer) == "200" && answer.contains("\"vera\""),
        "{answer}"
    );

    until("who was answered stays", held_alone).await;
    // The last of the room is taken, too: now an answer is a refusal, and health is one all the same.
    for _ in 0..ROOM {
        let stream = TcpStream::connect(address).await.unwrap();
        held.spawn(hold(stream, false));
    }
    let full = || connections(&resync) == SLOW + IDLE + ROOM;
    until("the room was not taken", full).await;
    for _ in 0..20 {
        let (shed, took) = ask(address, verify, &cookie).await;
        assert_eq!(status(&shed), "503", "{shed}");
        assert!(
            shed.contains("retry-after: ") && shed.contains("\"overloaded\""),
            "{shed}"
        );
        assert!(took <= Duration::from_secs(1), "shedding took {took:?}");
    }
    let (health, _) = ask(address, "/healthz", "").await;
    assert_eq!(status(&health), "200", "{health}");

    let all = timeout(HEAD + SLACK, held.join_all()).await.unwrap();
    assert_eq!(all.len(), SLOW + IDLE + ROOM);
    let longest = all.iter().max().unwrap();
    assert!(*longest <= HEAD + SLACK, "one was held for {longest:?}");
    until("connections stay", || connections(&resync) == 0).await;
    until("descriptors stay", || descriptors() <= files + 20).await;
    until("tasks stay", || tasks() <= running + 20).await;
    let (answer, _) = ask(address, verify, &cookie).await;
    assert_eq!(status(&answer), "200", "{answer}");
}
