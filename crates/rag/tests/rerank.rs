//! The re-ranker: its order when it answers, the order without it when it does not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_rag::{
    KnowledgeParts, KnowledgeService, Reranker, RerankerError, Reranking, SearchQuery,
    SearchResults,
};

use crate::support::{Switched, parts, taken_in, upload};

/// What the re-ranker does.
#[derive(Clone, Copy)]
enum Does {
    /// Likes what `{0}` stands in.
    Likes(&'static str),
    Fails,
    Sleeps,
    Miscounts,
    GivesNoNumber,
}

#[async_trait]
impl Reranker for Does {
    async fn rerank(&self, question: &str, texts: Vec<String>) -> Result<Vec<f32>, RerankerError> {
        assert_eq!(question, "disk full");
        match self {
            Self::Likes(word) => Ok(texts
                .iter()
                .map(|text| f32::from(u8::from(text.contains(word))))
                .collect()),
            Self::Fails => Err(RerankerError::Unavailable("away".into())),
            Self::Sleeps => std::future::pending().await,
            Self::Miscounts => Ok(vec![1.0]),
            Self::GivesNoNumber => Ok(vec![f32::NAN; texts.len()]),
        }
    }
}

async fn asked(reranker: Option<Does>, k: usize) -> SearchResults {
    let knowledge = KnowledgeService::new(KnowledgeParts {
        reranker: reranker.map(|does| Arc::new(does) as _),
        ..parts(Arc::new(Switched::default()), Arc::default())
    });
    for n in 1..=6 {
        let text = format!("# Disk full on host {n}\n\nWhen the disk is full, call team {n}.\n");
        taken_in(&knowledge, upload(&format!("{n}.md"), text)).await;
    }
    let query = SearchQuery {
        k,
        explain: true,
        ..SearchQuery::new("disk full")
    };
    knowledge.search(query).await.unwrap()
}

fn sources(found: &SearchResults) -> Vec<&str> {
    found.items.iter().map(|hit| hit.source.as_str()).collect()
}

#[tokio::test]
async fn hits_are_in_the_order_of_the_re_ranker() {
    let without = asked(None, 3).await;
    assert_eq!(without.reranking, None);
    let found = asked(Some(Does::Likes("team 6")), 3).await;
    assert_eq!(found.reranking, Some(Reranking::Done));
    // More are read than are given, and what it holds for equal stays as it was.
    assert_eq!(sources(&found)[0], "6.md");
    assert_eq!(sources(&found)[1..], sources(&without)[..2]);
    assert_eq!(found.answerable, without.answerable);
    let scores: Vec<_> = found
        .items
        .iter()
        .map(|hit| hit.explanation.as_ref().unwrap().scores.reranked)
        .collect();
    assert_eq!(scores, [Some(1.0), Some(0.0), Some(0.0)]);
    // The headings are read, too.
    let found = asked(Some(Does::Likes("host 5")), 1).await;
    assert_eq!(sources(&found), ["5.md"]);
}

#[tokio::test(start_paused = true)]
async fn a_re_ranker_that_is_away_or_slow_leaves_the_order_and_that_is_said() {
    let without = asked(None, 5).await;
    for (does, said) in [
        (Does::Fails, Reranking::Away),
        (Does::Miscounts, Reranking::Away),
        (Does::GivesNoNumber, Reranking::Away),
        (Does::Sleeps, Reranking::Slow),
    ] {
        let begun = tokio::time::Instant::now();
        let found = asked(Some(does), 5).await;
        assert_eq!(found.reranking, Some(said));
        assert_eq!(sources(&found), sources(&without));
        assert!(
            found.items.iter().all(|hit| hit
                .explanation
                .as_ref()
                .unwrap()
                .scores
                .reranked
                .is_none())
        );
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
}
