//! Our cache beside its limit and its peers: hits, a stampede, a cold run.
//!
//! `cargo bench -p resync-benches --bench cache [-- --smoke]`. Every goal is a ratio of two rows
//! of one run, rounds interleaved; `--smoke` runs a few seconds and checks what is not timing.

mod subjects;
mod workloads;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use subjects::{Key, Limit, Moka, Ours, QuickCache, Subject};
use workloads::{Cold, HitCost, Stampede, Zipf, cold, filled, hits, stampede};

/// How much one run does.
struct Plan {
    rounds: usize,
    ops: usize,
    draws: usize,
    callers: usize,
    cold_keys: usize,
    key_counts: [usize; 2],
}

const FULL: Plan = Plan {
    rounds: 5,
    ops: 500_000,
    draws: 1 << 20,
    callers: 1_000,
    cold_keys: 10_000,
    key_counts: [1_000, 100_000],
};

const SMOKE: Plan = Plan {
    rounds: 1,
    ops: 50_000,
    draws: 1 << 16,
    callers: 1_000,
    cold_keys: 1_000,
    key_counts: [1_000, 20_000],
};

const TASKS: [usize; 3] = [1, 2, 8];

/// What was measured: a row name, a column name, and one figure a round.
#[derive(Default)]
struct Figures(BTreeMap<(String, &'static str), Vec<f64>>);

impl Figures {
    fn note(&mut self, column: &str, row: &'static str, figure: f64) {
        self.0
            .entry((column.to_owned(), row))
            .or_default()
            .push(figure);
    }

    fn of(&self, column: &str, row: &'static str) -> &[f64] {
        self.0
            .get(&(column.to_owned(), row))
            .map_or(&[], Vec::as_slice)
    }

    fn median(&self, column: &str, row: &'static str) -> f64 {
        median(self.of(column, row).to_vec())
    }

    /// The median of the rounds' own ratios: what slows a whole round slows both.
    fn ratio(&self, column: &str, row: &'static str, to: &'static str) -> f64 {
        let (ours, theirs) = (self.of(column, row), self.of(column, to));
        median(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

const ROWS: [&str; 4] = [Limit::NAME, Ours::NAME, QuickCache::NAME, Moka::NAME];

fn hit_column(keys: usize, tasks: usize) -> String {
    format!("hit, {keys} keys, {tasks} tasks, CPU ns")
}

fn wall_column(keys: usize, tasks: usize) -> String {
    format!("hit, {keys} keys, {tasks} tasks, wall ns")
}

async fn measure_hits(plan: &Plan, keys: usize, figures: &mut Figures) {
    let zipf = Arc::new(Zipf::new(keys, plan.draws));
    let limit: Limit = filled(&zipf).await;
    let ours: Ours = filled(&zipf).await;
    let quick: QuickCache = filled(&zipf).await;
    let moka: Moka = filled(&zipf).await;
    for round in 0..plan.rounds {
        for tasks in TASKS {
            // The order turns from round to round, so that nobody always follows the same peer.
            for turn in 0..ROWS.len() {
                let ops = plan.ops;
                let (row, cost) = match (round + turn) % ROWS.len() {
                    0 => (Limit::NAME, hits(&limit, &zipf, tasks, ops).await),
                    1 => (Ours::NAME, hits(&ours, &zipf, tasks, ops).await),
                    2 => (QuickCache::NAME, hits(&quick, &zipf, tasks, ops).await),
                    _ => (Moka::NAME, hits(&moka, &zipf, tasks, ops / 2).await),
                };
                let HitCost { cpu_ns, wall_ns } = cost;
                figures.note(&hit_column(keys, tasks), row, cpu_ns);
                figures.note(&wall_column(keys, tasks), row, wall_ns);
            }
        }
    }
    ours.stop();
}

const FETCHES: &str = "stampede, fetches";
const WAKE_P50: &str = "stampede, wake p50 us";
const WAKE_P99: &str = "stampede, wake p99 us";
const COLD: &str = "cold, CPU us a key";
const COLD_FETCHES: &str = "cold, fetches a key";

async fn measure_misses(plan: &Plan, figures: &mut Figures) {
    let keys: Arc<Vec<Key>> = Arc::new((0..plan.cold_keys).map(Key::new).collect());
    for round in 0..plan.rounds * 3 {
        for turn in 0..3 {
            let (row, crowd, run) = match (round + turn) % 3 {
                0 => (
                    Ours::NAME,
                    stampede::<Ours>(plan.callers).await,
                    cold::<Ours>(&keys).await,
                ),
                1 => (
                    QuickCache::NAME,
                    stampede::<QuickCache>(plan.callers).await,
                    cold::<QuickCache>(&keys).await,
                ),
                _ => (
                    Moka::NAME,
                    stampede::<Moka>(plan.callers).await,
                    cold::<Moka>(&keys).await,
                ),
            };
            let Stampede {
                fetches,
                wake_p50_us,
                wake_p99_us,
            } = crowd;
            figures.note(FETCHES, row, workloads::f64_of(fetches));
            figures.note(WAKE_P50, row, wake_p50_us);
            figures.note(WAKE_P99, row, wake_p99_us);
            let Cold { fetches, cpu_us } = run;
            figures.note(COLD, row, cpu_us);
            let a_key = workloads::f64_of(fetches) / workloads::f64_of(plan.cold_keys);
            figures.note(COLD_FETCHES, row, a_key);
        }
    }
}

fn print_table(plan: &Plan, figures: &Figures) -> bool {
    let hit_columns = plan.key_counts.iter().flat_map(|&keys| {
        TASKS
            .iter()
            .flat_map(move |&tasks| [hit_column(keys, tasks), wall_column(keys, tasks)])
    });
    let miss_columns = [FETCHES, WAKE_P50, WAKE_P99, COLD, COLD_FETCHES].map(str::to_owned);
    println!("medians of {} interleaved rounds", plan.rounds);
    print!("{:<38}", "");
    for row in ROWS {
        print!("{row:>22}");
    }
    println!();
    let mut complete = true;
    for column in hit_columns.chain(miss_columns) {
        print!("{column:<38}");
        for row in ROWS {
            let figure = figures.median(&column, row);
            // The limit cannot coalesce, so it has no figure for a miss.
            let expected = row != Limit::NAME || column.starts_with("hit");
            complete &= figure.is_finite() == expected;
            let shown = if figure.is_finite() {
                format!("{figure:.1}")
            } else {
                "-".into()
            };
            print!("{shown:>22}");
        }
        println!();
    }
    complete
}

/// Prints the goals with what was reached.
fn print_goals(plan: &Plan, figures: &Figures) {
    println!(
        "\n{:<58}{:>10}{:>10}",
        "goal (medians of the rounds' ratios)", "reached", "goal"
    );
    let line = |what: String, reached: f64, goal: f64, at_most: bool| {
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
    for keys in plan.key_counts {
        for tasks in TASKS {
            let column = hit_column(keys, tasks);
            let what = |peer: &str| format!("{keys} keys, {tasks} tasks: {peer}");
            let to_limit = figures.ratio(&column, Ours::NAME, Limit::NAME);
            line(what("CPU of a hit to the limit's"), to_limit, 1.3, true);
            let faster = figures.ratio(&column, QuickCache::NAME, Ours::NAME);
            let goal = if keys <= 1_000 && tasks == 1 {
                1.2
            } else {
                1.4
            };
            line(what("quick_cache + age to ours"), faster, goal, false);
            let faster = figures.ratio(&column, Moka::NAME, Ours::NAME);
            line(what("moka + TTL to ours"), faster, 2.9, false);
        }
        for row in [Ours::NAME, Limit::NAME] {
            let walls = |tasks| figures.median(&wall_column(keys, tasks), row);
            let what = format!("{keys} keys: wall throughput, 2 tasks to 1, {row}");
            line(what, walls(1) / walls(2), 1.8, false);
        }
    }
    let best = |column: &str| {
        figures
            .median(column, QuickCache::NAME)
            .min(figures.median(column, Moka::NAME))
    };
    line(
        "stampede: fetches".into(),
        figures.median(FETCHES, Ours::NAME),
        1.0,
        true,
    );
    let p99 = figures.median(WAKE_P99, Ours::NAME) / best(WAKE_P99);
    line(
        "stampede: p99 wake to the best peer's".into(),
        p99,
        1.1,
        true,
    );
    let cold = figures.ratio(COLD, Ours::NAME, QuickCache::NAME);
    line(
        "cold: CPU of a key to quick_cache + age".into(),
        cold,
        1.2,
        true,
    );
}

fn main() -> Result<ExitCode, std::io::Error> {
    let plan = if std::env::args().any(|arg| arg == "--smoke") {
        SMOKE
    } else {
        FULL
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut figures = Figures::default();
    runtime.block_on(async {
        for keys in plan.key_counts {
            measure_hits(&plan, keys, &mut figures).await;
        }
        measure_misses(&plan, &mut figures).await;
    });
    let complete = print_table(&plan, &figures);
    print_goals(&plan, &figures);
    let one_fetch = figures
        .of(FETCHES, Ours::NAME)
        .iter()
        .all(|fetches| (fetches - 1.0).abs() < 0.1)
        && figures
            .of(COLD_FETCHES, Ours::NAME)
            .iter()
            .all(|fetches| (fetches - 1.0).abs() < 1e-9);
    if !complete {
        eprintln!("the table has a hole");
    }
    if !one_fetch {
        eprintln!("a key was fetched more than once");
    }
    Ok(if complete && one_fetch {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
