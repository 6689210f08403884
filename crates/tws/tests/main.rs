//! Stories of the plan over the ports in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fixture that cannot be made fails its test"
)]

mod acting;
mod attention;
mod auditing;
mod diagnosing;
mod engines;
mod fixture;
mod ledger;
mod lists;
mod reading;
mod replicas;
