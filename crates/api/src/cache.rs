//! The plan cache, to administrators.

use axum::Json;
use axum::extract::State;
use resync_tws::model::EngineName;
use resync_tws::ports::AuditAction;
use resync_tws::{Category, PlanScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::origin::By;
use crate::edge::extract::{JsonBody, parsed};
use crate::problem::Problem;
use crate::state::App;

/// The counters since the start.
#[derive(Debug, Serialize)]
pub(crate) struct StatsAnswer {
    hits: u64,
    stale_hits: u64,
    misses: u64,
    coalesced: u64,
    refreshes: u64,
    fetch_errors: u64,
    evictions: u64,
    expired: u64,
    entries: usize,
    bytes: usize,
    in_flight: usize,
}

/// What to drop: each field that is set must match; an empty object is everything.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvalidateRequest {
    /// Of this engine.
    pub(crate) engine: Option<String>,
    /// `job_status`, `job_logs`, `graph`, `static` or `default`.
    #[schema(value_type = Option<String>)]
    pub(crate) category: Option<Category>,
    /// Of this question, such as `snapshot`, `job/<id>` or `log/<run>`.
    pub(crate) key: Option<String>,
}

/// How much was dropped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvalidateAnswer {
    /// Entries.
    pub(crate) removed: usize,
}

/// `GET cache/stats`
pub(crate) async fn stats(State(app): State<App>) -> Json<StatsAnswer> {
    let stats = app.plan.cache_stats();
    Json(StatsAnswer {
        hits: stats.hits,
        stale_hits: stats.stale_hits,
        misses: stats.misses,
        coalesced: stats.coalesced,
        refreshes: stats.refreshes,
        fetch_errors: stats.fetch_errors,
        evictions: stats.evictions,
        expired: stats.expired,
        entries: stats.entries,
        bytes: stats.bytes,
        in_flight: stats.in_flight,
    })
}

/// `POST cache/invalidate`
pub(crate) async fn invalidate(
    State(app): State<App>,
    by: By,
    JsonBody(body): JsonBody<InvalidateRequest>,
) -> Result<Json<InvalidateAnswer>, Problem> {
    let engine = body
        .engine
        .as_deref()
        .map(|name| parsed("/engine", EngineName::parse(name)))
        .transpose()?;
    let mut event = by.row(&app, AuditAction::CacheInvalidated);
    event.engine.clone_from(&engine);
    event.target = body.category.map(|category| category.as_str().to_owned());
    app.audit.record(event).await?;
    let scope = PlanScope {
        engine,
        category: body.category,
        key: body.key,
    };
    let removed = app.plan.invalidate(&scope).await;
    Ok(Json(InvalidateAnswer { removed }))
}
