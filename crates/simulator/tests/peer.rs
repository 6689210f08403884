//! A client by hand on a socket: it sees every byte, how a connection ends, and how late.
//!
//! Tests with a peer run on one thread under a paused clock that nothing but the peer moves, so
//! lateness is exact and costs no real time. Before the peer says that nothing more comes, it has a
//! whole round trip with the control plane: whatever could move meanwhile has moved.

use std::{io, sync::mpsc, time::Duration};

use futures_util::FutureExt as _;
use resync_simulator::{Effect, Rule};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Stage, stage_with};

/// How finely lateness is told.
const STEP: Duration = Duration::from_millis(100);

/// After so much silence nothing more is waited for.
const SILENCE: Duration = Duration::from_secs(3);

pub(crate) struct Peer {
    pub(crate) stage: Stage,
    /// While it is there, a blocked thread keeps the paused clock from running ahead by itself.
    _clock: mpsc::Sender<()>,
}

/// How a connection stands after an answer, or instead of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Closed,
    Reset,
}

/// What came back on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
    /// When the first byte came, and the last one; zero without any.
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl Seen {
    /// Status line and headers, in lower case; empty when they are not whole.
    pub(crate) fn head(&self) -> String {
        let (head, _) = self.parts();
        String::from_utf8(head.to_vec())
            .unwrap()
            .to_ascii_lowercase()
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n");
        end.map_or((&[], &[]), |end| {
            (&self.bytes[..end + 2], &self.bytes[end + 4..])
        })
    }

    pub(crate) fn status(&self) -> u16 {
        let head = self.head();
        let code = head.split(' ').nth(1).unwrap_or("0");
        code.parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    }

    /// The body, freed of its chunks.
    pub(crate) fn body(&self) -> Vec<u8> {
        let (_, mut rest) = self.parts();
        if self.header("transfer-encoding").as_deref() != Some("chunked") {
            return rest.to_vec();
        }
        let mut body = Vec::new();
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            body.extend_from_slice(&rest[end + 2..end + 2 + size]);
            rest = &rest[end + 4 + size..];
        }
        body
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap()
    }
}

impl Peer {
    /// A peer of the default night. The clock has to be paused.
    pub(crate) async fn new() -> Self {
        let (clock, held) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || held.recv());
        let token = |builder: resync_simulator::Builder| {
            let role = resync_simulator::Role::Viewer;
            builder.api_key("robot", "token", role, None)
        };
        Self {
            stage: stage_with(token).await,
            _clock: clock,
        }
    }

    /// These rules and no others from now on.
    pub(crate) async fn only(&self, rules: impl IntoIterator<Item = Rule>) {
        self.stage.control.clear_faults().await;
        for rule in rules {
            self.stage.control.add_fault(rule).await;
        }
    }

    /// What a GET comes to on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.ask(&request("GET", path)).await
    }

    /// The same while a rule with this effect is in force for every request and connection.
    pub(crate) async fn get_under(&self, effect: &Effect, path: &str) -> Seen {
        self.only([Rule::new(effect.clone())]).await;
        let seen = self.get(path).await;
        self.only([]).await;
        seen
    }

    pub(crate) async fn ask(&self, request: &str) -> Seen {
        match self.connect().await {
            Ok(mut stream) => self.ask_on(&mut stream, request).await,
            Err(error) => Seen {
                bytes: Vec::new(),
                end: end(&error),
                first: Duration::ZERO,
                last: Duration::ZERO,
            },
        }
    }

    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.stage.simulator.address()).await
    }

    /// Sends a request on a connection, unless that has ended, and takes what comes until it ends
    /// or falls silent.
    pub(crate) async fn ask_on(&self, stream: &mut TcpStream, request: &str) -> Seen {
        let mut seen = Seen {
            bytes: Vec::new(),
            end: End::Open,
            first: Duration::ZERO,
            last: Duration::ZERO,
        };
        self.settle().await;
        if !take(stream, &mut seen) {
            return seen;
        }
        assert!(seen.bytes.is_empty(), "nothing comes unasked");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut late = Duration::ZERO;
        loop {
            self.settle().await;
            let had = seen.bytes.len();
            let open = take(stream, &mut seen);
            if seen.bytes.len() > had {
                seen.last = late;
                if had == 0 {
                    seen.first = late;
                }
            }
            if !open || late.saturating_sub(seen.last) >= SILENCE {
                return seen;
            }
            if seen.bytes.len() > had {
                continue; // a long body comes in more than one go
            }
            tokio::time::advance(STEP).await;
            late += STEP;
        }
    }

    /// Lets everything happen that needs no time.
    async fn settle(&self) {
        let url = format!("{}/state", self.stage.simulator.control_url());
        for _ in 0..2 {
            let response = self.stage.client.get(&url).send().await.unwrap();
            response.bytes().await.unwrap();
        }
    }
}

/// Takes what is there; whether the connection is still open.
fn take(stream: &mut TcpStream, seen: &mut Seen) -> bool {
    let mut buffer = vec![0; 1 << 16];
    while let Some(read) = stream.read(&mut buffer).now_or_never() {
        match read {
            Ok(0) => seen.end = End::Closed,
            Ok(size) => {
                seen.bytes.extend_from_slice(&buffer[..size]);
                continue;
            }
            Err(error) => seen.end = end(&error),
        }
        return false;
    }
    true
}

fn end(error: &io::Error) -> End {
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    End::Reset
}

/// A request of the operator.
pub(crate) fn request(method: &str, path: &str) -> String {
    request_by(method, path, "Basic b3BlcmF0b3I6c2VjcmV0")
}

/// A request with these credentials.
pub(crate) fn request_by(method: &str, path: &str, credentials: &str) -> String {
    format!(
        "{method} /twsd/api/v2{path} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: {credentials}\r\nContent-Length: 0\r\n\r\n"
    )
}
