//! Rows and what they mean.

use resync_kernel::UserId;
use resync_rag::{Chunk, Document, DocumentId, Language, Media, Span, Stage};
use uuid::Uuid;

use crate::PgError;
use crate::row::RowName;

#[derive(sqlx::FromRow)]
pub(super) struct DocumentRow {
    id: Uuid,
    source: String,
    path: Option<String>,
    title: String,
    collection: Option<String>,
    tags: Vec<String>,
    language: Option<String>,
    version: i64,
    bytes_sha256: String,
    bytes: i64,
    format: Option<String>,
    encoding: Option<String>,
    media: String,
    chars: i64,
    chunks: i64,
    vectors: i64,
    stage: String,
    reason: Option<String>,
    waiting: Option<String>,
    created_at_ms: i64,
    created_by: Uuid,
}

impl TryFrom<DocumentRow> for Document {
    type Error = PgError;

    fn try_from(row: DocumentRow) -> Result<Self, PgError> {
        let name = RowName {
            table: "documents",
            id: &row.id,
        };
        let media = Media::parse(&row.media).ok_or_else(|| name.broken("media", "no such kind"));
        let language = row.language.as_deref().map(|word| {
            Language::parse(word).ok_or_else(|| name.broken("language", "no such language"))
        });
        let stage = Stage::parse(&row.stage, row.reason.as_deref());
        Ok(Self {
            id: DocumentId(row.id),
            source: row.source,
            path: row.path,
            title: row.title,
            collection: row.collection,
            tags: row.tags,
            language: language.transpose()?,
            version: name.number("version", row.version)?,
            bytes_sha256: row.bytes_sha256,
            bytes: name.number("bytes", row.bytes)?,
            format: row.format,
            encoding: row.encoding,
            media: media?,
            chars: name.number("chars", row.chars)?,
            chunks: name.number("chunks", row.chunks)?,
            vectors: name.number("vectors", row.vectors)?,
            stage: stage.ok_or_else(|| name.broken("stage", "no such stage"))?,
            waiting: row.waiting,
            created_at: name.time("created_at_ms", row.created_at_ms)?,
            created_by: UserId(row.created_by),
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct ChunkRow {
    document_id: Uuid,
    ordinal: i64,
    heading_path: String,
    text: String,
    start_char: i64,
    end_char: i64,
    start_line: i64,
    end_line: i64,
    context: String,
    section_start_char: i64,
    section_end_char: i64,
    section_start_line: i64,
    section_end_line: i64,
}

impl TryFrom<ChunkRow> for Chunk {
    type Error = PgError;

    fn try_from(row: ChunkRow) -> Result<Self, PgError> {
        let id = format_args!("{}/{}", row.document_id, row.ordinal);
        let name = RowName {
            table: "chunks",
            id: &id,
        };
        Ok(Self {
            document: DocumentId(row.document_id),
            ordinal: name.number("ordinal", row.ordinal)?,
            heading_path: name.json("heading_path", &row.heading_path)?,
            span: Span {
                start_char: name.number("start_char", row.start_char)?,
                end_char: name.number("end_char", row.end_char)?,
                start_line: name.number("start_line", row.start_line)?,
                end_line: name.number("end_line", row.end_line)?,
            },
            section: Span {
                start_char: name.number("section_start_char", row.section_start_char)?,
                end_char: name.number("section_end_char", row.section_end_char)?,
                start_line: name.number("section_start_line", row.section_start_line)?,
                end_line: name.number("section_end_line", row.section_end_line)?,
            },
            text: row.text,
            context: row.context,
        })
    }
}
