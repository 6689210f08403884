//! Where API keys are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use thiserror::Error;

use crate::model::{ApiKey, ApiKeyDigest, ApiKeyId};

/// Keeps API keys. A key that is not in here is none.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ApiKeyRepository: Send + Sync {
    /// Keeps a new key if its user has fewer than `most`, else `false`. One step: callers at once do not
    /// get past the limit.
    async fn insert(&self, key: &ApiKey, most: u32) -> Result<bool, ApiKeyRepositoryError>;

    /// The key with that digest, expired or not.
    async fn find(&self, digest: ApiKeyDigest) -> Result<Option<ApiKey>, ApiKeyRepositoryError>;

    /// The user's keys, oldest first.
    async fn list(&self, user_id: UserId) -> Result<Vec<ApiKey>, ApiKeyRepositoryError>;

    /// Notes that the key was used. Never brings one back, never goes back in time.
    async fn note_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), ApiKeyRepositoryError>;

    /// Replaces the digest of the same key, only while it still is `old`; `false` when it is not.
    async fn renew_digest(
        &self,
        id: ApiKeyId,
        old: ApiKeyDigest,
        new: ApiKeyDigest,
    ) -> Result<bool, ApiKeyRepositoryError>;

    /// Ends the key `id` of `user_id`; `false` when that user has no such key.
    async fn delete(&self, user_id: UserId, id: ApiKeyId) -> Result<bool, ApiKeyRepositoryError>;
}

/// What went wrong with API keys.
#[derive(Debug, Error)]
pub enum ApiKeyRepositoryError {
    /// The store did not do it; nothing may be concluded about any key.
    #[error("the store of API keys is unavailable")]
    Unavailable(#[source] BoxError),
}
