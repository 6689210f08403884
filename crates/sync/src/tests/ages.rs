//! Fresh, stale, expired; refreshes and their failures.

use chrono::TimeDelta;
use resync_kernel::Clock as _;
use tokio::task::JoinSet;
use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{Fault, Rig, WINDOWS, key};
use crate::Freshness;

const SECOND: Duration = Duration::from_secs(1);

/// A cache that holds `A`, which was fetched `age` ago.
async fn aged(age: Duration) -> Rig {
    let rig = Rig::new();
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.quick(1))
        .await
        .unwrap();
    rig.settle().await;
    rig.clock.advance(age);
    rig
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_fresh_then_stale_then_gone() {
    let rig = aged(Duration::ZERO).await;
    let freshness = || {
        rig.cache
            .get(&key("A"))
            .map(|a| (a.freshness(), a.age().as_millis()))
    };
    assert_eq!(freshness(), Some((Freshness::Fresh, 0)));
    rig.clock.advance(Duration::from_millis(9_999));
    assert_eq!(freshness(), Some((Freshness::Fresh, 9_999)));
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(freshness(), Some((Freshness::Stale, 10_000)));
    rig.clock.advance(Duration::from_millis(19_999));
    assert_eq!(freshness(), Some((Freshness::Stale, 29_999)));
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(freshness(), None);
}

