//! Session tokens: one minter, one verifier, HS256 only.
//!
//! Invariants:
//! - `iat`, `nbf` and `exp` are set in one place, [`TokenMinter::mint`], from our [`Clock`].
//! - A token is good only with the one algorithm, a header that is ours to the letter, our issuer and
//!   audience, every claim present with its type and no claim besides; a text in place of a number is no
//!   number.
//! - The header's `kid` is compared with the few that we know and never looked up anywhere; a token
//!   without one, or with another, is refused. New tokens are signed under the current secret alone.
//! - `exp` and `nbf` are checked here against the [`Clock`]: `jsonwebtoken` would ask the machine's
//!   clock, and would look at `nbf` only when told to. Its own check of time is therefore off.
//! - No reason is given to whoever shows a bad token.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use resync_kernel::{BoxError, Clock, ExposeSecret, SecretString, UserId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::keys::AuthKeys;
use crate::model::{Role, SessionId, TokenId};

/// Issuer, audience and lifetime of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenConfig {
    /// Claim `iss`; not empty.
    pub issuer: String,
    /// Claim `aud`; not empty.
    pub audience: String,
    /// From `iat` to `exp`, in whole seconds, at least one.
    pub lifetime: Duration,
}

impl Default for TokenConfig {
    /// `resync`, `resync`, 480 minutes.
    fn default() -> Self {
        Self {
            issuer: "resync".into(),
            audience: "resync".into(),
            lifetime: Duration::from_hours(8),
        }
    }
}

/// For whom a token speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSubject {
    /// Claim `sub`.
    pub user_id: UserId,
    /// Claim `sid`.
    pub session_id: SessionId,
    /// Claim `jti`.
    pub token_id: TokenId,
    /// Claim `ver`, the user's session version.
    pub version: u32,
    /// Claim `role`.
    pub role: Role,
}

/// What a token says; times are whole seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// The token.
    pub jti: TokenId,
    /// The session.
    pub sid: SessionId,
    /// The user's session version at login.
    pub ver: u32,
    /// The user's role at login.
    pub role: Role,
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Not from then on.
    pub exp: i64,
}

impl Claims {
    /// From when on the token is good, with the leeway between two replicas' clocks.
    pub(crate) fn good_from(&self) -> Result<DateTime<Utc>, TokenError> {
        let from = self.nbf.max(self.iat).saturating_sub(TokenVerifier::LEEWAY);
        DateTime::from_timestamp(from, 0).ok_or(TokenError)
    }

    /// When the token ends.
    ///
    /// # Errors
    /// [`TokenError`] when `exp` is no date, which a token of ours cannot have.
    pub fn expires_at(&self) -> Result<DateTime<Utc>, TokenError> {
        DateTime::from_timestamp(self.exp, 0).ok_or(TokenError)
    }
}

/// A signed token and what it says.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token, for the cookie alone.
    pub token: SecretString,
    /// What it says.
    pub claims: Claims,
}

