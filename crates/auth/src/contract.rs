//! The laws of the ports, for every adapter to run.
