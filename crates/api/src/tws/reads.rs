//! Reads of one engine's jobs. The bytes come from the cache as they are; only `meta` is put in front.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use resync_tws::model::{EngineName, JobId, JobStatus, NamePattern, RunId};
use resync_tws::{
    EngineHealth, GraphDirection, JobListQuery, ListCursor, ListSort, Live, LogRequest,
};
use serde::{Deserialize, Serialize};

use crate::edge::extract::{Query, parsed};
use crate::page::{limit_of, link_next};
use crate::problem::Problem;
use crate::state::App;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// The answer of `GET tws/engines`.
#[derive(Debug, Serialize)]
pub(crate) struct EnginesAnswer {
    items: Vec<EngineHealth>,
}

/// A query that names an engine and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineQuery {
    pub(super) engine: Option<String>,
}

/// The query of `GET tws/jobs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobsQuery {
    engine: Option<String>,
    status: Option<String>,
    job: Option<String>,
    stream: Option<String>,
    workstation: Option<String>,
    folder: Option<String>,
    since: Option<String>,
    until: Option<String>,
    sort: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// The query of `GET tws/jobs/{id}/log`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    engine: Option<String>,
    run: Option<String>,
    from: Option<u32>,
    lines: Option<u32>,
    search: Option<String>,
}

/// The query of `GET tws/jobs/{id}/dependencies`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DependenciesQuery {
    engine: Option<String>,
    depth: Option<u8>,
    #[serde(default)]
    direction: GraphDirection,
}

/// The query of `GET tws/jobs/{id}/history`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    engine: Option<String>,
    limit: Option<u32>,
}

/// The engine that a query names.
pub(super) fn engine(text: Option<&str>) -> Result<Option<EngineName>, Problem> {
    text.map(|text| parsed("?engine", EngineName::parse(text)))
        .transpose()
}

/// The job that a path names.
pub(super) fn job_id(text: &str) -> Result<JobId, Problem> {
    parsed("/{id}", JobId::parse(text))
}

fn pattern(place: &str, text: Option<&String>) -> Result<Option<NamePattern>, Problem> {
    text.map(|text| parsed(place, NamePattern::parse(text)))
        .transpose()
}

/// An instant of a query, RFC 3339. A `+` that was sent as it is has become a blank.
fn instant(place: &str, text: Option<&String>) -> Result<Option<DateTime<Utc>>, Problem> {
    text.map(|text| {
        let read = DateTime::parse_from_rfc3339(&text.replace(' ', "+"));
        read.map(|at| at.to_utc())
            .map_err(|_| Problem::invalid(place, "is not a time such as 2026-03-02T22:00:00Z"))
    })
    .transpose()
}

/// The order of a list; `plan` is the older name of the planned time.
fn sort_of(text: Option<&String>) -> Result<ListSort, Problem> {
    Ok(match text.map(String::as_str) {
        None | Some("name") => ListSort::Name,
        Some("plan" | "scheduled") => ListSort::Scheduled,
        Some("priority") => ListSort::Priority,
        Some("deadline") => ListSort::Deadline,
        Some("status") => ListSort::Status,
        Some("workstation") => ListSort::Workstation,
        Some("started") => ListSort::Started,
        Some(_) => {
            return Err(Problem::invalid(
                "?sort",
                "must be name, scheduled, priority, deadline, status, workstation or started",
            ));
        }
    })
}

/// What the client holds already, by its `If-None-Match`.
pub(crate) struct Held(Vec<HeaderValue>);

