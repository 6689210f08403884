//! The first administrator, by the link that the server shows once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use resync_auth::Username;
use resync_kernel::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::origin::By;
use crate::admin::users::UserDto;
use crate::edge::extract::{JsonBody, parsed};
use crate::problem::Problem;
use crate::state::App;

/// The body of `POST auth/setup`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupRequest {
    /// The token of the link.
    #[schema(value_type = String)]
    pub(crate) token: SecretString,
    /// The administrator's name.
    pub(crate) username: String,
    /// The administrator's password.
    #[schema(value_type = String)]
    pub(crate) password: SecretString,
}

/// The answer of `POST auth/setup`. Nobody is signed in by it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupAnswer {
    /// Always `true`; the link is dead now.
    pub(crate) success: bool,
    /// The administrator.
    pub(crate) user: UserDto,
}

/// `POST auth/setup`: with an administrator in place every token is refused.
pub(crate) async fn complete(
    State(app): State<App>,
    By(origin): By,
    JsonBody(body): JsonBody<SetupRequest>,
) -> Result<(StatusCode, Json<SetupAnswer>), Problem> {
    let username = parsed("/username", Username::parse(&body.username))?;
    let user = app
        .setup
        .complete(
            body.token.expose_secret(),
            username,
            body.password,
            &app.users,
            origin,
        )
        .await?;
    let answer = SetupAnswer {
        success: true,
        user: user.into(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
