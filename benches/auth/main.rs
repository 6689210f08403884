//! Who asks, and who logs in: the warm check of a session beside the barest one, and a storm of logins
//! beside the designs that it replaces.
//!
//! `cargo bench -p resync-benches --bench auth [-- --smoke]`. Every goal is a ratio of two rows of one
//! run, rounds interleaved; `--smoke` runs a few seconds and checks what is not timing.

mod storm;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use resync_auth::Claims;
use resync_kernel::{BoxError, ExposeSecret};
use rustix::time::{ClockId, clock_gettime};
use storm::{Felt, Storm};
use world::{Common, OnFile, PASSWORD, crowd};

/// How much one run does.
struct Plan {
    rounds: usize,
    cost: u32,
    logins: usize,
    idle: Duration,
    warm: u32,
    cold: u32,
}

const FULL: Plan = Plan {
    rounds: 5,
    cost: 12,
    logins: 50,
    idle: Duration::from_secs(6),
    warm: 100_000,
    cold: 5_000,
};

const SMOKE: Plan = Plan {
    rounds: 1,
    cost: 6,
    logins: 50,
    idle: Duration::from_millis(500),
    warm: 5_000,
    cold: 200,
};

const JWT: &str = "bare jsonwebtoken";
const VERIFIER: &str = "our verifier";
const WARM: &str = "warm session";
const STORE: &str = "session by the store";
const IDLE: &str = "no logins";
const OURS: &str = "our pool";
const UNBOUNDED: &str = "spawn_blocking, unbounded";

const CPU: &str = "CPU us a check";
const P50: &str = "probe p50 ms";
const P99: &str = "probe p99 ms";
const TICKER: &str = "ticker max lag ms";
const LOGINS: &str = "logins/s";
const LIMIT: &str = "cores / verify time";

/// How many verifies in a row tell how long one takes.
const VERIFIES: u32 = 3;

type Figures = BTreeMap<(&'static str, &'static str), Vec<f64>>;

fn note(figures: &mut Figures, column: &'static str, row: &'static str, figure: f64) {
    figures.entry((column, row)).or_default().push(figure);
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn of(figures: &Figures, column: &'static str, row: &'static str) -> f64 {
    median(figures.get(&(column, row)).cloned().unwrap_or_default())
}

/// The median of the rounds' own ratios: what slows a whole round slows both.
fn ratio(figures: &Figures, (column, row): Cell, (to_column, to_row): Cell) -> f64 {
    let ours = figures.get(&(column, row)).into_iter().flatten();
    let theirs = figures.get(&(to_column, to_row)).into_iter().flatten();
    median(ours.zip(theirs).map(|(a, b)| a / b).collect())
}

type Cell = (&'static str, &'static str);

fn f64_of(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// CPU time of the process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn us_each(before: Duration, ops: u32) -> f64 {
    cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(ops)
}

/// One check of the same token, four ways.
async fn checks(
    plan: &Plan,
    common: &Common,
    file: &OnFile,
    figures: &mut Figures,
) -> Result<(), BoxError> {
    let token = file.token.expose_secret();
    let key = DecodingKey::from_secret(common.keys.jwt().expose());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["resync"]);
    validation.set_issuer(&["resync"]);
    let verifier = common.verifier()?;

    let before = cpu();
    for _ in 0..plan.warm {
        std::hint::black_box(jsonwebtoken::decode::<Claims>(token, &key, &validation)?);
    }
    note(figures, CPU, JWT, us_each(before, plan.warm));

    let before = cpu();
    for _ in 0..plan.warm {
        std::hint::black_box(verifier.verify(token)?);
    }
    note(figures, CPU, VERIFIER, us_each(before, plan.warm));

    let before = cpu();
    for _ in 0..plan.warm {
        std::hint::black_box(file.warm.authenticate(token).await?);
    }
    note(figures, CPU, WARM, us_each(before, plan.warm));

    let before = cpu();
    for _ in 0..plan.cold {
        std::hint::black_box(file.cold.authenticate(token).await?);
    }
    note(figures, CPU, STORE, us_each(before, plan.cold));
    Ok(())
}

