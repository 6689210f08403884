//! One fetch a key, whoever comes, goes, fails or panics.

use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use super::{Fault, Rig, WINDOWS, fetched, key};
use crate::{FetchLost, Freshness};

/// P1-03, C1: a hundred callers, one fetch; one of them fetched, the others waited for it.
#[tokio::test(start_paused = true)]
async fn coalesce_100_waiters_one_fetch() {
    let rig = Rig::new();
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let rig = rig.clone();
        let fetch = rig.slow(7);
        callers.spawn(async move { rig.cache.get_or_fetch(&key("PLAN"), WINDOWS, fetch).await });
    }
    let answers: Vec<_> = callers
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(|answer| *answer.value() == 7));
    let fetched = answers
        .iter()
        .filter(|a| a.freshness() == Freshness::Fetched)
        .count();
    let coalesced = answers
        .iter()
        .filter(|a| a.freshness() == Freshness::Coalesced)
        .count();
    assert_eq!((fetched, coalesced, rig.fetches()), (1, 99, 1));
    let stats = rig.cache.stats();
    assert_eq!((stats.misses, stats.coalesced, stats.hits), (1, 99, 0));
}

/// The same on threads that truly race, key after key.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_threads_fetch_each_key_once() {
    let rig = Rig::new();
    for round in 0..200 {
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let rig = rig.clone();
            let fetch = rig.quick(round);
            let name = round.to_string();
            callers.spawn(async move {
                *rig.cache
                    .get_or_fetch(&key(&name), WINDOWS, fetch)
                    .await
                    .unwrap()
                    .value()
            });
        }
        assert!(
            callers
                .join_all()
                .await
                .into_iter()
                .all(|value| value == round)
        );
    }
    assert_eq!(rig.fetches(), 200);
    rig.settle().await;
}

/// P1-03: the table of flights is empty after a success.
#[tokio::test(start_paused = true)]
async fn lock_table_empty_after_success() {
    let rig = Rig::new();
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(1))
        .await
        .unwrap();
    assert_eq!(rig.cache.stats().in_flight, 0);
    rig.settle().await;
}

/// P1-03: and after an error, which is not kept either.
#[tokio::test(start_paused = true)]
async fn lock_table_empty_after_error() {
    let rig = Rig::new();
    let failed = rig
        .cache
        .get_or_fetch(&key("A"), WINDOWS, rig.failing())
        .await;
    assert_eq!(failed.unwrap_err(), Fault::Down);
    assert_eq!(
        (rig.cache.stats().in_flight, rig.cache.stats().entries),
        (0, 0)
    );
    let next = rig
        .cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(2))
        .await
        .unwrap();
    assert_eq!((*next.value(), rig.fetches()), (2, 2));
    assert_eq!(rig.cache.stats().fetch_errors, 1);
    rig.settle().await;
}

/// P1-03: and after every caller has been dropped.
#[tokio::test(start_paused = true)]
async fn lock_table_empty_after_cancel() {
    let rig = Rig::new();
    let wanted = key("A");
    let call = rig.cache.get_or_fetch(&wanted, WINDOWS, rig.slow(1));
    assert!(
        timeout(Duration::from_millis(10), call).await.is_err(),
        "the caller gave up"
    );
    assert_eq!(rig.cache.stats().in_flight, 1, "its fetch goes on");
    rig.settle().await;
    assert_eq!(*rig.cache.get(&wanted).unwrap().value(), 1, "and is kept");
}

/// P1-03, F8: and after a panic; all who waited get an error, the next caller fetches anew.
#[tokio::test(start_paused = true)]
async fn lock_table_empty_after_panic() {
    let rig = Rig::new();
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let cache = rig.cache.clone();
        callers.spawn(async move {
            let fetch = || async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                panic!("the reader met something it did not know");
            };
            cache.get_or_fetch(&key("A"), WINDOWS, fetch).await
        });
    }
    for outcome in callers.join_all().await {
        assert_eq!(outcome.unwrap_err(), Fault::Lost(FetchLost::Panicked));
    }
    rig.settle().await;
    let next = rig
        .cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(2))
        .await
        .unwrap();
    assert_eq!(*next.value(), 2);
}

