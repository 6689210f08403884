//! Roles and what each may do: the only place that grants a right.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and asks.
    Viewer,
    /// A viewer who also acts on the plan.
    Operator,
    /// Everything, with the administration.
    Admin,
    /// A machine: it has API keys, never a password login, and confirms no action.
    Service,
}

/// A text names no role.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("a role is viewer, operator, admin or service")]
pub struct UnknownRole;

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::Service];

    /// What the role may do; an API key may narrow it, nothing widens it.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Viewer => &[
                Permission::ReadPlan,
                Permission::Chat,
                Permission::ReadKnowledge,
            ],
            Self::Operator => &[
                Permission::ReadPlan,
                Permission::Chat,
                Permission::ReadKnowledge,
                Permission::ProposeActions,
                Permission::ConfirmActions,
                Permission::AckAlerts,
            ],
            Self::Admin => &Permission::ALL,
            Self::Service => &[
                Permission::ReadPlan,
                Permission::Chat,
                Permission::ReadKnowledge,
                Permission::ProposeActions,
            ],
        }
    }

    /// Whether the role has `permission`.
    #[must_use]
    pub fn can(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }

    /// The role's name on the wire and in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// Reads [`Role::as_str`] back.
    ///
    /// # Errors
    /// [`UnknownRole`] for any other text.
    pub fn parse(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One right, checked before a use case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// See jobs, streams, workstations, logs and alerts.
    #[serde(rename = "plan.read")]
    ReadPlan,
    /// Ask questions.
    #[serde(rename = "chat.use")]
    Chat,
    /// Search and read documents.
    #[serde(rename = "knowledge.read")]
    ReadKnowledge,
    /// Propose an action on the plan.
    #[serde(rename = "actions.propose")]
    ProposeActions,
    /// Confirm a proposed action, which is then carried out.
    #[serde(rename = "actions.confirm")]
    ConfirmActions,
    /// Acknowledge alerts.
    #[serde(rename = "alerts.ack")]
    AckAlerts,
    /// Create, change, unlock and delete users.
    #[serde(rename = "users.manage")]
    ManageUsers,
    /// Add, change and remove engines.
    #[serde(rename = "engines.manage")]
    ManageEngines,
    /// Upload and delete documents.
    #[serde(rename = "knowledge.manage")]
    ManageKnowledge,
    /// Read, verify and export the audit log.
    #[serde(rename = "audit.read")]
    ReadAudit,
    /// See and invalidate the plan cache.
    #[serde(rename = "cache.manage")]
    ManageCache,
}

/// A text names no permission.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("no such permission")]
pub struct UnknownPermission;

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 11] = [
        Self::ReadPlan,
        Self::Chat,
        Self::ReadKnowledge,
        Self::ProposeActions,
        Self::ConfirmActions,
        Self::AckAlerts,
        Self::ManageUsers,
        Self::ManageEngines,
        Self::ManageKnowledge,
        Self::ReadAudit,
        Self::ManageCache,
    ];

    /// The permission's dotted name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadPlan => "plan.read",
            Self::Chat => "chat.use",
            Self::ReadKnowledge => "knowledge.read",
            Self::ProposeActions => "actions.propose",
            Self::ConfirmActions => "actions.confirm",
            Self::AckAlerts => "alerts.ack",
            Self::ManageUsers => "users.manage",
            Self::ManageEngines => "engines.manage",
            Self::ManageKnowledge => "knowledge.manage",
            Self::ReadAudit => "audit.read",
            Self::ManageCache => "cache.manage",
        }
    }

    /// Reads [`Permission::as_str`] back.
    ///
    /// # Errors
    /// [`UnknownPermission`] for any other text.
    pub fn parse(text: &str) -> Result<Self, UnknownPermission> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(UnknownPermission)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P2-08: the whole matrix, as reviewed; rows in the order viewer, operator, admin, service.
    #[test]
    fn permission_matrix() {
        let row = |permission: Permission| {
            let cells = Role::ALL.map(|role| if role.can(permission) { "yes" } else { "-" });
            format!("{permission} {}\n", cells.join(" "))
        };
        let matrix = Permission::ALL.map(row).concat();
        assert_eq!(
            matrix,
            "plan.read yes yes yes yes\n\
             chat.use yes yes yes yes\n\
             knowledge.read yes yes yes yes\n\
             actions.propose - yes yes yes\n\
             actions.confirm - yes yes -\n\
             alerts.ack - yes yes -\n\
             users.manage - - yes -\n\
             engines.manage - - yes -\n\
             knowledge.manage - - yes -\n\
             audit.read - - yes -\n\
             cache.manage - - yes -\n"
        );
    }

    #[test]
    fn names_read_back_and_equal_their_json() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Ok(permission));
            assert_eq!(
                serde_json::to_value(permission).unwrap(),
                permission.as_str()
            );
        }
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert_eq!(Role::parse("Admin"), Err(UnknownRole));
        assert_eq!(Permission::parse("plan.write"), Err(UnknownPermission));
    }
}
