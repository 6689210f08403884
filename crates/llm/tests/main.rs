//! The client against servers on the loopback.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests, not their helpers"
)]

mod completions;
mod embeddings;
mod rerank;
