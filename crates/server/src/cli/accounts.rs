//! What the commands of accounts share: the store of the configuration, who does it, and what went wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use resync_auth::{
    Actor, ChangeUserError, CreateApiKeyError, CreateUserError, LocalUser, LogOutError,
    ManageUserError, Origin, User, Username,
};
use resync_kernel::error_chain;

use super::not_started;
use super::output::{CONFLICT, DENIED, FAILURE, Failure, NOT_FOUND, USAGE, fail, print};
use super::settings::load;
use crate::wiring::{Accounts, for_accounts};

/// Opens the store of the configuration, does `work`, closes the store, and prints what came of it.
pub(super) async fn with_accounts(
    file: Option<PathBuf>,
    work: impl AsyncFnOnce(&Accounts) -> Result<String, Failure>,
) -> ExitCode {
    let loaded = match load(file, Vec::new()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let accounts = match for_accounts(&loaded.config).await {
        Ok(accounts) => accounts,
        Err(error) => return not_started(&error),
    };
    let done = work(&accounts).await;
    accounts.close().await;
    match done {
        Ok(text) => print(&text),
        Err(failure) => fail(failure.code, &failure.text),
    }
}

/// Somebody at this machine's command line, by the name that the system gives this process.
pub(super) fn origin() -> Origin {
    let named = whoami::username().ok().filter(|name| !name.is_empty());
    // In a container the system often has no name for the user.
    let name = named.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    Origin::of(Actor::Local(LocalUser::of(&name)))
}

/// The user of that name.
pub(super) async fn named(accounts: &Accounts, name: &Username) -> Result<User, Failure> {
    accounts
        .users
        .named(name)
        .await
        .map_err(|error| match error {
            ManageUserError::NotFound => {
                let place = &accounts.place;
                Failure::new(NOT_FOUND, format!("there is no user {name} in {place}"))
            }
            other => other.into(),
        })
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(FAILURE, error_chain(error))
}

fn refused(code: u8, error: &dyn std::error::Error) -> Failure {
    Failure::new(code, error.to_string())
}

impl From<CreateUserError> for Failure {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::UsernameTaken => refused(CONFLICT, &error),
            CreateUserError::Password(_) => refused(USAGE, &error),
            CreateUserError::Overloaded { .. }
            | CreateUserError::NotRecorded(_)
            | CreateUserError::Unavailable(_) => failed(&error),
        }
    }
}

impl From<ChangeUserError> for Failure {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::NotFound => refused(NOT_FOUND, &error),
            ChangeUserError::LastAdmin => refused(CONFLICT, &error),
            ChangeUserError::Nothing | ChangeUserError::Password(_) => refused(USAGE, &error),
            ChangeUserError::Overloaded { .. }
            | ChangeUserError::NotRecorded(_)
            | ChangeUserError::Unavailable(_) => failed(&error),
        }
    }
}

impl From<ManageUserError> for Failure {
    fn from(error: ManageUserError) -> Self {
        match error {
            ManageUserError::NotFound => refused(NOT_FOUND, &error),
            ManageUserError::LastAdmin => refused(CONFLICT, &error),
            ManageUserError::Cursor(_)
            | ManageUserError::NotRecorded(_)
            | ManageUserError::Unavailable(_) => failed(&error),
        }
    }
}

impl From<CreateApiKeyError> for Failure {
    fn from(error: CreateApiKeyError) -> Self {
        match error {
            CreateApiKeyError::Label | CreateApiKeyError::Lifetime => refused(USAGE, &error),
            CreateApiKeyError::Scopes | CreateApiKeyError::NotALogin => refused(DENIED, &error),
            CreateApiKeyError::TooMany => refused(CONFLICT, &error),
            CreateApiKeyError::NotFound => refused(NOT_FOUND, &error),
            CreateApiKeyError::NotRecorded(_) | CreateApiKeyError::Unavailable(_) => failed(&error),
        }
    }
}

impl From<LogOutError> for Failure {
    fn from(error: LogOutError) -> Self {
        failed(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_ends_with_the_code_of_its_kind() {
        let code = |failure: Failure| failure.code;
        assert_eq!(code(CreateUserError::UsernameTaken.into()), 7);
        assert_eq!(code(ChangeUserError::LastAdmin.into()), 7);
        assert_eq!(code(ManageUserError::LastAdmin.into()), 7);
        assert_eq!(code(ManageUserError::NotFound.into()), 4);
        assert_eq!(code(ChangeUserError::Nothing.into()), 2);
        assert_eq!(code(CreateApiKeyError::Scopes.into()), 5);
        assert_eq!(code(CreateApiKeyError::Label.into()), 2);
        let unrecorded = || resync_auth::AuthEventsError("the disk is full".into());
        let failure = Failure::from(ChangeUserError::NotRecorded(unrecorded()));
        assert_eq!(failure.code, 1);
        assert!(
            failure
                .text
                .starts_with("the user was changed, but not recorded")
                && failure.text.ends_with("the disk is full"),
            "{failure:?}"
        );
        assert_eq!(code(LogOutError::NotRecorded(unrecorded()).into()), 1);
    }

    #[test]
    fn who_does_it_is_somebody_of_this_machine() {
        let origin = origin();
        assert!(origin.actor.to_string().starts_with("local:"));
        assert_eq!((origin.address, origin.request_id), (None, None));
    }
}
