//! A question in, sections of documents out.

use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{BoxError, error_chain};
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;

use super::KnowledgeService;
use crate::ports::{EmbeddingKind, NearestQuery, Neighbour};
use crate::search::{
    DENSE_CANDIDATES, IndexError, Question, SearchHit, Strategy, conclude, propose, widen,
};

/// The greatest length of a query, in Unicode code points.
const MAX_QUERY_CHARS: usize = 1000;
/// How many of the best hits the re-ranker reads.
const RERANKED: usize = 30;
/// How long the re-ranker may take before the order without it is given.
const RERANK_TIME: Duration = Duration::from_secs(2);
/// How long the search by meaning may take before the words are searched alone.
const MEANING_TIME: Duration = Duration::from_secs(3);

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// The question, in English or Portuguese, 1 to 1000 characters.
    pub text: String,
    /// Most hits, 1 to 50; a number outside is moved to the nearer end.
    pub k: usize,
    /// Only documents of this collection.
    pub collection: Option<String>,
    /// Whether hits carry an [`Explanation`](crate::Explanation).
    pub explain: bool,
    /// Most code points of a hit's text with its neighbours in the section, see
    /// [`Wide`](crate::Wide); 0 for none, at most [`SearchQuery::MAX_WIDE`].
    pub widen: usize,
}

impl SearchQuery {
    /// The greatest `k`.
    pub const MAX_K: usize = 50;
    /// The greatest `widen`.
    pub const MAX_WIDE: usize = 8000;

    /// The eight best hits of all collections for `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            k: 8,
            collection: None,
            explain: false,
            widen: 0,
        }
    }
}

/// What became of putting the best hits into a better order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reranking {
    /// The hits are in the re-ranker's order.
    Done,
    /// The re-ranker failed, so the order is that without it.
    Away,
    /// The re-ranker took too long, so the order is that without it.
    Slow,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResults {
    /// Best first; equal scores by document id, then ordinal.
    pub items: Vec<SearchHit>,
    /// What the re-ranker did, where there is one and something was found.
    pub reranking: Option<Reranking>,
    /// Whether the hits can answer the question: the best document has enough of what the question
    /// asks for, weighed by how rare each word is. When `false`, say "not found" and show the hits
    /// as what was looked at.
    pub answerable: bool,
    /// How long the search took.
    pub took: Duration,
}

/// A search failed.
#[derive(Debug, Error)]
pub enum SearchError {
    /// The query has no visible character.
    #[error("the query is empty")]
    EmptyQuery,
    /// The query is too long.
    #[error("the query is longer than {max} characters")]
    TooLong {
        /// The greatest length in characters.
        max: usize,
    },
    /// The store or the index failed.
    #[error("the knowledge base is unavailable")]
    Unavailable(#[source] BoxError),
}

impl KnowledgeService {
    /// Sections that answer the question, best first. Loads the index at first use.
    ///
    /// Cancel safe: dropping it changes nothing.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn search(&self, query: SearchQuery) -> Result<SearchResults, SearchError> {
        self.search_by(query, Strategy::default()).await
    }

    /// The same with parts of the search left out, to see what each is worth.
    ///
    /// Cancel safe: dropping it changes nothing.
    ///
    /// # Errors
    /// [`SearchError`].
    #[tracing::instrument(name = "rag.search", skip_all, fields(k = query.k))]
    pub async fn search_by(
        &self,
        query: SearchQuery,
        strategy: Strategy,
    ) -> Result<SearchResults, SearchError> {
        if crate::text::visible(&query.text).is_empty() {
            return Err(SearchError::EmptyQuery);
        }
        if query.text.chars().count() > MAX_QUERY_CHARS {
            return Err(SearchError::TooLong {
                max: MAX_QUERY_CHARS,
            });
        }
        let clock = Arc::clone(&self.inner.parts.clock);
        let start = clock.monotonic();
        self.load()
            .await
            .map_err(|error| SearchError::Unavailable(Box::new(error)))?;
        let Some(state) = self.inner.index.state() else {
            return Ok(SearchResults {
                items: Vec::new(),
                reranking: None,
                answerable: false,
                took: clock.monotonic() - start,
            });
        };
        let k = query.k.clamp(1, SearchQuery::MAX_K);
        let reranked = self.inner.parts.reranker.is_some();
        let question = Arc::new(Question {
            k: if reranked { k.max(RERANKED) } else { k },
            text: query.text,
            collection: query.collection,
            explain: query.explain,
            strategy,
        });
        // The permit goes along with the work, which ends later than a caller that is dropped.
        let permit = Arc::clone(&self.inner.searchers).acquire_owned().await;
        let permit = Arc::new(permit.map_err(|error| SearchError::Unavailable(Box::new(error)))?);
        let inner = Arc::clone(&self.inner);
        let by_words = {
            let (state, question) = (Arc::clone(&state), Arc::clone(&question));
            blocking(Arc::clone(&permit), move || {
                propose(&state, &question, &inner.parts.glossary)
            })
        };
        let (proposed, neighbours) = tokio::join!(by_words, self.by_meaning(&question));
        let proposed = proposed?;
        let concluding = {
            let (state, question) = (Arc::clone(&state), Arc::clone(&question));
            blocking(permit, move || {
                conclude(&state, &question, &proposed, &neighbours)
            })
        };
        let mut found = concluding.await?;
        let reranking = self.rerank(&question.text, &mut found.hits).await;
        found.hits.truncate(k);
        if query.widen > 0 {
            let most = query.widen.min(SearchQuery::MAX_WIDE);
            for hit in &mut found.hits {
                hit.wide = widen(&state, hit, most)
                    .map_err(|error| SearchError::Unavailable(Box::new(error)))?;
            }
        }
        Ok(SearchResults {
            items: found.hits,
            reranking,
            answerable: found.answerable,
            took: clock.monotonic() - start,
        })
    }
}

