//! Where the token of the first start is kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::BoxError;
use thiserror::Error;

/// What is kept of the token that makes the first administrator: its SHA-256 and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupRecord {
    /// The digest of the token's text; the text has 256 random bits, so that no salt is needed.
    pub digest: [u8; 32],
    /// From when on it is over.
    pub expires_at: DateTime<Utc>,
}

/// Keeps at most one [`SetupRecord`].
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait SetupTokenStore: Send + Sync {
    /// Keeps `record` in the place of the one before.
    async fn replace(&self, record: &SetupRecord) -> Result<(), SetupTokenStoreError>;

    /// The record, expired or not.
    async fn find(&self) -> Result<Option<SetupRecord>, SetupTokenStoreError>;

    /// Forgets it. Forgetting twice is no error.
    async fn clear(&self) -> Result<(), SetupTokenStoreError>;
}

/// The store did not do it.
#[derive(Debug, Error)]
#[error("the store of the setup token is unavailable")]
pub struct SetupTokenStoreError(#[source] pub BoxError);
