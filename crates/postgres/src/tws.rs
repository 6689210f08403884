//! Ports of `resync-tws`.
//!
//! A commit that was answered is on the server's disk: a proposal that was used stays used, and an
//! intent is there before its call goes out. Bodies that are only read as a whole are `json` and not
//! `jsonb`, which refuses the escape of a NUL that a reason or a log line may hold.

mod audit;
mod engines;
mod history;
mod proposals;
mod thresholds;

pub use audit::PgAuditLog;
pub use engines::PgEngineRepository;
pub use history::PgRunHistory;
pub use proposals::PgProposalStore;
pub use thresholds::PgThresholdRepository;
