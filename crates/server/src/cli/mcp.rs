//! `resync mcp`: the Model Context Protocol on stdin and stdout, for programs that start their servers.
//!
//! It carries messages to the `/mcp` of a running server and back. The plan's cache, the limits, the audit
//! and the engine's credentials stay there, and the API key decides what may be seen; a process of its own
//! on a person's machine would have none of them.
//!
//! Invariants:
//! - One line is one message, in and out; stdout carries nothing else.
//! - Messages go on at once, [`AT_ONCE`] at most; a cancelled one ends its request.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use super::output::{FAILURE, OK, USAGE, fail, note};
use super::remote::{Remote, RemoteArgs, away, refused};

/// Messages under way at once.
const AT_ONCE: usize = 8;
/// Bytes of one message at most, as the server takes them.
const MAX_MESSAGE_BYTES: u64 = 1024 * 1024;
/// Where a message of the newest protocol names its version.
const VERSION_OF_MESSAGE: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";

/// Which server to carry messages to.
#[derive(Debug, Args)]
pub(super) struct McpArgs {
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Carries messages until stdin ends.
pub(super) async fn run(file: Option<PathBuf>, args: McpArgs) -> ExitCode {
    let remote = match Remote::find(args.remote, file) {
        Ok(remote) => remote,
        Err(code) => return code,
    };
    let (to, mut from) = mpsc::channel::<String>(AT_ONCE);
    let carrier = Carrier {
        remote,
        to,
        version: Arc::default(),
        under_way: Arc::default(),
    };
    let tracker = TaskTracker::new();
    let writer = tracker.spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(mut line) = from.recv().await {
            line.push('\n');
            let written = async {
                out.write_all(line.as_bytes()).await?;
                out.flush().await
            };
            // Whoever does not read any more has ended.
            if written.await.is_err() {
                break;
            }
        }
    });
    let code = read(carrier, &tracker).await;
    tracker.close();
    // What is under way is still answered; the last sender goes with it.
    match writer.await {
        Ok(()) => code,
        Err(error) => fail(FAILURE, &error.to_string()),
    }
}

async fn read(carrier: Carrier, tracker: &TaskTracker) -> ExitCode {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut lines = BufReader::new(tokio::io::stdin());
    loop {
        let mut line = Vec::new();
        let one = (&mut lines).take(MAX_MESSAGE_BYTES + 1);
        match { one }.read_until(b'\n', &mut line).await {
            Ok(0) => return ExitCode::from(OK),
            Ok(_) if u64::try_from(line.len()).unwrap_or(u64::MAX) > MAX_MESSAGE_BYTES => {
                return fail(USAGE, "a message on stdin is longer than 1 MiB");
            }
            Ok(_) => {}
            Err(error) => return fail(FAILURE, &format!("stdin cannot be read: {error}")),
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(message) = serde_json::from_slice::<Value>(&line) else {
            let error = json!({"code": -32700, "message": "that line is not JSON"});
            carrier.answer(&Value::Null, error).await;
            continue;
        };
        if text(&message, "/method") == "notifications/cancelled"
            && let Some(id) = message.pointer("/params/requestId")
        {
            carrier.cancel(id);
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return ExitCode::from(FAILURE);
        };
        let id = message.get("id").map(Value::to_string);
        let courier = carrier.clone();
        let task = tracker.spawn(async move {
            courier.carry(message).await;
            drop(place);
        });
        if let Some(id) = id {
            carrier.note(id, task.abort_handle());
        }
    }
}

/// The text at a place of a message, empty when there is none.
fn text<'a>(message: &'a Value, place: &str) -> &'a str {
    message
        .pointer(place)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Carries one message after the other. Cheap to clone.
#[derive(Clone)]
struct Carrier {
    remote: Remote,
    to: mpsc::Sender<String>,
    // What was agreed on at the beginning; guards one value, no await is made under it.
    version: Arc<Mutex<Option<String>>>,
    // The requests under way by their ids, and how to end them; no await is made under it.
    under_way: Arc<Mutex<HashMap<String, AbortHandle>>>,
}

impl Carrier {
    fn note(&self, id: String, task: AbortHandle) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, task| !task.is_finished());
        under_way.insert(id, task);
    }

    fn cancel(&self, id: &Value) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = under_way.remove(&id.to_string()) {
            task.abort();
        }
    }

    /// Sends a message and passes on what comes back; a request always gets an answer.
    async fn carry(&self, message: Value) {
        let method = text(&message, "/method");
        let mut request = self
            .remote
            .post("/mcp")
            .header("accept", "application/json, text/event-stream")
            .json(&message);
        let own = message.pointer(VERSION_OF_MESSAGE).and_then(Value::as_str);
        let agreed = self.agreed();
        let version = own.or(agreed.as_deref());
        if let Some(version) = version.filter(|_| method != "initialize") {
            request = request.header("mcp-protocol-version", version);
        }
        if !method.is_empty() {
            request = request.header("mcp-method", method);
        }
        let name = text(&message, "/params/name");
        if !name.is_empty() && name.is_ascii() {
            request = request.header("mcp-name", name);
        }
        let failure = match request.send().await {
            Ok(answer) if answer.status() == StatusCode::ACCEPTED => return,
            Ok(answer) if answer.status().is_success() => match answer.text().await {
                Ok(text) => return self.pass(&text, method).await,
                Err(error) => away(error),
            },
            Ok(answer) => refused(answer).await,
            Err(error) => away(error),
        };
        match message.get("id") {
            Some(id) => {
                let error = json!({"code": -32000, "message": failure.text});
                self.answer(id, error).await;
            }
            None => note(&failure.text),
        }
    }

    /// The messages of a body: one as JSON, or some as events.
    async fn pass(&self, body: &str, method: &str) {
        let events = body.lines().filter_map(|line| line.strip_prefix("data:"));
        let texts: Vec<&str> = if body.trim_start().starts_with(['{', '[']) {
            vec![body]
        } else {
            events.collect()
        };
        for told in texts {
            let Ok(message) = serde_json::from_str::<Value>(told) else {
                continue;
            };
            let version = text(&message, "/result/protocolVersion");
            if method == "initialize" && !version.is_empty() {
                let mut agreed = self.version.lock().unwrap_or_else(PoisonError::into_inner);
                *agreed = Some(version.to_owned());
            }
            // A reader that is gone is noticed by the end of stdin.
            let _sent = self.to.send(message.to_string()).await;
        }
    }

    fn agreed(&self) -> Option<String> {
        let agreed = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        agreed.clone()
    }

    async fn answer(&self, id: &Value, error: Value) {
        let answer = json!({"jsonrpc": "2.0", "id": id, "error": error});
        let _sent = self.to.send(answer.to_string()).await;
    }
}
