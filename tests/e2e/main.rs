//! End to end: the server's own wiring on a real socket, before a simulated engine on another.

mod actions;
mod faults;
mod harness;
mod knowledge;
mod services;
mod session;
mod socket;
