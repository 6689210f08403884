//! The laws of the ports and the faults, on real servers. They fail without them; they never skip.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fixture that cannot be made fails its test"
)]

mod contract;
mod faults;
mod faults_of_sharing;
mod lease;
mod proxy;
mod replica;
mod server;
mod sharing;
mod tls;
