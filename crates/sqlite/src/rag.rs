//! Ports of `resync-rag`.
