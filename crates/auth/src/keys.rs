//! One key for each purpose, derived from the one secret of the configuration.
//!
//! Nobody gets the secret itself, and a key of one purpose says nothing about another: a leaked CSRF
//! key signs no session. There is no default secret and no way to a key but [`AuthKeys::derive`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use resync_kernel::{ExposeSecret, SecretString};
use secrecy::SecretBox;
use sha2::Sha256;
use thiserror::Error;

/// 32 bytes for one purpose; `Debug` hides them.
pub struct DerivedKey(SecretBox<[u8; 32]>);

impl DerivedKey {
    /// The bytes, for a signature or a cipher.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    fn derive(hkdf: &Hkdf<Sha256>, info: &str) -> Result<Self, AuthKeysError> {
        let mut key = SecretBox::new(Box::new([0; 32]));
        hkdf.expand(
            info.as_bytes(),
            secrecy::ExposeSecretMut::expose_secret_mut(&mut key),
        )
        .map_err(|_| AuthKeysError::Derivation)?;
        Ok(Self(key))
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey([REDACTED])")
    }
}

/// The keys of the product, by HKDF-SHA256 from `auth.secret_key`, and those of the secrets before it.
#[derive(Debug)]
pub struct AuthKeys {
    key_id: String,
    jwt: DerivedKey,
    csrf: DerivedKey,
    confirmation: DerivedKey,
    api_key: DerivedKey,
    engine_credentials: DerivedKey,
    sign_in: DerivedKey,
    previous: Vec<Self>,
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum AuthKeysError {
    /// The secret has too few bytes.
    #[error(
        "auth.secret_key has {bytes} bytes and needs at least {}; make one with `openssl rand -base64 48`",
        AuthKeys::MIN_SECRET_BYTES
    )]
    TooShort {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The secret is long, but of too few different bytes to have been made at random.
    #[error(
        "auth.secret_key repeats itself and can be guessed; make one with `openssl rand -base64 48`"
    )]
    Guessable,
    /// More previous secrets than are tried.
    #[error("at most {} previous secrets are tried", AuthKeys::MAX_PREVIOUS)]
    TooManyPrevious,
    /// HKDF gave no key.
    #[error("no key could be derived from auth.secret_key")]
    Derivation,
}

impl AuthKeys {
    /// The least length of the secret.
    pub const MIN_SECRET_BYTES: usize = 32;
    /// The least number of different bytes; 32 random hexadecimal digits have fewer with a chance of
    /// about one in a million.
    const MIN_DIFFERENT_BYTES: usize = 8;
    /// How many secrets may stand before the current one; each costs a look-up for a key that is unknown.
    pub const MAX_PREVIOUS: usize = 3;

    /// Derives all keys from `secret`.
    ///
    /// # Errors
    /// [`AuthKeysError`] when the secret is absent, short or guessable.
    pub fn derive(secret: &SecretString) -> Result<Self, AuthKeysError> {
        let bytes = secret.expose_secret().as_bytes();
        if bytes.len() < Self::MIN_SECRET_BYTES {
            return Err(AuthKeysError::TooShort { bytes: bytes.len() });
        }
        let different = bytes
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len();
        if different < Self::MIN_DIFFERENT_BYTES {
            return Err(AuthKeysError::Guessable);
        }
        let hkdf = Hkdf::<Sha256>::new(None, bytes);
        Ok(Self {
            key_id: key_id(&hkdf)?,
            jwt: DerivedKey::derive(&hkdf, "resync/v1/jwt")?,
            csrf: DerivedKey::derive(&hkdf, "resync/v1/csrf")?,
            confirmation: DerivedKey::derive(&hkdf, "resync/v1/confirmation")?,
            api_key: DerivedKey::derive(&hkdf, "resync/v1/api-key")?,
            engine_credentials: DerivedKey::derive(&hkdf, "resync/v1/engine-credentials")?,
            sign_in: DerivedKey::derive(&hkdf, "resync/v1/sign-in")?,
            previous: Vec::new(),
        })
    }

    /// Derives the keys of `secret`, which make everything new, and those of the secrets before it, newest
    /// first, under which what was made earlier is still known. A secret that stands twice counts once.
    ///
    /// # Errors
    /// [`AuthKeysError`] when a secret is absent, short or guessable, or there are too many.
    pub fn derive_with_previous(
        secret: &SecretString,
        previous: &[SecretString],
    ) -> Result<Self, AuthKeysError> {
        if previous.len() > Self::MAX_PREVIOUS {
            return Err(AuthKeysError::TooManyPrevious);
        }
        let mut keys = Self::derive(secret)?;
        for secret in previous {
            let earlier = Self::derive(secret)?;
            if keys.all().all(|known| known.key_id != earlier.key_id) {
                keys.previous.push(earlier);
            }
        }
        Ok(keys)
    }

    /// The keys of the previous secrets, newest first.
    #[must_use]
    pub fn previous(&self) -> &[Self] {
        &self.previous
    }

