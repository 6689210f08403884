//! Documents, chunking and retrieval.
