//! The laws of [`ThresholdRepository`].

use uuid::Uuid;

use crate::model::NamePattern;
use crate::ports::{Threshold, ThresholdId, ThresholdRepository};

fn threshold(id: u128, minutes: u32) -> Threshold {
    Threshold {
        id: ThresholdId(Uuid::from_u128(id)),
        job: Some(NamePattern::parse("FIN_*").expect("a pattern")),
        stream: None,
        folder: Some(NamePattern::parse("/FIN/").expect("a pattern")),
        max_minutes: Some(minutes),
        late_minutes: None,
    }
}

/// What is kept reads back whole, in the order of ids, and a second one of an id takes its place.
pub async fn a_threshold_reads_back_whole_and_is_replaced(repository: &dyn ThresholdRepository) {
    for (id, minutes) in [(2, 20), (1, 10), (2, 30)] {
        repository
            .put(&threshold(id, minutes))
            .await
            .expect("a put");
    }
    let all = repository.list().await.expect("the list");
    assert_eq!(all, [threshold(1, 10), threshold(2, 30)]);
}

/// A removal tells whether there was one.
pub async fn a_removed_threshold_is_gone(repository: &dyn ThresholdRepository) {
    repository.put(&threshold(1, 10)).await.expect("a put");
    let id = threshold(1, 10).id;
    assert!(repository.remove(id).await.expect("a removal"));
    assert!(!repository.remove(id).await.expect("a removal"));
    assert_eq!(repository.list().await.expect("the list"), []);
}
