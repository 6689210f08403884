//! Documents: upload, list, read, delete, search.

mod events;
mod found;
mod section;

use axum::Json;
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use resync_rag::{
    Document, DocumentFilter, DocumentId, Language, NewUpload, Span, StageName, VectorCount,
};
use resync_tws::ports::AuditAction;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::origin::By;
use crate::edge::extract::Query;
use crate::edge::guard::Caller;
use crate::page::limit_of;
use crate::problem::Problem;
use crate::state::App;

pub(crate) use self::events::events;
pub use self::found::HitDto;
pub(crate) use self::found::{SearchAnswer, search};
pub(crate) use self::section::{SectionAnswer, section};

/// The answer to an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadAnswer {
    /// The document.
    pub(crate) id: Uuid,
    /// How far it is; ask `rag/documents/{id}` until it is `ready` or `failed`.
    pub(crate) stage: String,
}

/// A document.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentDto {
    /// The document's id.
    pub(crate) id: Uuid,
    /// The uploaded file's name.
    pub(crate) source: String,
    /// Its first heading, or the file's name.
    pub(crate) title: String,
    /// The collection it was put into.
    pub(crate) collection: Option<String>,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// Where the file comes from, if that was said; with the collection it names what versions are of.
    pub(crate) path: Option<String>,
    /// `en` or `pt`, if that was said.
    pub(crate) language: Option<String>,
    /// Which version at its path it is, from 1.
    pub(crate) version: u32,
    /// Size of the uploaded file.
    pub(crate) bytes: u64,
    /// What kind of file it was; known from the stage `text` on.
    pub(crate) format: Option<String>,
    /// The character encoding that it was read with, where it is a text file.
    pub(crate) encoding: Option<String>,
    /// `received`, `text`, `chunks`, `vectors`, `ready` or `failed`.
    pub(crate) stage: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Why it waits for another try, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<String>,
    /// How many of its pieces have a vector, of how many; both 0 before the stage `chunks`.
    pub(crate) progress: ProgressDto,
    /// Characters of its text.
    pub(crate) chars: u64,
    /// Pieces that can be found.
    pub(crate) chunks: u32,
    /// When it was uploaded.
    pub(crate) created_at: DateTime<Utc>,
}

impl From<Document> for DocumentDto {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.0,
            stage: document.stage.as_str().to_owned(),
            reason: document.stage.reason().map(str::to_owned),
            source: document.source,
            title: document.title,
            collection: document.collection,
            tags: document.tags,
            path: document.path,
            language: document
                .language
                .map(|language| language.as_str().to_owned()),
            version: document.version,
            bytes: document.bytes,
            format: document.format,
            encoding: document.encoding,
            waiting: document.waiting,
            progress: ProgressDto {
                done: document.vectors.into(),
                total: document.chunks.into(),
            },
            chars: document.chars,
            chunks: document.chunks,
            created_at: document.created_at,
        }
    }
}

/// How far something is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressDto {
    /// Done so far.
    pub(crate) done: u64,
    /// To be done in all.
    pub(crate) total: u64,
}

/// How many pieces have vectors of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VectorsDto {
    /// The model.
    pub(crate) model: String,
    /// Numbers in each of its vectors.
    pub(crate) dimensions: u32,
    /// Its vectors.
    pub(crate) vectors: u64,
}

/// A page of documents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentPage {
    /// The documents, newest first.
    pub(crate) items: Vec<DocumentDto>,
    /// Where the next page begins.
    pub(crate) next_cursor: Option<String>,
}

/// A document's text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextAnswer {
    /// The document.
    pub(crate) id: Uuid,
    /// The uploaded file's name.
    pub(crate) source: String,
    /// The whole text, as spans count it.
    pub(crate) text: String,
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeleteAnswer {
    /// Always `true`; a document that is not there is a 404.
    pub(crate) deleted: bool,
}

/// A place in a document: code points from 0, lines from 1, ends included for lines only.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SpanDto {
    /// The first character.
    pub(crate) start_char: u64,
    /// One past the last character.
    pub(crate) end_char: u64,
    /// The first line.
    pub(crate) start_line: u64,
    /// The last line.
    pub(crate) end_line: u64,
}

