//! The client against small servers that answer whatever a test says, and against the simulator.

mod acting;
mod contract;
mod faults;
mod fixture;
mod reading;
