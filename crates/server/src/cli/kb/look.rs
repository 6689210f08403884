//! `resync kb ls`, `show`, `rm` and `search`.

use clap::{ArgGroup, Args};
use resync_api::{DocumentDto, HitDto};
use resync_kernel::{Limit, error_chain};
use resync_rag::{
    Document, DocumentFilter, DocumentId, SearchError, SearchHit, SearchQuery, StageName,
};
use resync_tws::ports::AuditAction;
use serde_json::json;

use super::add::audited;
use crate::cli::output::{
    self, Done, FAILURE, Failure, NOT_FOUND, OK, UNCONFIRMED, USAGE, note, table,
};
use crate::wiring::Knowledge;

/// Which documents to list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Those of this collection.
    #[arg(long)]
    collection: Option<String>,
    /// Those with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Those in this stage: received, text, chunks, vectors, ready or failed.
    #[arg(long, value_parser = |word: &str| StageName::parse(word).ok_or("no such stage"))]
    stage: Option<StageName>,
}

/// Which documents to remove.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "path"])))]
pub(super) struct RemoveArgs {
    /// Their ids.
    #[arg(value_name = "ID")]
    ids: Vec<DocumentId>,
    /// All versions of the document that was added as this path.
    #[arg(long)]
    path: Option<String>,
    /// Of this collection.
    #[arg(long, requires = "path")]
    collection: Option<String>,
    /// It is meant.
    #[arg(long)]
    yes: bool,
}

/// What to look for.
#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// The question, in English or Portuguese.
    question: String,
    /// Sections at most.
    #[arg(short, default_value_t = 5, value_parser = most())]
    k: usize,
    /// Only in this collection.
    #[arg(long)]
    collection: Option<String>,
    /// Say why each was found.
    #[arg(long)]
    explain: bool,
}

fn most() -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    let most = u16::try_from(SearchQuery::MAX_K).unwrap_or(u16::MAX);
    clap::value_parser!(u16)
        .range(1..=i64::from(most))
        .map(usize::from)
}

async fn all(knowledge: &Knowledge, filter: &DocumentFilter) -> Result<Vec<Document>, Failure> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = knowledge
            .service
            .list(filter, Limit::default(), cursor.as_deref())
            .await?;
        found.extend(page.items);
        let Some(next) = page.next else {
            return Ok(found);
        };
        cursor = Some(next.as_str().to_owned());
    }
}

/// `kb ls`.
pub(super) async fn list(knowledge: &Knowledge, args: ListArgs, json: bool) -> Done {
    let filter = DocumentFilter {
        collection: args.collection,
        tag: args.tag,
        stage: args.stage,
        ..DocumentFilter::default()
    };
    let documents = all(knowledge, &filter).await?;
    if json {
        let items: Vec<DocumentDto> = documents.into_iter().map(DocumentDto::from).collect();
        return Ok((OK, output::json(&json!({"items": items}))?));
    }
    if documents.is_empty() {
        note(&format!("no such document in {}", knowledge.place));
    }
    let rows: Vec<_> = documents
        .into_iter()
        .map(|document| {
            [
                document.id.to_string(),
                document.stage.as_str().to_owned(),
                document.chunks.to_string(),
                document.collection.unwrap_or_else(|| "-".to_owned()),
                document.tags.join(","),
                document.created_at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
                document.path.unwrap_or(document.source),
            ]
        })
        .collect();
    let headings = [
        "id",
        "stage",
        "chunks",
        "collection",
        "tags",
        "added",
        "path",
    ];
    Ok((OK, table(headings, &rows)))
}

fn unknown(id: DocumentId) -> Failure {
    Failure::new(NOT_FOUND, format!("there is no document {id}"))
}

/// `kb show`.
pub(super) async fn show(knowledge: &Knowledge, id: DocumentId, text: bool, json: bool) -> Done {
    let document = knowledge
        .service
        .get(id)
        .await?
        .ok_or_else(|| unknown(id))?;
    if text {
        let text = knowledge
            .service
            .document_text(id)
            .await?
            .unwrap_or_default();
        let shown = if json {
            output::json(&json!({"id": id, "text": text}))?
        } else {
            text.trim_end().to_owned()
        };
        return Ok((OK, shown));
    }
    if json {
        return Ok((OK, output::json(&DocumentDto::from(document))?));
    }
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows = [
        ("id", document.id.to_string()),
        ("title", document.title),
        ("path", dash(document.path)),
        ("file", document.source),
        ("format", dash(document.format)),
        ("collection", dash(document.collection)),
        ("tags", document.tags.join(", ")),
        (
            "language",
            dash(
                document
                    .language
                    .map(|language| language.as_str().to_owned()),
            ),
        ),
        ("version", document.version.to_string()),
        ("stage", document.stage.as_str().to_owned()),
        (
            "reason",
            dash(
                document
                    .stage
                    .reason()
                    .map(str::to_owned)
                    .or(document.waiting),
            ),
        ),
        ("characters", document.chars.to_string()),
        ("chunks", document.chunks.to_string()),
        ("vectors", document.vectors.to_string()),
        (
            "added",
            document.created_at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
        ),
        ("sha256", document.bytes_sha256),
    ];
    let lines = rows.map(|(name, value)| format!("{name:10}  {value}").trim_end().to_owned());
    Ok((OK, lines.join("\n")))
}

