//! Ports of `resync-auth`.
