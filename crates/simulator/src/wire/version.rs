//! Which release of the engine answers.

use std::str::FromStr;

use thiserror::Error;

/// A release of the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// 10.1.0.1, the release of the vendor's document.
    #[default]
    V10_1,
    /// 10.2.5.
    V10_2_5,
    /// 10.2.8: lists prompts, and shows `/metrics` to anybody.
    V10_2_8,
}

/// A name that is no release.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no release is called {0:?}; there are 10.1, 10.2.5 and 10.2.8")]
pub struct UnknownVersion(String);

impl Version {
    /// `10.1.0.1`, as `engine/info` shows it.
    #[must_use]
    pub fn display(self) -> &'static str {
        match self {
            Self::V10_1 => "10.1.0.1",
            Self::V10_2_5 => "10.2.5",
            Self::V10_2_8 => "10.2.8",
        }
    }

    /// `10.1.0.01`, as it is spelt in full.
    pub(super) fn full(self) -> &'static str {
        match self {
            Self::V10_1 => "10.1.0.01",
            Self::V10_2_5 => "10.2.5.00",
            Self::V10_2_8 => "10.2.8.00",
        }
    }

    pub(super) fn lists_prompts(self) -> bool {
        self == Self::V10_2_8
    }

    pub(crate) fn has_open_metrics(self) -> bool {
        self == Self::V10_2_8
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Self, UnknownVersion> {
        match name {
            "10.1" | "10.1.0.1" => Ok(Self::V10_1),
            "10.2.5" => Ok(Self::V10_2_5),
            "10.2.8" => Ok(Self::V10_2_8),
            other => Err(UnknownVersion(other.to_owned())),
        }
    }
}
