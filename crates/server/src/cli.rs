//! The command line. Data on stdout, notes on stderr; exit codes as the design says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use resync_kernel::{BoxError, error_chain};
use resync_tws::model::EngineName;

use crate::check::{self, CheckError};
use crate::config::{Loaded, Sources, rows};
use crate::demo::{self, DemoOptions};
use crate::{lifecycle, logging, wiring};

/// The run did what it should.
const OK: u8 = 0;
/// It did not.
const FAILURE: u8 = 1;
/// The configuration is wrong.
const CONFIGURATION: u8 = 3;
/// What was named does not exist.
const NOT_FOUND: u8 = 4;

/// Ask HCL Workload Automation questions and act on it safely.
#[derive(Debug, Parser)]
#[command(name = "resync", version, about)]
struct Cli {
    /// The configuration; `resync.toml` in the working directory when it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything at once on a simulated engine, without configuration.
    Demo(DemoArgs),
    /// The server, on the engines of the configuration.
    Serve(ServeArgs),
    /// Whether the configuration is whole, the store opens, and what each engine can do.
    Check(CheckArgs),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Ask a running server whether it is ready; for probes of containers.
    Healthcheck(HealthcheckArgs),
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Address and port; any free port when 8080 is taken and none was asked for.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Jobs in the plan.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    jobs: u32,
    /// Simulated seconds for each real one.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    speed: u32,
    /// What chance in the simulation starts from.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Ask the five questions, do one action, and exit with 0 or 1.
    #[arg(long)]
    headless_check: bool,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Address and port; beats the configuration.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Only this engine.
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print each value and where it came from; secrets are not shown.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct HealthcheckArgs {
    /// Where the server listens; `https` when it speaks TLS.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Who signed the server's certificate (PEM), besides the system's authorities. Not needed on
    /// loopback, where any certificate is taken.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A certificate with its key (PEM) to show, when `server.tls_client_ca` asks for one.
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
}

/// Runs the command of the arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(FAILURE, &format!("the runtime did not start: {error}")),
    };
    let code = runtime.block_on(run(cli));
    // What still blocks a thread must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Demo(args) => {
            demo::run(DemoOptions {
                listen: args.listen,
                jobs: args.jobs,
                speed: args.speed,
                seed: args.seed,
                headless_check: args.headless_check,
            })
            .await
        }
        Command::Serve(args) => serve(cli.config, &args).await,
        Command::Check(args) => check(cli.config, &args).await,
        Command::Config(ConfigCommand::Show { json }) => show(cli.config, json),
        Command::Openapi => openapi(),
        Command::Healthcheck(args) => healthcheck(&args).await,
    }
}

fn load(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Result<Loaded, ExitCode> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let sources = Sources {
        file,
        default_file: Some("resync.toml".into()),
        environment,
        flags,
    };
    Loaded::from(&sources).map_err(|error| fail(CONFIGURATION, &error.to_string()))
}

