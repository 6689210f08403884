//! The guard under paused time: what is repeated, how long it takes, and when nobody is asked.

use std::sync::atomic::AtomicU32;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;

/// Tokio's own time, which tests pause.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.0.elapsed())
    }
}

const TOTAL: Duration = Duration::from_secs(15);

fn limits() -> Limits {
    Limits::default()
}

fn guard(limits: Limits) -> Guard {
    let clock = Arc::new(TokioClock(Instant::now()));
    Guard::new(EngineName::parse("PROD").unwrap(), TOTAL, limits, clock, 7)
}

fn status(status: u16) -> Failure {
    Failure::Status {
        status,
        retry_after: None,
        message: "no".into(),
    }
}

fn asked_to_wait(seconds: u64) -> Failure {
    Failure::Status {
        status: 503,
        retry_after: Some(Duration::from_secs(seconds)),
        message: "no".into(),
    }
}

fn broken() -> Failure {
    Failure::Unanswered(GatewayError::Unreachable("broken".into()))
}

/// How often a read that always fails like this is tried, and how long that takes.
async fn tried(guard: &Guard, failure: impl Fn() -> Failure) -> (u32, Duration) {
    let (started, mut times) = (Instant::now(), 0);
    let end: Result<(), _> = guard
        .read(OnRefusal::GiveUp, |_| {
            times += 1;
            std::future::ready(Err(failure()))
        })
        .await;
    assert!(end.is_err());
    (times, started.elapsed())
}

