//! The simulator over real sockets.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod quirks;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
#[cfg(test)]
mod writes;
