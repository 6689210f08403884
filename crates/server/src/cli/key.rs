//! `resync key`: API keys of accounts, on the store of the configuration.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use resync_api::ApiKeyDto;
use resync_auth::{ApiKeyId, ApiKeyService, NewApiKey, Permission, Username};
use resync_kernel::{ExposeSecret, error_chain};
use serde_json::json;
use uuid::Uuid;

use super::accounts::{named, origin, with_accounts};
use super::output::{self, FAILURE, Failure, NOT_FOUND, note, table};
use crate::wiring::Accounts;

/// What to do with API keys.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// As JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it, this once. What is not the key goes to stderr.
    Create {
        /// For whom it speaks.
        #[arg(value_parser = Username::parse)]
        user: Username,
        /// What to call it: 1 to 64 characters.
        #[arg(long, value_name = "LABEL")]
        name: String,
        /// What it may do, within the account's role; may be given several times, or with commas.
        #[arg(long, required = true, value_delimiter = ',', value_parser = scope_parser())]
        scope: Vec<Permission>,
        /// Days until it ends.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
    },
    /// The keys of an account, oldest first, those that ran out too.
    List {
        /// The account.
        #[arg(value_parser = Username::parse)]
        user: Username,
    },
    /// End a key.
    Revoke {
        /// The account.
        #[arg(value_parser = Username::parse)]
        user: Username,
        /// The key's id, as `list` shows it.
        id: Uuid,
    },
}

/// A key confirms no action, so that scope is none of the possible values.
fn scope_parser() -> impl clap::builder::TypedValueParser<Value = Permission> {
    let names = Permission::ALL
        .into_iter()
        .filter(|scope| *scope != Permission::ConfirmActions)
        .map(Permission::as_str);
    PossibleValuesParser::new(names).try_map(|text| Permission::parse(&text))
}

/// Runs the command.
pub(super) async fn run(file: Option<PathBuf>, args: KeyArgs) -> ExitCode {
    with_accounts(file, async |accounts: &Accounts| {
        done(accounts, args.command, args.json).await
    })
    .await
}

async fn done(accounts: &Accounts, command: KeyCommand, json: bool) -> Result<String, Failure> {
    let keys: &ApiKeyService = &accounts.keys;
    match command {
        KeyCommand::Create {
            user,
            name,
            scope,
            days,
        } => {
            let owner = named(accounts, &user).await?;
            let new = NewApiKey {
                label: name,
                scopes: scope.into_iter().collect(),
                lifetime: Duration::from_hours(u64::from(days) * 24),
            };
            let made = keys.create(owner.id, new, origin()).await?;
            let row = ApiKeyDto::of(made.key, accounts.clock.now());
            let text = made.text.expose_secret();
            if json {
                return output::json(&json!({"key": text, "api_key": row}));
            }
            note(&format!(
                "key {} of {user} may {} and ends {}; it is not shown again",
                row.id,
                row.scopes.join(", "),
                day(row.expires_at)
            ));
            Ok(text.to_owned())
        }
        KeyCommand::List { user } => {
            let owner = named(accounts, &user).await?;
            let found = keys.list_of(owner.id).await;
            let found = found.map_err(|error| Failure::new(FAILURE, error_chain(&error)))?;
            let now = accounts.clock.now();
            let rows: Vec<_> = found
                .into_iter()
                .map(|key| ApiKeyDto::of(key, now))
                .collect();
            if json {
                return output::json(&json!({"items": rows}));
            }
            Ok(table(
                ["id", "name", "scopes", "ends", "last used"],
                &rows.into_iter().map(cells).collect::<Vec<_>>(),
            ))
        }
        KeyCommand::Revoke { user, id } => {
            let owner = named(accounts, &user).await?;
            if !keys.revoke(owner.id, ApiKeyId(id), origin()).await? {
                return Err(Failure::new(NOT_FOUND, format!("{user} has no key {id}")));
            }
            if json {
                return output::json(&json!({"deleted": true}));
            }
            Ok(format!("key {id} of {user} ended"))
        }
    }
}

fn cells(row: ApiKeyDto) -> [String; 5] {
    let over = if row.expired { " (over)" } else { "" };
    [
        row.id.to_string(),
        row.name,
        row.scopes.join(","),
        format!("{}{over}", day(row.expires_at)),
        row.last_used_at.map_or_else(|| "never".to_owned(), day),
    ]
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}
