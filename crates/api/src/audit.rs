//! What was done: the append-only, hash-chained log.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use resync_kernel::Cursor;
use resync_tws::AuditVerdict;
use resync_tws::ports::AuditRecord;
use serde::Serialize;

use crate::edge::extract::Query;
use crate::page::{PageQuery, link_next};
use crate::problem::Problem;
use crate::state::App;

/// The answer of `GET audit`.
#[derive(Debug, Serialize)]
pub(crate) struct AuditAnswer {
    items: Vec<AuditRecord>,
    next_cursor: Option<String>,
}

/// `GET audit`
pub(crate) async fn list(
    State(app): State<App>,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let before = query
        .cursor
        .as_deref()
        .map(Cursor::decode::<u64>)
        .transpose()
        .map_err(|_| Problem::invalid("?cursor", "is not a cursor that we gave"))?;
    let page = app.audit.list(before, query.limit()?.get()).await?;
    let next = page
        .next_before
        .map(|before| Cursor::encode(&before))
        .transpose()
        .map_err(Problem::from)?;
    let next_cursor = next.map(|cursor| cursor.as_str().to_owned());
    let mut headers = HeaderMap::new();
    link_next(&mut headers, &uri, next_cursor.as_deref());
    Ok((
        headers,
        Json(AuditAnswer {
            items: page.items,
            next_cursor,
        }),
    )
        .into_response())
}

/// `GET audit/verify`
pub(crate) async fn verify(State(app): State<App>) -> Result<Json<AuditVerdict>, Problem> {
    Ok(Json(app.audit.verify().await?))
}
