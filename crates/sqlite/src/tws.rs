//! Ports of `resync-tws`.
