//! `resync user`: accounts, on the store of the configuration.
//!
//! A running server follows the store, so that what is changed here holds there within a tenth of a second.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use resync_api::UserDto;
use resync_auth::{NewUser, Role, User, UserChange, UserFilter, Username};
use resync_kernel::{Limit, SecretString, random_token};
use serde_json::json;

use super::accounts::{named, origin, with_accounts};
use super::output::{self, FAILURE, Failure, UNCONFIRMED, note, table};
use super::password::read_new;
use crate::wiring::Accounts;

/// What to do with accounts.
#[derive(Debug, Args)]
pub(super) struct UserArgs {
    /// As JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Every account by name.
    List {
        /// Those with this role.
        #[arg(long, value_parser = role_parser())]
        role: Option<Role>,
        /// Those whose name holds this text.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Make an account. Its password is asked for at the terminal; a service account has none to log in with.
    Add {
        /// 1 to 64 letters, digits or `.`, `_`, `-`, `+`, `@`, a letter or digit first.
        #[arg(value_parser = Username::parse)]
        name: Username,
        /// What it may do.
        #[arg(long, value_parser = role_parser())]
        role: Role,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give an account another password; its sessions and API keys end.
    Passwd {
        /// The account.
        #[arg(value_parser = Username::parse)]
        name: Username,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give an account another role; its sessions and API keys end.
    Role {
        /// The account.
        #[arg(value_parser = Username::parse)]
        name: Username,
        /// What it may do from now on.
        #[arg(value_parser = role_parser())]
        role: Role,
    },
    /// Remove an account; its sessions and API keys end.
    Remove {
        /// The account.
        #[arg(value_parser = Username::parse)]
        name: Username,
        /// It is meant.
        #[arg(long)]
        yes: bool,
    },
    /// Forget the failed logins that are counted against an account, where replicas share them in Redis.
    Unlock {
        /// The account.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
    /// End all sessions of an account; its password and API keys stay good.
    SessionsEnd {
        /// The account.
        #[arg(value_parser = Username::parse)]
        name: Username,
    },
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// Read the password from stdin, where it is the only line.
    #[arg(long)]
    password_stdin: bool,
}

fn role_parser() -> impl clap::builder::TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|text| Role::parse(&text))
}

/// Runs the command.
pub(super) async fn run(file: Option<PathBuf>, args: UserArgs) -> ExitCode {
    with_accounts(file, async |accounts: &Accounts| {
        done(accounts, args.command, args.json).await
    })
    .await
}

async fn done(accounts: &Accounts, command: UserCommand, json: bool) -> Result<String, Failure> {
    match command {
        UserCommand::List { role, search } => {
            let name = search.filter(|text| !text.is_empty());
            list(accounts, UserFilter { role, name }, json).await
        }
        UserCommand::Add {
            name,
            role,
            password,
        } => {
            let password = first_password(role, &password)?;
            let new = NewUser {
                username: name,
                password,
                role,
            };
            let user = accounts.users.create(new, origin()).await?;
            shown(user, "made", json)
        }
        UserCommand::Passwd { name, password } => {
            let user = named(accounts, &name).await?;
            let change = UserChange {
                role: None,
                password: Some(read_new(password.password_stdin)?),
            };
            let user = accounts.users.change(user.id, change, origin()).await?;
            shown(user, "has another password", json)
        }
        UserCommand::Role { name, role } => {
            let user = named(accounts, &name).await?;
            let change = UserChange {
                role: Some(role),
                password: None,
            };
            let user = accounts.users.change(user.id, change, origin()).await?;
            shown(user, "has another role", json)
        }
        UserCommand::Remove { name, yes } => remove(accounts, &name, yes, json).await,
        UserCommand::Unlock { name } => unlock(accounts, &name, json).await,
        UserCommand::SessionsEnd { name } => {
            let user = named(accounts, &name).await?;
            let ended = accounts.sessions.revoke_all_of(user.id, origin()).await?;
            told(
                &json!({"revoked": ended}),
                format!("{ended} sessions of {name} ended"),
                json,
            )
        }
    }
}

async fn list(accounts: &Accounts, filter: UserFilter, json: bool) -> Result<String, Failure> {
    let mut rows: Vec<UserDto> = Vec::new();
    let mut cursor = None;
    loop {
        let limit = Limit::default();
        let found = accounts
            .users
            .search(filter.clone(), limit, cursor.as_deref())
            .await?;
        rows.extend(found.items.into_iter().map(UserDto::from));
        let Some(next) = found.next else { break };
        cursor = Some(next.as_str().to_owned());
    }
    if json {
        return output::json(&json!({"items": rows}));
    }
    if rows.is_empty() {
        note(&format!("no such account in {}", accounts.place));
    }
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let made = row.created_at.format("%Y-%m-%d %H:%M:%SZ").to_string();
            [row.username, row.role.to_string(), made, row.id.to_string()]
        })
        .collect();
    Ok(table(["name", "role", "made", "id"], &rows))
}

/// Nobody logs in as a service, so that without one of its own it gets a password that nobody knows.
fn first_password(role: Role, args: &PasswordArgs) -> Result<SecretString, Failure> {
    if role == Role::Service && !args.password_stdin {
        let random = random_token(32);
        let random = random.map_err(|error| Failure::new(FAILURE, error.to_string()))?;
        return Ok(random.into());
    }
    read_new(args.password_stdin)
}

async fn remove(
    accounts: &Accounts,
    name: &Username,
    yes: bool,
    json: bool,
) -> Result<String, Failure> {
    let user = named(accounts, name).await?;
    if !yes {
        return Err(Failure::new(
            UNCONFIRMED,
            format!(
                "{name} ({}) would be removed for good; repeat it with --yes",
                user.role
            ),
        ));
    }
    accounts.users.delete(user.id, origin()).await?;
    told(
        &json!({"deleted": true}),
        format!("{name} is removed"),
        json,
    )
}

async fn unlock(accounts: &Accounts, name: &Username, json: bool) -> Result<String, Failure> {
    let user = named(accounts, name).await?;
    if let Some(window) = accounts.counted_in_the_server {
        return Err(Failure::new(
            FAILURE,
            format!(
                "{name} was not unlocked: without redis.url the running server alone knows its failed logins. \
                 An administrator unlocks it there (POST /api/v1/admin/users/{}/unlock); \
                 else they are forgotten after {} seconds, or when the server restarts",
                user.id.0,
                window.as_secs()
            ),
        ));
    }
    accounts.users.unlock(user.id, origin()).await?;
    told(
        &json!({"unlocked": true}),
        format!("{name} is unlocked"),
        json,
    )
}

fn shown(user: User, what: &str, json: bool) -> Result<String, Failure> {
    if json {
        return output::json(&UserDto::from(user));
    }
    Ok(format!("{} ({}) {what}", user.username, user.role))
}

fn told(value: &serde_json::Value, text: String, json: bool) -> Result<String, Failure> {
    if json { output::json(value) } else { Ok(text) }
}
