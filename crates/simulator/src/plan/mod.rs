//! From definitions to plans.
//!
//! 1. [`catalogue`] with equal arguments gives equal definitions.
//! 2. [`instances::build`] makes the plan of one day; it is the only place where ids of instances
//!    are made.

pub(crate) mod bank;
mod core;
mod fill;
pub(crate) mod instances;
mod small;

use crate::{model::Catalogue, profile::Profile};

/// The definitions of a profile, for a plan of about `jobs` jobs.
pub(crate) fn catalogue(profile: Profile, seed: u64, jobs: usize) -> Catalogue {
    match profile {
        Profile::Bank | Profile::Helped | Profile::Quiet => bank::catalogue(seed, jobs),
        Profile::Small => small::catalogue(seed, jobs),
    }
}
