//! Where API keys are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_kernel::{BoxError, UserId};
use thiserror::Error;

use super::AuthEventsError;
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

/// Takes what happens to API keys; the wiring maps it to the audit log. A use case whose event is not
/// recorded fails.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ApiKeyEvents: Send + Sync {
    /// Records `event`, durably, before it returns.
    async fn record(&self, event: ApiKeyEvent) -> Result<(), AuthEventsError>;
}

/// Something that happened to an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKeyEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it, which is whose key it is.
    pub actor: UserId,
    /// The key.
    pub key_id: ApiKeyId,
    /// What.
    pub kind: ApiKeyEventKind,
}

/// What happened to an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyEventKind {
    /// It was made.
    Created,
    /// It was ended.
    Revoked,
}