/// Why tokens cannot be made or checked at all.
#[derive(Debug, Error)]
pub enum TokenSetupError {
    /// The configuration is not usable.
    #[error("tokens need an issuer, an audience and a lifetime of at least one second")]
    Config,
    /// A token that was just signed did not verify.
    #[error("a token signed at start does not verify")]
    SelfTest(#[source] TokenError),
    /// The signature could not be made.
    #[error("a token could not be signed")]
    Sign(#[source] BoxError),
}

/// The token is not good; deliberately without a reason.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the token is not valid")]
pub struct TokenError;

/// The header of our tokens, whole: nothing else is taken.
fn header(key_id: &str) -> Header {
    Header {
        kid: Some(key_id.to_owned()),
        ..Header::new(Algorithm::HS256)
    }
}

/// Signs tokens.
pub struct TokenMinter {
    key: EncodingKey,
    header: Header,
    config: TokenConfig,
    clock: Arc<dyn Clock>,
}

impl TokenMinter {
    /// A minter under the key for tokens.
    ///
    /// # Errors
    /// [`TokenSetupError::Config`] for an empty issuer or audience, or no lifetime.
    pub fn new(
        keys: &AuthKeys,
        config: TokenConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TokenSetupError> {
        let usable = !config.issuer.is_empty()
            && !config.audience.is_empty()
            && config.lifetime.as_secs() >= 1;
        if !usable {
            return Err(TokenSetupError::Config);
        }
        Ok(Self {
            key: EncodingKey::from_secret(keys.jwt().expose()),
            header: header(keys.key_id()),
            config,
            clock,
        })
    }

    /// Signs a token for `subject` that is good from now for the configured lifetime.
    ///
    /// # Errors
    /// [`TokenSetupError::Sign`] when the signature cannot be made.
    pub fn mint(&self, subject: &TokenSubject) -> Result<Minted, TokenSetupError> {
        let issued_at = self.clock.now().timestamp();
        let lifetime = i64::try_from(self.config.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            sub: subject.user_id,
            jti: subject.token_id,
            sid: subject.session_id,
            ver: subject.version,
            role: subject.role,
            iss: self.config.issuer.clone(),
            aud: self.config.audience.clone(),
            iat: issued_at,
            nbf: issued_at,
            exp: issued_at.saturating_add(lifetime),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key)
            .map_err(|error| TokenSetupError::Sign(error.into()))?;
        Ok(Minted {
            token: token.into(),
            claims,
        })
    }
}

/// Checks tokens.
pub struct TokenVerifier {
    /// The headers that are taken, each with its key: the current one, then previous ones.
    keys: Vec<(Header, DecodingKey)>,
    validation: Validation,
    clock: Arc<dyn Clock>,
}

impl TokenVerifier {
    /// Longer texts are refused unread; a cookie cannot be longer either.
    pub const MAX_BYTES: usize = 4096;
    /// How far another replica's clock may be ahead or behind, in seconds.
    const LEEWAY: i64 = 5;

    /// A verifier under the keys for tokens, current and previous, proven by signing and verifying one.
    ///
    /// # Errors
    /// [`TokenSetupError`] when the configuration is not usable or the proof fails.
    pub fn new(
        keys: &AuthKeys,
        config: &TokenConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TokenSetupError> {
        let minter = TokenMinter::new(keys, config.clone(), Arc::clone(&clock))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        let keys = keys
            .all()
            .map(|keys| {
                (
                    header(keys.key_id()),
                    DecodingKey::from_secret(keys.jwt().expose()),
                )
            })
            .collect();
        let verifier = Self {
            keys,
            validation,
            clock,
        };
        verifier.prove(&minter)?;
        Ok(verifier)
    }

    fn prove(&self, minter: &TokenMinter) -> Result<(), TokenSetupError> {
        let signed = minter.mint(&TokenSubject {
            user_id: UserId(Uuid::nil()),
            session_id: SessionId(Uuid::nil()),
            token_id: TokenId(Uuid::nil()),
            version: 0,
            role: Role::Viewer,
        })?;
        let token = signed.token.expose_secret();
        self.verify(token).map_err(TokenSetupError::SelfTest)?;
        // Without its last character the signature is a byte short; a crypto backend that takes it
        // checks nothing.
        let cut = token.get(..token.len() - 1).unwrap_or_default();
        match self.verify(cut) {
            Ok(_) => Err(TokenSetupError::SelfTest(TokenError)),
            Err(TokenError) => Ok(()),
        }
    }

    /// What `token` says, if all of it is as we sign it and now is within its time.
    ///
    /// # Errors
    /// [`TokenError`] otherwise.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > Self::MAX_BYTES {
            return Err(TokenError);
        }
        let shown = jsonwebtoken::decode_header(token).map_err(|_| TokenError)?;
        let (_, key) = self
            .keys
            .iter()
            .find(|(header, _)| *header == shown)
            .ok_or(TokenError)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|_| TokenError)?
            .claims;
        let now = self.clock.now().timestamp();
        let over = claims.exp <= now.saturating_sub(Self::LEEWAY);
        let early = claims.nbf.max(claims.iat) > now.saturating_add(Self::LEEWAY);
        if over || early {
            Err(TokenError)
        } else {
            Ok(claims)
        }
    }
}

#[cfg(test)]
mod tests;
