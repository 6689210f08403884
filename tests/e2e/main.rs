//! End to end: the server's own wiring on a real socket, before a simulated engine on another.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod accounts;
mod actions;
mod apikeys;
mod check;
mod clients;
mod conversations;
mod edge;
mod edge_input;
mod edge_load;
mod engines;
mod fault_matrix;
mod faults;
mod harness;
mod jobs;
mod knowledge;
mod llm;
mod lockout_replicas;
mod log_lines;
mod oidc;
mod plan;
mod privacy;
mod replicas;
mod secrets_shown;
mod services;
mod session;
mod socket;
mod store_outage;
mod transcripts;
mod two_engines;
