//! The load: plain sockets that send one request after the other and read each answer whole.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use resync_kernel::BoxError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::servers::{Child, PASSWORD, USER};

/// What a request says, and how its answer is read.
#[derive(Clone)]
pub(crate) struct Load {
    cookie: String,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// As it came.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n\r\n", &self.body].concat()
    }
}

/// What one round showed.
pub(crate) struct Round {
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    pub(crate) cpu_us: f64,
    pub(crate) p99_ms: f64,
}

impl Load {
    /// Signs in at a server of ours.
    pub(crate) async fn sign_in(server: SocketAddr) -> Result<Self, BoxError> {
        let body = format!(r#"{{"username":"{USER}","password":"{PASSWORD}"}}"#);
        let request = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: {server}\r\norigin: http://{server}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(request.as_bytes()).await?;
        let answer = read(&mut stream, &mut Vec::new()).await?;
        let cookies: Vec<&str> = answer
            .head
            .lines()
            .filter_map(|line| line.strip_prefix("set-cookie: "))
            .filter_map(|cookie| cookie.split(';').next())
            .collect();
        if cookies.is_empty() {
            return Err(format!("signing in failed: {}", answer.head).into());
        }
        let cookie = cookies.join("; ");
        let load = Self { cookie };
        // The first one fills the cache.
        load.once(server).await?;
        Ok(load)
    }

    fn request(&self, server: SocketAddr) -> String {
        format!(
            "GET /api/v1/tws/jobs?limit=2 HTTP/1.1\r\nhost: {server}\r\naccept: application/json\r\n\
             user-agent: bench\r\ncookie: {}\r\n\r\n",
            self.cookie
        )
    }

    /// One request on a connection of its own.
    pub(crate) async fn once(&self, server: SocketAddr) -> Result<Answer, BoxError> {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(self.request(server).as_bytes()).await?;
        read(&mut stream, &mut Vec::new()).await
    }
}

/// Reads one answer, whose body has a length.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Answer, BoxError> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the connection was closed".into());
        }
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).into_owned();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .ok_or("an answer without a length")?
            .parse()?;
        while buffer.len() < end + 4 + length {
            if stream.read_buf(buffer).await? == 0 {
                return Err("the connection was closed".into());
            }
        }
        let body = buffer.get(end + 4..).unwrap_or_default().to_vec();
        return Ok(Answer { head, body });
    }
}

/// Asks a server over so many connections for so long.
pub(crate) async fn run(
    load: &Load,
    child: &Child,
    connections: usize,
    time: Duration,
) -> Result<Round, BoxError> {
    let request = load.request(child.address);
    let mut tasks = JoinSet::new();
    let before = child.cpu()?;
    let start = Instant::now();
    for _ in 0..connections {
        let (request, address) = (request.clone(), child.address);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut took, mut buffer) = (Vec::new(), Vec::with_capacity(16 << 10));
            while start.elapsed() < time {
                let sent = Instant::now();
                stream.write_all(request.as_bytes()).await?;
                let answer = read(&mut stream, &mut buffer).await?;
                if !answer.head.starts_with("HTTP/1.1 200") {
                    return Err(answer.head.into());
                }
                took.push(sent.elapsed());
            }
            Ok::<_, BoxError>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(done) = tasks.join_next().await {
        took.extend(done??);
    }
    let (elapsed, cpu) = (start.elapsed(), child.cpu()?.saturating_sub(before));
    took.sort_unstable();
    let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
    let requests = took.len();
    #[expect(clippy::cast_precision_loss, reason = "a count of requests in seconds")]
    let count = requests as f64;
    Ok(Round {
        requests,
        per_second: count / elapsed.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        p99_ms: p99.as_secs_f64() * 1e3,
    })
}
