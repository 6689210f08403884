//! Ports of `resync-tws`.
//!
//! All tables are written through the one writer with `synchronous=FULL`, so what was answered is on
//! the disk: a proposal that was used stays used, and an intent is there before its call goes out.

mod audit;
mod engines;
mod history;
mod proposals;
mod thresholds;

pub use audit::SqliteAuditLog;
pub use engines::SqliteEngineRepository;
pub use history::SqliteRunHistory;
pub use proposals::SqliteProposalStore;
pub use thresholds::SqliteThresholdRepository;
