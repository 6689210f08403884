//! Whether an ID token is the provider's, for us, for this sign-in, now (`OpenID` Connect Core 3.1.3.7).
//!
//! 1. The algorithm is one of three with a public key, and fits the key.
//! 2. `iss`, `aud` and `azp`, `exp`, `nbf`, `iat` and `nonce` are looked at, each alone; what is missing is
//!    refused.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use resync_auth::{ExternalAccount, ExternalIdentity};
use resync_kernel::BoxError;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// How far the provider's clock may be from ours.
const LEEWAY: Duration = Duration::from_mins(1);
/// How long ago a token may have been made.
const MAX_AGE: Duration = Duration::from_mins(15);
/// What signs a token that we believe.
pub(crate) const ALGORITHMS: [(Algorithm, &str); 3] = [
    (Algorithm::RS256, "RS256"),
    (Algorithm::ES256, "ES256"),
    (Algorithm::EdDSA, "EdDSA"),
];

/// What a token must fit.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) groups_claim: &'a str,
    /// Those that the provider says it uses.
    pub(crate) algorithms: &'a [Algorithm],
    pub(crate) now: DateTime<Utc>,
}

/// Why a token is not believed.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    /// No key of that name; there may be a new one.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// Not signed as it must be.
    #[error("the token's signature is not valid")]
    Signature(#[source] BoxError),
    /// Signed, but not for this.
    #[error("the token's claim {0} does not fit")]
    Claim(&'static str),
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    nbf: Option<i64>,
    iat: i64,
    nonce: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether it is for `client_id`, and for nobody else without saying who asked.
    fn fits(&self, client_id: &str, azp: Option<&str>) -> bool {
        let (listed, several) = match self {
            Self::One(one) => (one == client_id, false),
            Self::Many(many) => (many.iter().any(|one| one == client_id), many.len() > 1),
        };
        listed && azp.map_or(!several, |azp| azp == client_id)
    }
}

/// The identity that `token` proves.
pub(crate) fn check(
    token: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
) -> Result<ExternalIdentity, TokenError> {
    let signature = |error: jsonwebtoken::errors::Error| TokenError::Signature(error.into());
    let header = decode_header(token).map_err(signature)?;
    if !expected.algorithms.contains(&header.alg) {
        return Err(TokenError::Signature("the algorithm is not allowed".into()));
    }
    let key = find(keys, header.kid.as_deref(), header.alg).ok_or(TokenError::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(signature)?;
    let mut validation = Validation::new(header.alg);
    // Times and audience are looked at below, by our clock and by the rules of `OpenID` Connect.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims: Claims = decode(token, &key, &validation).map_err(signature)?.claims;
    believe(&claims, expected)?;
    let text = |name: &str| claims.rest.get(name).and_then(Value::as_str);
    let name = text("preferred_username").or_else(|| text("email"));
    Ok(ExternalIdentity {
        name: name.map(str::to_owned),
        groups: groups(claims.rest.get(expected.groups_claim)),
        account: ExternalAccount {
            issuer: claims.iss,
            subject: claims.sub,
        },
    })
}

fn believe(claims: &Claims, expected: &Expected<'_>) -> Result<(), TokenError> {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let (now, leeway) = (expected.now.timestamp(), seconds(LEEWAY));
    let rules = [
        ("iss", claims.iss == expected.issuer),
        ("sub", !claims.sub.is_empty() && claims.sub.len() <= 255),
        (
            "aud",
            claims.aud.fits(expected.client_id, claims.azp.as_deref()),
        ),
        ("exp", now < claims.exp.saturating_add(leeway)),
        ("nbf", claims.nbf.is_none_or(|from| from <= now + leeway)),
        (
            "iat",
            claims.iat <= now + leeway
                && now - leeway <= claims.iat.saturating_add(seconds(MAX_AGE)),
        ),
        ("nonce", claims.nonce == expected.nonce),
    ];
    match rules.into_iter().find(|(_, holds)| !holds) {
        Some((claim, _)) => Err(TokenError::Claim(claim)),
        None => Ok(()),
    }
}

/// The key of that name for that algorithm; without a name the only one that fits.
fn find<'a>(keys: &'a JwkSet, kid: Option<&str>, alg: Algorithm) -> Option<&'a Jwk> {
    let mut fitting = keys.keys.iter().filter(|key| {
        let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        let named = kid.is_none() || key.common.key_id.as_deref() == kid;
        let algorithm = key
            .common
            .key_algorithm
            .is_none_or(|one| one.to_string() == format!("{alg:?}"));
        let fits = DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == alg.family());
        signs && named && algorithm && fits
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

/// A list of names, or one.
fn groups(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        Some(Value::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