/// `kb rm`.
pub(super) async fn remove(knowledge: &Knowledge, args: RemoveArgs, json: bool) -> Done {
    let mut documents = Vec::new();
    for id in &args.ids {
        documents.push(
            knowledge
                .service
                .get(*id)
                .await?
                .ok_or_else(|| unknown(*id))?,
        );
    }
    if let Some(path) = &args.path {
        let filter = DocumentFilter {
            path: Some(path.clone()),
            collection: args.collection.clone(),
            ..DocumentFilter::default()
        };
        documents = all(knowledge, &filter).await?;
        if documents.is_empty() {
            return Err(Failure::new(
                NOT_FOUND,
                format!("there is no document with the path {path}"),
            ));
        }
    }
    let names: Vec<String> = documents
        .iter()
        .map(|document| {
            format!(
                "{} ({})",
                document.path.as_ref().unwrap_or(&document.source),
                document.id
            )
        })
        .collect();
    if !args.yes {
        let names = names.join(", ");
        return Err(Failure::new(
            UNCONFIRMED,
            format!("{names} would be removed for good; repeat it with --yes"),
        ));
    }
    let mut deleted = 0_usize;
    for document in &documents {
        if knowledge.service.delete(document.id).await? {
            deleted += 1;
            audited(
                knowledge,
                AuditAction::KnowledgeDeleted,
                document.id.to_string(),
            )
            .await?;
        }
    }
    let text = if json {
        output::json(&json!({"deleted": deleted}))?
    } else {
        format!("{} removed", names.join(", "))
    };
    Ok((OK, text))
}

/// `kb search`.
pub(super) async fn search(knowledge: &Knowledge, args: SearchArgs, json: bool) -> Done {
    let query = SearchQuery {
        k: args.k,
        collection: args.collection,
        explain: args.explain,
        ..SearchQuery::new(args.question)
    };
    let found = knowledge.service.search(query).await.map_err(|error| {
        let code = match &error {
            SearchError::EmptyQuery | SearchError::TooLong { .. } => USAGE,
            SearchError::Unavailable(_) => FAILURE,
        };
        Failure::new(code, error_chain(&error))
    })?;
    if json {
        let items: Vec<HitDto> = found.items.into_iter().map(HitDto::from).collect();
        let answer = json!({"items": items, "answerable": found.answerable});
        return Ok((OK, output::json(&answer)?));
    }
    if !found.answerable {
        note("nothing here is likely to answer it");
    }
    let hits: Vec<String> = (1_usize..)
        .zip(&found.items)
        .map(|(place, hit)| shown(place, hit))
        .collect();
    Ok((OK, hits.join("\n\n")))
}

fn shown(place: usize, hit: &SearchHit) -> String {
    let headings = if hit.heading_path.is_empty() {
        hit.title.clone()
    } else {
        hit.heading_path.join(" / ")
    };
    let mut text = format!(
        "{place}. {}:{}  {headings}  ({:.4})",
        hit.source, hit.span.start_line, hit.score
    );
    let chars = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    let snippet: String = hit
        .text
        .chars()
        .skip(chars(hit.snippet.start))
        .take(chars(hit.snippet.end.saturating_sub(hit.snippet.start)))
        .collect();
    let context = hit.context.lines();
    for line in context.chain(snippet.lines()) {
        text.push_str("\n   ");
        text.push_str(line);
    }
    if let Some(why) = &hit.explanation {
        let missing = if why.missing.is_empty() {
            "nothing".to_owned()
        } else {
            why.missing.join(", ")
        };
        let why = format!(
            "\n   it has {}; it lacks {missing}; {:.0} % of the question",
            why.matched.join(", "),
            why.coverage * 100.0
        );
        text.push_str(&why);
    }
    text
}
