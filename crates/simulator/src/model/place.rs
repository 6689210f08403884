//! Where jobs run, and what they share there.

use crate::table::{JobKey, StationKey};

/// A workstation and its state.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) os: &'static str,
    pub(crate) limit: u32,
    pub(crate) fence: u32,
    pub(crate) linked: bool,
    pub(crate) running: bool,
    /// Members of a pool.
    pub(crate) members: Vec<StationKey>,
    /// Slots in use.
    pub(crate) busy: u32,
}

impl Station {
    pub(crate) fn is_master(&self) -> bool {
        self.kind == "MANAGER" && self.name == "MDM"
    }

    /// Absolute path, as the wire names it.
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.name)
    }

    pub(crate) fn id(&self) -> String {
        crate::names::id("workstation", &self.name)
    }
}

/// A resource and what is held of it.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) station: StationKey,
    pub(crate) quantity: u32,
    pub(crate) used: u32,
    /// Who holds how much, in the order of taking.
    pub(crate) holders: Vec<(JobKey, u32)>,
}

impl Resource {
    pub(crate) fn available(&self) -> u32 {
        self.quantity.saturating_sub(self.used)
    }
}
