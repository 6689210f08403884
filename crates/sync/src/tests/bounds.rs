//! The cache stays within its limits, and what is too old leaves unasked.

use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{Fault, Rig, WINDOWS, key};
use crate::Fetched;

async fn fill(rig: &Rig, names: std::ops::Range<u32>) {
    for name in names {
        let fetch = || async {
            Ok(Fetched {
                value: 1,
                bytes: vec![b'x'; 100].into(),
                age: Duration::ZERO,
            })
        };
        rig.cache
            .get_or_fetch(&key(&name.to_string()), WINDOWS, fetch)
            .await
            .unwrap();
    }
}

/// I-05: a hundred thousand keys in a cache of a thousand.
#[tokio::test(start_paused = true)]
async fn bounds_hold_with_many_keys() {
    let rig = Rig::bounded(1_000, 1 << 30);
    fill(&rig, 0..100_000).await;
    rig.settle().await;
    let stats = rig.cache.stats();
    assert_eq!((stats.entries, stats.evictions), (1_000, 99_000));
}

/// I-05: the same by weight; the gauge is never above the limit once the writes have settled.
#[tokio::test(start_paused = true)]
async fn bounds_hold_by_bytes() {
    let rig = Rig::bounded(usize::MAX, 1 << 20);
    for part in 0..10 {
        fill(&rig, part * 2_000..(part + 1) * 2_000).await;
        rig.settle().await;
        assert!(rig.cache.stats().bytes <= 1 << 20);
    }
    let stats = rig.cache.stats();
    assert!(stats.entries > 2_000, "{stats:?}: at some 300 bytes each");
}

/// I-05: what has expired goes in a sweep, though nobody reads it; the rest stays.
#[tokio::test(start_paused = true)]
async fn expired_entries_leave_without_being_read() {
    let rig = Rig::new();
    fill(&rig, 0..500).await;
    rig.clock.advance(Duration::from_secs(20));
    fill(&rig, 500..600).await;
    assert_eq!(rig.cache.sweep(), 0);
    rig.clock.advance(Duration::from_secs(10));
    assert_eq!(rig.cache.sweep(), 500);
    rig.settle().await;
    let stats = rig.cache.stats();
    assert_eq!(
        (stats.entries, stats.expired, stats.evictions),
        (100, 500, 0)
    );
    rig.cache.clear();
    assert_eq!((rig.cache.stats().entries, rig.cache.stats().bytes), (0, 0));
}

/// I-05: the maintenance sweeps, in a few seconds.
#[tokio::test(start_paused = true)]
async fn maintenance_sweeps_unasked() {
    let rig = Rig::new();
    fill(&rig, 0..500).await;
    rig.clock.advance(Duration::from_mins(1));
    let cancel = CancellationToken::new();
    let run = rig.cache.run_maintenance(cancel.clone());
    tokio::join!(run, async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    });
    assert_eq!(
        (rig.cache.stats().entries, rig.cache.stats().expired),
        (0, 500)
    );
    rig.settle().await;
}

/// A value that is heavier than the whole cache reaches its caller and evicts nothing.
#[tokio::test(start_paused = true)]
async fn a_value_too_heavy_to_keep_is_still_an_answer() {
    let rig = Rig::bounded(1_000, 10_000);
    fill(&rig, 0..10).await;
    let heavy = || async {
        Ok::<_, Fault>(Fetched {
            value: 9,
            bytes: vec![b'x'; 20_000].into(),
            age: Duration::ZERO,
        })
    };
    let answer = rig
        .cache
        .get_or_fetch(&key("HEAVY"), WINDOWS, heavy)
        .await
        .unwrap();
    assert_eq!(answer.bytes().len(), 20_000);
    rig.settle().await;
    assert_eq!(
        (rig.cache.stats().entries, rig.cache.stats().evictions),
        (10, 0)
    );

    rig.clock.advance(Duration::from_secs(15));
    rig.cache
        .get_or_fetch(&key("0"), WINDOWS, heavy)
        .await
        .unwrap();
    rig.settle().await;
    assert!(
        rig.cache.get(&key("0")).is_none(),
        "nor does the older value stay in its place"
    );
}

/// Entries that are read stay longer than those that nobody reads; by age alone, all of these
/// would have gone first.
#[tokio::test(start_paused = true)]
async fn what_is_read_outlives_what_is_not() {
    let rig = Rig::bounded(1_000, 1 << 30);
    fill(&rig, 0..50).await;
    for wave in 10..200 {
        fill(&rig, wave * 20..(wave + 1) * 20).await;
        rig.clock.advance(Duration::from_millis(10));
        (0..50).for_each(|name: u32| drop(rig.cache.get(&key(&name.to_string()))));
    }
    let kept = (0..50_u32)
        .filter(|n| rig.cache.get(&key(&n.to_string())).is_some())
        .count();
    assert!(
        kept >= 35,
        "{kept} of 50 hot entries are left, of 3,800 cold ones a quarter"
    );
    rig.settle().await;
}

/// A limit of nothing keeps nothing and still answers.
#[tokio::test(start_paused = true)]
async fn a_cache_without_room_only_coalesces() {
    let rig = Rig::bounded(0, 1 << 20);
    fill(&rig, 0..10).await;
    rig.settle().await;
    assert_eq!(
        (rig.cache.stats().entries, rig.cache.stats().misses),
        (0, 10)
    );
}

/// Writers, sweeps and invalidations on several threads leave map, lists and gauges in agreement.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_map_and_the_lists_agree() {
    let rig = Rig::bounded(300, 1 << 30);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4_u32 {
        let rig = rig.clone();
        writers.spawn(async move {
            for round in 0..2_000_u32 {
                let name = round.wrapping_mul(7 + writer) % 500;
                fill(&rig, name..name + 1).await;
                match round % 50 {
                    0 => rig.clock.advance(Duration::from_secs(5)),
                    10 => drop(rig.cache.sweep()),
                    20 => drop(rig.cache.invalidate(&key(&(name / 2).to_string()))),
                    30 => drop(rig.cache.invalidate_scope(&super::Scope::Category(2))),
                    _ => {}
                }
            }
        });
    }
    writers.join_all().await;
    rig.settle().await;
    assert!(rig.cache.stats().entries <= 300);
}
