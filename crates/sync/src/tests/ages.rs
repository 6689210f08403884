//! Fresh, stale, expired; refreshes and their failures.

use chrono::TimeDelta;
use resync_kernel::Clock as _;
use tokio::task::JoinSet;
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{Bench, Fault, WINDOWS, key};
use crate::Freshness;

const SECOND: Duration = Duration::from_secs(1);

/// A cache that holds `A`, which was fetched `age` ago.
async fn aged(age: Duration) -> Bench {
    let bench = Bench::new();
    bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, bench.quick(1))
        .await
        .unwrap();
    bench.settle().await;
    bench.clock.advance(age);
    bench
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_fresh_then_stale_then_gone() {
    let bench = aged(Duration::ZERO).await;
    let freshness = || {
        bench
            .cache
            .get(&key("A"))
            .map(|a| (a.freshness(), a.age().as_millis()))
    };
    assert_eq!(freshness(), Some((Freshness::Fresh, 0)));
    bench.clock.advance(Duration::from_millis(9_999));
    assert_eq!(freshness(), Some((Freshness::Fresh, 9_999)));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(freshness(), Some((Freshness::Stale, 10_000)));
    bench.clock.advance(Duration::from_millis(19_999));
    assert_eq!(freshness(), Some((Freshness::Stale, 29_999)));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(freshness(), None);
}

/// P1-03b, C2: fifty stale readers are answered at once, and one refresh runs.
#[tokio::test(start_paused = true)]
async fn stale_hit_triggers_single_refresh() {
    let bench = aged(15 * SECOND).await;
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let bench = bench.clone();
        let fetch = bench.slow(2);
        readers.spawn(async move {
            let asked = tokio::time::Instant::now();
            let answer = bench
                .cache
                .get_or_fetch(&key("A"), WINDOWS, fetch)
                .await
                .unwrap();
            (answer, asked.elapsed())
        });
    }
    for (answer, waited) in readers.join_all().await {
        assert_eq!((*answer.value(), answer.freshness()), (1, Freshness::Stale));
        assert_eq!((answer.age(), waited), (15 * SECOND, Duration::ZERO));
        assert!(!answer.refresh_failed());
    }
    bench.settle().await;
    assert_eq!(bench.fetches(), 2, "the first fetch and one refresh");
    let refreshed = bench.cache.get(&key("A")).unwrap();
    assert_eq!(
        (*refreshed.value(), refreshed.freshness()),
        (2, Freshness::Fresh)
    );
    let stats = bench.cache.stats();
    assert_eq!(
        (stats.stale_hits, stats.refreshes, stats.entries),
        (50, 1, 1)
    );
}

/// The same on threads that truly race.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_stale_readers_refresh_once() {
    for round in 0..50 {
        let bench = aged(15 * SECOND).await;
        let mut readers = JoinSet::new();
        for _ in 0..8 {
            let bench = bench.clone();
            let fetch = bench.quick(round);
            readers.spawn(async move {
                bench
                    .cache
                    .get_or_fetch(&key("A"), WINDOWS, fetch)
                    .await
                    .unwrap();
            });
        }
        readers.join_all().await;
        bench.settle().await;
        assert_eq!((bench.fetches(), bench.cache.stats().refreshes), (2, 1));
    }
}

/// A refresh that fails leaves the stale entry, which says so; it is tried again a second later,
/// and past the stale window the error comes out.
#[tokio::test(start_paused = true)]
async fn an_outage_within_the_stale_window_serves_stale_and_says_so() {
    let bench = aged(15 * SECOND).await;
    let read = async || {
        bench
            .cache
            .get_or_fetch(&key("A"), WINDOWS, bench.failing())
            .await
    };

    assert!(
        !read().await.unwrap().refresh_failed(),
        "nothing has failed yet"
    );
    bench.settle().await;
    assert_eq!(bench.fetches(), 2);

    let answer = read().await.unwrap();
    assert_eq!((*answer.value(), answer.freshness()), (1, Freshness::Stale));
    assert!(answer.refresh_failed());
    bench.settle().await;
    assert_eq!(bench.fetches(), 2, "no try within a second of the failure");

    bench.clock.advance(SECOND);
    assert!(
        read().await.unwrap().refresh_failed(),
        "still, while the next try runs"
    );
    bench.settle().await;
    assert_eq!(bench.fetches(), 3);

    bench.clock.advance(15 * SECOND);
    assert_eq!(
        read().await.unwrap_err(),
        Fault::Down,
        "an expired entry is not served"
    );
    bench.settle().await;
}