impl KnowledgeService {
    /// The chunks that are nearest in meaning. A model that is away or slow is no reason to find
    /// nothing: the words are searched alone then, and the log says so.
    async fn by_meaning(&self, question: &Question) -> Vec<Neighbour> {
        let parts = (&self.inner.parts.embedder, &self.inner.nearest);
        let (Some(embedder), Some(nearest)) = parts else {
            return Vec::new();
        };
        if !question.strategy.dense {
            return Vec::new();
        }
        let search = async {
            let texts = vec![question.text.clone()];
            let mut vectors = embedder.embed(EmbeddingKind::Query, texts).await?;
            let Some(vector) = vectors.pop() else {
                return Ok(Vec::new());
            };
            let query = NearestQuery {
                model: embedder.model().clone(),
                vector,
                collection: question.collection.clone(),
                limit: DENSE_CANDIDATES,
            };
            nearest.nearest(query).await.map_err(BoxError::from)
        };
        match tokio::time::timeout(MEANING_TIME, search).await {
            Ok(Ok(neighbours)) => neighbours,
            Ok(Err(error)) => {
                let error = error_chain(error.as_ref());
                tracing::warn!(error, "a search is by words alone");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("a search is by words alone, as the model takes too long");
                Vec::new()
            }
        }
    }
}

impl KnowledgeService {
    /// Puts the hits into the re-ranker's order, if there is one. One that is away or slow is no reason
    /// to find nothing: the order stays as it is then, and who asked is told.
    async fn rerank(&self, question: &str, hits: &mut Vec<SearchHit>) -> Option<Reranking> {
        let reranker = self.inner.parts.reranker.as_ref()?;
        if hits.is_empty() {
            return None;
        }
        let read = |hit: &SearchHit| {
            let above = hit.heading_path.join("\n");
            [above.as_str(), &hit.context, &hit.text]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let asked = reranker.rerank(question, hits.iter().map(read).collect());
        let scores = match tokio::time::timeout(RERANK_TIME, asked).await {
            Ok(Ok(scores)) => scores,
            Ok(Err(error)) => {
                let error = error_chain(&error);
                tracing::warn!(error, "hits are in the order without the re-ranker");
                return Some(Reranking::Away);
            }
            Err(_) => {
                tracing::warn!("hits are in the order without the re-ranker, as it takes too long");
                return Some(Reranking::Slow);
            }
        };
        if scores.len() != hits.len() || !scores.iter().all(|score| score.is_finite()) {
            tracing::warn!("the re-ranker gave scores that do not fit");
            return Some(Reranking::Away);
        }
        let mut judged: Vec<(f32, SearchHit)> = scores.into_iter().zip(hits.drain(..)).collect();
        // Stable: what the re-ranker holds for equal stays as words and meaning have it.
        judged.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        hits.extend(judged.into_iter().map(|(score, mut hit)| {
            if let Some(why) = &mut hit.explanation {
                why.scores.reranked = Some(score);
            }
            hit
        }));
        Some(Reranking::Done)
    }
}

/// Runs a part of a search off the async workers.
async fn blocking<T: Send + 'static>(
    permit: Arc<OwnedSemaphorePermit>,
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, SearchError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        span.in_scope(work)
    })
    .await
    .map_err(|error| SearchError::Unavailable(Box::new(error)))?
    .map_err(|error| SearchError::Unavailable(Box::new(error)))
}
