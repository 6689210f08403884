//! The operator's pages and their assets, inside the binary.
