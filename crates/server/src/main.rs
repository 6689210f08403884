//! The command `resync`.
fn main() {}
