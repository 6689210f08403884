//! `resync kb`, as an operator types it.

use std::path::Path;
use std::process::Stdio;

use reqwest::header::COOKIE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::command::{PASSWORD, add, log_in, run, run_with};
use crate::server::{PATIENCE, Server, resync};

const FULL: &str =
    "# Disk full\n\nWhen /var/tmp is full, remove files older than 7 days, then rerun.\n";

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

fn items(answer: &Value) -> Vec<(&str, &str)> {
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            (
                item["path"].as_str().unwrap(),
                item["outcome"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_folder_is_taken_in_and_a_wrong_file_in_it_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "runbooks/disk/full.md", FULL);
    write(folder, "runbooks/night.txt", "Call the operator on duty.");
    write(folder, "runbooks/empty.md", " \n");
    write(folder, "runbooks/.git/config.md", "hidden");
    let command = [
        "kb",
        "add",
        "runbooks",
        "--collection",
        "runbooks",
        "--tag",
        "disk",
        "--json",
    ];
    let first = run(folder, None, &command).await;
    assert_eq!(first.code, 1, "{first:?}");
    assert!(
        first.stderr.contains("failed empty.md: the file is empty"),
        "{first:?}"
    );
    assert!(
        first.stderr.contains("added disk/full.md (1 chunks)"),
        "{first:?}"
    );
    let answer: Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!(
        items(&answer),
        [
            ("disk/full.md", "added"),
            ("empty.md", "failed"),
            ("night.txt", "added")
        ]
    );

    // Again: what is unchanged is passed over and said.
    std::fs::remove_file(folder.join("runbooks/empty.md")).unwrap();
    let again = run(folder, None, &command).await.json();
    assert_eq!(
        items(&again),
        [("disk/full.md", "unchanged"), ("night.txt", "unchanged")]
    );
    assert_eq!(
        (&again["added"], &again["unchanged"]),
        (&json!(0), &json!(2))
    );

    let listed = run(folder, None, &["kb", "ls", "--tag", "disk", "--json"])
        .await
        .json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let none = run(folder, None, &["kb", "ls", "--collection", "other"]).await;
    assert!(
        none.code == 0 && none.stderr.contains("no such document"),
        "{none:?}"
    );
    let found = run(
        folder,
        None,
        &["kb", "search", "disco cheio", "-k", "1", "--explain"],
    )
    .await;
    assert!(
        found.code == 0 && found.stdout.starts_with("1. "),
        "{found:?}"
    );
    assert!(
        found.stdout.contains("Disk full") && found.stdout.contains("it has"),
        "{found:?}"
    );
    let found = run(folder, None, &["kb", "search", "disco cheio", "--json"])
        .await
        .json();
    assert_eq!(
        (&found["answerable"], &found["items"][0]["title"]),
        (&json!(true), &json!("Disk full"))
    );
}

#[tokio::test]
async fn a_document_is_shown_measured_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let added = run(
        folder,
        Some(FULL),
        &["kb", "add", "-", "--stdin-name", "full.md", "--json"],
    )
    .await
    .json();
    let id = added["items"][0]["id"].as_str().unwrap();
    let shown = run(folder, None, &["kb", "show", id]).await.ok();
    assert!(
        shown.contains("title       Disk full") && shown.contains("stage       ready"),
        "{shown}"
    );
    assert_eq!(
        run(folder, None, &["kb", "show", id, "--text"]).await.ok(),
        FULL.trim_end()
    );
    let row = run(folder, None, &["kb", "show", id, "--json"])
        .await
        .json();
    assert_eq!((&row["id"], &row["stage"]), (&json!(id), &json!("ready")));

    let question = json!({"id": "q1", "question": "what if the disk is full", "language": "en", "kind": "howto",
                          "expected": [{"source": "full.md", "heading": "Disk full"}]});
    write(folder, "golden.jsonl", question.to_string());
    let report = run(folder, None, &["kb", "eval", "golden.jsonl", "--json"])
        .await
        .json();
    assert_eq!(
        (&report["all"]["questions"], &report["all"]["recall_1"]),
        (&json!(1), &json!(1.0))
    );
    write(folder, "least.toml", "[all]\nrecall_1 = 1.1\n");
    let low = run(
        folder,
        None,
        &["kb", "eval", "golden.jsonl", "--thresholds", "least.toml"],
    )
    .await;
    assert_eq!(low.code, 1, "{low:?}");
    write(folder, "golden.jsonl", "{}");
    assert_eq!(
        run(folder, None, &["kb", "eval", "golden.jsonl"])
            .await
            .code,
        2
    );

    let unsure = run(folder, None, &["kb", "rm", id]).await;
    assert!(
        unsure.code == 8 && unsure.stderr.contains("--yes"),
        "{unsure:?}"
    );
    run(folder, None, &["kb", "rm", "--path", "full.md", "--yes"])
        .await
        .ok();
    for gone in [
        &["kb", "show", id][..],
        &["kb", "rm", id, "--yes"],
        &["kb", "rm", "--path", "full.md", "--yes"],
    ] {
        assert_eq!(run(folder, None, gone).await.code, 4, "{gone:?}");
    }
    for (wrong, code) in [
        (&["kb", "add", "no/such/file.md"][..], 4),
        (&["kb", "add", "*.docx"], 4),
        (&["kb", "search", " "], 2),
        (&["kb", "search", "x", "-k", "51"], 2),
        (&["kb", "show", "1"], 2),
        (&["kb", "rm"], 2),
        (&["kb", "add"], 2),
    ] {
        let ran = run(folder, None, wrong).await;
        assert!(
            ran.code == code && ran.stdout.is_empty(),
            "{wrong:?}: {ran:?}"
        );
    }
}

