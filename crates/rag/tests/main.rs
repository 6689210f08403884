//! The knowledge service on repositories in memory.

// `cfg(test)` tells clippy that these modules are tests, too.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod init;
#[cfg(test)]
mod knowledge;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod reindex;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod rerank;
#[cfg(test)]
mod retrieval;
#[cfg(test)]
mod support;
