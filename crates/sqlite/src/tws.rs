//! Ports of `resync-tws`.
//!
//! Both tables are written through the one writer with `synchronous=FULL`, so what was answered is on
//! the disk: a proposal that was used stays used, and an intent is there before its call goes out.

mod audit;
mod proposals;

pub use audit::SqliteAuditLog;
pub use proposals::SqliteProposalStore;
