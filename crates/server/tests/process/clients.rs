//! `resync ask` and `resync mcp` before a running server, as a person and as a program start them.

use std::path::Path;
use std::process::Stdio;

use resync_simulator::{Role, Simulator, Speed};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::command::{Ran, add, run, run_with};
use crate::server::{Server, resync};

const ENGINE: [(&str, &str); 3] = [
    ("RESYNC_TWS_NAME", "sim"),
    ("RESYNC_TWS_USERNAME", "resync"),
    ("RESYNC_TWS_PASSWORD", "engine-secret"),
];

async fn engine() -> Simulator {
    let simulator = Simulator::builder().jobs(300).speed(Speed::Frozen).user(
        "resync",
        "engine-secret",
        Role::Operator,
    );
    simulator.start().await.unwrap()
}

/// A server with `olga`, on an engine at that address, and a key of hers.
async fn served(here: &Path, engine: &str) -> (Server, String) {
    let settings = [&ENGINE[..], &[("RESYNC_TWS_URL", engine)]].concat();
    let server = Server::start(here, &settings).await;
    add(here, "olga", "operator").await.ok();
    let scopes = "chat.use,plan.read,knowledge.read,actions.propose";
    let make = ["key", "create", "olga", "--name", "cli", "--scope", scopes];
    let key = run(here, None, &make).await.ok();
    (server, key)
}

async fn ask(here: &Path, server: &Server, key: &str, more: &[&str]) -> Ran {
    let url = format!("http://{}", server.address);
    let settings = [("RESYNC_URL", url.as_str()), ("RESYNC_API_KEY", key)];
    run_with(here, None, &[&["ask"], more].concat(), &settings).await
}

#[tokio::test]
async fn a_question_is_answered_with_its_sources_and_the_code_says_how_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let simulator = engine().await;
    let (server, key) = served(here, &simulator.base_url()).await;

    let text = ask(here, &server, &key, &["Why did FIN_GL_POST fail?"])
        .await
        .ok();
    let link = format!("http://{}/#job/", server.address);
    assert!(
        text.contains("FIN_GL_POST") && text.contains("[c1] "),
        "{text}"
    );
    assert!(text.contains(&link), "{text}");

    let json = ask(
        here,
        &server,
        &key,
        &["Why did FIN_GL_POST fail?", "--json", "--no-llm"],
    )
    .await
    .json();
    assert_eq!(json["mode"], "deterministic");
    let session = json["session_id"].as_str().unwrap();
    let follow = ["and its log?", "--session", session];
    assert!(
        ask(here, &server, &key, &follow)
            .await
            .ok()
            .contains("FIN_GL_POST")
    );

    // A prepared action waits for a person; nothing has been done.
    let rerun = ask(here, &server, &key, &["rerun FIN_GL_POST"]).await;
    assert_eq!(rerun.code, 8, "{rerun:?}");
    assert!(
        rerun
            .stdout
            .contains("Nothing has been done. Confirm at http://"),
        "{rerun:?}"
    );

    let unknown = ["why?", "--session", "00000000-0000-7000-8000-000000000000"];
    for (more, with, code) in [
        (&["why?", "--engine", "nowhere"][..], key.as_str(), 4),
        (&unknown, &key, 4),
        (&["why?"], "no-key-of-ours", 5),
        (&[" "], &key, 2),
    ] {
        let refused = ask(here, &server, with, more).await;
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (code, ""),
            "{refused:?}"
        );
        assert!(!refused.stderr.contains(with), "{refused:?}");
    }
    let without = run(here, None, &["ask", "why?"]).await;
    assert_eq!(without.code, 3, "{without:?}");
    assert!(without.stderr.contains("RESYNC_API_KEY"), "{without:?}");
    server.terminate();
    let away = ask(here, &server, &key, &["why?"]).await;
    assert_eq!(away.code, 1, "{away:?}");
}

#[tokio::test]
async fn an_engine_that_is_away_is_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Nobody listens on the port of the discard service.
    let (server, key) = served(here, "http://127.0.0.1:9/twsd/api/v2").await;
    let answer = ask(here, &server, &key, &["how is the plan?"]).await;
    assert_eq!(answer.code, 6, "{answer:?}");
    assert!(!answer.stdout.is_empty(), "{answer:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's programs are named by its environment"
)]
fn python() -> String {
    std::env::var("RESYNC_TEST_CLIENTS_PYTHON")
        .unwrap_or_else(|_| panic!("run the tests by scripts/test"))
}

/// The MCP SDK starts the command as any program would, in both of its modes.
#[tokio::test]
async fn the_mcp_sdk_starts_resync_mcp_and_calls_its_tools() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let simulator = engine().await;
    let (server, key) = served(here, &simulator.base_url()).await;
    let url = format!("http://{}", server.address);
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/clients/mcp_client.py");
    for mode in ["auto", "legacy"] {
        let ran = Command::new(python())
            .arg(&script)
            .args(["stdio", env!("CARGO_BIN_EXE_resync"), &url, &key, mode])
            .arg("FIN_EOD.FIN_GL_POST")
            .current_dir(here)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{mode}: {said}");
        let seen: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(seen["server"], "resync", "{mode}");
        for name in [
            "plan_summary",
            "job_log",
            "job_diagnose",
            "ask",
            "preview_action",
        ] {
            assert_eq!(seen[name]["error"], false, "{mode} {name}: {}", seen[name]);
        }
        assert_eq!(
            seen["execute_action"]["value"]["status"],
            "needs_confirmation"
        );
        assert_eq!(seen["unlisted"], -32602, "{mode}");
    }
}

/// What cannot be carried is answered on stdout as the protocol wants it, and stdout holds nothing else.
#[tokio::test]
async fn a_message_that_cannot_be_carried_is_answered_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = resync(folder.path())
        .args(["mcp", "--url", "http://127.0.0.1:9"])
        .env("RESYNC_API_KEY", "x")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ping = json!({"jsonrpc": "2.0", "id": "a", "method": "ping"});
    stdin
        .write_all(format!("{ping}\nnonsense\n").as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success());
    let out = String::from_utf8(ended.stdout).unwrap();
    let mut answers: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    answers.sort_by_key(|answer| answer["error"]["code"].as_i64());
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(
        (&answers[0]["id"], &answers[0]["error"]["code"]),
        (&Value::Null, &json!(-32700))
    );
    assert_eq!(
        (&answers[1]["id"], &answers[1]["error"]["code"]),
        (&json!("a"), &json!(-32000))
    );
}
