//! The section around a place of a document.

use axum::Json;
use axum::extract::{Path, State};
use resync_rag::SectionLink;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{SpanDto, id_of};
use crate::edge::extract::Query;
use crate::problem::Problem;
use crate::state::App;

/// A part of a document's text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SectionAnswer {
    /// The document.
    pub(crate) id: Uuid,
    /// The uploaded file's name.
    pub(crate) source: String,
    /// The document's title.
    pub(crate) title: String,
    /// The headings above it, outermost first.
    pub(crate) heading_path: Vec<String>,
    /// The text.
    pub(crate) text: String,
    /// Where the text stands.
    pub(crate) span: SpanDto,
    /// The whole section; greater than `span` where it is too long to be shown at once.
    pub(crate) section: SpanDto,
    /// What stands right before it.
    pub(crate) before: Option<SectionLinkDto>,
    /// What stands right after it.
    pub(crate) after: Option<SectionLinkDto>,
}

/// A place to go on at: ask for the section at its span.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SectionLinkDto {
    /// The headings above it, outermost first.
    pub(crate) heading_path: Vec<String>,
    /// Where it stands.
    pub(crate) span: SpanDto,
}

impl From<SectionLink> for SectionLinkDto {
    fn from(link: SectionLink) -> Self {
        Self {
            heading_path: link.heading_path,
            span: link.span.into(),
        }
    }
}

/// The query of a section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SectionParams {
    start_char: u64,
    end_char: Option<u64>,
}

/// `GET rag/documents/{id}/section`
pub(crate) async fn section(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(params): Query<SectionParams>,
) -> Result<Json<SectionAnswer>, Problem> {
    let start = params.start_char;
    let end = params.end_char.unwrap_or(start.saturating_add(1));
    if end <= start {
        return Err(Problem::invalid(
            "?end_char",
            "must be greater than start_char",
        ));
    }
    let found = app.knowledge.section(id_of(&id)?, start, end).await?;
    let section = found.ok_or_else(|| {
        Problem::not_found(
            "unknown-section",
            "There is no such document or place in it",
        )
    })?;
    Ok(Json(SectionAnswer {
        id: section.document.id.0,
        source: section.document.source,
        title: section.document.title,
        heading_path: section.heading_path,
        text: section.text,
        span: section.span.into(),
        section: section.section.into(),
        before: section.before.map(SectionLinkDto::from),
        after: section.after.map(SectionLinkDto::from),
    }))
}
