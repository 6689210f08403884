//! HTTP: REST, WebSocket and the mapping from errors to problems.
