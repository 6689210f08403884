//! The laws of the ports, for every adapter to run against a plan at rest.
//!
//! An adapter's tests name a way to a fresh [`Stage`], and each macro gives one named test for each
//! law:
//!
//! ```text
//! resync_tws::plan_gateway_contract!(stage());
//! resync_tws::log_gateway_contract!(stage());
//! resync_tws::action_gateway_contract!(stage());
//! ```
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "laws are tests and fail by panicking"
)]

mod action;
pub mod audit;
mod definitions;
pub mod engines;
pub mod history;
mod log;
mod objects;
mod plan;
pub mod proposals;
mod stage;
pub mod thresholds;

pub use action::*;
pub use definitions::*;
pub use log::*;
pub use objects::*;
pub use plan::*;
pub use stage::{Settle, Stage};

/// One test for each law of [`crate::ports::PlanGateway`]. `$stage` makes a future of a [`Stage`].
#[macro_export]
macro_rules! plan_gateway_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            the_engine_says_who_it_is
            a_missing_job_is_none
            a_missing_job_has_no_neighbours
            paging_covers_every_job_once
            an_offset_past_the_end_is_an_empty_last_page
            the_total_is_the_number_of_jobs
            a_listed_job_reads_the_same_by_its_id
            a_status_finds_its_jobs_and_no_others
            several_statuses_find_the_jobs_of_each
            a_name_finds_its_jobs_and_no_others
            a_wildcard_finds_what_it_stands_for
            a_workstation_finds_its_jobs_and_no_others
            a_folder_is_found_with_and_without_its_slash
            a_stream_finds_its_jobs_and_no_others
            filters_narrow_each_other
            a_name_that_nobody_has_finds_nothing
            an_order_by_name_goes_up
            an_order_by_priority_goes_down
            a_neighbour_is_no_stranger_to_the_job
            no_job_is_its_own_neighbour_and_none_comes_twice
            a_deeper_walk_finds_no_less
            dependencies_come_when_asked_for
            paging_covers_every_stream_once
            every_workstation_comes_once
        }
    };
}

/// One test for each law of [`crate::ports::LogGateway`]. `$stage` makes a future of a [`Stage`].
#[macro_export]
macro_rules! log_gateway_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            an_unknown_run_has_no_log
            lines_are_numbered_as_asked
            a_log_that_goes_on_says_so
            past_the_end_of_a_log_there_are_no_lines
        }
    };
}

/// One test for each law of [`crate::ports::ActionGateway`]. `$stage` makes a future of a [`Stage`].
#[macro_export]
macro_rules! action_gateway_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            an_action_on_a_missing_job_finds_no_such_job
            an_ended_job_cannot_be_killed
            a_rerun_without_a_run_is_not_sent
            a_waiting_job_can_be_held
        }
    };
}

/// One test for each law of [`crate::ports::ObjectGateway`] and of the actions on its objects. `$stage`
/// makes a future of a [`Stage`].
#[macro_export]
macro_rules! object_gateway_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            a_listed_stream_reads_the_same_by_its_id
            a_listed_workstation_reads_the_same_by_its_id
            every_resource_comes_once_and_reads_the_same_by_its_id
            every_prompt_comes_once_and_reads_the_same_by_its_id
            a_missing_object_is_none
            a_count_is_the_number_of_jobs
            the_groups_of_a_count_add_up_to_it
            an_action_on_a_missing_object_finds_no_such_object
            an_action_that_does_not_go_with_its_target_is_not_sent
            an_asked_prompt_takes_an_answer
        }
    };
}

/// One test for each law of a list that goes on behind a job, for engines that compare names: see
/// [`crate::model::JobQuery::after`]. `$stage` makes a future of a [`Stage`].
#[macro_export]
macro_rules! keyset_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            pages_behind_a_job_cover_every_job_once
            behind_the_last_job_there_is_nothing
        }
    };
}

