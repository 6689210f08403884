//! The once-cell under crowds, errors and dropped callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::OnceInit;

type Cell = Arc<OnceInit<u32, &'static str>>;

/// An initialisation that takes a second, counts itself, and fails the first `failures` times.
async fn init(runs: Arc<AtomicU32>, failures: u32) -> Result<u32, &'static str> {
    let run = runs.fetch_add(1, Ordering::SeqCst);
    sleep(Duration::from_secs(1)).await;
    if run < failures {
        Err("no model")
    } else {
        Ok(run)
    }
}

fn crowd(
    cell: &Cell,
    runs: &Arc<AtomicU32>,
    failures: u32,
    callers: usize,
) -> JoinSet<Result<u32, &'static str>> {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (cell, runs) = (Arc::clone(cell), Arc::clone(runs));
        tasks.spawn(async move { cell.get_or_try_init(|| init(runs, failures)).await.copied() });
    }
    tasks
}

/// P0-05: a hundred tasks, one initialisation, one value.
#[tokio::test(start_paused = true)]
async fn init_once_under_100_tasks() {
    let (cell, runs) = (Cell::default(), Arc::default());
    assert!(cell.get().is_none());
    let values = crowd(&cell, &runs, 0, 100).join_all().await;
    assert_eq!(values, vec![Ok(0); 100]);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(cell.get(), Some(&0));
}

/// P0-05, F9: a failure is not kept; those who waited share it and do not repeat it.
#[tokio::test(start_paused = true)]
async fn init_retries_after_error() {
    let (cell, runs) = (Cell::default(), Arc::default());
    let started = Instant::now();
    let outcomes = crowd(&cell, &runs, 1, 20).join_all().await;
    assert_eq!(outcomes, vec![Err("no model"); 20]);
    assert_eq!(
        (runs.load(Ordering::SeqCst), started.elapsed()),
        (1, Duration::from_secs(1))
    );
    assert_eq!(crowd(&cell, &runs, 1, 20).join_all().await, vec![Ok(1); 20]);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// P0-05: the caller that initialises is dropped; the next one in line does it.
#[tokio::test(start_paused = true)]
async fn init_survives_cancelled_first_caller() {
    let (cell, runs) = (Cell::default(), Arc::default());
    let mut first = crowd(&cell, &runs, 0, 1);
    tokio::task::yield_now().await;
    let rest = crowd(&cell, &runs, 0, 20);
    tokio::task::yield_now().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1, "one runs at a time");
    first.abort_all();
    assert!(first.join_next().await.unwrap().unwrap_err().is_cancelled());
    assert_eq!(rest.join_all().await, vec![Ok(1); 20]);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// F8: the same when it panics.
#[tokio::test(start_paused = true)]
async fn init_survives_a_panicking_first_caller() {
    let (cell, runs) = (Cell::default(), Arc::default());
    let mut first = JoinSet::new();
    {
        let cell = Arc::clone(&cell);
        first.spawn(async move {
            let init = || async {
                sleep(Duration::from_secs(1)).await;
                panic!("the model file is broken")
            };
            cell.get_or_try_init(init).await.copied()
        });
    }
    tokio::task::yield_now().await;
    let rest = crowd(&cell, &runs, 0, 20);
    assert!(first.join_next().await.unwrap().unwrap_err().is_panic());
    assert_eq!(rest.join_all().await, vec![Ok(0); 20]);
}
