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

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use resync_kernel::{BoxError, EntropyError, SecretString, UserId, random_token};
use sha2::Sha256;
use thiserror::Error;

use super::{AuthPorts, AuthenticateError, For, LogOutError, SessionPolicy};
use crate::keys::AuthKeys;
use crate::memory::{Digest, Found};
use crate::model::{
    ApiKey, ApiKeyDigest, ApiKeyId, Origin, Permission, Principal, SessionId, TokenId, User,
};
use crate::ports::{
    AccountChange, AccountRefusal, ApiKeyRepository, ApiKeyRepositoryError, AuthEventKind,
    AuthEventsError, UserRepositoryError,
};

/// Makes, checks and ends API keys.
pub struct ApiKeyService {
    ports: AuthPorts,
    keys: Arc<dyn ApiKeyRepository>,
    mac: Hmac<Sha256>,
    previous: Vec<Hmac<Sha256>>,
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
    /// The longest life of a key.
    pub const MAX_LIFETIME: Duration = Duration::from_hours(366 * 24);
    /// How long a key lives when nobody says.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(90 * 24);

    /// A service whose digests are under the key for API keys; those under previous keys are known too,
    /// and renewed at their next use.
    ///
    /// # Errors
    /// [`ApiKeySetupError`] when HMAC refuses the key.
    pub fn new(
        ports: AuthPorts,
        keys: Arc<dyn ApiKeyRepository>,
        auth_keys: &AuthKeys,
    ) -> Result<Self, ApiKeySetupError> {
        let mac = |keys: &AuthKeys| {
            Hmac::new_from_slice(keys.api_key().expose()).map_err(|_| ApiKeySetupError)
        };
        let previous = auth_keys
            .previous()
            .iter()
            .map(mac)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            ports,
            keys,
            mac: mac(auth_keys)?,
            previous,
        })
    }

    /// Whether `text` has the form of a key: [`ApiKeyService::PREFIX`] and 43 characters of base64url. Says
    /// nothing about whether there is such a key.
    #[must_use]
    pub fn is_well_formed(text: &str) -> bool {
        text.strip_prefix(Self::PREFIX).is_some_and(|random| {
            text.len() == Self::TEXT_LEN
                && random
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
    }

    /// Makes a key for `owner`: oneself, or as an administrator for a machine's account. Whether the actor
    /// may is checked before.
    ///
    /// Cancel safe: once stored, the key gets its audit row although the caller is gone.
    ///
    /// # Errors
    /// [`CreateApiKeyError`].
    #[tracing::instrument(name = "auth.create_api_key", skip_all, fields(user.id = %owner))]
    pub async fn create(
        &self,
        owner: UserId,
        new: NewApiKey,
        origin: Origin,
    ) -> Result<MadeApiKey, CreateApiKeyError> {
        if origin.actor.api_key().is_some() {
            self.refused(owner, AccountRefusal::ByApiKey, origin)
                .await?;
            return Err(CreateApiKeyError::NotALogin);
        }
        let length = new.label.chars().count();
        if !(1..=64).contains(&length) || new.label.chars().any(char::is_control) {
            return Err(CreateApiKeyError::Label);
        }
        if new.lifetime < Duration::from_secs(1) || new.lifetime > Self::MAX_LIFETIME {
            return Err(CreateApiKeyError::Lifetime);
        }
        let user = self.ports.users.find_by_id(owner).await?;
        let user = user.ok_or(CreateApiKeyError::NotFound)?;
        let allowed =
            |scope: &Permission| user.role.can(*scope) && *scope != Permission::ConfirmActions;
        if new.scopes.is_empty() {
            return Err(CreateApiKeyError::Scopes);
        }
        if !new.scopes.iter().all(allowed) {
            self.refused(owner, AccountRefusal::BeyondRole, origin)
                .await?;
            return Err(CreateApiKeyError::Scopes);
        }
        let text = format!("{}{}", Self::PREFIX, random_token(32)?);
        let now = self.ports.clock.now();
        let key = ApiKey {
            id: ApiKeyId(self.ports.ids.next()),
            user_id: user.id,
            label: new.label,
            digest: digest(&self.mac, &text),
            scopes: new.scopes,
            user_version: user.session_version,
            created_at: now,
            expires_at: now + new.lifetime,
            last_used_at: None,
        };
        let (keys, ports) = (Arc::clone(&self.keys), self.ports.clone());
        let work = async move {
            if !keys.insert(&key, Self::MOST).await? {
                return Err(CreateApiKeyError::TooMany);
            }
            let kind = AuthEventKind::ApiKeyCreated {
                user_id: key.user_id,
                key_id: key.id,
            };
            let recorded = ports.record(origin, kind).await;
            recorded.map_err(CreateApiKeyError::NotRecorded)?;
            Ok(key)
        };
        let key = self.ports.to_the_end(work).await?;
        Ok(MadeApiKey {
            key,
            text: text.into(),
        })
    }

    async fn refused(
        &self,
        owner: UserId,
        reason: AccountRefusal,
        origin: Origin,
    ) -> Result<(), CreateApiKeyError> {
        let refused = self
            .ports
            .refuse(AccountChange::CreateApiKey, Some(owner), reason, origin);
        refused
            .await
            .map_err(|error| CreateApiKeyError::Unavailable(error.into()))
    }

    /// Who shows the key `text`, for whatever the request does: as [`ApiKeyService::authenticate_for`] a
    /// change.
    ///
    /// # Errors
    /// As [`ApiKeyService::authenticate_for`].
    pub async fn authenticate(&self, text: &str) -> Result<Principal, AuthenticateError> {
        self.authenticate_for(text, For::Change).await
    }

    /// Who shows the key `text`. The key's id stands in the principal for session and token. A key that was
    /// good within the last minute is known as a session is.
    ///
    /// # Errors
    /// [`AuthenticateError::Invalid`] for every key that is not good, without a reason;
    /// [`AuthenticateError::Unavailable`] when a store did not answer, and for [`For::Read`] when it did not
    /// say yes within the last minute either.
    #[tracing::instrument(name = "auth.authenticate_key", level = "debug", skip_all)]
    pub async fn authenticate_for(
        &self,
        text: &str,
        purpose: For,
    ) -> Result<Principal, AuthenticateError> {
        if !Self::is_well_formed(text) {
            return Err(AuthenticateError::Invalid);
        }
        let (memory, now) = (&self.ports.memory, self.ports.clock.now());
        let shown = Digest::of(text);
        if let Some(entry) = memory.recall(shown, now) {
            if entry.claims_note(now, SessionPolicy::NOTE_EVERY) {
                self.note_use(ApiKeyId(entry.principal.session_id.0), now)
                    .await;
            }
            return Ok(entry.principal.clone());
        }
        let before = memory.before();
        match self.ask(text, now).await {
            Ok(found) => {
                let principal = found.principal.clone();
                memory.remember(shown, found, before);
                Ok(principal)
            }
            Err(AuthenticateError::Unavailable(error)) if purpose == For::Read => {
                let known = memory.last_good(shown, now);
                let known = known.map(|entry| entry.principal.clone());
                known.ok_or(AuthenticateError::Unavailable(error))
            }
            Err(error) => Err(error),
        }
    }

    /// What the stores say.
    async fn ask(&self, text: &str, now: DateTime<Utc>) -> Result<Found, AuthenticateError> {
        let key = self.find(text).await?.ok_or(AuthenticateError::Invalid)?;
        let user = self.ports.users.find_by_id(key.user_id).await?;
        let user = user.ok_or(AuthenticateError::Invalid)?;
        if now >= key.expires_at || user.session_version != key.user_version {
            return Err(AuthenticateError::Invalid);
        }
        let due = key.last_used_at.is_none_or(|last| {
            (now - last)
                .to_std()
                .is_ok_and(|unused| unused >= SessionPolicy::NOTE_EVERY)
        });
        if due {
            self.note_use(key.id, now).await;
        }
        let last_used = if due {
            now
        } else {
            key.last_used_at.unwrap_or(now)
        };
        Ok(Found {
            principal: speaks_for(user, &key),
            // A wall clock that went back takes no key away.
            not_before: DateTime::<Utc>::MIN_UTC,
            last_used,
            idle: None,
        })
    }

    /// The key, under the digest of the current secret or of a previous one, which is then renewed.
    async fn find(&self, text: &str) -> Result<Option<ApiKey>, AuthenticateError> {
        let current = digest(&self.mac, text);
        if let Some(key) = self.keys.find(current).await? {
            return Ok(Some(key));
        }
        for mac in &self.previous {
            let earlier = digest(mac, text);
            let Some(mut key) = self.keys.find(earlier).await? else {
                continue;
            };
            // The key is good either way, and is found under the previous secret again.
            match self.keys.renew_digest(key.id, earlier, current).await {
                Ok(_) => {
                    key.digest = current;
                    tracing::info!(key.id = %key.id, "a key made under a previous secret was renewed");
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, key.id = %key.id, "a key stays under a previous secret");
                }
            }
            return Ok(Some(key));
        }
        Ok(None)
    }

    /// A use that is not noted changes nothing but what its owner sees.
    async fn note_use(&self, id: ApiKeyId, now: DateTime<Utc>) {
        if let Err(error) = self.keys.note_use(id, now).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, key.id = %id, "the use of an API key is not noted");
        }
    }

    /// The principal's keys, oldest first, expired ones too.
    ///
    /// # Errors
    /// [`ApiKeyRepositoryError`] when the store does not answer.
    pub async fn list(&self, principal: &Principal) -> Result<Vec<ApiKey>, ApiKeyRepositoryError> {
        self.keys.list(principal.user_id).await
    }

    /// The keys of any user, for an administrator; as [`ApiKeyService::list`].
    ///
    /// # Errors
    /// [`ApiKeyRepositoryError`] when the store does not answer.
    pub async fn list_of(&self, owner: UserId) -> Result<Vec<ApiKey>, ApiKeyRepositoryError> {
        self.keys.list(owner).await
    }

    /// Ends a key of `owner`, as they or an administrator do; `false` when that user has no such key.
    ///
    /// Cancel safe: runs to its end.
    ///
    /// # Errors
    /// [`LogOutError`].
    pub async fn revoke(
        &self,
        owner: UserId,
        id: ApiKeyId,
        origin: Origin,
    ) -> Result<bool, LogOutError> {
        let (keys, ports) = (Arc::clone(&self.keys), self.ports.clone());
        let work = async move {
            let ended = keys.delete(owner, id).await;
            ports.memory.forget_session(SessionId(id.0));
            let ended = ended?;
            if ended {
                let kind = AuthEventKind::ApiKeyRevoked {
                    user_id: owner,
                    key_id: id,
                };
                let recorded = ports.record(origin, kind).await;
                recorded.map_err(LogOutError::NotRecorded)?;
            }
            Ok(ended)
        };
        self.ports.to_the_end(work).await
    }
}

fn digest(mac: &Hmac<Sha256>, text: &str) -> ApiKeyDigest {
    let mut mac = mac.clone();
    mac.update(text.as_bytes());
    ApiKeyDigest(mac.finalize().into_bytes().into())
}

fn speaks_for(user: User, key: &ApiKey) -> Principal {
    Principal {
        user_id: user.id,
        username: user.username,
        role: user.role,
        scopes: Some(key.scopes.clone()),
        session_id: SessionId(key.id.0),
        token_id: TokenId(key.id.0),
        expires_at: key.expires_at,
    }
}
