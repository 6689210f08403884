//! The workloads: hits by Zipf, a stampede on one key, and a cold run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::subjects::{Key, Subject, payload};

/// Bytes of a value, as of one job's answer.
const VALUE_BYTES: usize = 300;

/// CPU time of the process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Keys and the order in which they are asked for: rank r with a chance in proportion to 1/r,
/// ranks spread over the keys without order.
pub(crate) struct Zipf {
    pub(crate) keys: Vec<Key>,
    draws: Vec<u32>,
}

impl Zipf {
    pub(crate) fn new(keys: usize, draws: usize) -> Self {
        let mut dice = Dice(0x5eed);
        let mut order: Vec<u32> = (0..).take(keys).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
        let mut sum = 0.0;
        let cumulated: Vec<f64> = (1_u32..)
            .take(keys)
            .map(|rank| {
                sum += f64::from(rank).recip();
                sum
            })
            .collect();
        let draw = || {
            let point = dice.unit() * sum;
            let rank = cumulated.partition_point(|&upto| upto < point);
            order.get(rank).copied().unwrap_or(0)
        };
        let draws = std::iter::repeat_with(draw).take(draws).collect();
        Self {
            keys: (0..keys).map(Key::new).collect(),
            draws,
        }
    }
}

/// `SplitMix64`: the same draws in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, sides: usize) -> usize {
        let high = (u128::from(self.next()) * sides as u128) >> 64;
        usize::try_from(high).unwrap_or(0)
    }

    fn unit(&mut self) -> f64 {
        let top = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A subject that holds every key.
pub(crate) async fn filled<S: Subject>(zipf: &Zipf) -> S {
    let subject = S::new(zipf.keys.len());
    for key in &zipf.keys {
        subject.read(key, async { payload(VALUE_BYTES) }).await;
    }
    subject
}

/// CPU and wall nanoseconds a hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HitCost {
    pub(crate) cpu_ns: f64,
    pub(crate) wall_ns: f64,
}

/// As many tasks as `tasks` read `ops` times in all; each yields now and then, as a server's would.
pub(crate) async fn hits<S: Subject>(
    subject: &S,
    zipf: &Arc<Zipf>,
    tasks: usize,
    ops: usize,
) -> HitCost {
    let each = ops / tasks;
    let (cpu_before, wall_before) = (cpu(), Instant::now());
    let mut readers = JoinSet::new();
    for task in 0..tasks {
        let (subject, zipf) = (subject.clone(), Arc::clone(zipf));
        readers.spawn(async move {
            let start = task * zipf.draws.len() / tasks;
            let order = zipf.draws.iter().cycle().skip(start).take(each);
            let mut read = 0;
            for (op, &draw) in order.enumerate() {
                let Some(key) = zipf.keys.get(draw as usize) else {
                    continue;
                };
                read += subject.read(key, std::future::pending::<Bytes>()).await;
                if op % 1_024 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(read, each * VALUE_BYTES, "{}: a hit was none", S::NAME);
        });
    }
    readers.join_all().await;
    let (cpu, wall) = (cpu().saturating_sub(cpu_before), wall_before.elapsed());
    let per_hit = |time: Duration| time.as_secs_f64() * 1e9 / f64_of(each * tasks);
    HitCost {
        cpu_ns: per_hit(cpu),
        wall_ns: per_hit(wall),
    }
}

/// What a stampede took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stampede {
    pub(crate) fetches: usize,
    pub(crate) wake_p50_us: f64,
    pub(crate) wake_p99_us: f64,
}

/// `callers` tasks ask for one cold key; each notes how long after the fetch's end it was served.
pub(crate) async fn stampede<S: Subject>(callers: usize) -> Stampede {
    let subject = S::new(1_000);
    let fetches = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(std::sync::OnceLock::new());
    let key = Key::new(0);
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (subject, key) = (subject.clone(), key.clone());
        let (fetches, ended) = (Arc::clone(&fetches), Arc::clone(&ended));
        tasks.spawn(async move {
            let fetch = {
                let ended = Arc::clone(&ended);
                async move {
                    fetches.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    let bytes = payload(VALUE_BYTES);
                    ended.get_or_init(Instant::now);
                    bytes
                }
            };
            subject.read(&key, fetch).await;
            ended.get().map(Instant::elapsed)
        });
    }
    let mut wakes: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    subject.stop();
    wakes.sort_unstable();
    let quantile = |percent: usize| {
        let at = wakes.len().saturating_sub(1) * percent / 100;
        wakes
            .get(at)
            .map_or(f64::NAN, |wake| wake.as_secs_f64() * 1e6)
    };
    let fetches = fetches.load(Ordering::Relaxed);
    Stampede {
        fetches,
        wake_p50_us: quantile(50),
        wake_p99_us: quantile(99),
    }
}

/// What a cold run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cold {
    pub(crate) fetches: usize,
    pub(crate) cpu_us: f64,
}

/// Two callers walk through the same `keys` cold keys; a fetch yields once.
pub(crate) async fn cold<S: Subject>(keys: &Arc<Vec<Key>>) -> Cold {
    let subject = S::new(keys.len());
    let fetches = Arc::new(AtomicUsize::new(0));
    let before = cpu();
    let mut callers = JoinSet::new();
    for _ in 0..2 {
        let (subject, keys, fetches) = (subject.clone(), Arc::clone(keys), Arc::clone(&fetches));
        callers.spawn(async move {
            for key in keys.iter() {
                let fetches = Arc::clone(&fetches);
                let fetch = async move {
                    fetches.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    payload(VALUE_BYTES)
                };
                subject.read(key, fetch).await;
            }
        });
    }
    callers.join_all().await;
    let spent = cpu().saturating_sub(before);
    subject.stop();
    let cpu_us = spent.as_secs_f64() * 1e6 / f64_of(keys.len());
    Cold {
        fetches: fetches.load(Ordering::Relaxed),
        cpu_us,
    }
}

/// A count as a float; the counts here are far below 2^52.
pub(crate) fn f64_of(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
