//! Errors of accounts, sessions and API keys, matched without `_` (P2-01).

use std::time::Duration;

use axum::http::StatusCode;
use resync_auth::{
    ApiKeyRepositoryError, AuthenticateError, ChangePasswordError, ChangeUserError,
    CreateApiKeyError, CreateUserError, LogOutError, LoginError, ManageUserError,
    PasswordPolicyError, SessionStoreError, SetupError,
};

use super::Problem;

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::BadCredentials => Self::new(
                StatusCode::UNAUTHORIZED,
                "bad-credentials",
                "User name or password is wrong",
            ),
            LoginError::Locked { retry_after } => locked_out(retry_after),
            LoginError::Overloaded { retry_after } => overloaded(retry_after),
            LoginError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

fn locked_out(retry_after: Duration) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "locked-out",
        "Too many attempts; wait and try again",
    )
    .retry_after(retry_after)
}

fn overloaded(retry_after: Duration) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "Too many passwords are being checked at once",
    )
    .retry_after(retry_after)
}

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Invalid => Self::unauthenticated(),
            AuthenticateError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<SessionStoreError> for Problem {
    fn from(error: SessionStoreError) -> Self {
        match error {
            SessionStoreError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<ApiKeyRepositoryError> for Problem {
    fn from(error: ApiKeyRepositoryError) -> Self {
        match error {
            ApiKeyRepositoryError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

/// It was done, but the audit log did not take it: an error to whoever did it, since a change without
/// its row is what the audit is there to prevent.
fn not_recorded(source: impl Into<resync_kernel::BoxError>) -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "not-audited",
        "It was done, but could not be written to the audit log",
    )
    .member("executed", true)
    .caused_by(source)
}

impl From<LogOutError> for Problem {
    fn from(error: LogOutError) -> Self {
        match error {
            LogOutError::NotRevoked(source) => Self::unavailable(source),
            LogOutError::NotRecorded(source) => not_recorded(source),
        }
    }
}

impl From<CreateApiKeyError> for Problem {
    fn from(error: CreateApiKeyError) -> Self {
        let detail = error.to_string();
        match error {
            CreateApiKeyError::Label => Self::invalid("/name", detail),
            CreateApiKeyError::Scopes => Self::invalid("/scopes", detail),
            CreateApiKeyError::Lifetime => Self::invalid("/expires_in_days", "must be 1 to 366"),
            CreateApiKeyError::NotALogin => session_required(),
            CreateApiKeyError::TooMany => Self::new(
                StatusCode::CONFLICT,
                "too-many-api-keys",
                "There are as many API keys as a user may have",
            )
            .detail(detail),
            CreateApiKeyError::NotFound => Self::unauthenticated(),
            CreateApiKeyError::NotRecorded(source) => not_recorded(source),
            CreateApiKeyError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

/// 403 for an API key where somebody who signed in is asked for.
pub(crate) fn session_required() -> Problem {
    Problem::forbidden(
        "session-required",
        "This takes somebody who signed in, not an API key",
    )
}

/// 404 for an account that is not there.
pub(crate) fn unknown_user() -> Problem {
    Problem::not_found("unknown-user", "There is no such user")
}

/// 422 for a password that is not good enough, at the place where it stood.
pub(crate) fn weak_password(pointer: &str, error: &PasswordPolicyError) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "weak-password",
        "The new password is not good enough",
    )
    .error(pointer.to_owned(), error.to_string())
}

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::UsernameTaken => Self::new(
                StatusCode::CONFLICT,
                "username-taken",
                "Another user has that name",
            ),
            CreateUserError::Password(error) => weak_password("/password", &error),
            CreateUserError::Overloaded { retry_after } => overloaded(retry_after),
            CreateUserError::NotRecorded(source) => not_recorded(source),
            CreateUserError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<SetupError> for Problem {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Invalid => Self::forbidden(
                "setup-refused",
                "The link is not valid, or there is an administrator already",
            ),
            SetupError::User(error) => error.into(),
            SetupError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<ManageUserError> for Problem {
    fn from(error: ManageUserError) -> Self {
        match error {
            ManageUserError::NotFound => unknown_user(),
            ManageUserError::LastAdmin => last_administrator(),
            ManageUserError::Cursor(error) => error.into(),
            ManageUserError::NotRecorded(source) => not_recorded(source),
            ManageUserError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

fn last_administrator() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "last-administrator",
        "The last administrator cannot go",
    )
    .detail("make another user an administrator first")
}

impl From<ChangeUserError> for Problem {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::Nothing => Self::invalid("", "give a role, a password or both"),
            ChangeUserError::NotFound => unknown_user(),
            ChangeUserError::LastAdmin => last_administrator(),
            ChangeUserError::Password(error) => weak_password("/password", &error),
            ChangeUserError::Overloaded { retry_after } => overloaded(retry_after),
            ChangeUserError::NotRecorded(source) => not_recorded(source),
            ChangeUserError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            // Not a 401: the session is good, and the page must not believe that it ended.
            ChangePasswordError::WrongPassword => {
                Self::forbidden("wrong-password", "The current password is wrong")
                    .error("/current_password".to_owned(), "is wrong".to_owned())
            }
            ChangePasswordError::Password(error) => weak_password("/new_password", &error),
            ChangePasswordError::NotFound => unknown_user(),
            ChangePasswordError::Locked { retry_after } => locked_out(retry_after),
            ChangePasswordError::Overloaded { retry_after } => overloaded(retry_after),
            ChangePasswordError::NotRecorded(source) => not_recorded(source),
            ChangePasswordError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_a_lock_and_a_full_queue_are_told_apart_and_nothing_else_is() {
        let retry_after = Duration::from_secs(30);
        let status = |error: LoginError| Problem::from(error).status().as_u16();
        assert_eq!(status(LoginError::BadCredentials), 401);
        assert_eq!(status(LoginError::Locked { retry_after }), 429);
        assert_eq!(status(LoginError::Overloaded { retry_after }), 503);
        assert_eq!(status(LoginError::Unavailable("store".into())), 503);
    }

    fn unrecorded() -> resync_auth::AuthEventsError {
        resync_auth::AuthEventsError("the disk is full".into())
    }

    /// P2-01
    #[test]
    fn every_error_of_accounts_has_its_answer() {
        let retry_after = Duration::from_secs(30);
        let said = |problem: Problem| (problem.status().as_u16(), problem.code());
        let table = [
            (ManageUserError::NotFound.into(), (404, "unknown-user")),
            (
                ManageUserError::LastAdmin.into(),
                (409, "last-administrator"),
            ),
            (ChangeUserError::Nothing.into(), (400, "invalid")),
            (ChangeUserError::NotFound.into(), (404, "unknown-user")),
            (
                ChangeUserError::LastAdmin.into(),
                (409, "last-administrator"),
            ),
            (
                ChangeUserError::Overloaded { retry_after }.into(),
                (503, "overloaded"),
            ),
            (
                ChangeUserError::NotRecorded(unrecorded()).into(),
                (500, "not-audited"),
            ),
            (
                ChangePasswordError::NotRecorded(unrecorded()).into(),
                (500, "not-audited"),
            ),
            (
                CreateUserError::UsernameTaken.into(),
                (409, "username-taken"),
            ),
            (
                CreateUserError::Password(PasswordPolicyError::TooLong).into(),
                (422, "weak-password"),
            ),
            (
                ChangePasswordError::WrongPassword.into(),
                (403, "wrong-password"),
            ),
            (
                ChangePasswordError::Locked { retry_after }.into(),
                (429, "locked-out"),
            ),
            (
                ChangePasswordError::Overloaded { retry_after }.into(),
                (503, "overloaded"),
            ),
            (CreateApiKeyError::Scopes.into(), (400, "invalid")),
            (
                CreateApiKeyError::TooMany.into(),
                (409, "too-many-api-keys"),
            ),
            (
                CreateApiKeyError::NotALogin.into(),
                (403, "session-required"),
            ),
            (
                LogOutError::NotRevoked("store".into()).into(),
                (503, "unavailable"),
            ),
            (
                SessionStoreError::Unavailable("store".into()).into(),
                (503, "unavailable"),
            ),
            (
                ApiKeyRepositoryError::Unavailable("store".into()).into(),
                (503, "unavailable"),
            ),
        ];
        for (problem, expected) in table {
            assert_eq!(said(problem), expected);
        }
    }
}