/// F3: reads are repeated at most twice, with full jitter.
#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_twice_after_a_fault_that_passes() {
    for fault in [429, 500, 502, 503, 504] {
        let (times, took) = tried(&guard(limits()), || status(fault)).await;
        assert_eq!(times, 3, "{fault}");
        assert!(took <= Duration::from_millis(200 + 400) && took > Duration::ZERO);
    }
    assert_eq!(tried(&guard(limits()), broken).await.0, 3);
    let unsent = || Failure::NotSent(GatewayError::Unreachable("refused".into()));
    assert_eq!(tried(&guard(limits()), unsent).await.0, 3);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_repeated() {
    for fault in [302, 400, 401, 403, 404, 405, 409, 422, 501, 505] {
        let (times, took) = tried(&guard(limits()), || status(fault)).await;
        assert_eq!((times, took), (1, Duration::ZERO), "{fault}");
    }
    let (times, _) = tried(&guard(limits()), || Failure::garbled("no JSON")).await;
    assert_eq!(times, 1);
    let (times, _) = tried(&guard(limits()), || Failure::too_large(8)).await;
    assert_eq!(times, 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_is_a_success() {
    let guard = guard(limits());
    let mut answers = vec![Ok(7), Err(status(503)), Err(broken())];
    let end = guard
        .read(OnRefusal::GiveUp, |_| {
            std::future::ready(answers.pop().unwrap())
        })
        .await;
    assert_eq!(end.unwrap(), 7);
    let health = guard.health();
    assert_eq!((health.attempts_total, health.retries_total), (3, 2));
    assert_eq!((health.consecutive_failures, health.failures_total), (0, 2));
}

/// F3: actions 0 times.
#[tokio::test(start_paused = true)]
async fn a_write_is_tried_once_whatever_comes() {
    for failure in [
        broken,
        || status(503),
        || status(429),
        || Failure::NotSent(GatewayError::Unreachable("refused".into())),
    ] {
        let guard = guard(limits());
        let times = AtomicU32::new(0);
        let end: Result<(), _> = guard
            .write(async {
                times.fetch_add(1, Ordering::Relaxed);
                Err(failure())
            })
            .await;
        assert!(end.is_err());
        assert_eq!(times.into_inner(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_an_engine_asks_for_is_kept_when_there_is_time() {
    let guard = guard(limits());
    let (started, mut times) = (Instant::now(), 0);
    let end = guard
        .read(OnRefusal::GiveUp, |_| {
            times += 1;
            std::future::ready(if times == 1 {
                Err(asked_to_wait(5))
            } else {
                Ok(())
            })
        })
        .await;
    assert!(end.is_ok());
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_asks_for_more_than_there_is_time_is_not_waited_for() {
    // The second is more than is ever waited, however much time there is.
    for seconds in [15, 31, 86_400] {
        let (times, took) = tried(&guard(limits()), || asked_to_wait(seconds)).await;
        assert_eq!((times, took), (1, Duration::ZERO));
    }
    // Twice seven seconds would fit, but leave no time to ask.
    let (times, took) = tried(&guard(limits()), || asked_to_wait(8)).await;
    assert_eq!((times, took), (2, Duration::from_secs(8)));
}

/// F3: attempts, waits and queueing end together within the time of the call.
#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_own_limit_and_all_of_them_have_one() {
    let guard = guard(limits());
    let started = Instant::now();
    let mut begun = Vec::new();
    let end: Result<(), _> = guard
        .read(OnRefusal::GiveUp, |_| {
            begun.push(started.elapsed());
            std::future::pending()
        })
        .await;
    // 10 s, a short wait, and what is left of 15 s.
    assert_eq!(begun.len(), 2);
    assert_eq!(started.elapsed(), TOTAL);
    assert!(matches!(
        end,
        Err(Failure::Unanswered(GatewayError::TimedOut(TOTAL)))
    ));
    let started = Instant::now();
    let end: Result<(), _> = guard.write(std::future::pending()).await;
    assert_eq!(started.elapsed(), TOTAL);
    assert!(matches!(
        end,
        Err(Failure::Unanswered(GatewayError::TimedOut(TOTAL)))
    ));
}

#[tokio::test(start_paused = true)]
async fn retries_cost_a_tenth_at_most() {
    // A breaker that never opens, so that the budget alone decides.
    let guard = guard(Limits {
        breaker_failures: u32::MAX,
        ..limits()
    });
    let mut attempts = 0;
    for _ in 0..300 {
        attempts += tried(&guard, || status(503)).await.0;
    }
    assert!(attempts <= 300 + 300 / 10 + budget::RESERVE, "{attempts}");
    assert_eq!(guard.health().retry_budget, 0);
}

/// F3: the breaker opens after 5 failures and then answers within 200 ms, here at once.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_sends_nothing_and_says_how_long() {
    let guard = guard(limits());
    let mut attempts = 0;
    for _ in 0..4 {
        attempts += tried(&guard, || status(500)).await.0;
    }
    assert_eq!(attempts, 5);
    let started = Instant::now();
    let end: Result<(), _> = guard
        .read(OnRefusal::GiveUp, |_| async { panic!("it was asked") })
        .await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    let Err(Failure::NotSent(GatewayError::CircuitOpen { retry_after })) = end else {
        panic!("{end:?}");
    };
    assert!(retry_after <= Duration::from_secs(10) && retry_after > Duration::from_secs(9));
    let end: Result<(), _> = guard.write(async { panic!("it was sent") }).await;
    assert!(matches!(
        end,
        Err(Failure::NotSent(GatewayError::CircuitOpen { .. }))
    ));
    let health = guard.health();
    assert!(matches!(health.breaker, BreakerState::Open { .. }));
    assert_eq!(health.opened_total, 1);
}

/// F3: it closes within 35 s of the engine's return.
#[tokio::test(start_paused = true)]
async fn it_closes_within_thirty_five_seconds_of_the_engines_return() {
    let guard = guard(limits());
    let down_since = Instant::now();
    // Long enough for the longest pause.
    while down_since.elapsed() < Duration::from_mins(5) {
        let _ = tried(&guard, || status(502)).await;
        sleep(Duration::from_secs(1)).await;
    }
    let back_since = Instant::now();
    loop {
        let end = guard.read(OnRefusal::GiveUp, |_| async { Ok(()) }).await;
        if end.is_ok() {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    assert!(back_since.elapsed() <= Duration::from_secs(35));
    assert_eq!(guard.health().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn of_many_callers_after_the_pause_one_goes_out() {
    let guard = Arc::new(guard(limits()));
    while guard.health().breaker == BreakerState::Closed {
        let _ = tried(&guard, || status(500)).await;
    }
    sleep(Duration::from_secs(10)).await;
    let out = Arc::new(AtomicU32::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (guard, out) = (Arc::clone(&guard), Arc::clone(&out));
        callers.spawn(async move {
            let end = guard
                .read(OnRefusal::GiveUp, |_| async {
                    out.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_secs(1)).await;
                    Ok(())
                })
                .await;
            u32::from(end.is_ok())
        });
    }
    let mut served = 0;
    while let Some(one) = callers.join_next().await {
        served += one.unwrap();
    }
    assert_eq!((served, out.load(Ordering::Relaxed)), (1, 1));
    assert_eq!(guard.health().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_answer_and_opens_nothing() {
    let guard = guard(limits());
    for fault in [400, 401, 403, 404, 409, 429].repeat(5) {
        let _ = tried(&guard, || status(fault)).await;
    }
    assert_eq!(guard.health().breaker, BreakerState::Closed);
    assert_eq!(guard.health().failures_total, 0);
}

#[tokio::test(start_paused = true)]
async fn unreadable_answers_open_it() {
    let guard = guard(limits());
    for _ in 0..5 {
        let _ = tried(&guard, || Failure::garbled("a web page instead of JSON")).await;
    }
    assert!(matches!(guard.health().breaker, BreakerState::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_is_busy_and_no_fault_of_the_engine() {
    let guard = Arc::new(guard(Limits {
        concurrent: 2,
        queue: 3,
        queue_wait: Duration::from_secs(1),
        ..limits()
    }));
    let mut callers = JoinSet::new();
    for _ in 0..12 {
        let guard = Arc::clone(&guard);
        callers.spawn(async move {
            let started = Instant::now();
            let end = guard
                .read(OnRefusal::GiveUp, |_| async {
                    sleep(Duration::from_secs(5)).await;
                    Ok(())
                })
                .await;
            (end, started.elapsed())
        });
    }
    let (mut served, mut at_once, mut later) = (0, 0, 0);
    while let Some(end) = callers.join_next().await {
        match end.unwrap() {
            (Ok(()), _) => served += 1,
            (Err(Failure::NotSent(GatewayError::Busy { retry_after })), took) => {
                assert_eq!(retry_after, Some(FULL_WAIT));
                if took.is_zero() {
                    at_once += 1;
                } else {
                    assert_eq!(took, Duration::from_secs(1));
                    later += 1;
                }
            }
            (Err(other), _) => panic!("{other:?}"),
        }
    }
    assert_eq!((served, at_once, later), (2, 7, 3));
    let health = guard.health();
    assert_eq!((health.in_flight, health.queued), (0, 0));
    assert_eq!((health.rejected_total, health.failures_total), (10, 0));
}

/// A locked account follows repeated tries, so a password is tried once; a token once more.
#[tokio::test(start_paused = true)]
async fn only_a_token_is_tried_once_more_and_the_alarm_is_raised() {
    for (on_refusal, expected) in [(OnRefusal::GiveUp, 1), (OnRefusal::AskOnceMore, 2)] {
        let guard = guard(limits());
        let mut times = 0;
        let end: Result<(), _> = guard
            .read(on_refusal, |_| {
                times += 1;
                std::future::ready(Err(status(401)))
            })
            .await;
        assert!(end.unwrap_err().is_refusal());
        assert_eq!(times, expected);
        assert!(guard.health().credentials_refused);
        let end = guard.read(on_refusal, |_| async { Ok(()) }).await;
        assert!(end.is_ok() && !guard.health().credentials_refused);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_read_leaves_nothing_behind() {
    let guard = guard(limits());
    let hanging = guard.read(OnRefusal::GiveUp, |_| {
        std::future::pending::<Result<(), Failure>>()
    });
    assert!(timeout(Duration::from_secs(1), hanging).await.is_err());
    let health = guard.health();
    assert_eq!((health.in_flight, health.queued), (0, 0));
    assert_eq!(health.consecutive_failures, 0);
}
