//! The servers, each in a process of its own.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::serve::ListenerExt as _;
use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use resync_auth::{NewUser, Role, Username};
use resync_kernel::{BoxError, SecretString};
use resync_server::config::Config;
use resync_server::lifecycle;
use resync_server::wiring::{DemoEngine, build};

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
            Kind::Hyper => hyper(argument.parse()?).await,
            Kind::Axum => axum(argument.parse()?).await,
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

fn body(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}

async fn hyper(bytes: usize) -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    tell(listener.local_addr()?)?;
    let body = body(bytes);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        connections.spawn(async move {
            let answer = service_fn(move |_| {
                let body = http_body_util::Full::new(body.clone());
                let answer = hyper::Response::builder()
                    .header("content-type", "application/json")
                    .body(body);
                async move { Ok::<_, Infallible>(answer.unwrap_or_default()) }
            });
            // A connection ends when the load does.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn axum(bytes: usize) -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    tell(listener.local_addr()?)?;
    let body = body(bytes);
    let page = axum::routing::get(move || {
        let body = body.clone();
        async move { ([("content-type", "application/json")], body) }
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
    tracing_subscriber::fmt()
        .json()
        .with_env_filter("info")
        .with_writer(std::io::sink)
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
    built.users.create(new, None).await?;
    tell(config.server.listen)?;
    lifecycle::run(built, listener, &config).await;
    Ok(())
}
