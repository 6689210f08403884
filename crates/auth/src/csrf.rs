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
}

/// The key was refused by HMAC, which takes any length.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the key for CSRF tokens is not usable")]
pub struct CsrfKeyError;

impl CsrfTokens {
    /// Tokens under the key for CSRF.
    ///
    /// # Errors
    /// [`CsrfKeyError`] when HMAC refuses the key.
    pub fn new(keys: &AuthKeys) -> Result<Self, CsrfKeyError> {
        let mac = Hmac::new_from_slice(keys.csrf().expose()).map_err(|_| CsrfKeyError)?;
        Ok(Self { mac })
    }

    /// The token of a session: 43 characters, always the same for the same session.
    #[must_use]
    pub fn issue(&self, session_id: SessionId) -> SecretString {
        URL_SAFE_NO_PAD
            .encode(self.tag(session_id).finalize().into_bytes())
            .into()
    }

    /// Whether `token` is the session's, in a time that does not depend on how much of it fits.
    #[must_use]
    pub fn verify(&self, session_id: SessionId, token: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|bytes| self.tag(session_id).verify_slice(&bytes).is_ok())
    }

    fn tag(&self, session_id: SessionId) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(session_id.0.as_bytes());
        mac
    }
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
}
