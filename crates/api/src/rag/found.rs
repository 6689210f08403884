//! Search.

use axum::Json;
use axum::extract::State;
use resync_rag::{Explanation, Range, Reranking, SearchHit, SearchQuery, SearchResults};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::SpanDto;
use crate::edge::extract::Query;
use crate::problem::Problem;
use crate::state::App;

/// The hits of a search.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchAnswer {
    /// The hits, best first.
    pub(crate) items: Vec<HitDto>,
    /// Whether they are likely to hold an answer.
    pub(crate) answerable: bool,
    /// How long it took, in milliseconds.
    pub(crate) took_ms: u64,
    /// What the re-ranker did, where there is one and an explanation is asked for: `done`, or `away` or
    /// `slow` when the order is that without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reranking: Option<&'static str>,
}

/// One hit.
#[derive(Debug, Serialize, ToSchema)]
pub struct HitDto {
    /// The document.
    pub(crate) document_id: Uuid,
    /// The uploaded file's name.
    pub(crate) source: String,
    /// The document's title.
    pub(crate) title: String,
    /// The headings above the section, outermost first.
    pub(crate) heading_path: Vec<String>,
    /// What the text goes on with and does not say itself: the head of a table, the first line of an
    /// entry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) context: String,
    /// The text that was found.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) span: SpanDto,
    /// Where the whole section stands that it is part of.
    pub(crate) section: SpanDto,
    /// The part of the text that says most about the question.
    pub(crate) snippet: RangeDto,
    /// The words of the text that the question asks for, in order.
    pub(crate) matches: Vec<RangeDto>,
    /// The text with its neighbours, when asked for and where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wide: Option<WideDto>,
    /// What words and meaning say; comparable within one search only.
    pub(crate) score: f32,
    /// Why it was found, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) explanation: Option<ExplanationDto>,
}

/// A part of a hit's text: code points from its beginning.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RangeDto {
    /// The first character.
    pub(crate) start: u32,
    /// One past the last character.
    pub(crate) end: u32,
}

/// A hit's text with what stands before and after it in its section.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WideDto {
    /// The text.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) span: SpanDto,
}

/// Why a hit was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplanationDto {
    /// The question's words that it has, by themselves or by a word of the same meaning.
    pub(crate) matched: Vec<String>,
    /// The question's words that it lacks.
    pub(crate) missing: Vec<String>,
    /// The share of the question's weight that it has, 0 to 1.
    pub(crate) coverage: f32,
    /// What the words say.
    pub(crate) lexical: f32,
    /// Its place by words, from 1.
    pub(crate) lexical_rank: Option<u32>,
    /// What the meaning says: the cosine to the question.
    pub(crate) dense: Option<f32>,
    /// Its place by meaning, from 1.
    pub(crate) dense_rank: Option<u32>,
    /// The share of the words in the sum.
    pub(crate) lexical_weight: f32,
    /// What a name of the question adds.
    pub(crate) boost: f32,
    /// What the re-ranker says.
    pub(crate) reranked: Option<f32>,
    /// The sum of words and meaning.
    pub(crate) total: f32,
}

impl From<Range> for RangeDto {
    fn from(range: Range) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

impl From<Explanation> for ExplanationDto {
    fn from(why: Explanation) -> Self {
        Self {
            matched: why.matched,
            missing: why.missing,
            coverage: why.coverage,
            lexical: why.scores.lexical,
            lexical_rank: why.scores.lexical_rank,
            dense: why.scores.dense,
            dense_rank: why.scores.dense_rank,
            lexical_weight: why.scores.lexical_weight,
            boost: why.scores.boost,
            reranked: why.scores.reranked,
            total: why.scores.total,
        }
    }
}

impl From<SearchHit> for HitDto {
    fn from(hit: SearchHit) -> Self {
        Self {
            document_id: hit.document_id.0,
            source: hit.source,
            title: hit.title,
            heading_path: hit.heading_path,
            context: hit.context,
            text: hit.text,
            span: hit.span.into(),
            section: hit.section.into(),
            snippet: hit.snippet.into(),
            matches: hit.matches.into_iter().map(RangeDto::from).collect(),
            wide: hit.wide.map(|wide| WideDto {
                text: wide.text,
                span: wide.span.into(),
            }),
            score: hit.score,
            explanation: hit.explanation.map(ExplanationDto::from),
        }
    }
}

impl SearchAnswer {
    fn of(results: SearchResults, explain: bool) -> Self {
        let reranking = results.reranking.filter(|_| explain);
        Self {
            items: results.items.into_iter().map(HitDto::from).collect(),
            answerable: results.answerable,
            took_ms: u64::try_from(results.took.as_millis()).unwrap_or(u64::MAX),
            reranking: reranking.map(|reranking| match reranking {
                Reranking::Done => "done",
                Reranking::Away => "away",
                Reranking::Slow => "slow",
            }),
        }
    }
}

/// The query of a search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchParams {
    q: String,
    k: Option<usize>,
    collection: Option<String>,
    #[serde(default)]
    explain: bool,
    #[serde(default)]
    widen: usize,
}

/// `GET rag/search`
pub(crate) async fn search(
    State(app): State<App>,
    Query(params): Query<SearchParams>,
) -> Result<Json<SearchAnswer>, Problem> {
    let k = params.k.unwrap_or(5);
    if !(1..=SearchQuery::MAX_K).contains(&k) {
        let range = format!("must be 1 to {}", SearchQuery::MAX_K);
        return Err(Problem::invalid("?k", range));
    }
    if params.widen > SearchQuery::MAX_WIDE {
        let range = format!("must be 0 to {}", SearchQuery::MAX_WIDE);
        return Err(Problem::invalid("?widen", range));
    }
    let query = SearchQuery {
        text: params.q,
        k,
        collection: params.collection,
        explain: params.explain,
        widen: params.widen,
    };
    let results = app.knowledge.search(query).await?;
    Ok(Json(SearchAnswer::of(results, params.explain)))
}
