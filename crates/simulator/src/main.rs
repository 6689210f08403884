//! The simulator as a program. The first line on standard output is the interface's address, the
//! second the control plane's; notes go to standard error.

use std::{fs, net::SocketAddr, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::Parser;
use resync_simulator::{Builder, Profile, Quirk, Role, Simulator, Speed, Version, rules_from_toml};

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
    #[arg(long, default_value = "bank")]
    profile: Profile,
    /// The release that answers: 10.1, 10.2.5 or 10.2.8.
    #[arg(long = "engine-version", default_value = "10.1")]
    engine_version: Version,
    /// Jobs of the plan, 1 to 100,000.
    #[arg(long, default_value_t = 2000)]
    jobs: usize,
    /// Virtual seconds a real one, 1 to 86,400; 0 freezes the time.
    #[arg(long, default_value_t = 60)]
    speed: u32,
    /// Virtual time at the start.
    #[arg(long, default_value = "2026-03-03T01:30:00Z")]
    start: DateTime<Utc>,
    /// `name:password`, `name:password:role` with role viewer, operator or admin, or
    /// `name:password:role:/HIDDEN/,/FOLDERS/`; repeatable.
    #[arg(long = "user", default_value = "operator:secret")]
    users: Vec<String>,
    /// `name:token`, `name:token:role` or `name:token:role:2026-04-01T00:00:00Z`, the last being
    /// when it expires; repeatable.
    #[arg(long = "api-key")]
    api_keys: Vec<String>,
    /// Speak TLS, with a certificate made at the start.
    #[arg(long)]
    tls: bool,
    /// Where to write the CA that a client has to trust; with `--tls`.
    #[arg(long, requires = "tls")]
    ca_file: Option<PathBuf>,
    /// Rules to misbehave by, in TOML.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Other readings of the document, with commas between, such as `nulls,dates_offset`; `strict`
    /// is none.
    #[arg(long, value_delimiter = ',')]
    quirks: Vec<String>,
    /// Scheme, host and port that `next` and `url` name.
    #[arg(long, default_value = "https://mdm.bank.invalid:31116")]
    external_url: String,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let simulator = describe(&arguments)?.start().await?;
    if let (Some(path), Some(pem)) = (&arguments.ca_file, simulator.ca_pem()) {
        fs::write(path, pem)?;
    }
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
        .profile(arguments.profile)
        .version(arguments.engine_version)
        .external_url(&arguments.external_url);
    if arguments.tls {
        builder = builder.tls();
    }
    for user in &arguments.users {
        let (name, password, role, hidden) = user_of(user)?;
        builder = builder.user(name, password, role);
        for folder in hidden.split(',').filter(|folder| !folder.is_empty()) {
            builder = builder.hide_folder(folder);
        }
    }
    for key in &arguments.api_keys {
        let (name, token, role, expires) = user_of(key)?;
        let expires = match expires {
            "" => None,
            text => Some(text.parse::<DateTime<Utc>>()?),
        };
        builder = builder.api_key(name, token, role, expires);
    }
    for quirk in arguments.quirks.iter().filter(|name| *name != "strict") {
        builder = builder.quirk(quirk.parse::<Quirk>()?);
    }
    if let Some(path) = &arguments.faults {
        for rule in rules_from_toml(&fs::read_to_string(path)?)? {
            builder = builder.fault(rule);
        }
    }
    Ok(builder)
}

/// Name, secret, role, and what follows the role.
fn user_of(text: &str) -> Result<(&str, &str, Role, &str), Failure> {
    let mut parts = text.splitn(4, ':');
    let (Some(name), Some(secret)) = (parts.next(), parts.next()) else {
        return Err("a user is name:secret, name:secret:role or name:secret:role:more".into());
    };
    let role = match parts.next() {
        None | Some("operator") => Role::Operator,
        Some("viewer") => Role::Viewer,
        Some("admin") => Role::Admin,
        Some(_) => return Err("a role is viewer, operator or admin".into()),
    };
    Ok((name, secret, role, parts.next().unwrap_or_default()))
}