/// P1-03b, C2: fifty stale readers are answered at once, and one refresh runs.
#[tokio::test(start_paused = true)]
async fn stale_hit_triggers_single_refresh() {
    let rig = aged(15 * SECOND).await;
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let rig = rig.clone();
        let fetch = rig.slow(2);
        readers.spawn(async move {
            let asked = tokio::time::Instant::now();
            let answer = rig
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
    rig.settle().await;
    assert_eq!(rig.fetches(), 2, "the first fetch and one refresh");
    let refreshed = rig.cache.get(&key("A")).unwrap();
    assert_eq!(
        (*refreshed.value(), refreshed.freshness()),
        (2, Freshness::Fresh)
    );
    let stats = rig.cache.stats();
    assert_eq!(
        (stats.stale_hits, stats.refreshes, stats.entries),
        (50, 1, 1)
    );
}

/// The ahead of these tests: 4 of the 10 seconds that an entry is fresh.
const AHEAD: Duration = Duration::from_secs(4);

/// Polled every five seconds, with an engine that takes one, no answer is ever stale.
#[tokio::test(start_paused = true)]
async fn a_refresh_ahead_keeps_what_is_asked_for_fresh() {
    let rig = aged(Duration::ZERO).await;
    for poll in 0..20 {
        rig.clock.advance(5 * SECOND);
        let fetch = rig.slow(poll);
        let answer = rig
            .cache
            .get_or_fetch_ahead(&key("A"), WINDOWS, AHEAD, fetch)
            .await
            .unwrap();
        assert_eq!(answer.freshness(), Freshness::Fresh, "poll {poll}");
        assert!(answer.age() < 10 * SECOND);
        rig.settle().await;
    }
    assert!(rig.fetches() >= 10);
}

/// Fifty readers at once start one refresh ahead, and each gets the entry that is there.
#[tokio::test(start_paused = true)]
async fn fifty_readers_start_one_refresh_ahead() {
    let rig = aged(5 * SECOND).await;
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let rig = rig.clone();
        let fetch = rig.slow(2);
        readers.spawn(async move {
            let asked = key("A");
            let asked = rig.cache.get_or_fetch_ahead(&asked, WINDOWS, AHEAD, fetch);
            let answer = asked.await.unwrap();
            (*answer.value(), answer.freshness())
        });
    }
    assert_eq!(readers.join_all().await, vec![(1, Freshness::Fresh); 50]);
    rig.settle().await;
    assert_eq!((rig.fetches(), rig.cache.stats().refreshes), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_asks_nothing_is_fetched() {
    let rig = aged(3 * SECOND).await;
    let a = key("A");
    let young = rig
        .cache
        .get_or_fetch_ahead(&a, WINDOWS, AHEAD, rig.quick(2));
    assert_eq!(young.await.unwrap().age(), 3 * SECOND);
    rig.clock.advance(5 * SECOND);
    rig.settle().await;
    assert_eq!(rig.fetches(), 1);
}

/// A refresh ahead that fails leaves the entry fresh until its time, and is not tried at once again.
#[tokio::test(start_paused = true)]
async fn a_failed_refresh_ahead_leaves_the_entry_fresh() {
    let rig = aged(5 * SECOND).await;
    let a = key("A");
    let read = async || {
        let asked = rig
            .cache
            .get_or_fetch_ahead(&a, WINDOWS, AHEAD, rig.failing());
        let answer = asked.await.unwrap();
        rig.settle().await;
        (answer.freshness(), rig.fetches())
    };
    assert_eq!(read().await, (Freshness::Fresh, 2));
    assert_eq!(read().await, (Freshness::Fresh, 2));
    rig.clock.advance(2 * SECOND);
    assert_eq!(read().await, (Freshness::Fresh, 3));
    rig.clock.advance(4 * SECOND);
    assert_eq!(read().await.0, Freshness::Stale);
}

/// The same on threads that truly race.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_stale_readers_refresh_once() {
    for round in 0..50 {
        let rig = aged(15 * SECOND).await;
        let mut readers = JoinSet::new();
        for _ in 0..8 {
            let rig = rig.clone();
            let fetch = rig.quick(round);
            readers.spawn(async move {
                rig.cache
                    .get_or_fetch(&key("A"), WINDOWS, fetch)
                    .await
                    .unwrap();
            });
        }
        readers.join_all().await;
        rig.settle().await;
        assert_eq!((rig.fetches(), rig.cache.stats().refreshes), (2, 1));
    }
}

/// A refresh that fails leaves the stale entry, which says so; it is tried again a second later,
/// and past the stale window the error comes out.
#[tokio::test(start_paused = true)]
async fn an_outage_within_the_stale_window_serves_stale_and_says_so() {
    let rig = aged(15 * SECOND).await;
    let read = async || {
        rig.cache
            .get_or_fetch(&key("A"), WINDOWS, rig.failing())
            .await
    };

    assert!(
        !read().await.unwrap().refresh_failed(),
        "nothing has failed yet"
    );
    rig.settle().await;
    assert_eq!(rig.fetches(), 2);

    let answer = read().await.unwrap();
    assert_eq!((*answer.value(), answer.freshness()), (1, Freshness::Stale));
    assert!(answer.refresh_failed());
    rig.settle().await;
    assert_eq!(rig.fetches(), 2, "no try within a second of the failure");

    rig.clock.advance(SECOND);
    assert!(
        read().await.unwrap().refresh_failed(),
        "still, while the next try runs"
    );
    rig.settle().await;
    assert_eq!(rig.fetches(), 3);

    rig.clock.advance(15 * SECOND);
    assert_eq!(
        read().await.unwrap_err(),
        Fault::Down,
        "an expired entry is not served"
    );
    rig.settle().await;
}

/// A refresh that succeeds after a failure takes the mark away.
#[tokio::test(start_paused = true)]
async fn a_refresh_after_a_failure_clears_the_mark() {
    let rig = aged(15 * SECOND).await;
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.failing())
        .await
        .unwrap();
    rig.settle().await;
    rig.clock.advance(SECOND);
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(2))
        .await
        .unwrap();
    rig.settle().await;
    let answer = rig.cache.get(&key("A")).unwrap();
    assert_eq!((*answer.value(), answer.refresh_failed()), (2, false));
}

/// F8: a refresh that panics counts as failed; the flag is given back.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_panics_gives_its_flag_back() {
    let rig = aged(15 * SECOND).await;
    let panics = || -> super::SlowFetch { panic!("the reader met something it did not know") };
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, panics)
        .await
        .unwrap();
    rig.settle().await;
    assert!(rig.cache.get(&key("A")).unwrap().refresh_failed());
    rig.clock.advance(SECOND);
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.quick(2))
        .await
        .unwrap();
    rig.settle().await;
    assert_eq!(*rig.cache.get(&key("A")).unwrap().value(), 2);
}

/// A caller that comes when the entry has expired joins the refresh that runs.
#[tokio::test(start_paused = true)]
async fn an_expired_read_joins_the_refresh_that_runs() {
    let rig = aged(29 * SECOND).await;
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(2))
        .await
        .unwrap();
    rig.clock.advance(2 * SECOND);
    let answer = rig
        .cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(3))
        .await
        .unwrap();
    assert_eq!(
        (*answer.value(), answer.freshness()),
        (2, Freshness::Coalesced)
    );
    assert_eq!(rig.fetches(), 2);
    rig.settle().await;
}

