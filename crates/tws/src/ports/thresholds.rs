//! How long jobs may run and how late they may start, as an administrator sets it.

use std::fmt;

use async_trait::async_trait;
use resync_kernel::BoxError;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::model::{Job, NamePattern};

/// Names a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThresholdId(pub Uuid);

impl fmt::Display for ThresholdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A threshold of the jobs that its patterns fit. A pattern that is not set fits every job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// Its id.
    pub id: ThresholdId,
    /// The job's name.
    pub job: Option<NamePattern>,
    /// The stream's name.
    pub stream: Option<NamePattern>,
    /// The folder, with or without the slash at its end.
    pub folder: Option<NamePattern>,
    /// How many minutes a run may take.
    pub max_minutes: Option<u32>,
    /// How many minutes after its planned time a job may start.
    pub late_minutes: Option<u32>,
}

impl Threshold {
    /// Whether it is for that job.
    #[must_use]
    pub fn fits(&self, job: &Job) -> bool {
        let named = |pattern: &Option<NamePattern>, text: Option<&str>| match pattern {
            None => true,
            Some(pattern) => text.is_some_and(|text| pattern.matches(text)),
        };
        named(&self.job, Some(&job.name))
            && named(&self.stream, job.stream.name.as_deref())
            && (named(&self.folder, job.folder.as_deref())
                || named(
                    &self.folder,
                    job.folder
                        .as_deref()
                        .map(|folder| folder.trim_end_matches('/')),
                ))
    }

    /// How narrow it is: of two that fit a job the narrower one counts.
    #[must_use]
    pub fn weight(&self) -> (usize, usize) {
        let patterns = [&self.job, &self.stream, &self.folder];
        let set = patterns.into_iter().flatten();
        let (exact, all) = set.fold((0, 0), |(exact, all), pattern| {
            (exact + usize::from(!pattern.has_wildcard()), all + 1)
        });
        (exact, all)
    }
}

/// Why the repository of thresholds did not do it.
#[derive(Debug, Error)]
pub enum ThresholdError {
    /// The store failed; nothing was changed.
    #[error("the repository of thresholds is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Keeps thresholds.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ThresholdRepository: Send + Sync {
    /// All of them, by id.
    async fn list(&self) -> Result<Vec<Threshold>, ThresholdError>;

    /// Keeps it, in the place of the one of its id when there is one.
    async fn put(&self, threshold: &Threshold) -> Result<(), ThresholdError>;

    /// Forgets it; whether there was one.
    async fn remove(&self, id: ThresholdId) -> Result<bool, ThresholdError>;
}
