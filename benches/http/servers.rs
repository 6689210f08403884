//! The servers, each in a process of its own.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use resync_auth::{Actor, NewUser, Origin, Role, Username};
use resync_kernel::{BoxError, SecretString};
use resync_server::config::Config;
use resync_server::wiring::{DemoEngine, build};
use resync_server::{lifecycle, logging};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) const USER: &str = "vera";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Which server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Hyper and nothing else.
    Hyper,
    /// Axum's router and one handler.
    Axum,
    /// Ours, as it is deployed.
    Resync,
}

impl Kind {
    const ALL: [(Self, &str); 3] = [
        (Self::Hyper, "hyper"),
        (Self::Axum, "axum"),
        (Self::Resync, "resync"),
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Axum => "axum",
            Self::Resync => "resync",
        }
    }
}

/// A server that runs; it ends with this value.
pub(crate) struct Child {
    pub(crate) address: SocketAddr,
    process: std::process::Child,
}

impl Child {
    /// Starts this program again as that server, and waits until it listens.
    pub(crate) fn start(kind: Kind, arguments: &[&str]) -> Result<Self, BoxError> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .arg(kind.word())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse()?;
        Ok(Self { address, process })
    }

    /// CPU time that the process has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration, BoxError> {
        let schedule = format!("/proc/{}/schedstat", self.process.id());
        let tasks = format!("/proc/{}/task", self.process.id());
        let mut nanoseconds: u64 = 0;
        for task in std::fs::read_dir(tasks)? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = text.split(' ').next().ok_or(schedule.as_str())?;
            nanoseconds += on_cpu.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Is a server, until the other end of the input goes away.
pub(crate) fn serve(arguments: &[String]) -> Result<bool, BoxError> {
    let [kind, argument] = arguments else {
        return Err("--serve takes a kind and an argument".into());
    };
    let kind = Kind::ALL
        .iter()
        .find(|(_, word)| word == kind)
        .ok_or("no such server")?
        .0;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match kind {
            Kind::Hyper => hyper(argument).await,
            Kind::Axum => axum(argument).await,
            Kind::Resync => resync(argument.clone()).await,
        }
    })?;
    Ok(true)
}

fn tell(address: SocketAddr) -> Result<(), BoxError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

/// The answer that a file keeps, without what hyper writes itself.
fn answer(file: &str) -> Result<(HeaderMap, Bytes), BoxError> {
    let bytes = Bytes::from(std::fs::read(file)?);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("an answer without an end of its head")?;
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(bytes.get(..end).unwrap_or_default())?
        .lines()
        .skip(1)
    {
        let (name, value) = line.split_once(": ").ok_or("a header without a value")?;
        if !matches!(name, "date" | "content-length") {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    Ok((headers, bytes.slice(end + 4..)))
}

async fn hyper(file: &str) -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    tell(listener.local_addr()?)?;
    let (headers, body) = answer(file)?;
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (headers, body) = (headers.clone(), body.clone());
        connections.spawn(async move {
            let answer = service_fn(move |_| {
                let mut answer = hyper::Response::new(http_body_util::Full::new(body.clone()));
                answer.headers_mut().clone_from(&headers);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A connection ends when the load does.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn axum(file: &str) -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    tell(listener.local_addr()?)?;
    let (headers, body) = answer(file)?;
    let page = axum::routing::get(move || {
        let answer = (headers.clone(), body.clone());
        async move { answer }
    });
    let router = axum::Router::new().route("/api/v1/tws/jobs", page);
    let listener = listener.tap_io(|stream| {
        // Without it small answers only come later.
        let _set = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

async fn resync(engine: String) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::default();
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.server.data_dir = folder.path().to_path_buf();
    config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
    config.auth.bcrypt_cost = 4;
    config.limits.api = 1_000_000_000;
    config.cache.job_status_fresh_seconds = 3600;
    config.cache.job_status_stale_seconds = 7200;
    // As a deployed server logs: at info, as JSON, here to nowhere.
    tracing_subscriber::registry()
        .with(logging::json(std::io::sink))
        .with(logging::levels(&config.log)?)
        .init();
    let engine = DemoEngine {
        name: "sim".to_owned(),
        url: engine,
        username: "resync".to_owned(),
        password: "secret".into(),
    };
    let (config, listener) = lifecycle::bind(config).await?;
    let built = build(&config, Some(engine)).await?;
    let new = NewUser {
        username: Username::parse(USER)?,
        password: SecretString::from(PASSWORD),
        role: Role::Viewer,
    };
    let by = Origin::of(Actor::Configuration);
    built.users.create(new, by).await?;
    tell(config.server.listen)?;
    lifecycle::run(built, listener, &config).await;
    Ok(())
}
