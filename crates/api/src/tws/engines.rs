//! The engines, to administrators: added, changed, removed and tested while the others go on.
//!
//! A secret goes in and never comes out.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use resync_auth::Principal;
use resync_kernel::SecretString;
use resync_tws::model::EngineName;
use resync_tws::ports::EngineCredentials;
use resync_tws::{AdminActor, EngineDraft, EngineEntry, TestReport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::edge::extract::{JsonBody, parsed};
use crate::edge::guard::Caller;
use crate::edge::request_id::RequestId;
use crate::problem::Problem;
use crate::state::App;

/// The answer of `GET admin/engines`.
#[derive(Debug, Serialize)]
pub(crate) struct EngineList {
    items: Vec<EngineEntry>,
}

/// An engine as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineRequest {
    /// The name, for a new one or a test; it does not change.
    pub(crate) name: Option<String>,
    /// `https://host:31116/twsd/api/v2` of the master, then of its backups; 1 to 5.
    pub(crate) urls: Vec<String>,
    /// The user, beside `password`.
    pub(crate) username: Option<String>,
    /// The password; without it and without `api_key`, what is kept stays.
    #[schema(value_type = Option<String>)]
    pub(crate) password: Option<SecretString>,
    /// An API key, in place of user and password.
    #[schema(value_type = Option<String>)]
    pub(crate) api_key: Option<SecretString>,
    /// Certificates in PEM form that alone are trusted.
    pub(crate) ca_pem: Option<String>,
    /// Accepts any certificate. For laboratories.
    #[serde(default)]
    pub(crate) insecure_tls: bool,
    /// No action is ever sent to it.
    #[serde(default)]
    pub(crate) read_only: bool,
    /// For one call, 1 to 300 s; 15 when absent.
    pub(crate) timeout_seconds: Option<u32>,
    /// How long an action waits for its effect, 0 to 120 s; as for all engines when absent.
    pub(crate) verify_seconds: Option<u32>,
}

impl EngineRequest {
    fn name(&self) -> Result<EngineName, Problem> {
        parsed(
            "/name",
            EngineName::parse(self.name.as_deref().unwrap_or("")),
        )
    }

    fn draft(self) -> Result<EngineDraft, Problem> {
        let credentials = match (self.username, self.password, self.api_key) {
            (None, None, None) => None,
            (Some(username), Some(password), None) => {
                Some(EngineCredentials::Basic { username, password })
            }
            (None, None, Some(key)) => Some(EngineCredentials::ApiKey(key)),
            _ => {
                return Err(Problem::invalid(
                    "/username",
                    "stands with password, or neither does and api_key may",
                ));
            }
        };
        Ok(EngineDraft {
            urls: self.urls,
            credentials,
            ca_pem: self.ca_pem,
            insecure_tls: self.insecure_tls,
            read_only: self.read_only,
            timeout_seconds: self.timeout_seconds.unwrap_or(15),
            verify_seconds: self.verify_seconds,
        })
    }
}

/// Who changes something, for the audit.
pub(super) fn admin_actor(principal: &Principal, request_id: &RequestId) -> AdminActor {
    AdminActor {
        user: principal.user_id,
        username: principal.username.to_string(),
        request_id: Some(request_id.as_str().to_owned()),
    }
}

fn name_of(text: &str) -> Result<EngineName, Problem> {
    parsed("/{name}", EngineName::parse(text))
}

/// `GET admin/engines`
pub(crate) async fn list(State(app): State<App>) -> Result<Json<EngineList>, Problem> {
    let items = app.engines.list().await?;
    Ok(Json(EngineList { items }))
}

/// `POST admin/engines`
pub(crate) async fn add(
    State(app): State<App>,
    Caller(principal): Caller,
    request_id: RequestId,
    JsonBody(body): JsonBody<EngineRequest>,
) -> Result<(StatusCode, Json<EngineEntry>), Problem> {
    let name = body.name()?;
    let actor = admin_actor(&principal, &request_id);
    let entry = app.engines.add(&actor, name, body.draft()?).await?;
    Ok((StatusCode::CREATED, Json(entry)))
}

/// `PUT admin/engines/{name}`
pub(crate) async fn change(
    State(app): State<App>,
    Caller(principal): Caller,
    request_id: RequestId,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<EngineRequest>,
) -> Result<Json<EngineEntry>, Problem> {
    let name = name_of(&name)?;
    if body
        .name
        .as_deref()
        .is_some_and(|said| said != name.as_str())
    {
        return Err(Problem::invalid("/name", "does not change"));
    }
    let actor = admin_actor(&principal, &request_id);
    Ok(Json(
        app.engines.change(&actor, &name, body.draft()?).await?,
    ))
}

/// The answer of a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Always `true`: what cannot be removed is a problem.
    pub(crate) deleted: bool,
}

/// `DELETE admin/engines/{name}`
pub(crate) async fn remove(
    State(app): State<App>,
    Caller(principal): Caller,
    request_id: RequestId,
    Path(name): Path<String>,
) -> Result<Json<Removed>, Problem> {
    let actor = admin_actor(&principal, &request_id);
    app.engines.remove(&actor, &name_of(&name)?).await?;
    Ok(Json(Removed { deleted: true }))
}

/// `POST admin/engines/test`
pub(crate) async fn test(
    State(app): State<App>,
    JsonBody(body): JsonBody<EngineRequest>,
) -> Result<Json<TestReport>, Problem> {
    let name = body.name()?;
    Ok(Json(app.engines.test(&name, body.draft()?).await?))
}

/// `POST admin/engines/{name}/test`
pub(crate) async fn test_running(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<TestReport>, Problem> {
    Ok(Json(app.engines.test_running(&name_of(&name)?).await?))
}
