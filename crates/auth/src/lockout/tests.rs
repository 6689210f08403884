use std::net::Ipv4Addr;

use resync_kernel::ManualClock;

use super::*;

fn lockout(capacity: usize) -> (Arc<ManualClock>, InProcessLockout) {
    let clock = Arc::new(ManualClock::default());
    let limits = LockoutLimits::default();
    let lockout = InProcessLockout::new(limits, Arc::clone(&clock) as _);
    (
        clock,
        InProcessLockout {
            capacity,
            ..lockout
        },
    )
}

fn from(account: &str, host: u8) -> Attempt {
    Attempt::new(account, Ipv4Addr::new(192, 0, 2, host).into())
}

fn sizes(lockout: &InProcessLockout) -> [usize; 4] {
    let state = lockout.lock();
    let (pairs, accounts) = (state.by_pair.len(), state.by_account.len());
    [
        state.attempts.len(),
        pairs,
        accounts,
        state.by_address.len(),
    ]
}

/// A2, with real threads that start at the same moment.
#[test]
fn parallel_attempts_share_one_limit() {
    let (_clock, lockout) = lockout(1000);
    let start = std::sync::Barrier::new(40);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    let looked_at = std::thread::scope(|scope| {
        let attempts: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    let runtime = runtime();
                    start.wait();
                    runtime.block_on(lockout.reserve(from("ana", 1))).is_ok()
                })
            })
            .collect();
        attempts
            .into_iter()
            .map(|one| one.join().unwrap())
            .filter(|ok| *ok)
            .count()
    });
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn a_refused_attempt_is_counted_nowhere() {
    let (_clock, lockout) = lockout(1000);
    for _ in 0..40 {
        drop(lockout.reserve(from("ana", 1)).await);
    }
    assert_eq!(sizes(&lockout), [5, 1, 1, 1]);
}

/// F7: neither a jump back nor a jump forward of the wall clock moves a lock.
#[tokio::test]
async fn an_attempt_counts_for_exactly_the_window() {
    let (clock, lockout) = lockout(1000);
    for _ in 0..5 {
        lockout.reserve(from("ana", 1)).await.unwrap();
    }
    let start = clock.now();
    for days in [-400, 400] {
        clock.set_wall(start + chrono::Duration::days(days));
        let wait = lockout.locked_for(from("ana", 1)).await.unwrap();
        assert_eq!(wait, Some(Duration::from_mins(15)));
    }
    clock.advance(Duration::from_millis(15 * 60_000 - 1));
    let wait = lockout.locked_for(from("ana", 1)).await.unwrap();
    assert_eq!(wait, Some(Duration::from_millis(1)));
    clock.advance(Duration::from_millis(1));
    assert_eq!(lockout.locked_for(from("ana", 1)).await.unwrap(), None);
}

#[tokio::test]
async fn the_counts_are_empty_when_the_window_is() {
    let (clock, lockout) = lockout(1000);
    let mut kept = Vec::new();
    for host in 0..20 {
        kept.push(lockout.reserve(from("ana", host)).await.unwrap());
        lockout
            .reserve(from(&format!("user{host}"), host))
            .await
            .unwrap();
    }
    lockout
        .settle(kept.remove(3), Outcome::Succeeded)
        .await
        .unwrap();
    lockout
        .settle(kept.remove(7), Outcome::NotLooked)
        .await
        .unwrap();
    assert_eq!(sizes(&lockout), [38, 38, 21, 20]);
    lockout.unlock(AccountKey::of("ana")).await.unwrap();
    lockout
        .settle(kept.remove(1), Outcome::Succeeded)
        .await
        .unwrap();
    clock.advance(Duration::from_mins(15));
    assert_eq!(lockout.locked_for(from("eva", 1)).await.unwrap(), None);
    assert_eq!(sizes(&lockout), [0; 4]);
    lockout
        .settle(kept.remove(0), Outcome::Succeeded)
        .await
        .unwrap();
    assert_eq!(sizes(&lockout), [0; 4]);
}

#[tokio::test]
async fn a_full_table_refuses_what_it_cannot_count() {
    let (clock, lockout) = lockout(10);
    let mut first = None;
    for host in 0..10 {
        let reservation = lockout.reserve(from("ana", host)).await.unwrap();
        first.get_or_insert(reservation);
        clock.advance(Duration::from_mins(1));
    }
    let refused = lockout.reserve(from("eva", 99)).await.unwrap_err();
    let ReserveError::Locked { retry_after } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        retry_after,
        Duration::from_mins(5),
        "until the oldest attempt expires"
    );
    assert_eq!(sizes(&lockout)[0], 10, "nothing is forgotten to make room");
    lockout
        .settle(first.unwrap(), Outcome::NotLooked)
        .await
        .unwrap();
    lockout.reserve(from("eva", 99)).await.unwrap();
    clock.advance(Duration::from_mins(6));
    lockout.reserve(from("eva", 99)).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_zero_looks_at_nothing() {
    let clock = Arc::new(ManualClock::default());
    let limits = LockoutLimits {
        per_address: 0,
        ..LockoutLimits::default()
    };
    let lockout = InProcessLockout::new(limits, clock);
    assert!(lockout.reserve(from("ana", 1)).await.is_err());
    assert!(lockout.locked_for(from("ana", 1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_poisoned_lock_still_counts() {
    let (_clock, lockout) = lockout(1000);
    let poisoned = std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            let _guard = lockout.state.lock().unwrap();
            panic!("on purpose");
        });
        holder.join().is_err()
    });
    assert!(poisoned && lockout.state.is_poisoned());
    for _ in 0..5 {
        lockout.reserve(from("ana", 1)).await.unwrap();
    }
    assert!(lockout.reserve(from("ana", 1)).await.is_err());
}
