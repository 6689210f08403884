//! Files as they come, through a worker of our own: what is read of each kind, and what traps cost.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod docx;
mod files;
mod kinds;
mod limits;
mod pdf;
mod traps;
