//! The database file, its pragmas and its migrations.
