//! One's own password, and how good a new one is.
//!
//! A password is never logged, and never kept beyond its request.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use resync_auth::{ChangePasswordError, LoginError, PasswordSuggestion, PasswordWarning, Strength};
use resync_kernel::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::login::signed_in;
use super::origin::SignsIn;
use crate::edge::extract::JsonBody;
use crate::edge::guard::Caller;
use crate::problem::Problem;
use crate::state::App;

/// Bytes of a text that is looked at as a password; a longer one is none.
const MOST_BYTES: usize = 1024;

/// The body of `POST auth/password`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// The password so far; a wrong one counts as a failed sign-in does.
    #[schema(value_type = String)]
    pub(crate) current_password: SecretString,
    /// The new one, at least 12 characters and at most 72 bytes, hard to guess.
    #[schema(value_type = String)]
    pub(crate) new_password: SecretString,
}

/// The answer of `POST auth/password`; this browser's new token is in the cookie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PasswordAnswer {
    /// Always `true`: all sessions and API keys of before have ended.
    pub(crate) success: bool,
    /// When the session that took the place of this one ends.
    pub(crate) expires_at: DateTime<Utc>,
}

/// `POST auth/password`: from the change on every answer says that it was made, and the cookies of the
/// session that ended with it go.
pub(crate) async fn change(
    State(app): State<App>,
    Caller(principal): Caller,
    SignsIn(client): SignsIn,
    JsonBody(body): JsonBody<PasswordRequest>,
) -> Result<(HeaderMap, Json<PasswordAnswer>), Response> {
    let (current, new) = (body.current_password, body.new_password);
    let changed = app
        .users
        .change_password(&principal, current, new, &client)
        .await;
    let signed_out = |problem: Problem| {
        let mut answer = problem.into_response();
        app.edge.cookies.clear(answer.headers_mut());
        answer
    };
    let proven = changed.map_err(|error| match error {
        error @ ChangePasswordError::NotRecorded(_) => signed_out(error.into()),
        error => Problem::from(error).into_response(),
    })?;
    // The session of this request ended with the others; its place takes a new one (ASVS 7.2.4).
    let opened = app.logins.open_for(proven, client).await;
    let login = opened.map_err(|error| signed_out(changed_all_the_same(error)))?;
    let answer = PasswordAnswer {
        success: true,
        expires_at: login.expires_at,
    };
    Ok((signed_in(&app, &login), Json(answer)))
}

/// The password is another one by now, whatever became of the new session.
fn changed_all_the_same(error: LoginError) -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "sign-in-again",
        "The password was changed; sign in again with the new one",
    )
    .member("executed", true)
    .caused_by(error)
}

/// The body of `POST auth/password/strength`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StrengthRequest {
    /// The password that is being chosen, at most 1024 bytes.
    #[schema(value_type = String, max_length = 1024)]
    pub(crate) password: SecretString,
    /// For whom; a password that holds the name is easy to guess.
    pub(crate) username: Option<String>,
}

/// The answer of `POST auth/password/strength`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StrengthAnswer {
    /// From 0, guessed at once, to 4, beyond 10^10 guesses.
    pub(crate) score: u8,
    /// Whether it would be taken.
    pub(crate) acceptable: bool,
    /// What is wrong with it.
    pub(crate) warning: Option<Advice>,
    /// What would be better.
    pub(crate) suggestions: Vec<Advice>,
}

/// A sentence about a password, which holds nothing of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Advice {
    /// For programs.
    pub(crate) code: &'static str,
    /// In English.
    pub(crate) en: &'static str,
    /// In Portuguese.
    pub(crate) pt: &'static str,
}

impl From<PasswordWarning> for Advice {
    fn from(said: PasswordWarning) -> Self {
        Self {
            code: said.code(),
            en: said.en(),
            pt: said.pt(),
        }
    }
}

impl From<PasswordSuggestion> for Advice {
    fn from(said: PasswordSuggestion) -> Self {
        Self {
            code: said.code(),
            en: said.en(),
            pt: said.pt(),
        }
    }
}

impl From<Strength> for StrengthAnswer {
    fn from(strength: Strength) -> Self {
        Self {
            score: strength.score,
            acceptable: strength.acceptable,
            warning: strength.warning.map(Advice::from),
            suggestions: strength.suggestions.into_iter().map(Advice::from).collect(),
        }
    }
}

/// `POST auth/password/strength`: public, since the first administrator chooses one before there is
/// anybody to sign in.
pub(crate) async fn strength(
    State(app): State<App>,
    JsonBody(body): JsonBody<StrengthRequest>,
) -> Result<Json<StrengthAnswer>, Problem> {
    if body.password.expose_secret().len() > MOST_BYTES {
        return Err(Problem::invalid("/password", "has more than 1024 bytes"));
    }
    let name: String = body.username.unwrap_or_default().chars().take(64).collect();
    Ok(Json(
        app.users.assess(&body.password, &[name.as_str()]).into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_does_not_open_after_the_change_does_not_hide_the_change() {
        let problem = changed_all_the_same(LoginError::Unavailable("the store is away".into()));
        let body = problem.body("/", "id");
        assert_eq!((body.status, body.code.as_str()), (500, "sign-in-again"));
        assert_eq!(body.members["executed"], true);
        assert!(body.title.starts_with("The password was changed"));
    }
}
