//! What the process that asks pays for, while it goes on answering; alone in its process, whose memory it
//! measures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use resync_extract::{FileExtractor, WorkerCommand};
use resync_rag::TextExtractor as _;
use tokio::task::JoinSet;

const MIB: u64 = 1024 * 1024;

/// A figure of this process's memory, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    let kib: u64 = line
        .trim_start_matches(':')
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

/// B5: a file of the greatest size costs this process at most 96 MB, and it answers meanwhile.
#[tokio::test]
async fn a_large_file_costs_little_here_and_stops_nothing() {
    let command = WorkerCommand::new(env!("CARGO_BIN_EXE_resync-extract-worker"));
    let extractor = FileExtractor::new(Some(command));
    let mut records = String::from("job;owner;text\n");
    while records.len() < usize::try_from(25 * MIB).unwrap() {
        let n = records.len();
        writeln!(
            records,
            "JOB{n};operations;{}",
            "what to do when it is late, in some words. ".repeat(20)
        )
        .unwrap();
    }
    let (before, peak) = (memory("VmRSS"), memory("VmHWM"));
    let mut readings = JoinSet::new();
    readings.spawn(async move { extractor.extract("a.csv", records.into_bytes()).await });
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    let read = loop {
        if let Some(read) = readings.try_join_next() {
            break read.unwrap();
        }
        tokio::task::yield_now().await;
        longest = longest.max(last.elapsed());
        last = Instant::now();
    };
    assert!(read.unwrap().text.len() > usize::try_from(20 * MIB).unwrap());
    let grown = memory("VmHWM").max(peak) - before;
    assert!(grown <= 96 * 1000 * 1000, "grown by {} MiB", grown / MIB);
    assert!(
        longest < Duration::from_secs(1),
        "no answer for {longest:?}"
    );
}
