//! Tests that span crates; see `architecture.rs` and `e2e/`.