impl From<Span> for SpanDto {
    fn from(span: Span) -> Self {
        Self {
            start_char: span.start_char,
            end_char: span.end_char,
            start_line: span.start_line,
            end_line: span.end_line,
        }
    }
}

impl From<VectorCount> for VectorsDto {
    fn from(count: VectorCount) -> Self {
        Self {
            model: count.model.id,
            dimensions: count.model.dimensions,
            vectors: count.vectors,
        }
    }
}

/// How much there is to search.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatsAnswer {
    /// All documents.
    pub(crate) documents: u64,
    /// Those that can be found.
    pub(crate) ready: u64,
    /// Those that failed.
    pub(crate) failed: u64,
    /// Pieces.
    pub(crate) chunks: u64,
    /// Characters.
    pub(crate) chars: u64,
    /// Pieces in this replica's index.
    pub(crate) indexed_chunks: u64,
    /// The number of the last change that this replica's index has.
    pub(crate) version: u64,
    /// The model that makes vectors, if there is one.
    pub(crate) model: Option<String>,
    /// How many pieces have vectors, by the model that made them.
    pub(crate) vectors: Vec<VectorsDto>,
    /// How many ready documents were looked at for vectors of another model, while that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reembedding: Option<ProgressDto>,
}

/// The query of a list of documents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParams {
    limit: Option<u32>,
    cursor: Option<String>,
    collection: Option<String>,
    tag: Option<String>,
    language: Option<String>,
    path: Option<String>,
    stage: Option<String>,
}

fn language_of(word: &str, place: &str) -> Result<Language, Problem> {
    Language::parse(word).ok_or_else(|| Problem::invalid(place, "must be en or pt"))
}

fn unknown() -> Problem {
    Problem::not_found("unknown-document", "There is no such document")
}

fn id_of(text: &str) -> Result<DocumentId, Problem> {
    // What is not even an id names no document.
    text.parse::<Uuid>().map(DocumentId).map_err(|_| unknown())
}

/// `POST rag/documents`
pub(crate) async fn upload(
    State(app): State<App>,
    Caller(principal): Caller,
    by: By,
    request: Request,
) -> Result<(StatusCode, Json<UploadAnswer>), Problem> {
    let mut form = Multipart::from_request(request, &app).await.map_err(|_| {
        Problem::bad_request("send the file as multipart/form-data, in a part named file")
    })?;
    let mut file = None;
    let (mut collection, mut tags) = (None, Vec::new());
    let (mut path, mut language) = (None, None);
    loop {
        let Some(part) = form
            .next_field()
            .await
            .map_err(|error| broken_form(&error))?
        else {
            break;
        };
        match part.name() {
            Some("file") if file.is_some() => {
                return Err(Problem::invalid(
                    "/file",
                    "stands twice; send one file at a time",
                ));
            }
            Some("file") => {
                let name = part.file_name().unwrap_or("").to_owned();
                file = Some((name, bytes_of(part).await?));
            }
            Some("collection") => collection = Some(text_of(part, "/collection").await?),
            Some("path") => path = Some(text_of(part, "/path").await?),
            Some("language") => {
                let word = text_of(part, "/language").await?;
                language = Some(language_of(&word, "/language")?);
            }
            Some("tags") => {
                let text = text_of(part, "/tags").await?;
                tags.extend(
                    text.split(',')
                        .map(str::trim)
                        .filter(|tag| !tag.is_empty())
                        .map(str::to_owned),
                );
            }
            _ => {
                return Err(Problem::invalid(
                    "/",
                    "there is an unknown part; known here: file, collection, tags, path, language",
                ));
            }
        }
    }
    let Some((file_name, bytes)) = file else {
        return Err(Problem::invalid("/file", "the part is missing"));
    };
    let upload = NewUpload {
        file_name,
        bytes,
        collection,
        tags,
        path,
        language,
        by: principal.user_id,
    };
    let document = app.knowledge.upload(upload).await?;
    record(
        &app,
        &by,
        AuditAction::KnowledgeAdded,
        format!("{} ({})", document.source, document.id.0),
    )
    .await?;
    let answer = UploadAnswer {
        id: document.id.0,
        stage: document.stage.as_str().to_owned(),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn bytes_of(part: Field<'_>) -> Result<Vec<u8>, Problem> {
    let bytes = part.bytes().await.map_err(|error| broken_form(&error))?;
    Ok(bytes.into())
}

/// A part's text. What is no UTF-8 is refused, since replacing it would file the document elsewhere.
async fn text_of(part: Field<'_>, place: &str) -> Result<String, Problem> {
    String::from_utf8(bytes_of(part).await?).map_err(|_| Problem::invalid(place, "is not UTF-8"))
}

fn broken_form(error: &axum::extract::multipart::MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is larger than this address takes",
        );
    }
    Problem::bad_request("the form is malformed")
}

