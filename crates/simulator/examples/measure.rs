//! Measures a simulator of the size given: `cargo run --release -p resync-simulator --example
//! measure -- 100000`. Times are the machine's; memory is the whole process, the client included.

use std::{
    env, fs,
    time::{Duration, Instant},
};

use resync_simulator::{Role, Simulator, StartError};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let jobs = env::args().nth(1).map_or(Ok(2000), |text| text.parse())?;
    let begin = Instant::now();
    let simulator = start(jobs).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let get = async |path: &str| -> Result<(usize, Duration), reqwest::Error> {
        let begin = Instant::now();
        let url = format!("{}{path}", simulator.base_url());
        let request = client.get(url).basic_auth("operator", Some("secret"));
        let bytes = request.send().await?.error_for_status()?.bytes().await?;
        Ok((bytes.len(), begin.elapsed()))
    };
    get("/engine/info").await?;
    println!("{jobs} jobs");
    println!("first answer after {:?}", begin.elapsed());
    println!("memory {} MB", memory_mb());
    for (what, path) in [
        ("a page of 1,000 whole jobs", "/plan/job?limit=1000"),
        (
            "the same from the middle",
            "/plan/job?limit=1000&offset=50000",
        ),
        (
            "failed jobs",
            "/plan/job?oql=jobruns.compositeStatus.status%20IN%20%5B%27ABEND%27,%27FAIL%27%5D",
        ),
        (
            "running jobs",
            "/plan/job?oql=lastRunCompositeStatus.status%20%3D%20%27EXEC%27",
        ),
        (
            "one job by name",
            "/plan/job?oql=name%20%3D%20%27FIN_GL_POST%27",
        ),
        (
            "stuck streams",
            "/plan/jobstream?oql=compositeStatus.status%20%3D%20%27STUCK%27",
        ),
        (
            "every job counted by status",
            "/plan/job/count?plan_filter=%2F%40%2F%40%23%2F%40%2F%40.%40&grouping_filters=status",
        ),
    ] {
        let mut best = get(path).await?;
        for _ in 0..4 {
            let again = get(path).await?;
            best = if again.1 < best.1 { again } else { best };
        }
        println!("{what}: {:?}, {} kB", best.1, best.0 / 1000);
    }
    let control = simulator.control();
    for night in 1..=3 {
        let begin = Instant::now();
        control.advance(Duration::from_hours(24)).await;
        let state = control.state().await;
        let show = |name: &str| state.get(name).cloned().unwrap_or_default();
        println!(
            "day {night}: {:?}, run number {}, {} jobs, memory {} MB",
            begin.elapsed(),
            show("runNumber"),
            show("jobCount"),
            memory_mb()
        );
    }
    // The same hour three times: what else the machine did is in one of them only.
    let mut ticks = vec![Duration::MAX; 3600];
    for _ in 0..3 {
        control.reset().await;
        for best in &mut ticks {
            let tick = Instant::now();
            control.advance(Duration::from_secs(1)).await;
            *best = tick.elapsed().min(*best);
        }
    }
    let longest = ticks.iter().max().copied().unwrap_or_default();
    println!(
        "a tick of a second: {:?} on average, {longest:?} at most",
        ticks.iter().sum::<Duration>() / 3600
    );
    control.switch_plan().await;
    let mut longest = Duration::ZERO;
    for _ in 0..300 {
        let tick = Instant::now();
        control.advance(Duration::from_secs(1)).await;
        longest = longest.max(tick.elapsed());
    }
    println!("the tick that switches the plan: {longest:?}");
    simulator.stop().await;
    Ok(())
}

async fn start(jobs: usize) -> Result<Simulator, StartError> {
    Simulator::builder()
        .jobs(jobs)
        .user("operator", "secret", Role::Operator)
        .start()
        .await
}

/// Resident memory of the process; 0 where `/proc` is not there.
fn memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}
