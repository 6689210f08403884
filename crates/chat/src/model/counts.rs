//! What became of the answers that a model was asked to word.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counters; shared by the clones of a service.
#[derive(Debug, Default)]
pub(crate) struct WordingCounts {
    /// Plain numbers; no await is made under it.
    counted: Mutex<WordingStats>,
}

/// What became of the answers that a model was asked to word, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordingStats {
    /// Answers that hold sentences of a model.
    pub worded: u64,
    /// Answers that fell back to templates, in whole or behind sentences of a model, by reason.
    pub fell_back: BTreeMap<&'static str, u64>,
    /// Sentences that were struck.
    pub struck: u64,
    /// Calls of tools that were carried out.
    pub tool_calls: u64,
    /// Calls of tools that there are not, or with arguments that are none.
    pub refused_calls: u64,
    /// Questions that the rules left open and a model placed.
    pub placed: u64,
}

impl WordingCounts {
    pub(crate) fn with(&self, change: impl FnOnce(&mut WordingStats)) {
        change(&mut self.counted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn stats(&self) -> WordingStats {
        self.counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
