//! The laws of [`AnswerStore`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::soon;
use crate::{AnswerClaim, AnswerStore, Asked};

/// How long the stores of a harness keep an answer.
pub const KEEP: Duration = Duration::from_hours(24);

/// A store without an answer, which keeps each for [`KEEP`] and whose clock the laws can move.
#[async_trait]
pub trait AnswersHarness: Send + Sync {
    /// The store of another replica.
    async fn replica(&self) -> Arc<dyn AnswerStore>;
    /// Lets time pass for the store.
    async fn advance(&self, by: Duration);
}

/// Gives an adapter one test for each law; `$make` returns the future of an [`AnswersHarness`].
#[macro_export]
macro_rules! answer_store_contract {
    ($make:path) => {
        $crate::__sync_laws!(
            answers,
            $make,
            one_of_many_does_the_work,
            an_answer_is_told_again,
            another_question_under_the_key_is_refused,
            work_without_an_answer_leaves_nothing,
            an_answer_is_forgotten_after_its_time,
        );
    };
}

const QUESTION: [u8; 32] = [7; 32];

async fn claim(store: &dyn AnswerStore, key: &str) -> AnswerClaim {
    match store.begin(key, QUESTION).await {
        Asked::New(claim) => claim,
        other => panic!("{key}: {other:?}"),
    }
}

fn answer() -> Bytes {
    Bytes::from_static(b"{\"executed\":true}\0\xff\r\n")
}

/// However many replicas are asked at once; the others are told that it is under way.
pub async fn one_of_many_does_the_work(harness: &dyn AnswersHarness) {
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = harness.replica().await;
        asked.spawn(async move { store.begin("a", QUESTION).await });
    }
    let asked = asked.join_all().await;
    let of = |wanted: fn(&Asked) -> bool| asked.iter().filter(|found| wanted(found)).count();
    assert_eq!(of(|found| matches!(found, Asked::New(_))), 1, "{asked:?}");
    assert_eq!(of(|found| matches!(found, Asked::UnderWay)), 19);
}

/// On any replica, byte for byte.
pub async fn an_answer_is_told_again(harness: &dyn AnswersHarness) {
    let replicas = [harness.replica().await, harness.replica().await];
    claim(&*replicas[0], "a").await.finish(answer()).await;
    for store in &replicas {
        for _ in 0..2 {
            match store.begin("a", QUESTION).await {
                Asked::Answered(told) => assert_eq!(told, answer()),
                other => panic!("{other:?}"),
            }
        }
    }
    let _other = claim(&*replicas[1], "b").await;
}

/// Under way or answered.
pub async fn another_question_under_the_key_is_refused(harness: &dyn AnswersHarness) {
    let (one, other) = (harness.replica().await, harness.replica().await);
    let under_way = claim(&*one, "a").await;
    let asked = other.begin("a", [8; 32]).await;
    assert!(matches!(asked, Asked::OtherQuestion), "{asked:?}");
    under_way.finish(answer()).await;
    let asked = other.begin("a", [8; 32]).await;
    assert!(matches!(asked, Asked::OtherQuestion), "{asked:?}");
}

/// Dropped, or of a holder that died: an hour is more than any work may take.
pub async fn work_without_an_answer_leaves_nothing(harness: &dyn AnswersHarness) {
    let (one, other) = (harness.replica().await, harness.replica().await);
    drop(claim(&*one, "a").await);
    let next = soon(|| async {
        match other.begin("a", QUESTION).await {
            Asked::New(claim) => Some(claim),
            _ => None,
        }
    })
    .await;
    next.finish(answer()).await;
    let asked = one.begin("a", QUESTION).await;
    assert!(matches!(asked, Asked::Answered(_)), "{asked:?}");
}

/// And may be asked for anew.
pub async fn an_answer_is_forgotten_after_its_time(harness: &dyn AnswersHarness) {
    let store = harness.replica().await;
    claim(&*store, "a").await.finish(answer()).await;
    harness.advance(KEEP / 2).await;
    let asked = store.begin("a", QUESTION).await;
    assert!(matches!(asked, Asked::Answered(_)), "{asked:?}");
    harness.advance(KEEP / 2).await;
    let _new = claim(&*store, "a").await;
}