/// A refresh that succeeds after a failure takes the mark away.
#[tokio::test(start_paused = true)]
async fn a_refresh_after_a_failure_clears_the_mark() {
    let bench = aged(15 * SECOND).await;
    bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, bench.failing())
        .await
        .unwrap();
    bench.settle().await;
    bench.clock.advance(SECOND);
    bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, bench.slow(2))
        .await
        .unwrap();
    bench.settle().await;
    let answer = bench.cache.get(&key("A")).unwrap();
    assert_eq!((*answer.value(), answer.refresh_failed()), (2, false));
}

/// F8: a refresh that panics counts as failed; the flag is given back.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_panics_gives_its_flag_back() {
    let bench = aged(15 * SECOND).await;
    let panics = || -> super::SlowFetch { panic!("the reader met something it did not know") };
    bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, panics)
        .await
        .unwrap();
    bench.settle().await;
    assert!(bench.cache.get(&key("A")).unwrap().refresh_failed());
    bench.clock.advance(SECOND);
    bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, bench.quick(2))
        .await
        .unwrap();
    bench.settle().await;
    assert_eq!(*bench.cache.get(&key("A")).unwrap().value(), 2);
}

/// A caller that comes when the entry has expired joins the refresh that runs.
#[tokio::test(start_paused = true)]
async fn an_expired_read_joins_the_refresh_that_runs() {
    let bench = aged(29 * SECOND).await;
    bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, bench.slow(2))
        .await
        .unwrap();
    bench.clock.advance(2 * SECOND);
    let answer = bench
        .cache
        .get_or_fetch(&key("A"), WINDOWS, bench.slow(3))
        .await
        .unwrap();
    assert_eq!(
        (*answer.value(), answer.freshness()),
        (2, Freshness::Coalesced)
    );
    assert_eq!(bench.fetches(), 2);
    bench.settle().await;
}

/// I-07: ages come from the monotonic clock; a step of the wall clock moves none of them.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_stepped_back_leaves_ages_right() {
    let bench = aged(5 * SECOND).await;
    let fetched_at = bench.cache.get(&key("A")).unwrap().fetched_at();
    bench.clock.set_wall(bench.clock.now() - TimeDelta::days(1));
    let answer = bench.cache.get(&key("A")).unwrap();
    assert_eq!(
        (answer.age(), answer.freshness()),
        (5 * SECOND, Freshness::Fresh)
    );
    assert_eq!(answer.fetched_at(), fetched_at, "what was said stays said");
    bench
        .clock
        .set_wall(bench.clock.now() + TimeDelta::days(400));
    bench.clock.advance(10 * SECOND);
    assert_eq!(
        bench.cache.get(&key("A")).unwrap().freshness(),
        Freshness::Stale
    );
}

/// A window that is shorter than the fresh one counts as the fresh one.
#[tokio::test(start_paused = true)]
async fn the_stale_window_is_at_least_the_fresh_one() {
    let bench = Bench::new();
    let windows = crate::Windows {
        fresh: 10 * SECOND,
        stale: SECOND,
    };
    bench
        .cache
        .get_or_fetch(&key("A"), windows, bench.quick(1))
        .await
        .unwrap();
    bench.clock.advance(9 * SECOND);
    assert_eq!(
        bench.cache.get(&key("A")).unwrap().freshness(),
        Freshness::Fresh
    );
    bench.clock.advance(SECOND);
    assert!(bench.cache.get(&key("A")).is_none());
}

/// While maintenance runs, hits see its tick; when it ends, they see the clock again.
#[tokio::test(start_paused = true)]
async fn maintenance_makes_time_coarse_and_gives_it_back() {
    let bench = aged(Duration::ZERO).await;
    let cancel = CancellationToken::new();
    let maintenance = {
        let (cache, cancel) = (bench.cache.clone(), cancel.clone());
        bench
            .tracker
            .spawn(async move { cache.run_maintenance(cancel).await })
    };
    tokio::time::sleep(Duration::from_millis(1)).await;
    let age = || bench.cache.get(&key("A")).unwrap().age();
    bench.clock.advance(SECOND);
    assert_eq!(age(), Duration::ZERO, "between two beats");
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(age(), SECOND, "a beat later");
    bench.clock.advance(SECOND);
    bench.cache.tick();
    assert_eq!(age(), 2 * SECOND, "or at once");
    cancel.cancel();
    maintenance.await.unwrap();
    bench.clock.advance(SECOND);
    assert_eq!(age(), 3 * SECOND);
}
