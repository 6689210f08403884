//! API keys: how machines prove who they are.
//!
//! Invariants:
//! - A key's text is shown once, when it is made; only its digest is stored.
//! - A key may do what both its scopes and its user's role allow, and it confirms no action: that is a
//!   person's to do.
//! - A key makes no key: whoever finds one cannot outlive it.
//! - Another password or role of its user ends it, and so does the user's end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use resync_kernel::{BoxError, EntropyError, SecretString, random_token};
use sha2::Sha256;
use thiserror::Error;

use super::{AuthPorts, AuthenticateError, LogOutError};
use crate::keys::AuthKeys;
use crate::model::{ApiKey, ApiKeyDigest, ApiKeyId, Permission, Principal, SessionId, TokenId};
use crate::ports::{
    ApiKeyEvent, ApiKeyEventKind, ApiKeyEvents, ApiKeyRepository, ApiKeyRepositoryError,
    AuthEventsError, UserRepositoryError,
};

/// Makes, checks and ends API keys.
pub struct ApiKeyService {
    ports: AuthPorts,
    keys: Arc<dyn ApiKeyRepository>,
    events: Arc<dyn ApiKeyEvents>,
    mac: Hmac<Sha256>,
}

/// A key to make.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What to call it: 1 to 64 characters, none of them a control character.
    pub label: String,
    /// What it may do, at least one thing, all within the role and without
    /// [`Permission::ConfirmActions`].
    pub scopes: BTreeSet<Permission>,
    /// How long it lives: a second to 366 days.
    pub lifetime: Duration,
}

/// A key that was made. `Debug` does not show its text.
#[derive(Debug, Clone)]
pub struct MadeApiKey {
    /// What is kept of it.
    pub key: ApiKey,
    /// Its text, which nobody sees again.
    pub text: SecretString,
}

/// The key for digests was refused by HMAC, which takes any length.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the key for digests of API keys is not usable")]
pub struct ApiKeySetupError;

