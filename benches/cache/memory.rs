//! Heap bytes an entry beyond its key and value, of our cache and its peers.
//!
//! `cargo bench -p resync-benches --bench cache_memory`. The allocator counts what was asked for
//! (`stats_alloc`), so the figures hold the caches' own tables and headers, not malloc's.

mod subjects;

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use subjects::{Key, Limit, Moka, Ours, QuickCache, Subject, payload};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KEYS: u32 = 100_000;
const VALUE_BYTES: u32 = 300;
/// The goal: beyond key and value, with age, windows and category included.
const GOAL: f64 = 130.0;

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Bytes an entry that `S` holds beyond the key, its text, the typed value and the serialised one.
async fn overhead<S: Subject>(keys: &[Key]) -> f64 {
    let before = held();
    let subject = S::new(keys.len());
    for key in keys {
        subject
            .read(key, async { payload(VALUE_BYTES as usize) })
            .await;
    }
    // Peers put housekeeping off; give it the time to run.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let held = held().wrapping_sub(before);
    subject.stop();
    drop(subject);
    // What is freed late must not be taken off the next one's figure.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let text = keys.first().map_or(0, |key| key.job.len());
    let own = size_of::<Key>() + text + size_of::<u64>() + VALUE_BYTES as usize;
    u32::try_from(held).map_or(f64::NAN, |held| f64::from(held) / f64::from(KEYS))
        - u32::try_from(own).map_or(f64::NAN, f64::from)
}

fn main() -> Result<ExitCode, std::io::Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let keys: Vec<Key> = (0..KEYS as usize).map(Key::new).collect();
    let (ours, rows) = runtime.block_on(async {
        let ours = overhead::<Ours>(&keys).await;
        let rows = [
            (Limit::NAME, overhead::<Limit>(&keys).await),
            (Ours::NAME, ours),
            (QuickCache::NAME, overhead::<QuickCache>(&keys).await),
            (Moka::NAME, overhead::<Moka>(&keys).await),
        ];
        (ours, rows)
    });
    println!("heap bytes an entry beyond key and value, {KEYS} keys");
    for (row, bytes) in rows {
        println!("{row:<22}{bytes:>10.1}");
    }
    println!("goal: resync-sync <= {GOAL}");
    // The count of bytes is no timing: it is the same in every run, and the bench may insist.
    Ok(if ours <= GOAL {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
