//! Decoding a page of 10,000 jobs as it arrives, beside `serde_json` with the whole body at hand.
//!
//! `cargo bench -p resync-benches --bench decode`; `-- --smoke` decodes a small page of each kind once
//! and checks what came out.

mod page;

use std::process::ExitCode;
use std::time::Duration;

use resync_kernel::BoxError;
use rustix::time::{ClockId, clock_gettime};

const JOBS: usize = 10_000;
const ROUNDS: usize = 15;
/// What a TLS connection gives at a time.
const PIECE: usize = 16 << 10;
/// The goal: our time to that of `serde_json`.
const GOAL: f64 = 1.5;

/// CPU time of this process, which a busy machine stretches less than the clock on the wall.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

fn ours(body: &[u8], jobs: usize) -> Result<(), BoxError> {
    let page = resync_hwa::read_job_page(body.chunks(PIECE), 0, u32::MAX)?;
    let right = page.items.len() == jobs
        && page.items.last().and_then(|job| job.priority) == u8::try_from((jobs - 1) % 102).ok();
    if right {
        Ok(())
    } else {
        Err("our page is not what was sent".into())
    }
}

fn theirs(body: &[u8], jobs: usize) -> Result<(), BoxError> {
    let page: page::MinimalPage = serde_json::from_slice(body)?;
    let right = page.results.len() == jobs && usize::try_from(page.count) == Ok(jobs);
    if right {
        Ok(())
    } else {
        Err("their page is not what was sent".into())
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() -> Result<ExitCode, BoxError> {
    if std::env::args().any(|argument| argument == "--smoke") {
        for jobs in [1, 7, 200] {
            let body = page::body(jobs)?;
            ours(&body, jobs)?;
            theirs(&body, jobs)?;
        }
        println!("decode: both read what was sent");
        return Ok(ExitCode::SUCCESS);
    }
    let body = page::body(JOBS)?;
    let (mut mine, mut peer) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // The order turns, so that neither always finds the caches warm.
        for turn in 0..2 {
            let start = cpu();
            if (round + turn) % 2 == 0 {
                ours(&body, JOBS)?;
                mine.push(cpu().saturating_sub(start));
            } else {
                theirs(&body, JOBS)?;
                peer.push(cpu().saturating_sub(start));
            }
        }
    }
    let (mine, peer) = (median(mine), median(peer));
    let ratio = mine.as_secs_f64() / peer.as_secs_f64();
    let mib = body.len() >> 20;
    println!("page of {JOBS} jobs, {mib} MiB, CPU time, median of {ROUNDS}");
    println!("serde_json, whole body, plain struct  {peer:>10.1?}");
    println!(
        "ours, in pieces of 16 KiB, to Job     {mine:>10.1?}  ratio {ratio:.2}  goal <= {GOAL}"
    );
    Ok(ExitCode::from(u8::from(ratio > GOAL)))
}