/// F8: a panic before the first await, too.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_before_its_future_exists_is_an_error() {
    let rig = Rig::new();
    let fetch = || -> super::SlowFetch { panic!("no future") };
    let outcome = rig.cache.get_or_fetch(&key("A"), WINDOWS, fetch).await;
    assert_eq!(outcome.unwrap_err(), Fault::Lost(FetchLost::Panicked));
    rig.settle().await;
}

/// C1: all who waited for a failing fetch get its error; it ran once for them.
#[tokio::test(start_paused = true)]
async fn coalesce_shares_error() {
    let rig = Rig::new();
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let rig = rig.clone();
        let fetch = rig.failing();
        callers.spawn(async move { rig.cache.get_or_fetch(&key("A"), WINDOWS, fetch).await });
    }
    let outcomes = callers.join_all().await;
    assert!(
        outcomes
            .into_iter()
            .all(|outcome| outcome.unwrap_err() == Fault::Down)
    );
    assert_eq!(rig.fetches(), 1);
    rig.settle().await;
}

/// C1: the caller that leads is dropped; those who wait are served by the fetch it started.
#[tokio::test(start_paused = true)]
async fn coalesce_leader_cancelled_the_fetch_goes_on() {
    let rig = Rig::new();
    let call = |value| {
        let rig = rig.clone();
        let fetch = rig.slow(value);
        async move { rig.cache.get_or_fetch(&key("A"), WINDOWS, fetch).await }
    };
    let mut callers = JoinSet::new();
    let leader = callers.spawn(call(1));
    tokio::task::yield_now().await;
    for _ in 0..30 {
        callers.spawn(call(2));
    }
    tokio::task::yield_now().await;
    leader.abort();
    let mut served = 0;
    while let Some(outcome) = callers.join_next().await {
        match outcome {
            Ok(answer) => {
                let answer = answer.unwrap();
                assert_eq!(
                    (*answer.value(), answer.freshness()),
                    (1, Freshness::Coalesced)
                );
                served += 1;
            }
            Err(gone) => assert!(gone.is_cancelled()),
        }
    }
    assert_eq!((served, rig.fetches()), (30, 1));
    rig.settle().await;
}

/// F8: a fetch whose task is dropped with its runtime owes its callers an answer, and gives it.
#[test]
fn a_fetch_dropped_with_its_runtime_is_an_error() {
    let rig = Rig::new();
    let engine_side = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let call = {
        let rig = rig.clone();
        let fetch = rig.slow(1);
        async move { rig.cache.get_or_fetch(&key("A"), WINDOWS, fetch).await }
    };
    let mut call = Box::pin(call);
    engine_side.block_on(async {
        let first = timeout(Duration::from_millis(1), &mut call).await;
        assert!(first.is_err(), "it waits");
    });
    drop(engine_side);
    let callers = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcome = callers.block_on(call);
    assert_eq!(outcome.unwrap_err(), Fault::Lost(FetchLost::Cancelled));
    assert_eq!(rig.cache.stats().in_flight, 0);
}

/// Different keys do not wait for each other.
#[tokio::test(start_paused = true)]
async fn a_slow_key_does_not_hold_up_another() {
    let rig = Rig::new();
    let (slow_key, quick_key) = (key("SLOW"), key("QUICK"));
    let slow = rig.cache.get_or_fetch(&slow_key, WINDOWS, rig.slow(1));
    let quick = rig
        .cache
        .get_or_fetch(&quick_key, WINDOWS, || async { Ok(fetched(2)) });
    tokio::select! {
        biased;
        _ = slow => panic!("the slow key came first"),
        answer = quick => assert_eq!(*answer.unwrap().value(), 2),
    }
    rig.settle().await;
}
