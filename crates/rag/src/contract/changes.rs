//! The feed of changes.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the repository's errors on"
)]

use super::{Outcome, document, later, now, published, worker};
use crate::ports::{Change, ChangeKind, DocumentRepository};

/// Numbers rise by every change; only the last change of a document stays in the feed.
pub async fn changes_come_in_order_and_once_for_each_document(
    documents: &dyn DocumentRepository,
) -> Outcome {
    assert_eq!(documents.changes(0, 10).await?, []);
    let [first, second] = [1, 2].map(|n| document(n).id);
    published(documents, &document(1)).await?;
    let one = documents.last_change().await?;
    published(documents, &document(2)).await?;
    let two = documents.last_change().await?;
    assert!(0 < one && one < two);
    let change = |seq, document, kind| Change {
        seq,
        document,
        kind,
    };
    let ready = ChangeKind::Ready;
    let both = [change(one, first, ready), change(two, second, ready)];
    assert_eq!(documents.changes(0, 10).await?, both);
    assert_eq!(documents.changes(0, 1).await?, both[..1]);
    assert_eq!(documents.changes(one, 10).await?, both[1..]);

    documents.delete(first).await?;
    let three = documents.last_change().await?;
    assert!(two < three);
    let gone = change(three, first, ChangeKind::Gone);
    assert_eq!(documents.changes(0, 10).await?, [both[1], gone]);
    assert!(documents.claim(second, worker(1), now(), later()).await?);
    documents.publish(second, worker(1)).await?;
    let four = documents.last_change().await?;
    let again = change(four, second, ready);
    assert_eq!(documents.changes(two, 10).await?, [gone, again]);
    Ok(())
}

/// What is forgotten are removals that are old enough; numbers go on from where they were.
pub async fn forgotten_removals_leave_the_rest_of_the_feed(
    documents: &dyn DocumentRepository,
) -> Outcome {
    for n in 1..=3 {
        published(documents, &document(n)).await?;
    }
    documents.delete(document(1).id).await?;
    let old = documents.last_change().await?;
    documents.delete(document(2).id).await?;
    let last = documents.last_change().await?;
    documents.trim_changes(old).await?;
    let kept: Vec<_> = documents
        .changes(0, 10)
        .await?
        .into_iter()
        .map(|change| (change.document, change.kind))
        .collect();
    let expected = [
        (document(3).id, ChangeKind::Ready),
        (document(2).id, ChangeKind::Gone),
    ];
    assert_eq!(kept, expected);
    documents.trim_changes(last).await?;
    assert_eq!(documents.last_change().await?, last);
    published(documents, &document(4)).await?;
    assert!(documents.last_change().await? > last);
    Ok(())
}
