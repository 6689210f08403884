//! The use cases on in-memory ports.
