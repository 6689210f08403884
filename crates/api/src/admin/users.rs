//! Users: listed, made, changed, unlocked, deleted.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use chrono::{DateTime, Utc};
use resync_auth::{NewUser, Role, User, UserChange, UserFilter, Username};
use resync_kernel::{SecretString, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::origin::By;
use crate::edge::extract::{JsonBody, Query, parsed};
use crate::page::{limit_of, link_next};
use crate::problem::Problem;
use crate::problem::accounts::unknown_user;
use crate::state::App;

/// The query of `GET admin/users`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsersQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    q: Option<String>,
}

/// The answer of `GET admin/users`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsersAnswer {
    /// Users by name.
    pub(crate) items: Vec<UserDto>,
    /// What to ask the next page with.
    pub(crate) next_cursor: Option<String>,
}

/// An account, without its password.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserDto {
    /// Names the account; it outlives a change of name.
    pub id: Uuid,
    /// The name to sign in with.
    pub username: String,
    /// `viewer`, `operator`, `admin` or `service`.
    #[schema(value_type = String)]
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<User> for UserDto {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            username: user.username.to_string(),
            role: user.role,
            created_at: user.created_at,
        }
    }
}

/// The body of `POST admin/users`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserRequest {
    /// 1 to 64 letters, digits or `.`, `_`, `-`, `+`, `@`, a letter or digit first.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) username: String,
    /// `viewer`, `operator`, `admin` or `service`.
    #[schema(value_type = String)]
    pub(crate) role: Role,
    /// The first password, at least 12 characters and at most 72 bytes.
    #[schema(value_type = String)]
    pub(crate) password: SecretString,
}

/// The body of `PATCH admin/users/{id}`: at least one of the two; both are one change, done or
/// refused as a whole. Either ends the user's sessions and API keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChangeRequest {
    /// The new role.
    #[schema(value_type = Option<String>)]
    pub(crate) role: Option<Role>,
    /// The new password.
    #[schema(value_type = Option<String>)]
    pub(crate) password: Option<SecretString>,
}

/// The answer of `DELETE admin/users/{id}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserDeletedAnswer {
    /// Always `true`.
    pub(crate) deleted: bool,
}

/// The answer of `POST admin/users/{id}/unlock`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnlockedAnswer {
    /// Always `true`: what was counted against the account is forgotten.
    pub(crate) unlocked: bool,
}

/// A text that is no id names no user.
pub(super) fn user_id(text: &str) -> Result<UserId, Problem> {
    Uuid::parse_str(text)
        .map(UserId)
        .map_err(|_| unknown_user())
}

/// `GET admin/users`
pub(crate) async fn list(
    State(app): State<App>,
    uri: Uri,
    Query(query): Query<UsersQuery>,
) -> Result<(HeaderMap, Json<UsersAnswer>), Problem> {
    let limit = limit_of(query.limit)?;
    let filter = UserFilter {
        name: query.q.filter(|part| !part.is_empty()),
        role: None,
    };
    let page = app
        .users
        .search(filter, limit, query.cursor.as_deref())
        .await?;
    let next_cursor = page.next.map(|cursor| cursor.as_str().to_owned());
    let mut headers = HeaderMap::new();
    link_next(&mut headers, &uri, next_cursor.as_deref());
    let items = page.items.into_iter().map(UserDto::from).collect();
    Ok((headers, Json(UsersAnswer { items, next_cursor })))
}

/// `GET admin/users/{id}`
pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<UserDto>, Problem> {
    Ok(Json(app.users.get(user_id(&id)?).await?.into()))
}

/// `POST admin/users`
pub(crate) async fn create(
    State(app): State<App>,
    By(origin): By,
    JsonBody(body): JsonBody<NewUserRequest>,
) -> Result<(StatusCode, HeaderMap, Json<UserDto>), Problem> {
    let new = NewUser {
        username: parsed("/username", Username::parse(&body.username))?,
        password: body.password,
        role: body.role,
    };
    let user = app.users.create(new, origin).await?;
    let mut headers = HeaderMap::new();
    if let Ok(place) = HeaderValue::try_from(format!("/api/v1/admin/users/{}", user.id.0)) {
        headers.insert(LOCATION, place);
    }
    Ok((StatusCode::CREATED, headers, Json(user.into())))
}

/// `PATCH admin/users/{id}`
pub(crate) async fn change(
    State(app): State<App>,
    By(origin): By,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<UserChangeRequest>,
) -> Result<Json<UserDto>, Problem> {
    let id = user_id(&id)?;
    let change = UserChange {
        role: body.role,
        password: body.password,
    };
    Ok(Json(app.users.change(id, change, origin).await?.into()))
}

/// `DELETE admin/users/{id}`
pub(crate) async fn delete(
    State(app): State<App>,
    By(origin): By,
    Path(id): Path<String>,
) -> Result<Json<UserDeletedAnswer>, Problem> {
    app.users.delete(user_id(&id)?, origin).await?;
    Ok(Json(UserDeletedAnswer { deleted: true }))
}

/// `POST admin/users/{id}/unlock`
pub(crate) async fn unlock(
    State(app): State<App>,
    By(origin): By,
    Path(id): Path<String>,
) -> Result<Json<UnlockedAnswer>, Problem> {
    app.users.unlock(user_id(&id)?, origin).await?;
    Ok(Json(UnlockedAnswer { unlocked: true }))
}