async fn serve(file: Option<PathBuf>, args: &ServeArgs) -> ExitCode {
    let flags = args
        .listen
        .map(|listen| ("server.listen".to_owned(), listen.to_string()));
    let loaded = match load(file, flags.into_iter().collect()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if let Err(error) = logging::start(&loaded.config.log) {
        return fail(CONFIGURATION, &error.to_string());
    }
    match lifecycle::serve(&loaded.config).await {
        Ok(()) => ExitCode::from(OK),
        Err(error) => not_started(&error),
    }
}

async fn check(file: Option<PathBuf>, args: &CheckArgs) -> ExitCode {
    let loaded = match load(file, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let only = match args.engine.as_deref().map(EngineName::parse).transpose() {
        Ok(only) => only,
        Err(error) => return fail(NOT_FOUND, &format!("--engine: {error}")),
    };
    let report = match check::run(&loaded.config, only.as_ref()).await {
        Ok(report) => report,
        Err(CheckError::Start(error)) => return not_started(&error),
        Err(CheckError::UnknownEngine(error)) => return fail(NOT_FOUND, &error.to_string()),
    };
    let printed = if args.json {
        match serde_json::to_string_pretty(&report) {
            Ok(text) => print(&text),
            Err(error) => return fail(FAILURE, &error.to_string()),
        }
    } else {
        print(report.table().trim_end())
    };
    match report.exit_code() {
        OK => printed,
        code => ExitCode::from(code),
    }
}

fn not_started(error: &wiring::StartError) -> ExitCode {
    match error {
        wiring::StartError::Config(error) => fail(CONFIGURATION, &error.to_string()),
        wiring::StartError::Failed { .. } => fail(FAILURE, &error_chain(error)),
    }
}

fn show(file: Option<PathBuf>, json: bool) -> ExitCode {
    let loaded = match load(file, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let rows = rows(&loaded);
    if json {
        return match serde_json::to_string_pretty(&rows) {
            Ok(text) => print(&text),
            Err(error) => fail(FAILURE, &error.to_string()),
        };
    }
    let width = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        let value = row.value.as_deref().unwrap_or("(not set)");
        if let Err(error) = writeln!(text, "{:width$}  {value}  [{}]", row.key, row.origin) {
            return fail(FAILURE, &error.to_string());
        }
    }
    for engine in &loaded.config.tws.engine {
        if let Err(error) = writeln!(
            text,
            "{:width$}  {} {}",
            "tws.engine", engine.name, engine.url
        ) {
            return fail(FAILURE, &error.to_string());
        }
    }
    print(text.trim_end())
}

fn openapi() -> ExitCode {
    match serde_json::to_string_pretty(&resync_api::openapi::document(&resync_api::routes::table()))
    {
        Ok(text) => print(&text),
        Err(error) => fail(FAILURE, &error.to_string()),
    }
}

/// The client of the probe.
fn prober(args: &HealthcheckArgs) -> Result<reqwest::Client, BoxError> {
    let url: reqwest::Url = args.url.parse()?;
    // Nobody else can stand there, nothing secret is sent, and a certificate rarely names it.
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    let mut builder = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .danger_accept_invalid_certs(loopback);
    if let Some(file) = &args.ca_file {
        for authority in reqwest::Certificate::from_pem_bundle(&std::fs::read(file)?)? {
            builder = builder.add_root_certificate(authority);
        }
    }
    if let Some(file) = &args.client_cert {
        builder = builder.identity(reqwest::Identity::from_pem(&std::fs::read(file)?)?);
    }
    Ok(builder.build()?)
}

async fn healthcheck(args: &HealthcheckArgs) -> ExitCode {
    let client = match prober(args) {
        Ok(client) => client,
        Err(error) => {
            let why = error_chain(error.as_ref());
            return fail(FAILURE, &format!("the probe cannot be made: {why}"));
        }
    };
    let answer = client
        .get(format!("{}/readyz", args.url.trim_end_matches('/')))
        .send()
        .await;
    match answer {
        Ok(answer) if answer.status().is_success() => ExitCode::from(OK),
        Ok(answer) => fail(FAILURE, &format!("the server says {}", answer.status())),
        Err(error) => fail(
            FAILURE,
            &format!("the server does not answer: {}", error.without_url()),
        ),
    }
}

/// Data on stdout.
pub(crate) fn print(text: &str) -> ExitCode {
    print_to(&mut io::stdout().lock(), text)
}

/// A reader that went away is no failure of ours, a disk that is full is one.
fn print_to(out: &mut impl io::Write, text: &str) -> ExitCode {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(OK),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(OK),
        Err(error) => fail(FAILURE, &format!("the output cannot be written: {error}")),
    }
}

/// One line on stderr and the code that says what kind of mistake it was.
pub(crate) fn fail(code: u8, text: &str) -> ExitCode {
    // Where nobody can be told, the code still says it.
    let _told = writeln!(io::stderr().lock(), "resync: {text}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_demo_needs_no_argument() {
        let cli = Cli::try_parse_from(["resync", "demo"]).unwrap();
        assert!(matches!(
            cli.command,
            Command::Demo(DemoArgs {
                jobs: 2000,
                headless_check: false,
                ..
            })
        ));
    }

    /// Fails each write in its own way.
    struct Broken(ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
        let code = |kind| format!("{:?}", print_to(&mut Broken(kind), "text"));
        let expected = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(ErrorKind::BrokenPipe), expected(OK));
        assert_eq!(code(ErrorKind::StorageFull), expected(FAILURE));
    }
}
