//! Benches only; see `cargo bench -p resync-benches`.