    /// These keys, then the previous ones.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.previous)
    }

    /// Names the secret in what is signed, 11 characters; derived like a key, so it gives nothing away.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Signs session tokens.
    #[must_use]
    pub const fn jwt(&self) -> &DerivedKey {
        &self.jwt
    }

    /// Binds CSRF tokens to sessions.
    #[must_use]
    pub const fn csrf(&self) -> &DerivedKey {
        &self.csrf
    }

    /// Signs confirmation tokens of proposals.
    #[must_use]
    pub const fn confirmation(&self) -> &DerivedKey {
        &self.confirmation
    }

    /// Digests API keys for their rows.
    #[must_use]
    pub const fn api_key(&self) -> &DerivedKey {
        &self.api_key
    }

    /// Encrypts the credentials of engines.
    #[must_use]
    pub const fn engine_credentials(&self) -> &DerivedKey {
        &self.engine_credentials
    }

    /// Seals sign-ins at the identity provider that are under way.
    #[must_use]
    pub const fn sign_in(&self) -> &DerivedKey {
        &self.sign_in
    }
}

fn key_id(hkdf: &Hkdf<Sha256>) -> Result<String, AuthKeysError> {
    let mut id = [0; 8];
    hkdf.expand(b"resync/v1/key-id", &mut id)
        .map_err(|_| AuthKeysError::Derivation)?;
    Ok(URL_SAFE_NO_PAD.encode(id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SECRET: &str = "an example of thirty-two bytes or more";

    /// P1-05: nothing is signed under an absent or a weak secret.
    #[test]
    fn a_missing_or_weak_secret_is_refused_and_the_error_tells_what_to_do() {
        let derive = |text: &str| AuthKeys::derive(&SecretString::from(text)).map(|_| ());
        assert_eq!(derive(""), Err(AuthKeysError::TooShort { bytes: 0 }));
        let short = derive("only thirty-one bytes, sadly...").unwrap_err();
        assert_eq!(short, AuthKeysError::TooShort { bytes: 31 });
        assert!(
            short
                .to_string()
                .contains("auth.secret_key has 31 bytes and needs at least 32")
        );
        assert!(short.to_string().contains("openssl rand"));
        assert_eq!(derive(&"ab".repeat(40)), Err(AuthKeysError::Guessable));
        assert_eq!(derive(SECRET), Ok(()));
    }

    #[test]
    fn each_purpose_has_its_own_key_and_the_same_secret_gives_the_same_keys() {
        let all = |secret: &str| {
            let keys = AuthKeys::derive(&SecretString::from(secret)).unwrap();
            [
                *keys.jwt().expose(),
                *keys.csrf().expose(),
                *keys.confirmation().expose(),
                *keys.api_key().expose(),
                *keys.engine_credentials().expose(),
                *keys.sign_in().expose(),
            ]
        };
        let keys = all(SECRET);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 6);
        assert_eq!(keys, all(SECRET));
        assert_ne!(keys, all("another example of thirty-two bytes or more"));
    }

    /// Figures by an independent HKDF (RFC 5869 written out over Python's `hmac`).
    #[test]
    fn keys_do_not_change_between_releases() {
        let keys = AuthKeys::derive(&SecretString::from(SECRET)).unwrap();
        assert_eq!(
            hex::encode(keys.jwt().expose()),
            "f28f16dec2b8654bd98f067b3c6a4ecaf8d6ff39cc6a61472c7c1ff660dd834a"
        );
        assert_eq!(
            hex::encode(keys.confirmation().expose()),
            "037c01546efdd6bcedda1a06e64f58331fbab4cd20dff770e7f237e34452f24b"
        );
    }

    #[test]
    fn previous_secrets_are_kept_once_and_are_as_good_as_the_current_one() {
        let derive = |previous: &[&str]| {
            let previous: Vec<_> = previous
                .iter()
                .map(|text| SecretString::from(*text))
                .collect();
            AuthKeys::derive_with_previous(&SecretString::from(SECRET), &previous)
        };
        let old = "another example of thirty-two bytes or more";
        let keys = derive(&[old, SECRET, old]).unwrap();
        let ids: Vec<_> = keys.all().map(AuthKeys::key_id).collect();
        let alone = AuthKeys::derive(&SecretString::from(old)).unwrap();
        assert_eq!(ids[1..], [alone.key_id()]);
        assert!(ids[0].len() == 11 && ids[0] != ids[1]);
        assert_eq!(keys.previous()[0].csrf().expose(), alone.csrf().expose());
        assert_eq!(
            derive(&["short"]).unwrap_err(),
            AuthKeysError::TooShort { bytes: 5 }
        );
        assert_eq!(
            derive(&[old; 4]).unwrap_err(),
            AuthKeysError::TooManyPrevious
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = AuthKeys::derive(&SecretString::from(SECRET)).unwrap();
        let text = format!("{keys:?}");
        assert_eq!(text.matches("REDACTED").count(), 6);
        assert!(!text.contains(&format!("{:?}", keys.jwt().expose())));
    }
}