/// One test for each law of [`crate::ports::DefinitionGateway`] and [`crate::ports::SubmitGateway`].
/// `$stage` makes a future of a [`Stage`].
#[macro_export]
macro_rules! definition_gateway_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            paging_covers_every_definition_once
            a_name_finds_its_definitions_and_no_others
            a_submission_of_no_definition_finds_none
            a_submitted_stream_comes_into_the_plan
        }
    };
}

/// One test for each law of [`crate::ports::EngineMonitor`]. `$stage` makes a future of a [`Stage`].
#[macro_export]
macro_rules! engine_monitor_contract {
    ($stage:expr) => {
        $crate::gateway_contract_tests! { $stage,
            the_engine_tells_what_can_be_done_to_a_job
            after_a_good_call_the_breaker_is_closed
        }
    };
}

/// The tests behind the macros of the gateways.
#[doc(hidden)]
#[macro_export]
macro_rules! gateway_contract_tests {
    ($stage:expr, $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                let stage = $stage.await;
                $crate::contract::$law(&stage).await;
            }
        )*
    };
}

/// One test for each law of [`crate::ports::ProposalStore`]. `$fresh` makes a future of a pair of an
/// `Arc` of the store and what must outlive it.
#[macro_export]
macro_rules! proposal_store_contract {
    ($fresh:expr) => {
        $crate::store_contract_tests! { $fresh, proposals,
            a_proposal_reads_back_whole
            an_id_is_taken_once
            a_proposal_is_used_once
            an_expired_proposal_is_not_used
            an_unknown_proposal_is_unknown
            a_purge_takes_what_has_ended
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn of_many_at_once_one_uses_it() {
            let (store, _guard) = $fresh.await;
            $crate::contract::proposals::of_many_at_once_one_uses_it(store).await;
        }
    };
}

/// One test for each law of [`crate::ports::AuditLog`]. `$fresh` makes a future of a pair of an `Arc`
/// of the audit and what must outlive it.
#[macro_export]
macro_rules! audit_log_contract {
    ($fresh:expr) => {
        $crate::store_contract_tests! { $fresh, audit,
            rows_are_a_chain
            paging_covers_every_row_once
            an_action_has_one_outcome
            an_unfinished_intent_is_found
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn writers_at_once_make_one_chain() {
            let (log, _guard) = $fresh.await;
            $crate::contract::audit::writers_at_once_make_one_chain(log).await;
        }
    };
}

/// One test for each law of [`crate::ports::EngineRepository`]. `$fresh` makes a future of a pair of an
/// `Arc` of the repository and what must outlive it.
#[macro_export]
macro_rules! engine_repository_contract {
    ($fresh:expr) => {
        $crate::store_contract_tests! { $fresh, engines,
            an_engine_reads_back_whole
            a_name_is_taken_once
            a_change_replaces_and_makes_none
            a_removed_engine_is_gone
        }
    };
}

/// One test for each law of [`crate::ports::RunHistory`]. `$fresh` makes a future of a pair of an `Arc`
/// of the history and what must outlive it.
#[macro_export]
macro_rules! run_history_contract {
    ($fresh:expr) => {
        $crate::store_contract_tests! { $fresh, history,
            a_run_is_kept_once_and_reads_back_whole
            durations_of_many_jobs_are_those_of_their_newest_good_runs
            durations_of_no_job_or_of_very_many_are_one_read
            engines_do_not_share_runs
            the_first_look_is_remembered
            a_purge_takes_the_old_and_the_many
        }
    };
}

/// One test for each law of [`crate::ports::ThresholdRepository`]. `$fresh` makes a future of a pair of
/// an `Arc` of the repository and what must outlive it.
#[macro_export]
macro_rules! threshold_repository_contract {
    ($fresh:expr) => {
        $crate::store_contract_tests! { $fresh, thresholds,
            a_threshold_reads_back_whole_and_is_replaced
            a_removed_threshold_is_gone
        }
    };
}

/// The tests behind the macros of the stores.
#[doc(hidden)]
#[macro_export]
macro_rules! store_contract_tests {
    ($fresh:expr, $laws:ident, $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                let (store, _guard) = $fresh.await;
                $crate::contract::$laws::$law(&*store).await;
            }
        )*
    };
}
