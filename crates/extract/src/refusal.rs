//! Why a file gives no text, on its way to the person who uploaded it.

use resync_rag::ExtractError;
use serde::{Deserialize, Serialize};

/// A file that is not read; the same bytes are refused again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// No kind that is read; what it looks like.
    Unsupported(String),
    /// Broken, empty, encrypted or a trap; why.
    Unreadable(String),
}

impl Refusal {
    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable(reason.into())
    }

    pub(crate) fn unsupported(kind: impl Into<String>) -> Self {
        Self::Unsupported(kind.into())
    }

    pub(crate) fn empty() -> Self {
        Self::unreadable("the file is empty")
    }

    pub(crate) fn too_deep() -> Self {
        Self::unreadable("its parts are nested too deeply")
    }
}

impl From<Refusal> for ExtractError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unsupported(kind) => Self::Unsupported { kind },
            Refusal::Unreadable(reason) => Self::Unreadable { reason },
        }
    }
}
