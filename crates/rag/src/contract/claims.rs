//! Claims: who works on a document.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "each law panics when it is broken, and passes the repository's errors on"
)]

use chrono::Duration;

use super::{
    Outcome, chunked, chunks, claimed, document, later, now, published, read_text, worker,
};
use crate::model::Stage;
use crate::ports::DocumentRepository;

/// A claim keeps others out until its end, can be renewed, and is another's afterwards.
pub async fn one_worker_has_a_document_until_its_time_is_over(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let id = document(1).id;
    claimed(documents, &document(1)).await?;
    let (second, after) = (Duration::seconds(1), later() + Duration::minutes(1));
    assert!(!documents.claim(id, worker(2), now(), later()).await?);
    let nearly = later() - second;
    assert!(!documents.claim(id, worker(2), nearly, after).await?);
    assert!(documents.claim(id, worker(1), nearly, after).await?);
    assert!(!documents.claim(id, worker(2), later(), after).await?);
    assert!(
        documents
            .claim(id, worker(2), after, after + second)
            .await?
    );
    assert!(
        !documents
            .claim(id, worker(1), after, after + second)
            .await?
    );
    Ok(())
}

/// However many try at once, one has it.
pub async fn of_workers_that_race_one_gets_the_document(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let id = document(1).id;
    documents.insert(&document(1), b"one").await?;
    let claim = |n| documents.claim(id, worker(n), now(), later());
    let (a, b, c) = tokio::join!(claim(1), claim(2), claim(3));
    let got = [a?, b?, c?].into_iter().filter(|got| *got).count();
    assert_eq!(got, 1);
    Ok(())
}

/// Who has lost a document to another, or never had it, leaves it as it is.
pub async fn a_worker_without_a_claim_changes_nothing(
    documents: &dyn DocumentRepository,
) -> Outcome {
    let id = document(1).id;
    documents.insert(&document(1), b"one").await?;
    let text = read_text("one");
    assert!(!documents.put_text(id, worker(1), &text).await?);
    assert_eq!(documents.get(id).await?, Some(document(1)));

    documents.claim(id, worker(1), now(), later()).await?;
    let taken = documents
        .claim(id, worker(2), later(), later() + Duration::minutes(1))
        .await?;
    assert!(taken);
    let cut = chunks(id, &["um"]);
    assert!(!documents.put_text(id, worker(1), &text).await?);
    assert!(!documents.put_chunks(id, worker(1), &cut).await?);
    assert!(!documents.fail(id, worker(1), "no").await?);
    assert!(!documents.defer(id, worker(1), now(), None).await?);
    assert_eq!(documents.publish(id, worker(1)).await?, None);
    assert_eq!(documents.get(id).await?, Some(document(1)));
    assert_eq!(documents.last_change().await?, 0);

    assert!(documents.put_text(id, worker(2), &text).await?);
    assert!(documents.put_chunks(id, worker(2), &cut).await?);
    assert!(documents.publish(id, worker(2)).await?.is_some());
    assert!(!documents.fail(id, worker(2), "the claim ended").await?);
    Ok(())
}

/// A deferred document is nobody's until its time, and says why until it gets on.
pub async fn a_deferred_document_waits_and_says_why(documents: &dyn DocumentRepository) -> Outcome {
    let id = document(1).id;
    chunked(documents, &document(1)).await?;
    let why = Some("the model is away".to_owned());
    assert!(documents.defer(id, worker(1), later(), why.clone()).await?);
    let waiting = documents.get(id).await?.map(|d| (d.waiting, d.stage));
    assert_eq!(waiting, Some((why, Stage::Chunks)));
    assert!(!documents.claim(id, worker(1), now(), later()).await?);
    assert_eq!(documents.claimable(now(), 10).await?, []);
    assert_eq!(documents.claimable(later(), 10).await?, [id]);
    let until = later() + Duration::minutes(1);
    assert!(documents.claim(id, worker(2), later(), until).await?);
    documents.publish(id, worker(2)).await?;
    let waiting = documents.get(id).await?.map(|d| d.waiting);
    assert_eq!(waiting, Some(None));
    Ok(())
}

/// Only what is unfinished and free is offered, oldest first.
pub async fn finished_documents_are_not_offered(documents: &dyn DocumentRepository) -> Outcome {
    published(documents, &document(1)).await?;
    claimed(documents, &document(2)).await?;
    documents.fail(document(2).id, worker(1), "no").await?;
    chunked(documents, &document(3)).await?;
    documents.insert(&document(5), b"one").await?;
    documents.insert(&document(4), b"one").await?;
    let [third, fourth, fifth] = [3, 4, 5].map(|n| document(n).id);
    assert_eq!(documents.claimable(now(), 10).await?, [fourth, fifth]);
    assert_eq!(documents.claimable(now(), 1).await?, [fourth]);
    assert_eq!(
        documents.claimable(later(), 10).await?,
        [third, fourth, fifth]
    );
    Ok(())
}
