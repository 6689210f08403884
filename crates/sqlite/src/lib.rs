//! SQLite repositories: the embedded store.