/// `GET rag/documents`
pub(crate) async fn list(
    State(app): State<App>,
    Query(params): Query<ListParams>,
) -> Result<Json<DocumentPage>, Problem> {
    let limit = limit_of(params.limit)?;
    let language = params.language.as_deref();
    let stage = params.stage.as_deref().map(|word| {
        StageName::parse(word).ok_or_else(|| Problem::invalid("?stage", "is no stage"))
    });
    let filter = DocumentFilter {
        collection: params.collection,
        tag: params.tag,
        language: language
            .map(|word| language_of(word, "?language"))
            .transpose()?,
        path: params.path,
        stage: stage.transpose()?,
    };
    let page = app
        .knowledge
        .list(&filter, limit, params.cursor.as_deref())
        .await?;
    Ok(Json(DocumentPage {
        items: page.items.into_iter().map(DocumentDto::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.as_str().to_owned()),
    }))
}

/// `GET rag/documents/{id}`
pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<DocumentDto>, Problem> {
    let document = app.knowledge.get(id_of(&id)?).await?.ok_or_else(unknown)?;
    Ok(Json(document.into()))
}

/// `GET rag/documents/{id}/text`
pub(crate) async fn text(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<TextAnswer>, Problem> {
    let id = id_of(&id)?;
    let document = app.knowledge.get(id).await?.ok_or_else(unknown)?;
    let text = app.knowledge.document_text(id).await?.ok_or_else(unknown)?;
    Ok(Json(TextAnswer {
        id: id.0,
        source: document.source,
        text,
    }))
}

/// Every change of the knowledge leaves a row; one that cannot be written is an error to the caller.
async fn record(app: &App, by: &By, action: AuditAction, target: String) -> Result<(), Problem> {
    let mut event = by.row(app, action);
    event.target = Some(target);
    app.audit.record(event).await?;
    Ok(())
}

/// `DELETE rag/documents/{id}`
pub(crate) async fn delete(
    State(app): State<App>,
    by: By,
    Path(id): Path<String>,
) -> Result<Json<DeleteAnswer>, Problem> {
    let id = id_of(&id)?;
    if app.knowledge.delete(id).await? {
        record(&app, &by, AuditAction::KnowledgeDeleted, id.0.to_string()).await?;
        Ok(Json(DeleteAnswer { deleted: true }))
    } else {
        Err(unknown())
    }
}

/// `GET rag/stats`
pub(crate) async fn stats(State(app): State<App>) -> Result<Json<StatsAnswer>, Problem> {
    let stats = app.knowledge.stats().await?;
    Ok(Json(StatsAnswer {
        documents: stats.documents,
        ready: stats.ready,
        failed: stats.failed,
        chunks: stats.chunks,
        chars: stats.chars,
        indexed_chunks: stats.indexed_chunks,
        version: stats.version,
        model: stats.model.map(|model| model.to_string()),
        vectors: stats.vectors.into_iter().map(VectorsDto::from).collect(),
        reembedding: stats.reembedding.map(|progress| ProgressDto {
            done: progress.done,
            total: progress.total,
        }),
    }))
}
