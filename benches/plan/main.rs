//! The board of a large plan: counts, root failures and their victims, from jobs that are read already.
//!
//! `cargo bench -p resync-benches --bench plan [-- --smoke]`. A plan of 100,000 jobs with 200,000
//! dependencies, of which one in a hundred failed, then one in ten; `--smoke` takes a plan of 2,000
//! and checks what is not timing.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use resync_kernel::ManualClock;
use resync_memory::tws::ScriptedEngine;
use resync_tws::model::{Dependency, DependencyKind, EngineName, Job, JobId, JobStatus, StreamId};
use resync_tws::{CacheLimits, CachePolicy, Engine, Engines, PlanParts, PlanService, Snapshot};
use tokio_util::task::TaskTracker;

/// How long the board of the large plan may take, and an answer from the cache.
const COLD_GOAL: Duration = Duration::from_millis(150);
const CACHED_GOAL: Duration = Duration::from_millis(1);
/// Jobs of one stream.
const IN_STREAM: usize = 20;

type AnyError = Box<dyn std::error::Error>;

/// A small generator, so that every run has the same plan.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap_or_default()
    }
}

fn id(number: usize) -> Result<JobId, AnyError> {
    Ok(JobId::parse(&format!(
        "6dbe5bd8-fb1e-3f5c-9d2e-{number:012}"
    ))?)
}

/// A plan of `size` jobs with two dependencies each, on jobs up to a thousand places before, so that
/// chains go deep; of a hundred jobs `failed` failed.
fn plan(size: usize, failed: usize) -> Result<Vec<Job>, AnyError> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut jobs = Vec::with_capacity(size);
    for number in 0..size {
        let status = if dice.below(100) < failed {
            JobStatus::Abend
        } else {
            JobStatus::Hold
        };
        let mut job = Job::bare(id(number)?, format!("JOB_{number}"), status);
        let stream = number / IN_STREAM;
        job.workstation = Some(format!("WS_{}", stream % 50));
        job.stream.id = Some(StreamId::parse(&format!("stream-{stream}"))?);
        job.stream.name = Some(format!("STREAM_{stream}"));
        job.stream.workstation.clone_from(&job.workstation);
        for _ in 0..2 {
            if number > 0 {
                let before = number - 1 - dice.below(number.min(1_000));
                job.dependencies.push(Dependency {
                    id: None,
                    satisfied: Some(false),
                    kind: DependencyKind::Job {
                        job_id: Some(id(before)?),
                        name: None,
                        stream: None,
                        workstation: None,
                    },
                });
            }
        }
        jobs.push(job);
    }
    Ok(jobs)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The median time of a board over `jobs`, and the board.
fn cold(jobs: &[Job], rounds: usize) -> (Duration, Snapshot) {
    let mut times = Vec::with_capacity(rounds);
    loop {
        let jobs = jobs.to_vec();
        let start = Instant::now();
        let snapshot = black_box(Snapshot::of(jobs, Vec::new(), Vec::new()));
        times.push(start.elapsed());
        if times.len() >= rounds {
            return (median(times), snapshot);
        }
    }
}

/// The median time of one board from the cache.
fn cached(jobs: Vec<Job>) -> Result<Duration, AnyError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let scripted = Arc::new(ScriptedEngine::with_jobs(jobs));
        let engine = Engine::of(EngineName::parse("prod")?, scripted);
        let plan = PlanService::new(PlanParts {
            engines: Engines::new(vec![engine])?,
            clock: Arc::new(ManualClock::default()),
            tracker: TaskTracker::new(),
            policy: CachePolicy::default(),
            limits: CacheLimits {
                max_entries: 1_000,
                max_bytes: 1 << 28,
            },
        });
        plan.summary(None).await?;
        let mut times = Vec::new();
        for _ in 0..1_000 {
            let start = Instant::now();
            black_box(plan.summary(None).await?.body()?);
            times.push(start.elapsed());
        }
        Ok(median(times))
    })
}

fn run(smoke: bool) -> Result<bool, AnyError> {
    let (size, rounds) = if smoke { (2_000, 1) } else { (100_000, 7) };
    let mut good = true;
    for failed in [1, 10] {
        let jobs = plan(size, failed)?;
        let edges: usize = jobs.iter().map(|job| job.dependencies.len()).sum();
        let (time, snapshot) = cold(&jobs, rounds);
        let board = &snapshot.summary;
        println!(
            "{size} jobs, {edges} dependencies, {failed} of 100 failed: {:.1} ms; {} failed, {} wait for one",
            time.as_secs_f64() * 1_000.0,
            board.by_status.get("ABEND").copied().unwrap_or_default(),
            board.victims_total,
        );
        good &= smoke || time <= COLD_GOAL;
        // What the board counts in bulk is what a walk from the job finds.
        for entry in board.failed.iter().take(5) {
            good &= snapshot.victims(&entry.job.id).len() == entry.victims;
        }
        good &= board.total == size && board.failed.iter().any(|entry| entry.root);
    }
    let time = cached(plan(2_000, 10)?)?;
    println!("a board from the cache: {:.1} us", time.as_secs_f64() * 1e6);
    good &= smoke || time <= CACHED_GOAL;
    Ok(good)
}

fn main() -> ExitCode {
    let smoke = std::env::args().any(|word| word == "--smoke");
    match run(smoke) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a goal or a check was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
