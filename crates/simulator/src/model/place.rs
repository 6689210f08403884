//! Where jobs run, and what they share there.

use crate::{
    names::{Id, id},
    table::{JobKey, StationKey},
};

/// A workstation and its state.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    pub(crate) name: String,
    path: String,
    id: Id,
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
    /// A station that is up and does nothing yet.
    pub(crate) fn new(name: &str, kind: &'static str, os: &'static str, limit: u32) -> Self {
        Self {
            name: name.to_owned(),
            path: format!("/{name}"),
            id: id("workstation", name),
            kind,
            os,
            limit,
            fence: 0,
            linked: true,
            running: true,
            members: Vec::new(),
            busy: 0,
        }
    }

    pub(crate) fn is_master(&self) -> bool {
        self.kind == "MANAGER" && self.name == "MDM"
    }

    /// Absolute path, as the wire names it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn id(&self) -> Id {
        self.id
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
