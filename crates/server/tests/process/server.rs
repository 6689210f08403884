//! A server that a test starts as an operator does, and what it says on stderr.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use reqwest::{Client, Method, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

/// Long enough for a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The command with nothing of this process's environment.
pub(crate) fn resync(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resync"));
    command
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A running `resync serve`.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    child: Child,
    stderr: UnboundedReceiver<String>,
    said: Vec<String>,
    _reading: JoinSet<()>,
}

impl Server {
    /// Starts it on a free port and waits until it listens.
    pub(crate) async fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_at(folder, settings, 0).await
    }

    /// The same on this port of the loopback.
    pub(crate) async fn start_at(folder: &Path, settings: &[(&str, &str)], port: u16) -> Self {
        let mut child = resync(folder)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("AUTH_SECRET_KEY", "a secret of more than thirty-two bytes")
            .env("RESYNC_SERVER_DATA_DIR", folder.join("data"))
            .env("RESYNC_AUTH_BCRYPT_COST", "4")
            .env("RESYNC_LOG_FORMAT", "json")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // Read at all times: one that fills its pipe waits.
        let (tell, stderr) = unbounded_channel();
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                // Whoever listened is gone with the test.
                let _heard = tell.send(line);
            }
        });
        let mut server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            client: Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .danger_accept_invalid_certs(true)
                .build()
                .unwrap(),
            child,
            stderr,
            said: Vec::new(),
            _reading: reading,
        };
        let line = server.until(|line| line.contains("\"listening\"")).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["fields"]["address"].as_str().unwrap();
        server.address = address.parse().unwrap();
        server
    }

    /// The next line that fits.
    pub(crate) async fn until(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let found = async {
            while let Some(line) = self.stderr.recv().await {
                self.said.push(line.clone());
                if fits(&line) {
                    return line;
                }
            }
            panic!("it ended, and said:\n{}", self.said.join("\n"))
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let origin = format!("http://{}", self.address);
        let request = self
            .client
            .request(method, format!("{origin}{path}"))
            .header("origin", origin);
        match body {
            Some(body) => request.json(&body).send().await.unwrap(),
            None => request.send().await.unwrap(),
        }
    }

    /// Status and body.
    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let answer = self.ask(method, path, body).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// As an orchestrator does: SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// As a power cut does: SIGKILL.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// How it ended, and everything it said.
    pub(crate) async fn end(mut self) -> (ExitStatus, String) {
        let rest = async {
            while let Some(line) = self.stderr.recv().await {
                self.said.push(line);
            }
            self.child.wait().await.unwrap()
        };
        let status = tokio::time::timeout(PATIENCE, rest).await.unwrap();
        (status, self.said.join("\n"))
    }
}
