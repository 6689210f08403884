//! The simulator as a program. The first line on standard output is the interface's address, the
//! second the control plane's; notes go to standard error.

use std::{fs, net::SocketAddr, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::Parser;
use resync_simulator::{Builder, Quirk, Role, Simulator, Speed, rules_from_toml};

/// Stands in for an HCL Workload Automation engine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where the interface listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the control plane listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    control_listen: SocketAddr,
    /// Decides everything that looks like chance.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The installation to play.
    #[arg(long, default_value = "bank", value_parser = ["bank"])]
    profile: String,
    /// Jobs of the plan, 1 to 100,000.
    #[arg(long, default_value_t = 2000)]
    jobs: usize,
    /// Virtual seconds a real one, 1 to 86,400; 0 freezes the time.
    #[arg(long, default_value_t = 60)]
    speed: u32,
    /// Virtual time at the start.
    #[arg(long, default_value = "2026-03-03T01:30:00Z")]
    start: DateTime<Utc>,
    /// `name:password` or `name:password:role`, with role viewer, operator or admin; repeatable.
    #[arg(long = "user", default_value = "operator:secret")]
    users: Vec<String>,
    /// Rules to misbehave by, in TOML.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Other readings of the document, with commas between, such as `nulls,dates_offset`.
    #[arg(long, value_delimiter = ',')]
    quirks: Vec<Quirk>,
    /// Scheme, host and port that `next` and `url` name.
    #[arg(long, default_value = "https://mdm.bank.invalid:31116")]
    external_url: String,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::new("info");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    tracing::debug!(profile = %arguments.profile, "starting");
    let simulator = describe(&arguments)?.start().await?;
    println!("{}", simulator.base_url());
    println!("{}", simulator.control_url());
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}

fn describe(arguments: &Arguments) -> Result<Builder, Failure> {
    let speed = match arguments.speed {
        0 => Speed::Frozen,
        times => Speed::Times(times),
    };
    let mut builder = Simulator::builder()
        .seed(arguments.seed)
        .jobs(arguments.jobs)
        .start_time(arguments.start)
        .speed(speed)
        .listen(arguments.listen)
        .control_listen(arguments.control_listen)
        .external_url(&arguments.external_url);
    for user in &arguments.users {
        let (name, password, role) = user_of(user)?;
        builder = builder.user(name, password, role);
    }
    for quirk in &arguments.quirks {
        builder = builder.quirk(*quirk);
    }
    if let Some(path) = &arguments.faults {
        for rule in rules_from_toml(&fs::read_to_string(path)?)? {
            builder = builder.fault(rule);
        }
    }
    Ok(builder)
}

fn user_of(text: &str) -> Result<(&str, &str, Role), Failure> {
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(password)) = (parts.next(), parts.next()) else {
        return Err("a user is name:password or name:password:role".into());
    };
    let role = match parts.next() {
        None | Some("operator") => Role::Operator,
        Some("viewer") => Role::Viewer,
        Some("admin") => Role::Admin,
        Some(_) => return Err("a role is viewer, operator or admin".into()),
    };
    Ok((name, password, role))
}
