//! A sentence in both languages of the product.

use serde::{Deserialize, Serialize};

/// A sentence in English and in Portuguese; both say the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// Portuguese.
    pub pt: String,
}

impl Text {
    /// Both sentences.
    #[must_use]
    pub fn new(en: impl Into<String>, pt: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            pt: pt.into(),
        }
    }
}
