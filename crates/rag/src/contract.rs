//! The laws of [`DocumentRepository`](crate::DocumentRepository) and
//! [`VectorRepository`](crate::VectorRepository), for every adapter to run.
//!
//! ```text
//! resync_rag::document_repository_contract!(repository().await);
//! resync_rag::vector_repository_contract!(repository().await);
//! resync_rag::vector_search_contract!(search().await);
//! ```
//! The expression gives a guard, which lives as long as the test, and an empty repository; for the
//! laws of vectors it implements both ports over the same rows. That of the search gives a third: what
//! finds the repository's vectors ([`VectorSearch`](crate::VectorSearch)).

mod changes;
mod claims;
mod documents;
mod make;
mod search;
mod vectors;
mod versions;

pub use changes::*;
pub use claims::*;
pub use documents::*;
pub use make::*;
pub use search::*;
pub use vectors::*;
pub use versions::*;

use crate::ports::DocumentRepositoryError;

type Outcome = Result<(), DocumentRepositoryError>;

/// Gives an adapter one named test for each law of documents.
#[macro_export]
macro_rules! document_repository_contract {
    ($make:expr) => {
        $crate::document_repository_contract! { @laws $make;
            an_inserted_document_reads_back_whole
            a_read_text_takes_the_place_of_the_file
            the_same_bytes_are_one_document
            concurrent_inserts_of_the_same_bytes_keep_one
            deleted_bytes_may_come_again
            chunks_are_replaced_as_a_whole
            a_failure_keeps_its_reason_and_nothing_else
            a_missing_document_is_none_and_nothing_is_written
            deletion_takes_everything_along
            pages_are_newest_first_and_do_not_overlap
            filters_narrow_the_list
            ready_documents_are_visited_oldest_first
            counts_follow_every_change
            other_bytes_at_a_path_are_the_next_version
            a_published_version_takes_the_place_of_smaller_ones
            the_same_path_in_another_collection_is_another_document
            a_failed_document_begins_anew_with_its_bytes
            concurrent_versions_have_numbers_of_their_own
            one_worker_has_a_document_until_its_time_is_over
            of_workers_that_race_one_gets_the_document
            a_worker_without_a_claim_changes_nothing
            a_deferred_document_waits_and_says_why
            finished_documents_are_not_offered
            changes_come_in_order_and_once_for_each_document
            forgotten_removals_leave_the_rest_of_the_feed
        }
    };
    (@laws $make:expr; $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                let (_guard, repository) = $make;
                if let Err(error) = $crate::contract::$law(&repository).await {
                    panic!("{error}: {error:?}");
                }
            }
        )*
    };
}

/// Gives an adapter one named test for each law of vectors.
#[macro_export]
macro_rules! vector_repository_contract {
    ($make:expr) => {
        $crate::document_repository_contract! { @laws $make;
            vectors_come_back_by_model_when_all_are_there
            batches_of_vectors_come_in_order_or_not_at_all
            vectors_of_another_model_are_replaced_chunk_by_chunk
            vectors_go_with_their_chunks_and_documents
            models_are_counted
            a_ready_document_is_recut_at_once
            a_recut_needs_the_claim_and_a_vector_for_each_chunk
        }
    };
}

/// Gives an adapter one named test for each law of the search of vectors.
#[macro_export]
macro_rules! vector_search_contract {
    ($make:expr) => {
        $crate::vector_search_contract! { @laws $make;
            the_nearest_come_first_and_equal_ones_by_their_place
            only_ready_documents_are_found
            a_collection_is_searched_alone
            a_question_meets_vectors_of_its_own_model
            a_question_of_other_dimensions_is_refused
            zeros_have_no_neighbour
            recall_at_ten_is_high
        }
    };
    (@laws $make:expr; $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                let (_guard, repository, search) = $make;
                if let Err(error) = $crate::contract::$law(&repository, &search).await {
                    panic!("{error}: {error:?}");
                }
            }
        )*
    };
}
