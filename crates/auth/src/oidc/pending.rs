//! A sign-in under way, kept by the browser alone.
//!
//! The cookie holds a random seed, the time it ends, and where to go afterwards, under an HMAC. State,
//! nonce and verifier are HMACs of the seed, so none of them stands in the cookie, and every replica with
//! the same secret finds them again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use resync_kernel::{EntropyError, ExposeSecret, SecretString, random_token};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::SignInRequest;
use crate::keys::AuthKeys;

/// How long signing in may take.
pub const PENDING: Duration = Duration::from_mins(10);

/// A path of ours, where the browser goes after signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Reads a path with its query: one slash first, printable ASCII, at most 1,024 bytes. Anything that a
    /// browser might take for another host is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let local = text.starts_with('/') && !text.starts_with("//");
        (local && plain && text.len() <= 1024).then(|| Self(text.to_owned()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnTo {
    /// The first page.
    fn default() -> Self {
        Self("/".to_owned())
    }
}

/// A sign-in under way. `Debug` shows no verifier.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Must come back with the browser.
    pub state: String,
    /// Must stand in the provider's answer.
    pub nonce: String,
    /// Redeems the code.
    pub verifier: SecretString,
    /// Where to go afterwards.
    pub return_to: ReturnTo,
}

impl Pending {
    /// What the provider is told: the challenge of the verifier, not the verifier.
    #[must_use]
    pub fn request(&self) -> SignInRequest {
        let digest = Sha256::digest(self.verifier.expose_secret());
        SignInRequest {
            state: self.state.clone(),
            nonce: self.nonce.clone(),
            challenge: URL_SAFE_NO_PAD.encode(digest),
        }
    }
}

/// Seals sign-ins under way. Cheap to clone.
#[derive(Clone)]
pub struct SignInSeal {
    /// Of the current secret.
    mac: Hmac<Sha256>,
    /// Of those before, so that a sign-in under way outlives a change of the secret.
    previous: Vec<Hmac<Sha256>>,
}

/// HMAC refuses the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the key of sign-ins is not usable")]
pub struct SignInKeyError;

fn mac(keys: &AuthKeys) -> Result<Hmac<Sha256>, SignInKeyError> {
    Hmac::new_from_slice(keys.sign_in().expose()).map_err(|_| SignInKeyError)
}

impl SignInSeal {
    /// Seals under the key of the current secret, and opens under those before it, too.
    ///
    /// # Errors
    /// [`SignInKeyError`] when HMAC refuses a key.
    pub fn new(keys: &AuthKeys) -> Result<Self, SignInKeyError> {
        let previous = keys.previous().iter().map(mac).collect::<Result<_, _>>()?;
        Ok(Self {
            mac: mac(keys)?,
            previous,
        })
    }

    /// Begins a sign-in at `now`; the text is for the browser's cookie.
    ///
    /// # Errors
    /// [`EntropyError`] when the system gives no randomness.
    pub fn begin(
        &self,
        return_to: ReturnTo,
        now: DateTime<Utc>,
    ) -> Result<(Pending, SecretString), EntropyError> {
        let seed = random_token(32)?;
        let ends = (now + PENDING).timestamp();
        let path = URL_SAFE_NO_PAD.encode(return_to.as_str());
        let body = format!("{seed}.{ends}.{path}");
        let seal = tag(&self.mac, "seal", &body);
        let pending = pending(&self.mac, &seed, return_to);
        Ok((pending, SecretString::from(format!("{body}.{seal}"))))
    }

    /// The sign-in that a cookie holds, unless it was tampered with or is over at `now`.
    #[must_use]
    pub fn open(&self, sealed: &str, now: DateTime<Utc>) -> Option<Pending> {
        let (body, seal) = sealed.rsplit_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        let mac = std::iter::once(&self.mac)
            .chain(&self.previous)
            .find(|mac| labelled(mac, "seal", body).verify_slice(&seal).is_ok())?;
        let mut parts = body.split('.');
        let (seed, ends, path) = (parts.next()?, parts.next()?, parts.next()?);
        if now.timestamp() >= ends.parse().ok()? {
            return None;
        }
        let path = String::from_utf8(URL_SAFE_NO_PAD.decode(path).ok()?).ok()?;
        Some(pending(mac, seed, ReturnTo::parse(&path)?))
    }
}

fn pending(mac: &Hmac<Sha256>, seed: &str, return_to: ReturnTo) -> Pending {
    Pending {
        state: tag(mac, "state", seed),
        nonce: tag(mac, "nonce", seed),
        verifier: tag(mac, "verifier", seed).into(),
        return_to,
    }
}

fn tag(mac: &Hmac<Sha256>, label: &str, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(labelled(mac, label, text).finalize().into_bytes())
}

fn labelled(mac: &Hmac<Sha256>, label: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    mac.update(format!("{label}:{text}").as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &str) -> SignInSeal {
        SignInSeal::new(&AuthKeys::derive(&SecretString::from(secret)).unwrap()).unwrap()
    }

    const SECRET: &str = "a secret of 32 bytes or more, from config";
    const OTHER: &str = "another secret of 32 bytes, from elsewhere";

    #[test]
    fn only_a_path_of_ours_is_gone_back_to() {
        for ours in ["/", "/jobs?status=ABEND#x", "/a/b//c"] {
            assert_eq!(ReturnTo::parse(ours).unwrap().as_str(), ours);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.example",
            " /",
            "/é",
            "evil.example",
        ] {
            assert!(ReturnTo::parse(foreign).is_none(), "{foreign:?}");
        }
        assert!(ReturnTo::parse(&format!("/{}", "a".repeat(1024))).is_none());
    }

    /// Two replicas have the same secret and nothing else in common.
    #[test]
    fn another_replica_opens_what_one_sealed() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let path = ReturnTo::parse("/jobs?a=b").unwrap();
        let (begun, cookie) = seal(SECRET).begin(path, now).unwrap();
        let opened = seal(SECRET).open(cookie.expose_secret(), now).unwrap();
        assert_eq!((&opened.state, &opened.nonce), (&begun.state, &begun.nonce));
        assert_eq!(
            opened.verifier.expose_secret(),
            begun.verifier.expose_secret()
        );
        assert_eq!(opened.return_to.as_str(), "/jobs?a=b");
        assert!(cookie.expose_secret().len() < 4096);
        for secret in [&begun.state, &begun.nonce, begun.verifier.expose_secret()] {
            assert!(
                !cookie.expose_secret().contains(secret),
                "the cookie tells none of them"
            );
        }
    }

    #[test]
    fn what_is_tampered_with_or_over_or_of_another_secret_does_not_open() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ours = seal(SECRET);
        let (_, cookie) = ours.begin(ReturnTo::default(), now).unwrap();
        let cookie = cookie.expose_secret();
        assert!(
            ours.open(cookie, now + PENDING - Duration::from_secs(1))
                .is_some()
        );
        assert!(ours.open(cookie, now + PENDING).is_none());
        assert!(seal(OTHER).open(cookie, now).is_none());
        for at in 0..cookie.len() {
            let mut bytes = cookie.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character of unpadded base64 has bits that mean nothing; a strict reader refuses.
            assert!(ours.open(&changed, now).is_none(), "byte {at}");
        }
        let keys = AuthKeys::derive_with_previous(&OTHER.into(), &[SECRET.into()]).unwrap();
        let renewed = SignInSeal::new(&keys).unwrap();
        assert!(
            renewed.open(cookie, now).is_some(),
            "the secret before is known"
        );
        for text in ["", ".", "....", "a.b.c.d"] {
            assert!(ours.open(text, now).is_none());
        }
    }
}
