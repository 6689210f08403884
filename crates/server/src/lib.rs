//! The binary resync: configuration, wiring, lifecycle and commands.
