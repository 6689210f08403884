//! Every port, in memory: for tests, demos and the dev server.
