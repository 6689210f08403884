//! CSRF tokens: an HMAC over the session's id, so that a token of another session, or one tossed in by
//! a neighbouring site, does not fit.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use resync_kernel::SecretString;
use sha2::Sha256;
use thiserror::Error;

use crate::keys::AuthKeys;
use crate::model::SessionId;

/// Issues and checks CSRF tokens. Cheap to clone.
#[derive(Clone)]
pub struct CsrfTokens {
    mac: Hmac<Sha256>,
    previous: Vec<Hmac<Sha256>>,
}

/// The key was refused by HMAC, which takes any length.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the key for CSRF tokens is not usable")]
pub struct CsrfKeyError;

impl CsrfTokens {
    /// Tokens under the key for CSRF; those under previous keys fit too, as their sessions live on.
    ///
    /// # Errors
    /// [`CsrfKeyError`] when HMAC refuses the key.
    pub fn new(keys: &AuthKeys) -> Result<Self, CsrfKeyError> {
        let mac =
            |keys: &AuthKeys| Hmac::new_from_slice(keys.csrf().expose()).map_err(|_| CsrfKeyError);
        Ok(Self {
            mac: mac(keys)?,
            previous: keys.previous().iter().map(mac).collect::<Result<_, _>>()?,
        })
    }

    /// The token of a session: 43 characters, always the same for the same session.
    #[must_use]
    pub fn issue(&self, session_id: SessionId) -> SecretString {
        URL_SAFE_NO_PAD
            .encode(tag(&self.mac, session_id).finalize().into_bytes())
            .into()
    }

    /// Whether `token` is the session's, in a time that does not depend on how much of it fits.
    #[must_use]
    pub fn verify(&self, session_id: SessionId, token: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        std::iter::once(&self.mac)
            .chain(&self.previous)
            .any(|mac| tag(mac, session_id).verify_slice(&bytes).is_ok())
    }
}

fn tag(mac: &Hmac<Sha256>, session_id: SessionId) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    mac.update(session_id.0.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use resync_kernel::ExposeSecret;
    use uuid::Uuid;

    use super::*;

    fn tokens(secret: &str) -> CsrfTokens {
        CsrfTokens::new(&AuthKeys::derive(&SecretString::from(secret)).unwrap()).unwrap()
    }

    /// A8: tossed, foreign, cut and missing tokens do not fit.
    #[test]
    fn only_the_sessions_own_token_fits() {
        let ours = tokens("an example of thirty-two bytes or more");
        let (session, other) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        let token = ours.issue(session);
        let text = token.expose_secret();
        assert_eq!(text.len(), 43);
        assert!(ours.verify(session, text));
        assert!(!ours.verify(other, text));
        assert!(!ours.verify(session, ours.issue(other).expose_secret()));
        assert!(!tokens("another example of thirty-two bytes or more").verify(session, text));
        for bad in [
            "",
            "x",
            &text[..42],
            &format!("{text}A"),
            &"A".repeat(43),
            "%%%",
        ] {
            assert!(!ours.verify(session, bad), "{bad}");
        }
    }

    /// A page that is open while the secret changes keeps working.
    #[test]
    fn a_token_under_a_previous_secret_fits_and_is_no_longer_issued() {
        let (old, new) = (
            "an example of thirty-two bytes or more",
            "another example of thirty-two bytes or more",
        );
        let keys =
            AuthKeys::derive_with_previous(&SecretString::from(new), &[SecretString::from(old)]);
        let rotated = CsrfTokens::new(&keys.unwrap()).unwrap();
        let session = SessionId(Uuid::from_u128(1));
        let earlier = tokens(old).issue(session);
        assert!(rotated.verify(session, earlier.expose_secret()));
        assert!(!tokens(new).verify(session, earlier.expose_secret()));
        let issued = rotated.issue(session);
        assert!(tokens(new).verify(session, issued.expose_secret()));
    }
}
