//! How long jobs may run and how late they may start, to administrators.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use resync_tws::ThresholdDraft;
use resync_tws::model::NamePattern;
use resync_tws::ports::{Threshold, ThresholdId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::engines::{Removed, admin_actor};
use crate::edge::extract::{JsonBody, parsed};
use crate::edge::guard::Caller;
use crate::edge::request_id::RequestId;
use crate::problem::Problem;
use crate::state::App;

/// The answer of `GET admin/thresholds`.
#[derive(Debug, Serialize)]
pub(crate) struct ThresholdList {
    items: Vec<Threshold>,
}

/// A threshold as it is to be: at least one pattern and one number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThresholdRequest {
    /// The job's name; `*` and `?` are wildcards.
    pub(crate) job: Option<String>,
    /// The stream's name.
    pub(crate) stream: Option<String>,
    /// The folder.
    pub(crate) folder: Option<String>,
    /// How many minutes a run may take, 1 to 527,040.
    pub(crate) max_minutes: Option<u32>,
    /// How many minutes after its planned time a job may start, 1 to 527,040.
    pub(crate) late_minutes: Option<u32>,
}

impl ThresholdRequest {
    fn draft(&self) -> Result<ThresholdDraft, Problem> {
        let pattern = |place, text: &Option<String>| {
            text.as_ref()
                .map(|text| parsed(place, NamePattern::parse(text)))
                .transpose()
        };
        Ok(ThresholdDraft {
            job: pattern("/job", &self.job)?,
            stream: pattern("/stream", &self.stream)?,
            folder: pattern("/folder", &self.folder)?,
            max_minutes: self.max_minutes,
            late_minutes: self.late_minutes,
        })
    }
}

fn id_of(text: &str) -> Result<ThresholdId, Problem> {
    parsed("/{id}", Uuid::parse_str(text)).map(ThresholdId)
}

/// `GET admin/thresholds`
pub(crate) async fn list(State(app): State<App>) -> Result<Json<ThresholdList>, Problem> {
    let items = app.attention.thresholds().await?;
    Ok(Json(ThresholdList { items }))
}

/// `POST admin/thresholds`
pub(crate) async fn add(
    State(app): State<App>,
    Caller(principal): Caller,
    request_id: RequestId,
    JsonBody(body): JsonBody<ThresholdRequest>,
) -> Result<(StatusCode, Json<Threshold>), Problem> {
    let actor = admin_actor(&principal, &request_id);
    let threshold = app
        .attention
        .put_threshold(&actor, None, body.draft()?)
        .await?;
    Ok((StatusCode::CREATED, Json(threshold)))
}

/// `PUT admin/thresholds/{id}`
pub(crate) async fn change(
    State(app): State<App>,
    Caller(principal): Caller,
    request_id: RequestId,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ThresholdRequest>,
) -> Result<Json<Threshold>, Problem> {
    let (actor, id) = (admin_actor(&principal, &request_id), id_of(&id)?);
    let kept = app
        .attention
        .put_threshold(&actor, Some(id), body.draft()?)
        .await?;
    Ok(Json(kept))
}

/// `DELETE admin/thresholds/{id}`
pub(crate) async fn remove(
    State(app): State<App>,
    Caller(principal): Caller,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<Json<Removed>, Problem> {
    let actor = admin_actor(&principal, &request_id);
    app.attention.remove_threshold(&actor, id_of(&id)?).await?;
    Ok(Json(Removed { deleted: true }))
}
