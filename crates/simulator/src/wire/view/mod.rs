//! Objects of the plan as JSON, after the shape of the vendor's document.
//!
//! A view borrows from the plan and is written straight into the answer; who wants to change it
//! makes a [`tree`] of it. Its fields stand in the order of their names, as a tree sorts them, so
//! that both ways give the same bytes.

mod dependency;
mod job;
#[cfg(test)]
mod laws;
mod stream;

pub(super) use dependency::dependency_id;
pub(super) use job::{job, max_duration_gone, min_duration_not_reached, recovery_text};
pub(super) use stream::{StreamView, stream};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::names::{Id, id};
use crate::wire::Role;

/// What a list leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) definitions: bool,
    pub(super) dependencies: bool,
}

impl Scope {
    pub(super) const WHOLE: Self = Self {
        definitions: true,
        dependencies: true,
    };

    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        let (definitions, dependencies) = match text {
            None | Some("WHOLE" | "SELF_SERVICE_CATALOG") => (true, true),
            Some("WHOLE_NO_DEPENDENCIES") => (true, false),
            Some("WHOLE_NO_JOB_DEFINITIONS") => (false, true),
            Some("WHOLE_NO_JOB_DEFINITIONS_AND_NO_DEPENDENCIES") => (false, false),
            Some(_) => return None,
        };
        Some(Self {
            definitions,
            dependencies,
        })
    }
}

/// Collects fields, leaving out what is absent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self(fields),
            _ => Self(Map::new()),
        }
    }

    pub(super) fn put(&mut self, name: &str, value: impl Serialize) {
        self.0.insert(name.to_owned(), tree(value));
    }

    pub(super) fn some(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    pub(super) fn value(self) -> Value {
        Value::Object(self.0)
    }
}

/// A view as a tree that can be changed.
pub(super) fn tree(view: impl Serialize) -> Value {
    // No view has a map with other keys than texts, which alone could fail.
    serde_json::to_value(view).unwrap_or_default()
}

/// The actions that an object offers.
#[derive(Debug)]
pub(super) struct Actions(Vec<&'static str>);

impl Actions {
    /// What an object offers to whoever has `role`: who may only look is offered nothing.
    pub(super) fn offered(role: Role, keys: impl IntoIterator<Item = &'static str>) -> Self {
        match role {
            Role::Viewer => Self(Vec::new()),
            Role::Operator | Role::Admin => Self(keys.into_iter().collect()),
        }
    }
}

impl Serialize for Actions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Action {
            id: &'static str,
            key: &'static str,
        }
        serializer.collect_seq(self.0.iter().map(|key| Action { id: key, key }))
    }
}

pub(super) fn engine_id() -> Id {
    id("engine", "MDM")
}

pub(super) fn folder_id(folder: &str) -> Id {
    id("folder", folder)
}