/// P3: what the command line does is in the audit, as what the API does.
#[tokio::test]
async fn documents_from_the_command_line_are_audited() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "full.md", FULL);
    let added = run(folder, None, &["kb", "add", "full.md", "--json"])
        .await
        .json();
    let id = added["items"][0]["id"].as_str().unwrap();
    run(folder, None, &["kb", "add", "full.md"]).await.ok();
    run(folder, None, &["kb", "rm", id, "--yes"]).await.ok();
    add(folder, "adam", "admin").await.ok();
    let server = Server::start(folder, &[]).await;
    let (_, adam) = log_in(&server, "adam", PASSWORD).await;
    let url = format!("http://{}/api/v1/audit?limit=200", server.address);
    let request = server.client.get(url).header(COOKIE, &adam);
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    let rows: Vec<(&str, &str)> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .filter(|row| row["actor"].as_str().unwrap().starts_with("local:"))
        .map(|row| {
            (
                row["action"].as_str().unwrap(),
                row["target"].as_str().unwrap(),
            )
        })
        .filter(|(action, _)| action.starts_with("knowledge."))
        .collect();
    let target = format!("full.md ({id})");
    assert_eq!(
        rows,
        [
            ("knowledge.added", target.as_str()),
            ("knowledge.deleted", id)
        ]
    );
}

#[tokio::test]
async fn what_is_too_large_or_of_no_kind_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "big.md", "word ".repeat(1000));
    write(folder, "image.png", b"\x89PNG\r\n\x1a\n\0\0");
    let small = [("RESYNC_RAG_MAX_UPLOAD_BYTES", "1000")];
    let ran = run_with(folder, None, &["kb", "add", "big.md", "image.png"], &small).await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("larger than 1000 bytes") && ran.stdout.contains("not supported"),
        "{ran:?}"
    );
    assert!(
        ran.stdout
            .ends_with("0 added, 0 unchanged, 2 failed, 0 pending\n"),
        "{ran:?}"
    );
}

/// A command that is interrupted while it waits ends at once, and says what is left.
#[tokio::test]
async fn an_interrupt_ends_it_and_says_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = resync(folder.path())
        .args(["kb", "add", "-", "--stdin-name", "a.md"])
        .env("RESYNC_SERVER_DATA_DIR", folder.path().join("data"))
        .env("AUTH_SECRET_KEY", "a secret of more than thirty-two bytes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(FULL.as_bytes()).await.unwrap();
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    // It waits for the end of its input once it catches the signal.
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << 1) != 0
    };
    let waiting = async {
        while !caught() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    drop(input);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("interrupted: 1 files are not done"), "{said}");
}

