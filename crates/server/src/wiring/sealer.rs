//! Secrets of engines at rest: AES-256-GCM under the key derived for `resync/v1/engine-credentials`.
//!
//! Invariants:
//! - The text is `v1.` and base64url of nonce, ciphertext and tag; each sealing has a random nonce of its
//!   own, so equal secrets are not equal texts.
//! - The engine's name is authenticated: a text moved to another engine does not open.
//! - What a previous secret of the configuration sealed still opens, and says that it should be sealed
//!   anew.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resync_auth::AuthKeys;
use resync_kernel::{ExposeSecret, SecretString};
use resync_tws::model::EngineName;
use resync_tws::ports::{CredentialSealer, OpenedSecret, SealError, SealedSecret};

const VERSION: &str = "v1.";

/// Seals under the first key and opens under any.
pub(super) struct AesGcmSealer {
    keys: Vec<RandomizedNonceKey>,
}

impl AesGcmSealer {
    /// The sealer of these keys: those of the current secret, then of the previous ones.
    pub(super) fn new(keys: &AuthKeys) -> Result<Self, SealError> {
        let all = std::iter::once(keys).chain(keys.previous());
        let keys = all
            .map(|keys| RandomizedNonceKey::new(&AES_256_GCM, keys.engine_credentials().expose()));
        let keys = keys.collect::<Result<_, _>>();
        Ok(Self {
            keys: keys.map_err(|error| SealError::Unavailable(error.into()))?,
        })
    }
}

fn bound_to(engine: &EngineName) -> Aad<Vec<u8>> {
    Aad::from(format!("resync/v1/engine-credentials\n{engine}").into_bytes())
}

impl CredentialSealer for AesGcmSealer {
    fn seal(&self, engine: &EngineName, secret: &SecretString) -> Result<SealedSecret, SealError> {
        let key = self.keys.first().ok_or(SealError::Unopenable)?;
        let mut text = secret.expose_secret().as_bytes().to_vec();
        let nonce = key
            .seal_in_place_append_tag(bound_to(engine), &mut text)
            .map_err(|error| SealError::Unavailable(error.into()))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(SealedSecret(format!(
            "{VERSION}{}",
            URL_SAFE_NO_PAD.encode(sealed)
        )))
    }

    fn open(&self, engine: &EngineName, sealed: &SealedSecret) -> Result<OpenedSecret, SealError> {
        let text = sealed
            .0
            .strip_prefix(VERSION)
            .ok_or(SealError::Unopenable)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| SealError::Unopenable)?;
        let (nonce, ciphertext) = bytes
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealError::Unopenable)?;
        for (at, key) in self.keys.iter().enumerate() {
            let mut opened = ciphertext.to_vec();
            // A failed try may leave anything in the buffer, so each key gets its own.
            let Ok(plain) = key.open_in_place(Nonce::from(nonce), bound_to(engine), &mut opened)
            else {
                continue;
            };
            let plain = std::str::from_utf8(plain).map_err(|_| SealError::Unopenable)?;
            return Ok(OpenedSecret {
                secret: plain.to_owned().into(),
                reseal: at > 0,
            });
        }
        Err(SealError::Unopenable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "a secret of more than thirty-two bytes, of today";
    const BEFORE: &str = "a secret of more than thirty-two bytes, of before";

    fn sealer(secret: &str, previous: &[&str]) -> AesGcmSealer {
        let previous: Vec<SecretString> = previous
            .iter()
            .map(|secret| (*secret).to_owned().into())
            .collect();
        let keys = AuthKeys::derive_with_previous(&secret.to_owned().into(), &previous).unwrap();
        AesGcmSealer::new(&keys).unwrap()
    }

    fn prod() -> EngineName {
        EngineName::parse("prod").unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_engine_and_no_other() {
        let today = sealer(NOW, &[]);
        let secret: SecretString = "geheim: é".to_owned().into();
        let sealed = today.seal(&prod(), &secret).unwrap();
        assert!(sealed.0.starts_with("v1.") && !sealed.0.contains("geheim"));
        let opened = today.open(&prod(), &sealed).unwrap();
        assert_eq!(opened.secret.expose_secret(), "geheim: é");
        assert!(!opened.reseal);
        let test = EngineName::parse("test").unwrap();
        assert!(today.open(&test, &sealed).is_err());
        assert_ne!(today.seal(&prod(), &secret).unwrap(), sealed);
    }

    #[test]
    fn what_a_previous_secret_sealed_opens_and_asks_to_be_sealed_anew() {
        let sealed = sealer(BEFORE, &[])
            .seal(&prod(), &"geheim".to_owned().into())
            .unwrap();
        let opened = sealer(NOW, &[BEFORE]).open(&prod(), &sealed).unwrap();
        assert_eq!(
            (opened.secret.expose_secret(), opened.reseal),
            ("geheim", true)
        );
        assert!(sealer(NOW, &[]).open(&prod(), &sealed).is_err());
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let today = sealer(NOW, &[]);
        let sealed = today.seal(&prod(), &"geheim".to_owned().into()).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed.0[3..]).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let changed = SealedSecret(format!("v1.{}", URL_SAFE_NO_PAD.encode(&bytes)));
            assert!(today.open(&prod(), &changed).is_err(), "byte {at}");
            bytes[at] ^= 1;
        }
        for text in ["", "v1.", "v2.AAAA", "v1.%%%"] {
            let garbage = SealedSecret(text.to_owned());
            assert!(today.open(&prod(), &garbage).is_err(), "{text}");
        }
    }
}
