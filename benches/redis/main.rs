//! The check of the lockout in Redis beside the barest round trip of the same script, and 500 callers
//! beside a bare connection manager and a pool.
//!
//! `cargo bench -p resync-benches --bench redis [-- --smoke]` starts a `redis-server` of its own. Every
//! goal is a ratio of two rows of one run, rounds interleaved; `--smoke` takes a second and checks that
//! every caller of every row got the right answer.

mod callers;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callers::{Bare, Caller, Checked, Pooled, Raw, script};
use resync_auth::{Attempt, LockoutLimits, LockoutStore};
use resync_kernel::{BoxError, SecretString, SystemClock};
use resync_redis::{RedisClient, RedisConfig, RedisLockout};
use tokio::task::JoinSet;

/// How much one run does.
struct Plan {
    rounds: usize,
    alone: u32,
    callers: u32,
    each: u32,
}

const FULL: Plan = Plan {
    rounds: 7,
    alone: 20_000,
    callers: 500,
    each: 200,
};

const SMOKE: Plan = Plan {
    rounds: 1,
    alone: 200,
    callers: 50,
    each: 4,
};

const RAW: &str = "raw socket, one in flight";
const BARE: &str = "bare connection manager";
const OURS: &str = "our lockout";
const POOL: &str = "deadpool of 16";

const P50: &str = "1 caller: p50 us";
const OPS: &str = "500 callers: ops/s";

type Figures = BTreeMap<(&'static str, &'static str), Vec<f64>>;
type Cell = (&'static str, &'static str);

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn of(figures: &Figures, cell: Cell) -> f64 {
    median(figures.get(&cell).cloned().unwrap_or_default())
}

/// The median of the rounds' own ratios: what slows a whole round slows both.
fn ratio(figures: &Figures, ours: Cell, theirs: Cell) -> f64 {
    let ours = figures.get(&ours).into_iter().flatten();
    let theirs = figures.get(&theirs).into_iter().flatten();
    median(ours.zip(theirs).map(|(a, b)| a / b).collect())
}

/// A Redis that ends with the bench.
struct OwnRedis {
    port: u16,
    child: Child,
}

impl OwnRedis {
    async fn start() -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server does not start: {error}"))?;
        let own = Self { port, child };
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..500 {
            tick.tick().await;
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                return Ok(own);
            }
        }
        Err("redis-server does not answer".into())
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // It may be dead already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// One caller, one question after the other: the median time of one, in microseconds.
async fn alone(caller: &dyn Caller, count: u32) -> Result<f64, BoxError> {
    let mut took = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        caller.ask().await?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(took))
}

/// Many callers at once: questions a second.
async fn crowd(caller: &Arc<dyn Caller>, plan: &Plan) -> Result<f64, BoxError> {
    let (callers, each) = (plan.callers, plan.each);
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..callers {
        let caller = Arc::clone(caller);
        tasks.spawn(async move {
            for _ in 0..each {
                caller.ask().await?;
            }
            Ok::<(), BoxError>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(f64::from(callers * each) / began.elapsed().as_secs_f64())
}

async fn run(plan: &Plan) -> Result<Figures, BoxError> {
    let redis = OwnRedis::start().await?;
    let prefix = "bench:{lockout}";
    let attempt = Attempt::new("ana", IpAddr::V4(Ipv4Addr::LOCALHOST));
    let limits = LockoutLimits::default();
    let client = RedisClient::new(&RedisConfig {
        url: SecretString::from(redis.url()),
        ca_pem: None,
        // The figures are of answers, not of a machine that is busy for a moment.
        timeout: Duration::from_secs(10),
    })?;
    let clock = Arc::new(SystemClock::new());
    let ours = RedisLockout::new(client, prefix, limits, clock);
    // Three failures that count, so that every row has something to look through.
    for _ in 0..3 {
        ours.reserve(attempt).await?;
    }
    let script = script(prefix, attempt, limits);
    let raw = Raw::connect(redis.port, &script).await?;
    let ours: Arc<dyn Caller> = Arc::new(Checked::new(ours, attempt));
    let bare: Arc<dyn Caller> = Arc::new(Bare::connect(&redis.url(), script.clone()).await?);
    let pool: Arc<dyn Caller> = Arc::new(Pooled::new(&redis.url(), script)?);
    let rows: [(&str, &Arc<dyn Caller>); 3] = [(OURS, &ours), (BARE, &bare), (POOL, &pool)];
    let mut figures = Figures::new();
    for turn in 0..plan.rounds {
        let p50 = alone(&raw, plan.alone).await?;
        figures.entry((P50, RAW)).or_default().push(p50);
        // The order turns from round to round.
        for (row, caller) in rows.iter().cycle().skip(turn).take(rows.len()) {
            let p50 = alone(caller.as_ref(), plan.alone).await?;
            figures.entry((P50, row)).or_default().push(p50);
            let ops = crowd(caller, plan).await?;
            figures.entry((OPS, row)).or_default().push(ops);
        }
    }
    Ok(figures)
}

/// Prints the table; whether every goal was reached.
fn print(figures: &Figures) -> bool {
    println!("{:<28}{P50:>20}{OPS:>20}", "");
    for row in [RAW, BARE, OURS, POOL] {
        let ops = figures.get(&(OPS, row)).cloned().map(median);
        println!(
            "{row:<28}{:>20.1}{:>20}",
            of(figures, (P50, row)),
            ops.map_or_else(|| "-".to_owned(), |ops| format!("{ops:.0}")),
        );
    }
    println!("\n{:<44}{:>10}{:>10}", "", "reached", "goal");
    let goals = [
        (
            "p50 to a raw round trip",
            (P50, OURS),
            (P50, RAW),
            1.15,
            true,
        ),
        (
            "p50 to a bare connection manager",
            (P50, OURS),
            (P50, BARE),
            1.1,
            true,
        ),
        (
            "500 callers to a bare connection manager",
            (OPS, OURS),
            (OPS, BARE),
            0.95,
            false,
        ),
        (
            "500 callers to deadpool",
            (OPS, OURS),
            (OPS, POOL),
            3.0,
            false,
        ),
    ];
    let mut all = true;
    for (what, ours, theirs, goal, at_most) in goals {
        let reached = ratio(figures, ours, theirs);
        let kept = if at_most {
            reached <= goal
        } else {
            reached >= goal
        };
        all &= kept;
        let sign = if at_most { "<=" } else { ">=" };
        let verdict = if kept { "" } else { "  MISSED" };
        println!(
            "{what:<44}{reached:>10.2}{:>10}{verdict}",
            format!("{sign} {goal}")
        );
    }
    all
}

fn main() -> Result<ExitCode, BoxError> {
    let smoke = std::env::args().any(|arg| arg == "--smoke");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let figures = runtime.block_on(run(if smoke { &SMOKE } else { &FULL }))?;
    let kept = print(&figures);
    Ok(if kept || smoke {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