impl Held {
    fn has(&self, tag: &str) -> bool {
        let mut texts = self.0.iter().filter_map(|value| value.to_str().ok());
        texts.any(|text| {
            text.split(',')
                .any(|one| one.trim() == tag || one.trim() == "*")
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Held {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let tags = parts.headers.get_all(IF_NONE_MATCH).iter().cloned();
        Ok(Self(tags.collect()))
    }
}

/// Sends what the cache holds, or 304 when the client holds it already.
pub(super) fn answer<T>(held: &Held, live: &Live<T>) -> Result<Response, Problem> {
    // Weak: `meta` differs between two answers of the same data.
    let tag = format!("W/{}", live.etag);
    let mut response = if held.has(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(live.body()?));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let out = response.headers_mut();
    out.insert(X_CACHE, HeaderValue::from_static(live.meta.cache.as_str()));
    out.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        out.insert(ETAG, tag);
    }
    Ok(response)
}

/// `GET tws/engines`
pub(crate) async fn engines(State(app): State<App>) -> Json<EnginesAnswer> {
    Json(EnginesAnswer {
        items: app.plan.engines_status().await,
    })
}

/// `GET tws/summary`
pub(crate) async fn summary(
    State(app): State<App>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.plan.summary(engine.as_ref()).await?)
}

/// `GET tws/jobs`
pub(crate) async fn jobs(
    State(app): State<App>,
    held: Held,
    uri: Uri,
    Query(query): Query<JobsQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    let mut status = Vec::new();
    for word in query
        .status
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
    {
        match JobStatus::known(word) {
            Some(known) => status.push(known),
            None => return Err(Problem::invalid("?status", "is not a status of a job")),
        }
    }
    let (since, until) = (
        instant("?since", query.since.as_ref())?,
        instant("?until", query.until.as_ref())?,
    );
    if since
        .zip(until)
        .is_some_and(|(since, until)| until <= since)
    {
        return Err(Problem::invalid("?until", "must be later than since"));
    }
    let sort = sort_of(query.sort.as_ref())?;
    let cursor = query.cursor.as_deref().map(|cursor| {
        ListCursor::parse(cursor, sort)
            .map_err(|_| Problem::invalid("?cursor", "is not a cursor that we gave for this order"))
    });
    let wanted = JobListQuery {
        status,
        name: pattern("?job", query.job.as_ref())?,
        stream: pattern("?stream", query.stream.as_ref())?,
        stream_id: None,
        workstation: pattern("?workstation", query.workstation.as_ref())?,
        folder: pattern("?folder", query.folder.as_ref())?,
        since,
        until,
        sort,
        cursor: cursor.transpose()?,
        limit: limit_of(query.limit)?.get(),
    };
    let live = app.plan.job_list(engine.as_ref(), wanted).await?;
    let mut response = answer(&held, &live)?;
    link_next(
        response.headers_mut(),
        &uri,
        live.value.next_cursor.as_deref(),
    );
    Ok(response)
}

/// `GET tws/jobs/{id}`
pub(crate) async fn job(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(&held, &app.plan.job(engine.as_ref(), &job_id(&id)?).await?)
}

/// `GET tws/jobs/{id}/log`
pub(crate) async fn log(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    if query.from == Some(0) {
        return Err(Problem::invalid("?from", "lines are counted from 1"));
    }
    if query
        .lines
        .is_some_and(|lines| !(1..=2000).contains(&lines))
    {
        return Err(Problem::invalid("?lines", "must be 1 to 2000"));
    }
    let request = LogRequest {
        run: query
            .run
            .as_deref()
            .map(|run| parsed("?run", RunId::parse(run)))
            .transpose()?,
        from: query.from,
        lines: query.lines,
        search: query.search,
    };
    answer(
        &held,
        &app.plan
            .log(engine.as_ref(), &job_id(&id)?, request)
            .await?,
    )
}

/// `GET tws/jobs/{id}/dependencies`
pub(crate) async fn dependencies(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<DependenciesQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    let depth = query.depth.unwrap_or(1);
    if !(1..=10).contains(&depth) {
        return Err(Problem::invalid("?depth", "must be 1 to 10"));
    }
    let live = app
        .plan
        .graph(engine.as_ref(), &job_id(&id)?, query.direction, depth)
        .await?;
    answer(&held, &live)
}

/// `GET tws/jobs/{id}/impact`
pub(crate) async fn impact(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(
        &held,
        &app.plan.impact(engine.as_ref(), &job_id(&id)?).await?,
    )
}

/// `GET tws/jobs/{id}/history`
pub(crate) async fn history(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    let (id, limit) = (job_id(&id)?, limit_of(query.limit)?.get());
    answer(
        &held,
        &app.history.history(engine.as_ref(), &id, limit).await?,
    )
}

/// `GET tws/jobs/{id}/diagnosis`
pub(crate) async fn diagnosis(
    State(app): State<App>,
    Path(id): Path<String>,
    held: Held,
    Query(query): Query<EngineQuery>,
) -> Result<Response, Problem> {
    let engine = engine(query.engine.as_deref())?;
    answer(
        &held,
        &app.plan.diagnosis(engine.as_ref(), &job_id(&id)?).await?,
    )
}
