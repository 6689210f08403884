//! The command line. Data on stdout, notes on stderr; exit codes as the design says: 0 done, 1 failed,
//! 2 what was typed does not hold, 3 configuration, 4 not found, 5 denied, 6 engine unreachable,
//! 7 conflict, 8 needs confirmation.

mod accounts;
mod ask;
mod kb;
mod key;
mod mcp;
mod migrate;
mod output;
mod password;
mod probe;
mod reader;
mod remote;
mod settings;
mod store;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use resync_kernel::error_chain;
use resync_tws::model::EngineName;

use self::ask::AskArgs;
use self::kb::KbArgs;
use self::key::KeyArgs;
use self::mcp::McpArgs;
use self::migrate::MigrateArgs;
use self::output::{CONFIGURATION, FAILURE, NOT_FOUND, OK};
use self::probe::{HealthcheckArgs, healthcheck};
use self::settings::{ConfigCommand, load, show};
use self::store::{AuditCommand, BackupArgs};
use self::user::UserArgs;
use crate::check::{self, CheckError};
use crate::demo::{self, DemoOptions};
use crate::{lifecycle, logging, wiring};

pub(crate) use self::output::{fail, print};
pub(crate) use self::reader::reader;

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
    /// Ask a running server a question, by an API key.
    Ask(AskArgs),
    /// Speak the Model Context Protocol on stdin and stdout, for a running server.
    Mcp(McpArgs),
    /// Accounts: list, make, change, unlock and remove them, beside a running server.
    User(UserArgs),
    /// API keys of accounts: make, list and end them, beside a running server.
    Key(KeyArgs),
    /// The knowledge base: add, list, show, remove and search documents, beside a running server.
    Kb(KbArgs),
    /// Bring the schema of the store to this version, or move everything from SQLite to PostgreSQL.
    Migrate(MigrateArgs),
    /// Copy a store in SQLite into a file, beside a running server.
    Backup(BackupArgs),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
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

/// Runs the command of the arguments.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = reader::run_if_asked() {
        return code;
    }
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
        Command::Ask(args) => ask::run(cli.config, args).await,
        Command::Mcp(args) => mcp::run(cli.config, args).await,
        Command::User(args) => user::run(cli.config, args).await,
        Command::Key(args) => key::run(cli.config, args).await,
        Command::Kb(args) => kb::run(cli.config, args).await,
        Command::Migrate(args) => migrate::run(cli.config, args).await,
        Command::Backup(args) => store::back_up(cli.config, args).await,
        Command::Audit(command) => store::audit(cli.config, command).await,
        Command::Config(ConfigCommand::Show { json }) => show(cli.config, json),
        Command::Openapi => openapi(),
        Command::Healthcheck(args) => healthcheck(&args).await,
    }
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

fn openapi() -> ExitCode {
    match serde_json::to_string_pretty(&resync_api::openapi::document(&resync_api::routes::table()))
    {
        Ok(text) => print(&text),
        Err(error) => fail(FAILURE, &error.to_string()),
    }
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

    /// A password in the arguments would stand in the list of processes and in the shell's history.
    #[test]
    fn no_command_takes_a_password_as_an_argument() {
        for typed in [
            &["user", "add", "ana", "--role", "viewer", "--password", "x"][..],
            &["user", "add", "ana", "x", "--role", "viewer"],
            &["user", "passwd", "ana", "x"],
            &["user", "passwd", "ana", "--password-stdin=x"],
        ] {
            let typed = std::iter::once("resync").chain(typed.iter().copied());
            let refused = Cli::try_parse_from(typed).unwrap_err();
            assert_eq!(refused.exit_code(), i32::from(output::USAGE));
        }
    }

    #[test]
    fn what_is_typed_of_accounts_is_checked_before_anything_is_opened() {
        let parses = |typed: &[&str]| {
            let typed = std::iter::once("resync").chain(typed.iter().copied());
            Cli::try_parse_from(typed).is_ok()
        };
        assert!(parses(&["user", "role", "ana", "operator", "--json"]));
        assert!(!parses(&["user", "role", "ana", "boss"]));
        assert!(!parses(&["user", "role", "not a name", "operator"]));
        assert!(!parses(&["user", "add", "ana"]), "a role is never guessed");
        let key = ["key", "create", "ana", "--name", "ci"];
        let with = |more: &[&str]| parses(&[&key[..], more].concat());
        assert!(with(&["--scope", "plan.read,chat.use", "--days", "366"]));
        assert!(!with(&[]) && !with(&["--scope", "plan.write"]));
        assert!(!with(&["--scope", "plan.read", "--days", "367"]));
        assert!(parses(&[
            "key",
            "revoke",
            "ana",
            "0190b6ab-1b5c-7c3e-8d57-000000000001"
        ]));
        assert!(!parses(&["key", "revoke", "ana", "1"]));
    }
}
