//! Answers of the chat end to end: the server with its own wiring and a simulated engine of 2,000 jobs,
//! asked over HTTP, each turn saved on SQLite. Server, engine and clients share one process.
//!
//! `cargo bench -p resync-benches --bench chat [-- --smoke]`. One client, then a hundred, each with a
//! question of another intent in turn; `--smoke` asks few and checks what is not timing.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use resync_auth::{Actor, NewUser, Origin, Role, Username};
use resync_kernel::{BoxError, SecretString};
use resync_server::config::Config;
use resync_server::lifecycle;
use resync_server::wiring::{DemoEngine, build};
use resync_simulator::{Simulator, Speed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The goals at one client, and at a hundred.
const ONE_P50: Duration = Duration::from_millis(10);
const ONE_P99: Duration = Duration::from_millis(50);
const MANY_PER_SECOND: f64 = 300.0;
const MANY_P99: Duration = Duration::from_millis(500);

const USER: &str = "bench";
const PASSWORD: &str = "correct horse battery";

/// Questions whose answers come from the plan, a job, a log, a diagnosis and the documents.
const QUESTIONS: [&str; 8] = [
    "How is the plan doing?",
    "Why did FIN_GL_POST fail?",
    "Quais jobs falharam?",
    "log of FIN_GL_POST",
    "What is the impact of FIN_GL_POST?",
    "status do FIN_GL_POST",
    "Which agents are down?",
    "O que fazer quando um disco está cheio?",
];

/// What a round showed.
struct Round {
    answers: usize,
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// How many answers each client asks for, over how many clients.
struct Load {
    clients: usize,
    each: usize,
}

/// The cookies of a session, and what must stand beside them.
#[derive(Clone)]
struct Session {
    server: SocketAddr,
    cookies: String,
    csrf: String,
}

impl Session {
    async fn sign_in(server: SocketAddr) -> Result<Self, BoxError> {
        let body = format!(r#"{{"username":"{USER}","password":"{PASSWORD}"}}"#);
        let request = post(server, "/api/v1/auth/login", "", &body);
        let mut stream = TcpStream::connect(server).await?;
        let (head, _) = exchange(&mut stream, request.as_bytes(), &mut Vec::new()).await?;
        let cookies: Vec<&str> = head
            .lines()
            .filter_map(|line| line.strip_prefix("set-cookie: "))
            .filter_map(|cookie| cookie.split(';').next())
            .collect();
        let csrf = cookies
            .iter()
            .find_map(|cookie| cookie.strip_prefix("resync_csrf="))
            .ok_or_else(|| format!("signing in failed: {head}"))?;
        Ok(Self {
            server,
            csrf: csrf.to_owned(),
            cookies: cookies.join("; "),
        })
    }

    fn question(&self, text: &str) -> String {
        let more = format!(
            "cookie: {}\r\nx-csrf-token: {}\r\n",
            self.cookies, self.csrf
        );
        let body = format!(r#"{{"message":"{text}"}}"#);
        post(self.server, "/api/v1/chat", &more, &body)
    }
}

fn post(server: SocketAddr, path: &str, more: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {server}\r\norigin: http://{server}\r\n{more}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a request and reads its answer, whose body has a length.
async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(String, Vec<u8>), BoxError> {
    stream.write_all(request).await?;
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
        return Ok((head, body));
    }
}

/// Asks, and sees that each answer is whole, saved and from its evidence.
async fn ask(session: Session, client: usize, each: usize) -> Result<Vec<Duration>, BoxError> {
    let mut stream = TcpStream::connect(session.server).await?;
    stream.set_nodelay(true)?;
    let (mut took, mut buffer) = (Vec::with_capacity(each), Vec::with_capacity(64 << 10));
    for turn in 0..each {
        let text = QUESTIONS
            .get((client + turn) % QUESTIONS.len())
            .copied()
            .unwrap_or_default();
        let request = session.question(text);
        let sent = Instant::now();
        let (head, body) = exchange(&mut stream, request.as_bytes(), &mut buffer).await?;
        took.push(sent.elapsed());
        if !head.starts_with("HTTP/1.1 200") {
            return Err(head.into());
        }
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        let is = |key: &str, wanted: bool| answer.get(key) == Some(&wanted.into());
        let grounded = answer
            .get("evidence")
            .and_then(|e| e.as_array())
            .is_some_and(|e| !e.is_empty());
        if !is("saved", true) || !is("incomplete", false) || !grounded {
            return Err(format!("\"{text}\" was answered by {answer}").into());
        }
    }
    Ok(took)
}

async fn round(session: &Session, load: &Load) -> Result<Round, BoxError> {
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for client in 0..load.clients {
        tasks.spawn(ask(session.clone(), client, load.each));
    }
    let mut took = Vec::new();
    while let Some(done) = tasks.join_next().await {
        took.extend(done??);
    }
    let whole = start.elapsed();
    took.sort_unstable();
    let at = |hundredths: usize| {
        let place = (took.len() * hundredths).div_ceil(100).saturating_sub(1);
        took.get(place).copied().unwrap_or_default()
    };
    let answers = u32::try_from(took.len()).unwrap_or(u32::MAX);
    Ok(Round {
        answers: took.len(),
        per_second: f64::from(answers) / whole.as_secs_f64(),
        p50: at(50),
        p99: at(99),
    })
}

fn show(clients: usize, round: &Round) {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "{clients} clients: {} answers, {:.0} a second, p50 {:.1} ms, p99 {:.1} ms",
        round.answers,
        round.per_second,
        ms(round.p50),
        ms(round.p99)
    );
}

async fn measured(session: &Session, smoke: bool) -> Result<bool, BoxError> {
    // The first answers fill the caches.
    round(
        session,
        &Load {
            clients: 1,
            each: QUESTIONS.len(),
        },
    )
    .await?;
    let (one, many) = if smoke { (8, 2) } else { (800, 80) };
    let alone = round(
        session,
        &Load {
            clients: 1,
            each: one,
        },
    )
    .await?;
    show(1, &alone);
    let clients = if smoke { 4 } else { 100 };
    let crowd = round(
        session,
        &Load {
            clients,
            each: many,
        },
    )
    .await?;
    show(clients, &crowd);
    Ok(smoke
        || (alone.p50 < ONE_P50
            && alone.p99 < ONE_P99
            && crowd.per_second >= MANY_PER_SECOND
            && crowd.p99 < MANY_P99))
}

async fn run(smoke: bool) -> Result<bool, BoxError> {
    let simulator = Simulator::builder()
        .jobs(2_000)
        .speed(Speed::Frozen)
        .user("resync", "secret", resync_simulator::Role::Operator)
        .start()
        .await?;
    let folder = tempfile::tempdir()?;
    let mut config = Config::default();
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.server.data_dir = folder.path().to_path_buf();
    config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
    config.auth.bcrypt_cost = 4;
    // What is measured is the answer, not the limits.
    config.limits.chat = 1_000_000;
    config.limits.api = 1_000_000;
    let engine = DemoEngine {
        name: "sim".to_owned(),
        url: simulator.base_url(),
        username: "resync".to_owned(),
        password: "secret".into(),
    };
    let (config, listener) = lifecycle::bind(config).await?;
    let built = build(&config, Some(engine)).await?;
    let new = NewUser {
        username: Username::parse(USER)?,
        password: SecretString::from(PASSWORD),
        role: Role::Operator,
    };
    built
        .users
        .create(new, Origin::of(Actor::Configuration))
        .await?;
    let shutdown = built.shutdown.clone();
    let server = config.server.listen;
    let serving = lifecycle::run(built, listener, &config);
    let asking = async {
        let session = Session::sign_in(server).await;
        let good = match session {
            Ok(session) => measured(&session, smoke).await,
            Err(error) => Err(error),
        };
        shutdown.cancel();
        good
    };
    let ((), good) = tokio::join!(serving, asking);
    simulator.stop().await;
    good
}

fn main() -> ExitCode {
    let smoke = std::env::args().any(|word| word == "--smoke");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(smoke)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a goal was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
