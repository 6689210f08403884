//! The client against small servers that answer whatever a test says, and against the simulator.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not their helpers"
)]

mod acting;
mod ambiguities;
mod contract;
mod diagnosis;
mod faults;
mod fixture;
mod mutation;
mod oql_laws;
mod prompts;
mod reading;
mod sockets;
