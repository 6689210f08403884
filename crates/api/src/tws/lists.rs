//! Reads of what stands around the jobs: streams, workstations, resources, prompts, and what needs a look.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use resync_tws::model::StreamId;
use resync_tws::offset_of_cursor;
use serde::Deserialize;

use super::reads::{EngineQuery, Held, answer, engine};
use crate::edge::extract::{Query, parsed};
use crate::page::{limit_of, link_next};
use crate::problem::Problem;
use crate::state::App;

/// The query of `GET tws/job-streams`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamsQuery {
    engine: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// `GET tws/job-streams`
pub(crate) async fn streams(
    State(app): State<App>,
    held: Held,
    uri: Uri,
    Query(query): Query<StreamsQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    let limit = limit_of(query.limit)?.get();
    let offset = query.cursor.as_deref().map_or(Ok(0), |cursor| {
        offset_of_cursor(cursor)
            .map_err(|_| Problem::invalid("?cursor", "is not a cursor that we gave"))
    })?;
    let live = app.plan.streams(engine.as_ref(), offset, limit).await?;
    let mut response = answer(&held, &live)?;
    link_next(
        response.headers_mut(),
        &uri,
        live.value.next_cursor.as_deref(),
    );
    Ok(response)
}

/// `GET tws/job-streams/{id}`
pub(crate) async fn stream(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    let id = parsed("/{id}", StreamId::parse(&id))?;
    answer(&held, &app.plan.stream(engine.as_ref(), &id).await?)
}

/// `GET tws/workstations`
pub(crate) async fn workstations(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.plan.workstations(engine.as_ref()).await?)
}

/// `GET tws/workstations/{name}`
pub(crate) async fn workstation(
    State(app): State<App>,
    Path(name): Path<String>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.plan.workstation(engine.as_ref(), &name).await?)
}

/// `GET tws/resources`
pub(crate) async fn resources(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.plan.resources(engine.as_ref()).await?)
}

/// `GET tws/prompts`
pub(crate) async fn prompts(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.plan.prompts(engine.as_ref()).await?)
}

/// `GET tws/late`
pub(crate) async fn late(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.attention.late(engine.as_ref()).await?)
}

/// `GET tws/stuck`
pub(crate) async fn stuck(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.attention.stuck(engine.as_ref()).await?)
}

/// `GET tws/long-running`
pub(crate) async fn long_running(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.attention.long_running(engine.as_ref()).await?)
}
