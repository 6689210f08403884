//! Which installation is played, and how its nights go.

use std::str::FromStr;

use thiserror::Error;

/// An installation to play.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A retail bank with a night that goes wrong and nobody to help: the stage of the demo.
    #[default]
    Bank,
    /// The same bank with a scripted operator: the ledger's post job is rerun after 24 minutes when
    /// nobody else did, and the payroll's prompt is answered at 22:50.
    Helped,
    /// The same bank on nights when nothing fails and no agent is lost.
    Quiet,
    /// A workshop with four workstations, a handful of named streams and one failure a night.
    Small,
}

/// A name that is no profile.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no profile is called {0:?}; there are bank, helped, quiet and small")]
pub struct UnknownProfile(String);

impl Profile {
    /// `bank`, `helped`, `quiet` or `small`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Helped => "helped",
            Self::Quiet => "quiet",
            Self::Small => "small",
        }
    }

    /// Whether runs fail and agents are lost by themselves.
    pub(crate) fn has_failures(self) -> bool {
        self != Self::Quiet
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    /// `unhelped` is another name of `bank`.
    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "bank" | "unhelped" => Ok(Self::Bank),
            "helped" => Ok(Self::Helped),
            "quiet" => Ok(Self::Quiet),
            "small" => Ok(Self::Small),
            other => Err(UnknownProfile(other.to_owned())),
        }
    }
}