/// Why no key was made.
#[derive(Debug, Error)]
pub enum CreateApiKeyError {
    /// The label is empty, long, or has control characters.
    #[error("a label has 1 to 64 characters and no control characters")]
    Label,
    /// The scopes are none, or more than a key of this user may have.
    #[error("a key needs scopes that its user has, and cannot confirm actions")]
    Scopes,
    /// The lifetime is out of range.
    #[error("a key lives for a second to 366 days")]
    Lifetime,
    /// Who asks has shown a key.
    #[error("a key cannot make a key")]
    NotALogin,
    /// The user has as many as allowed.
    #[error("a user has at most {} keys", ApiKeyService::MOST)]
    TooMany,
    /// The user is gone.
    #[error("there is no such user")]
    NotFound,
    /// The key was made, but the audit log does not have it; its text is lost, so it is of no use.
    #[error("the key was made, but not recorded")]
    NotRecorded(#[source] AuthEventsError),
    /// Something needed did not answer.
    #[error("the key could not be made now")]
    Unavailable(#[from] BoxError),
}

impl From<ApiKeyRepositoryError> for CreateApiKeyError {
    fn from(error: ApiKeyRepositoryError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<UserRepositoryError> for CreateApiKeyError {
    fn from(error: UserRepositoryError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<EntropyError> for CreateApiKeyError {
    fn from(error: EntropyError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<ApiKeyRepositoryError> for AuthenticateError {
    fn from(error: ApiKeyRepositoryError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<ApiKeyRepositoryError> for LogOutError {
    fn from(error: ApiKeyRepositoryError) -> Self {
        Self::NotRevoked(error.into())
    }
}

impl ApiKeyService {
    /// How many keys a user may have.
    pub const MOST: u32 = 20;
    /// The text of every key begins so, which lets scanners of leaked secrets find it.
    pub const PREFIX: &str = "rsk_";
    /// The prefix and 43 characters for 32 random bytes.
    const TEXT_LEN: usize = 47;
    const MAX_LIFETIME: Duration = Duration::from_hours(366 * 24);

    /// A service whose digests are under the key for API keys.
    ///
    /// # Errors
    /// [`ApiKeySetupError`] when HMAC refuses the key.
    pub fn new(
        ports: AuthPorts,
        keys: Arc<dyn ApiKeyRepository>,
        events: Arc<dyn ApiKeyEvents>,
        auth_keys: &AuthKeys,
    ) -> Result<Self, ApiKeySetupError> {
        let secret = auth_keys.api_key().expose();
        let mac = Hmac::new_from_slice(secret).map_err(|_| ApiKeySetupError)?;
        Ok(Self {
            ports,
            keys,
            events,
            mac,
        })
    }

    fn digest(&self, text: &str) -> ApiKeyDigest {
        let mut mac = self.mac.clone();
        mac.update(text.as_bytes());
        ApiKeyDigest(mac.finalize().into_bytes().into())
    }

    /// Makes a key for the principal's own user.
    ///
    /// Cancel safe: once stored, the key gets its audit row although the caller is gone.
    ///
    /// # Errors
    /// [`CreateApiKeyError`].
    #[tracing::instrument(name = "auth.create_api_key", skip_all, fields(user.id = %principal.user_id))]
    pub async fn create(
        &self,
        new: NewApiKey,
        principal: &Principal,
    ) -> Result<MadeApiKey, CreateApiKeyError> {
        if principal.scopes.is_some() {
            return Err(CreateApiKeyError::NotALogin);
        }
        let length = new.label.chars().count();
        if !(1..=64).contains(&length) || new.label.chars().any(char::is_control) {
            return Err(CreateApiKeyError::Label);
        }
        if new.lifetime < Duration::from_secs(1) || new.lifetime > Self::MAX_LIFETIME {
            return Err(CreateApiKeyError::Lifetime);
        }
        let user = self.ports.users.find_by_id(principal.user_id).await?;
        let user = user.ok_or(CreateApiKeyError::NotFound)?;
        let allowed =
            |scope: &Permission| user.role.can(*scope) && *scope != Permission::ConfirmActions;
        if new.scopes.is_empty() || !new.scopes.iter().all(allowed) {
            return Err(CreateApiKeyError::Scopes);
        }
        let text = format!("{}{}", Self::PREFIX, random_token(32)?);
        let now = self.ports.clock.now();
        let key = ApiKey {
            id: ApiKeyId(self.ports.ids.next()),
            user_id: user.id,
            label: new.label,
            digest: self.digest(&text),
            scopes: new.scopes,
            user_version: user.session_version,
            created_at: now,
            expires_at: now + new.lifetime,
        };
        let (keys, events) = (Arc::clone(&self.keys), Arc::clone(&self.events));
        let work = async move {
            if !keys.insert(&key, Self::MOST).await? {
                return Err(CreateApiKeyError::TooMany);
            }
            let event = ApiKeyEvent {
                at: now,
                actor: key.user_id,
                key_id: key.id,
                kind: ApiKeyEventKind::Created,
            };
            let recorded = events.record(event).await;
            recorded.map_err(CreateApiKeyError::NotRecorded)?;
            Ok(key)
        };
        let key = self.ports.to_the_end(work).await?;
        Ok(MadeApiKey {
            key,
            text: text.into(),
        })
    }

    /// Who shows the key `text`. The key's id stands in the principal for session and token.
    ///
    /// # Errors
    /// [`AuthenticateError::Invalid`] for every key that is not good, without a reason;
    /// [`AuthenticateError::Unavailable`] when a store did not answer.
    #[tracing::instrument(name = "auth.authenticate_key", level = "debug", skip_all)]
    pub async fn authenticate(&self, text: &str) -> Result<Principal, AuthenticateError> {
        if text.len() != Self::TEXT_LEN || !text.starts_with(Self::PREFIX) {
            return Err(AuthenticateError::Invalid);
        }
        let key = self
            .keys
            .find(self.digest(text))
            .await?
            .ok_or(AuthenticateError::Invalid)?;
        let user = self.ports.users.find_by_id(key.user_id).await?;
        let user = user.ok_or(AuthenticateError::Invalid)?;
        if self.ports.clock.now() >= key.expires_at || user.session_version != key.user_version {
            return Err(AuthenticateError::Invalid);
        }
        Ok(Principal {
            user_id: user.id,
            username: user.username,
            role: user.role,
            scopes: Some(key.scopes),
            session_id: SessionId(key.id.0),
            token_id: TokenId(key.id.0),
            expires_at: key.expires_at,
        })
    }

    /// The principal's keys, oldest first, expired ones too.
    ///
    /// # Errors
    /// [`ApiKeyRepositoryError`] when the store does not answer.
    pub async fn list(&self, principal: &Principal) -> Result<Vec<ApiKey>, ApiKeyRepositoryError> {
        self.keys.list(principal.user_id).await
    }

    /// Ends one of the principal's keys; `false` when it has no such key.
    ///
    /// Cancel safe: runs to its end.
    ///
    /// # Errors
    /// [`LogOutError`].
    pub async fn revoke(&self, id: ApiKeyId, principal: &Principal) -> Result<bool, LogOutError> {
        let (keys, events) = (Arc::clone(&self.keys), Arc::clone(&self.events));
        let (at, actor) = (self.ports.clock.now(), principal.user_id);
        let work = async move {
            let ended = keys.delete(actor, id).await?;
            if ended {
                let event = ApiKeyEvent {
                    at,
                    actor,
                    key_id: id,
                    kind: ApiKeyEventKind::Revoked,
                };
                let recorded = events.record(event).await;
                recorded.map_err(LogOutError::NotRecorded)?;
            }
            Ok(ended)
        };
        self.ports.to_the_end(work).await
    }
}
