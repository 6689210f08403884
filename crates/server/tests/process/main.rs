//! `resync serve` as a process of its own: its first start, its probe and its end; and the
//! commands beside it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod accounts;
mod backup;
mod clients;
mod command;
mod end;
mod first_start;
mod kb;
mod moving;
mod outages;
mod probe;
mod replicas;
mod rolling;
mod server;
mod site;
mod wire;
