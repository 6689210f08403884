//! The most heap that decoding a page of 10,000 jobs holds, to what its jobs hold in the end.
//!
//! `cargo bench -p resync-benches --bench decode_memory`. The heap is looked at between two pieces of
//! the body, which is held outside of the figures.

mod page;

use std::alloc::System;
use std::cell::Cell;
use std::process::ExitCode;

use resync_kernel::BoxError;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PIECE: usize = 16 << 10;
/// The goal: the peak to the decoded size, in hundredths.
const GOAL: usize = 300;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

fn main() -> Result<ExitCode, BoxError> {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let jobs = if smoke { 500 } else { 10_000 };
    let body = page::body(jobs)?;
    // The peer is read first; its figure is for the table alone.
    let before = held();
    let peer: page::MinimalPage = serde_json::from_slice(&body)?;
    let peer_held = held() - before;
    let read = (peer.count, peer.results.len());
    drop(peer);
    if read.0 != u64::try_from(read.1)? || read.1 != jobs {
        return Err("the plain struct is not what was sent".into());
    }
    let before = held();
    let peak = Cell::new(0);
    let look = |piece| {
        peak.set(peak.get().max(held().saturating_sub(before)));
        piece
    };
    let page = resync_hwa::read_job_page(body.chunks(PIECE).map(look), 0, u32::MAX)?;
    // While the list of jobs grows, the old one is held beside the new one.
    let growth = page.items.capacity() * size_of::<resync_tws::model::Job>() / 2;
    let (decoded, peak) = (held() - before, peak.get() + growth);
    let ratio = peak * 100 / decoded.max(1);
    println!("page of {jobs} jobs, body of {} KiB", body.len() >> 10);
    println!("plain struct of serde_json  {:>8} KiB", peer_held >> 10);
    println!("our jobs                    {:>8} KiB", decoded >> 10);
    println!("peak while decoding         {:>8} KiB", peak >> 10);
    println!(
        "ratio {}.{:02}, goal <= {}.{:02}",
        ratio / 100,
        ratio % 100,
        GOAL / 100,
        GOAL % 100
    );
    drop(page);
    Ok(ExitCode::from(u8::from(ratio > GOAL)))
}
