//! What the models were asked and did. Names of models and words of ours are all that it holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resync_chat::TokenUse;

type FirstToken = Arc<dyn Fn(Duration) + Send + Sync>;

/// Counters of the calls. Cheap to clone; clones are one.
#[derive(Clone, Default)]
pub struct ModelCounts {
    /// Plain numbers; no await is made under it.
    counted: Arc<Mutex<Counted>>,
    first_token: Option<FirstToken>,
}

#[derive(Debug, Default)]
struct Counted {
    calls: BTreeMap<String, u64>,
    ends: BTreeMap<&'static str, u64>,
    tokens: BTreeMap<String, TokenUse>,
}

impl std::fmt::Debug for ModelCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelCounts")
            .field("counted", &self.counted)
            .finish_non_exhaustive()
    }
}

impl ModelCounts {
    /// Counters that also tell `observe` how long each call waited for its first piece.
    #[must_use]
    pub fn observed(observe: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self {
            first_token: Some(Arc::new(observe)),
            ..Self::default()
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Counted) -> T) -> T {
        change(&mut self.counted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn called(&self, model: &str) {
        self.with(|counted| *counted.calls.entry(model.to_owned()).or_default() += 1);
    }

    pub(super) fn ended(&self, how: &'static str) {
        self.with(|counted| *counted.ends.entry(how).or_default() += 1);
    }

    pub(super) fn used(&self, model: &str, tokens: TokenUse) {
        self.with(|counted| {
            let all = counted.tokens.entry(model.to_owned()).or_default();
            all.prompt = all.prompt.saturating_add(tokens.prompt);
            all.completion = all.completion.saturating_add(tokens.completion);
        });
    }

    pub(super) fn first_piece(&self, after: Duration) {
        if let Some(observe) = &self.first_token {
            observe(after);
        }
    }

    /// Calls by model.
    #[must_use]
    pub fn calls(&self) -> Vec<(String, u64)> {
        self.with(|counted| counted.calls.clone().into_iter().collect())
    }

    /// Calls by how they ended: `ok`, `given_up` when the caller left, or the word of a
    /// [`resync_chat::ModelError`].
    #[must_use]
    pub fn ends(&self) -> Vec<(String, u64)> {
        self.with(|counted| {
            let ends = counted.ends.iter();
            ends.map(|(how, count)| ((*how).to_owned(), *count))
                .collect()
        })
    }

    /// Tokens by model, where the server counts them.
    #[must_use]
    pub fn tokens(&self) -> Vec<(String, TokenUse)> {
        self.with(|counted| counted.tokens.clone().into_iter().collect())
    }
}
