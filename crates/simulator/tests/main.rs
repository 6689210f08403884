//! The simulator over real sockets.

#[cfg(test)]
mod actions;
#[cfg(test)]
mod control;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod every_fault;
#[cfg(test)]
mod every_quirk;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
#[cfg(test)]
mod writes;
