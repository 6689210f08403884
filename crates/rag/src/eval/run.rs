//! Asking the questions of a golden set.

use super::golden::GoldenQuestion;
use super::report::{Outcome, Report};
use crate::search::{SearchHit, Strategy};
use crate::service::{KnowledgeService, SearchError, SearchQuery};

/// Hits that count.
const K: usize = 10;

/// Asks each question of `set` by `strategy` and counts. One question at a time.
///
/// Cancel safe: dropping it changes nothing.
///
/// # Errors
/// [`SearchError`] of the first question that could not be asked.
pub async fn evaluate(
    knowledge: &KnowledgeService,
    set: &[GoldenQuestion],
    strategy: Strategy,
) -> Result<Report, SearchError> {
    let mut results = Vec::with_capacity(set.len());
    for question in set {
        let query = SearchQuery {
            k: K,
            ..SearchQuery::new(&question.question)
        };
        let found = knowledge.search_by(query, strategy).await?;
        let mut outcome = outcome(question, &found.items);
        outcome.answerable = found.answerable;
        outcome.ms = found.took.as_secs_f64() * 1e3;
        results.push((question, outcome));
    }
    Ok(Report::of(&results))
}

fn outcome(question: &GoldenQuestion, hits: &[SearchHit]) -> Outcome {
    let mut open: Vec<_> = question.expected.iter().collect();
    let ideal: f64 = (1..).take(open.len().min(K)).map(discount).sum();
    let (mut rank, mut gained) = (None, 0.0);
    for (place, hit) in (1..).zip(hits.iter().take(K)) {
        // Each place that was expected counts once, at its first hit.
        let met = open.iter().position(|expected| expected.is_met_by(hit));
        if let Some(at) = met {
            open.swap_remove(at);
            gained += discount(place);
            rank = rank.or(usize::try_from(place).ok());
        }
    }
    let first = hits.first().map(|hit| {
        let heading = hit.heading_path.last().unwrap_or(&hit.title);
        format!("{}: {heading}", hit.source)
    });
    Outcome {
        rank,
        ndcg: if ideal > 0.0 { gained / ideal } else { 0.0 },
        first,
        ..Outcome::default()
    }
}

fn discount(place: u32) -> f64 {
    1.0 / (f64::from(place) + 1.0).log2()
}
