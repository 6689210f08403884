//! A cached, authenticated page of jobs with everything around it, beside hyper and axum that send the
//! same bytes, head and body, and do nothing else.
//!
//! `cargo bench -p resync-benches --bench http [-- --smoke]`. Each server is a process of its own with
//! two workers, so that its CPU time is its own; the load comes from one thread of this one over 32
//! connections, and the rounds of the three are interleaved. Goals are ratios of one run.

mod load;
mod servers;

use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use load::{Load, Round, run};
use resync_kernel::BoxError;
use servers::{Child, Kind};

/// How long one round of one server takes, and how many there are.
struct Plan {
    rounds: usize,
    round: Duration,
}

const FULL: Plan = Plan {
    rounds: 7,
    round: Duration::from_secs(4),
};

const SMOKE: Plan = Plan {
    rounds: 1,
    round: Duration::from_millis(300),
};

/// Connections at once.
const CONNECTIONS: usize = 32;
/// CPU time of a request to that of bare hyper.
const CPU_GOAL: f64 = 1.5;
/// p99 to that of bare axum.
const P99_GOAL: f64 = 1.3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let done = match arguments.iter().position(|text| text == "--serve") {
        Some(at) => servers::serve(arguments.get(at + 1..).unwrap_or_default()),
        None => measure(arguments.iter().any(|text| text == "--smoke")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(smoke: bool) -> Result<bool, BoxError> {
    let plan = if smoke { SMOKE } else { FULL };
    let apart = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let simulator = apart.block_on(
        resync_simulator::Simulator::builder()
            .jobs(300)
            .user("resync", "secret", resync_simulator::Role::Operator)
            .start(),
    )?;
    let engine = simulator.base_url();
    let resync = Child::start(Kind::Resync, &[&engine])?;
    let load = runtime.block_on(Load::sign_in(resync.address))?;
    let page = runtime.block_on(load.once(resync.address))?;
    if !page.head.starts_with("HTTP/1.1 200") || !page.head.contains("x-cache: hit") {
        return Err(format!("the page of jobs is not cached: {}", page.head).into());
    }
    let folder = tempfile::tempdir()?;
    let kept = folder.path().join("answer");
    std::fs::write(&kept, page.bytes())?;
    let kept = kept.to_str().ok_or("a path that is no text")?;
    let hyper = Child::start(Kind::Hyper, &[kept])?;
    let axum = Child::start(Kind::Axum, &[kept])?;
    let (head, body) = (page.head.len() + 4, page.body.len());
    println!("a head of {head} bytes and a page of {body}, {CONNECTIONS} connections, 2 workers\n");

    let children = [&hyper, &axum, &resync];
    let mut rounds: [Vec<Round>; 3] = Default::default();
    for _ in 0..plan.rounds {
        for (child, rounds) in children.iter().zip(&mut rounds) {
            let round = runtime.block_on(run(&load, child, CONNECTIONS, plan.round))?;
            rounds.push(round);
        }
    }
    println!(
        "{:<34} {:>10} {:>12} {:>9}",
        "server", "req/s", "CPU us/req", "p99 ms"
    );
    let names = [
        "hyper, the same bytes",
        "axum, the same bytes",
        "Resync, cached and authenticated",
    ];
    for (name, rounds) in names.iter().zip(&rounds) {
        println!(
            "{name:<34} {:>10.0} {:>12.2} {:>9.2}",
            median(rounds, |round| round.per_second),
            median(rounds, |round| round.cpu_us),
            median(rounds, |round| round.p99_ms),
        );
    }
    // Of each round its own ratio: the machine differs more between rounds than within one.
    let [hyper, axum, resync] = &rounds;
    let cpu = ratio(resync, hyper, |round| round.cpu_us);
    let p99 = ratio(resync, axum, |round| round.p99_ms);
    println!("\nCPU of a request to hyper's: {cpu:.2} (goal {CPU_GOAL})");
    println!("p99 to axum's: {p99:.2} (goal {P99_GOAL})");
    let answered = rounds.iter().flatten().all(|round| round.requests > 0);
    Ok(answered && (smoke || (cpu <= CPU_GOAL && p99 <= P99_GOAL)))
}

fn median(rounds: &[Round], figure: fn(&Round) -> f64) -> f64 {
    middle(rounds.iter().map(figure).collect())
}

fn ratio(ours: &[Round], theirs: &[Round], figure: fn(&Round) -> f64) -> f64 {
    let pairs = ours.iter().zip(theirs);
    middle(pairs.map(|(a, b)| figure(a) / figure(b)).collect())
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
