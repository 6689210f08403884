//! Lists by what is asked for.

use resync_rag::{DocumentFilter, DocumentId, Language, StageName};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use super::rows::DocumentRow;

pub(super) async fn newest(
    reader: &SqlitePool,
    filter: &DocumentFilter,
    before: Option<DocumentId>,
    limit: u32,
) -> Result<Vec<DocumentRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM documents WHERE 1 = 1");
    if let Some(before) = before {
        query.push(" AND id < ").push_bind(before.0);
    }
    for (column, wanted) in [
        ("collection", filter.collection.as_deref()),
        ("path", filter.path.as_deref()),
        ("language", filter.language.map(Language::as_str)),
        ("stage", filter.stage.map(StageName::as_str)),
    ] {
        if let Some(wanted) = wanted {
            query.push(format_args!(" AND {column} = "));
            query.push_bind(wanted);
        }
    }
    if let Some(tag) = &filter.tag {
        query
            .push(" AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ")
            .push_bind(tag)
            .push(")");
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    query.build_query_as().fetch_all(reader).await
}