async fn storms(
    plan: &Plan,
    file: &OnFile,
    figures: &mut Figures,
    ours: &Storm,
) -> Result<(), BoxError> {
    let hash: Arc<str> = bcrypt::hash(PASSWORD, plan.cost)?.into();
    let cores = f64_of(std::thread::available_parallelism()?.get());
    let (idle, unbounded) = (Storm::None(plan.idle), Storm::Unbounded(Arc::clone(&hash)));
    for turn in 0..plan.rounds {
        let start = Instant::now();
        let hash = Arc::clone(&hash);
        let fits = tokio::task::spawn_blocking(move || {
            (0..VERIFIES).try_fold(true, |all, _| Ok(all && bcrypt::verify(PASSWORD, &hash)?))
        });
        let fits: Result<_, bcrypt::BcryptError> = fits.await?;
        if !fits? {
            return Err("the password does not fit".into());
        }
        note(
            figures,
            LOGINS,
            LIMIT,
            cores / (start.elapsed().as_secs_f64() / 3.0),
        );
        for place in 0..3 {
            // The order turns from round to round.
            let (row, storm) = match (place + turn) % 3 {
                0 => (IDLE, &idle),
                1 => (OURS, ours),
                _ => (UNBOUNDED, &unbounded),
            };
            let (felt, served) = storm::round(storm, plan.logins, &file.warm, &file.token).await?;
            let Felt {
                p50,
                p99,
                ticker_max,
            } = felt;
            note(figures, P50, row, p50);
            note(figures, P99, row, p99);
            note(figures, TICKER, row, ticker_max);
            if row != IDLE {
                note(figures, LOGINS, row, served);
            }
        }
    }
    Ok(())
}

fn print(figures: &Figures) {
    println!("{:<28}{:>14}", "", CPU);
    for row in [JWT, VERIFIER, WARM, STORE] {
        println!("{row:<28}{:>14.2}", of(figures, CPU, row));
    }
    println!("\n{:<28}{P50:>14}{P99:>14}{TICKER:>19}{LOGINS:>12}", "");
    for row in [IDLE, OURS, UNBOUNDED] {
        let served = figures.get(&(LOGINS, row)).cloned().map(median);
        println!(
            "{row:<28}{:>14.2}{:>14.2}{:>19.2}{:>12}",
            of(figures, P50, row),
            of(figures, P99, row),
            of(figures, TICKER, row),
            served.map_or_else(|| "-".to_owned(), |served| format!("{served:.2}")),
        );
    }
    println!("{LIMIT:<28}{:>59.2}", of(figures, LOGINS, LIMIT));
    println!("\n{:<58}{:>10}{:>10}", "", "reached", "goal");
    let line = |what: &str, reached: f64, goal: f64, at_most: bool| {
        let kept = if at_most {
            reached <= goal
        } else {
            reached >= goal
        };
        let (sign, verdict) = (
            if at_most { "<=" } else { ">=" },
            if kept { "" } else { "  MISSED" },
        );
        println!(
            "{what:<58}{reached:>10.2}{:>10}{verdict}",
            format!("{sign} {goal}")
        );
    };
    let cpu = |row| (CPU, row);
    line("warm session, CPU us", of(figures, CPU, WARM), 15.0, true);
    line(
        "warm session to bare jsonwebtoken",
        ratio(figures, cpu(WARM), cpu(JWT)),
        1.0,
        true,
    );
    line(
        "session by the store to a warm one",
        ratio(figures, cpu(STORE), cpu(WARM)),
        10.0,
        false,
    );
    line(
        "probe p99 under logins to idle",
        ratio(figures, (P99, OURS), (P99, IDLE)),
        1.3,
        true,
    );
    line(
        "probe p99, unbounded to ours",
        ratio(figures, (P99, UNBOUNDED), (P99, OURS)),
        8.0,
        false,
    );
    line(
        "logins/s to cores / verify time",
        ratio(figures, (LOGINS, OURS), (LOGINS, LIMIT)),
        0.93,
        false,
    );
    line("ticker max lag ms", of(figures, TICKER, OURS), 50.0, true);
}

async fn run(plan: &Plan) -> Result<Figures, BoxError> {
    let common = Common::new(plan.cost)?;
    let file = OnFile::new(&common).await?;
    let ours = Storm::Ours(crowd(&common, plan.logins).await?);
    let mut figures = Figures::new();
    for _ in 0..plan.rounds {
        checks(plan, &common, &file, &mut figures).await?;
    }
    storms(plan, &file, &mut figures, &ours).await?;
    file.until.cancel();
    common.tracker.close();
    common.tracker.wait().await;
    Ok(figures)
}

fn main() -> Result<ExitCode, BoxError> {
    let smoke = std::env::args().any(|arg| arg == "--smoke");
    let plan = if smoke { SMOKE } else { FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let figures = runtime.block_on(run(&plan))?;
    print(&figures);
    // The peer may leave probes unanswered, which is a finding; ours may not.
    let ours = figures.iter().filter(|((_, row), _)| *row != UNBOUNDED);
    let mut complete = true;
    for ((column, row), figures) in ours {
        if !figures
            .iter()
            .all(|figure| figure.is_finite() && *figure > 0.0)
        {
            complete = false;
            eprintln!("{row}: {column}: {figures:?}");
        }
    }
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