/// I-07: ages come from the monotonic clock; a step of the wall clock moves none of them.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_stepped_back_leaves_ages_right() {
    let rig = aged(5 * SECOND).await;
    let fetched_at = rig.cache.get(&key("A")).unwrap().fetched_at();
    rig.clock.set_wall(rig.clock.now() - TimeDelta::days(1));
    let answer = rig.cache.get(&key("A")).unwrap();
    assert_eq!(
        (answer.age(), answer.freshness()),
        (5 * SECOND, Freshness::Fresh)
    );
    assert_eq!(answer.fetched_at(), fetched_at, "what was said stays said");
    rig.clock.set_wall(rig.clock.now() + TimeDelta::days(400));
    rig.clock.advance(10 * SECOND);
    assert_eq!(
        rig.cache.get(&key("A")).unwrap().freshness(),
        Freshness::Stale
    );
}

/// A window that is shorter than the fresh one counts as the fresh one.
#[tokio::test(start_paused = true)]
async fn the_stale_window_is_at_least_the_fresh_one() {
    let rig = Rig::new();
    let windows = crate::Windows {
        fresh: 10 * SECOND,
        stale: SECOND,
    };
    rig.cache
        .get_or_fetch(&key("A"), windows, rig.quick(1))
        .await
        .unwrap();
    rig.clock.advance(9 * SECOND);
    assert_eq!(
        rig.cache.get(&key("A")).unwrap().freshness(),
        Freshness::Fresh
    );
    rig.clock.advance(SECOND);
    assert!(rig.cache.get(&key("A")).is_none());
}

/// While maintenance runs, hits see its tick; when it ends, they see the clock again.
#[tokio::test(start_paused = true)]
async fn maintenance_makes_time_coarse_and_gives_it_back() {
    let rig = aged(Duration::ZERO).await;
    let cancel = CancellationToken::new();
    let maintenance = {
        let (cache, cancel) = (rig.cache.clone(), cancel.clone());
        rig.tracker
            .spawn(async move { cache.run_maintenance(cancel).await })
    };
    tokio::time::sleep(Duration::from_millis(1)).await;
    let age = || rig.cache.get(&key("A")).unwrap().age();
    rig.clock.advance(SECOND);
    assert_eq!(age(), Duration::ZERO, "between two beats");
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(age(), SECOND, "a beat later");
    rig.clock.advance(SECOND);
    rig.cache.tick();
    assert_eq!(age(), 2 * SECOND, "or at once");
    cancel.cancel();
    maintenance.await.unwrap();
    rig.clock.advance(SECOND);
    assert_eq!(age(), 3 * SECOND);
}

/// What another replica fetched is stale and gone when it would be there, also in a process that is
/// younger than it.
#[tokio::test(start_paused = true)]
async fn what_another_replica_fetched_is_as_old_as_it_is() {
    let rig = Rig::new();
    let age = Duration::from_secs(7);
    let fetch = move || async move {
        Ok(crate::Fetched {
            age,
            ..super::fetched(1)
        })
    };
    let began = rig.clock.now();
    let first = rig
        .cache
        .get_or_fetch(&key("A"), WINDOWS, fetch)
        .await
        .unwrap();
    assert_eq!((first.age(), first.freshness()), (age, Freshness::Fetched));
    assert_eq!(began - first.fetched_at(), TimeDelta::seconds(7));
    let freshness = || rig.cache.get(&key("A")).map(|a| (a.freshness(), a.age()));
    rig.clock.advance(2 * SECOND);
    assert_eq!(freshness(), Some((Freshness::Fresh, 9 * SECOND)));
    rig.clock.advance(SECOND);
    assert_eq!(freshness(), Some((Freshness::Stale, 10 * SECOND)));
    rig.clock.advance(20 * SECOND);
    assert_eq!(freshness(), None);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_looks_at_no_entry() {
    let rig = aged(SECOND).await;
    let (a, key_a) = (&rig.cache, key("A"));
    let (one, other) = tokio::join!(
        a.fetch(&key_a, WINDOWS, rig.slow(2)),
        a.fetch(&key_a, WINDOWS, rig.slow(2))
    );
    assert_eq!((*one.unwrap().value(), *other.unwrap().value()), (2, 2));
    assert_eq!(rig.fetches(), 2, "the first one, and one for both");
    assert_eq!(*rig.cache.get(&key("A")).unwrap().value(), 2);
    rig.settle().await;
}