/// B5: a file that needs a parser is read in a process of its own, which limits itself.
#[tokio::test]
async fn files_of_all_kinds_are_read_by_this_very_program() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "docs/page.html",
        "<!doctype html><title>Plan</title><p>When the plan is late, call.",
    );
    write(folder, "docs/jobs.csv", "job;owner\nPAYROLL;ana\n");
    write(
        folder,
        "docs/api.yaml",
        "openapi: 3.0.0\ninfo: {title: A}\npaths: {/x: {get: {summary: y}}}\n",
    );
    write(folder, "docs/cut.pdf", "%PDF-1.7\n1 0 obj\n");
    let ran = run(
        folder,
        None,
        &["kb", "add", "docs", "--language", "en", "--json"],
    )
    .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    let formats: Vec<_> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["format"].as_str())
        .collect();
    assert_eq!(
        formats,
        [Some("OpenAPI"), None, Some("CSV"), Some("HTML")],
        "{ran:?}"
    );
    assert!(
        answer["items"][1]["reason"]
            .as_str()
            .unwrap()
            .contains("cut off or damaged"),
        "{ran:?}"
    );
    // Another text at the same path is its next version.
    write(folder, "docs/jobs.csv", "job;owner\nPAYROLL;rui\n");
    std::fs::remove_file(folder.join("docs/cut.pdf")).unwrap();
    let again = run(folder, None, &["kb", "add", "docs", "--json"])
        .await
        .json();
    assert_eq!(
        (&again["added"], &again["unchanged"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(again["items"][1]["version"], 2);
    // Its allocator has too much of the address space by itself: it does not run without limits.
    let bare = resync(folder)
        .args(["extract-worker", "html"])
        .output()
        .await
        .unwrap();
    assert_eq!((bare.status.code(), bare.stdout.len()), (Some(1), 0));
}

/// A running server finds what the command brings, and what it cuts anew, without being asked to.
#[tokio::test]
async fn a_running_server_finds_what_the_command_line_adds_and_cuts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    add(folder, "adam", "admin").await.ok();
    let server = Server::start(folder, &[]).await;
    let (_, adam) = log_in(&server, "adam", PASSWORD).await;
    let found = async || {
        let url = format!(
            "http://{}/api/v1/rag/search?q=disco%20cheio&k=1",
            server.address
        );
        let request = server.client.get(url).header(COOKIE, &adam);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["items"][0]["text"].as_str().map(str::to_owned)
    };
    let until = async |fits: &dyn Fn(&str) -> bool| {
        let looking = async {
            loop {
                if let Some(text) = found().await.filter(|text| fits(text)) {
                    return text;
                }
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap()
    };
    assert_eq!(found().await, None);
    let long = format!(
        "# Disk full\n\n{}",
        "When the disk is full, call the team.\n".repeat(25)
    );
    write(folder, "full.md", &long);
    run(folder, None, &["kb", "add", "full.md"]).await.ok();
    let whole = until(&|_| true).await;
    assert!(whole.len() > 900, "{whole}");

    let shorter = [("RESYNC_RAG_CHUNK_CHARS", "300")];
    let cut = run_with(folder, None, &["kb", "reindex", "--json"], &shorter).await;
    assert_eq!(cut.json(), json!({"cut": 1, "same": 0, "left": 0}));
    until(&|text| text.len() < 400).await;
    let again = run_with(folder, None, &["kb", "reindex"], &shorter)
        .await
        .ok();
    assert_eq!(again.trim(), "0 cut anew, 1 as they were, 0 left");
}

/// Killed in the midst of its work, in whatever stage, a server loses nothing that it acknowledged, and
/// shows nothing half done.
#[tokio::test]
async fn what_a_killed_server_acknowledged_is_finished_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    add(folder, "adam", "admin").await.ok();
    let mut server = Server::start(folder, &[]).await;
    let (_, mut adam) = log_in(&server, "adam", PASSWORD).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut ids = Vec::new();
    for (n, stop_at) in (0..).zip(["received", "text", "chunks", "vectors"]) {
        let text = format!("# Disk {n} full\n\nCall team {n}.\n\n").repeat(70);
        let origin = format!("http://{}", server.address);
        let part = reqwest::multipart::Part::bytes(text.into_bytes()).file_name(format!("{n}.md"));
        let form = reqwest::multipart::Form::new().part("file", part);
        let csrf = adam.split("resync_csrf=").nth(1).unwrap();
        let csrf = csrf.split(';').next().unwrap().to_owned();
        let upload = server
            .client
            .post(format!("{origin}/api/v1/rag/documents"))
            .header(COOKIE, &adam)
            .header("origin", &origin)
            .header("x-csrf-token", csrf)
            .multipart(form);
        let answer: Value = upload.send().await.unwrap().json().await.unwrap();
        let id = answer["id"].as_str().unwrap().to_owned();
        // As far as it comes; the stages before the vectors pass too fast to be met for sure.
        let stage = stage_of(&server, &adam, &id, stop_at).await;
        seen.insert(stage);
        ids.push(id);
        server.kill();
        server.end().await;
        server = Server::start(folder, &[("RESYNC_RAG_POLL_SECONDS", "1")]).await;
        (_, adam) = log_in(&server, "adam", PASSWORD).await;
    }
    assert!(seen.iter().any(|stage| stage != "ready"), "{seen:?}");
    // The claims of the dead processes last for a minute.
    for id in &ids {
        let url = format!("http://{}/api/v1/rag/documents/{id}/events", server.address);
        let request = server
            .client
            .get(url)
            .header(COOKIE, &adam)
            .timeout(4 * PATIENCE);
        let told = request.send().await.unwrap().text().await.unwrap();
        assert!(told.contains("ready;70/70"), "{told}");
    }
    for id in &ids {
        let row = run(folder, None, &["kb", "show", id, "--json"])
            .await
            .json();
        assert_eq!(row["progress"], json!({"done": 70, "total": 70}));
    }
}

/// The document's stage once it is `wanted` or later, or at once where nothing is wanted.
async fn stage_of(server: &Server, cookie: &str, id: &str, wanted: &str) -> String {
    let order = [
        "", "received", "text", "chunks", "vectors", "ready", "failed",
    ];
    let place = |stage: &str| order.iter().position(|known| *known == stage);
    let url = format!("http://{}/api/v1/rag/documents/{id}", server.address);
    let looking = async {
        loop {
            let request = server.client.get(&url).header(COOKIE, cookie);
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            let stage = answer["stage"].as_str().unwrap().to_owned();
            if place(&stage) >= place(wanted) {
                return stage;
            }
        }
    };
    tokio::time::timeout(4 * PATIENCE, looking).await.unwrap()
}
