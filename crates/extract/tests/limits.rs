//! What holds of a worker whatever it does: its limits, its end, and what is made of its answer.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use resync_extract::{FileExtractor, WorkerCommand};
use resync_rag::{ExtractError, TextExtractor as _};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

const WORKER: &str = env!("CARGO_BIN_EXE_resync-extract-worker");
const PAGE: &[u8] = b"<!doctype html><p>x";

/// A worker that is a script; what it is given as `$0` is the kind.
fn script(text: &str) -> FileExtractor {
    FileExtractor::new(Some(WorkerCommand::new("/bin/sh").arg("-c").arg(text)))
}

async fn until(what: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !what() {
        assert!(Instant::now() < patience, "it did not come to be");
        tokio::task::yield_now().await;
    }
}

/// Whether a process is there and is no zombie.
fn runs(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

#[tokio::test]
async fn a_worker_limits_itself_before_it_reads() {
    let mut child = Command::new(WORKER)
        .arg("html")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = child.id().unwrap();
    let limits = || std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let holds = |name: &str, soft: &str, hard: &str| {
        let limits = limits();
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let values: Vec<&str> = line[name.len()..].split_whitespace().collect();
        values[..2] == [soft, hard]
    };
    until(|| holds("Max cpu time", "10", "11")).await;
    for (name, value) in [
        ("Max address space", "536870912"),
        ("Max file size", "0"),
        ("Max open files", "3"),
        ("Max core file size", "0"),
        ("Max processes", "0"),
    ] {
        assert!(holds(name, value, value), "{name}: {}", limits());
    }
    drop(child.stdin.take());
    assert!(child.wait().await.unwrap().success());
}

/// Nothing of the environment and no folder of the parent reaches it.
#[tokio::test]
async fn a_worker_sees_nothing_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seen");
    let seen = script(&format!("(pwd; env) > {}", file.display()));
    assert!(seen.extract("a.html", PAGE.to_vec()).await.is_err());
    let seen = std::fs::read_to_string(file).unwrap();
    assert!(seen.starts_with("/\n"), "{seen}");
    // The shell itself sets these.
    assert!(
        seen.lines()
            .skip(1)
            .all(|line| ["PWD=", "OLDPWD=", "_=", "SHLVL="]
                .iter()
                .any(|own| line.starts_with(own))),
        "{seen}"
    );
}

#[tokio::test]
async fn a_dropped_call_leaves_no_worker() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let stuck = script(&format!("echo $$ > {}; exec sleep 600", file.display()));
    let mut calls = JoinSet::new();
    calls.spawn(async move { stuck.extract("a.html", PAGE.to_vec()).await });
    let pid = || {
        std::fs::read_to_string(&file)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    until(|| !pid().is_empty()).await;
    assert!(runs(&pid()));
    calls.abort_all();
    until(|| !runs(&pid())).await;
}

#[tokio::test]
async fn a_worker_ends_with_its_parent() {
    let text = "exec 3<&0; \"$0\" html <&3 & echo $!; wait";
    let mut parent = Command::new("/bin/sh")
        .args(["-c", text, WORKER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid = said.next_line().await.unwrap().unwrap();
    let limited = || {
        std::fs::read_to_string(format!("/proc/{pid}/limits"))
            .is_ok_and(|limits| limits.contains("536870912"))
    };
    until(limited).await;
    // Its input stays open in this process: it is not the end of the input that ends it.
    let _input = parent.stdin.take();
    let shell = i32::try_from(parent.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(shell).unwrap(), Signal::KILL).unwrap();
    parent.wait().await.unwrap();
    until(|| !runs(&pid)).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stalls_is_given_up() {
    let error = script("exec sleep 600")
        .extract("a.html", PAGE.to_vec())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("takes longer"), "{error}");
}

#[tokio::test]
async fn what_is_no_fault_of_the_file_may_be_tried_again() {
    let gone = FileExtractor::new(Some(WorkerCommand::new("/no/such/program")));
    for broken in [
        FileExtractor::new(None),
        gone,
        script("exit 0"),
        script("exit 2"),
        script("echo a text of no frame"),
        script("kill -KILL $$"),
    ] {
        let error = broken.extract("a.html", PAGE.to_vec()).await.unwrap_err();
        assert!(matches!(error, ExtractError::Unavailable(_)), "{error:?}");
    }
}

#[tokio::test]
async fn how_a_worker_ended_is_told_in_words() {
    for (text, words) in [
        (
            "echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$",
            "512 MiB of memory",
        ),
        (
            "echo 'thread main has overflowed its stack' >&2; kill -ABRT $$",
            "nested too deeply",
        ),
        ("kill -SEGV $$", "nested too deeply"),
        ("kill -XCPU $$", "takes longer than 10 seconds"),
        ("exit 101", "no HTML file that can be read"),
    ] {
        let error = script(text)
            .extract("a.html", PAGE.to_vec())
            .await
            .unwrap_err();
        assert!(
            matches!(error, ExtractError::Unreadable { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A worker is a process that does nothing else: without the word for a kind it is none.
#[tokio::test]
async fn a_worker_without_a_kind_does_nothing() {
    for arguments in [&[][..], &["exe"], &["html", "pdf"]] {
        let ended = Command::new(Path::new(WORKER))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert_eq!((ended.status.code(), ended.stdout.len()), (Some(2), 0));
    }
}
