//! Ports of `resync-chat`.
