//! Stories of the plan over the ports in memory.

mod acting;
mod auditing;
mod fixture;
mod ledger;
mod reading;
