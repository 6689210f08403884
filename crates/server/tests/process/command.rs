//! What a test types beside a running server.

use std::path::Path;
use std::process::Stdio;

use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::server::{PATIENCE, Server, resync};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// What a command printed, and its code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout.trim_end().to_owned()
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// Runs the command on the store of [`Server::start`] in `folder`.
pub(crate) async fn run(folder: &Path, stdin: Option<&str>, args: &[&str]) -> Ran {
    run_with(folder, stdin, args, &[]).await
}

pub(crate) async fn run_with(
    folder: &Path,
    stdin: Option<&str>,
    args: &[&str],
    settings: &[(&str, &str)],
) -> Ran {
    let mut child = resync(folder)
        .args(args)
        .env("AUTH_SECRET_KEY", "a secret of more than thirty-two bytes")
        .env("RESYNC_SERVER_DATA_DIR", folder.join("data"))
        .env("RESYNC_AUTH_BCRYPT_COST", "4")
        // Of a first start, which this is not.
        .env("RESYNC_AUTH_ADMIN_USERNAME", "root")
        .env("RESYNC_AUTH_ADMIN_PASSWORD", PASSWORD)
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A command that wants nothing of it may have ended by now.
    let _sent = input.write_all(stdin.unwrap_or("").as_bytes()).await;
    drop(input);
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let output = ended.await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

pub(crate) async fn add(folder: &Path, name: &str, role: &str) -> Ran {
    let args = ["user", "add", name, "--role", role, "--password-stdin"];
    run(folder, Some(&format!("{PASSWORD}\n")), &args).await
}

/// Logs in over HTTP: the status, and the session's cookie.
pub(crate) async fn log_in(server: &Server, name: &str, password: &str) -> (u16, String) {
    let body = json!({"username": name, "password": password});
    let answer = server
        .ask(Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    let cookies: Vec<_> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
        .collect();
    (answer.status().as_u16(), cookies.join("; "))
}
