//! One's own API keys: made once, shown once, ended at will.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use resync_auth::{ApiKey, ApiKeyId, NewApiKey, Permission};
use resync_kernel::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::origin::By;
use crate::edge::extract::JsonBody;
use crate::edge::guard::Caller;
use crate::problem::Problem;
use crate::state::App;

/// The body of `POST auth/api-keys`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKeyRequest {
    /// What to call it: 1 to 64 characters, no control characters.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) name: String,
    /// What it may do, such as `plan.read`: at least one, each within one's own role, and never
    /// `actions.confirm`.
    #[schema(value_type = Vec<String>, min_items = 1)]
    pub(crate) scopes: BTreeSet<Permission>,
    /// Days until it ends, 1 to 366.
    #[schema(minimum = 1, maximum = 366)]
    pub(crate) expires_in_days: u16,
}

/// The answer of `POST auth/api-keys`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewKeyAnswer {
    /// The key's text. It is not shown again.
    pub(crate) key: String,
    /// What is kept of it.
    pub(crate) api_key: ApiKeyDto,
}

/// The answer of `GET auth/api-keys` and of `GET admin/users/{id}/api-keys`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeysAnswer {
    /// The keys, oldest first, those that ran out too.
    pub(crate) items: Vec<ApiKeyDto>,
}

/// An API key, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyDto {
    /// Names the key.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What it may do, if its user's role may.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whether it has ended by now.
    pub expired: bool,
}

impl ApiKeyDto {
    /// The key as it is at `now`.
    #[must_use]
    pub fn of(key: ApiKey, now: DateTime<Utc>) -> Self {
        Self {
            id: key.id.0,
            name: key.label,
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            expired: now >= key.expires_at,
        }
    }
}

/// The answer of `DELETE auth/api-keys/{id}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyEndedAnswer {
    /// Always `true`.
    pub(crate) deleted: bool,
}

/// `GET auth/api-keys`
pub(crate) async fn list(
    State(app): State<App>,
    Caller(principal): Caller,
) -> Result<Json<KeysAnswer>, Problem> {
    let keys = app.keys.list(&principal).await?;
    let now = app.clock.now();
    let items = keys
        .into_iter()
        .map(|key| ApiKeyDto::of(key, now))
        .collect();
    Ok(Json(KeysAnswer { items }))
}

/// `POST auth/api-keys`
pub(crate) async fn create(
    State(app): State<App>,
    Caller(principal): Caller,
    By(origin): By,
    JsonBody(body): JsonBody<NewKeyRequest>,
) -> Result<(StatusCode, Json<NewKeyAnswer>), Problem> {
    let days = u64::from(body.expires_in_days);
    let new = NewApiKey {
        label: body.name,
        scopes: body.scopes,
        lifetime: Duration::from_hours(days * 24),
    };
    let made = app.keys.create(principal.user_id, new, origin).await?;
    let answer = NewKeyAnswer {
        key: made.text.expose_secret().to_owned(),
        api_key: ApiKeyDto::of(made.key, app.clock.now()),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `DELETE auth/api-keys/{id}`
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(principal): Caller,
    By(origin): By,
    Path(id): Path<String>,
) -> Result<Json<KeyEndedAnswer>, Problem> {
    let unknown = || Problem::not_found("unknown-api-key", "There is no such API key of yours");
    let id = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let owner = principal.user_id;
    if app.keys.revoke(owner, ApiKeyId(id), origin).await? {
        Ok(Json(KeyEndedAnswer { deleted: true }))
    } else {
        Err(unknown())
    }
}
