//! What a request shows to prove whose it is: the session's cookie, or an API key.
//!
//! 1. `Authorization: Bearer …` is an API key and nothing else; a session's token is not taken there.
//! 2. A request with a key is judged by the key alone: the cookie beside it is not looked at, and a key
//!    that is not good is a 401, never a fall back to the cookie. No page of another origin can add that
//!    header, so a key needs no proof that our page sent it.
//! 3. Another scheme (a proxy's `Basic`) is not ours: the cookie counts as if the header were not there.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use resync_auth::{AuthenticateError, For, Principal};
use resync_kernel::{ExposeSecret, SecretString};

use super::cookies::{CookieStyle, cookie};
use crate::state::App;

/// A credential as it came. `Debug` does not show it.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// The token of a session, from its cookie.
    Session(SecretString),
    /// The text of an API key.
    Key(SecretString),
}

impl Credential {
    /// The one credential that counts, `None` when there is none or the header is not readable.
    pub(crate) fn of(headers: &HeaderMap, cookies: CookieStyle) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => {}
            // Two of them: a proxy before us may have believed the other one.
            (Some(_), Some(_)) => return None,
            (Some(value), None) => {
                let text = value.to_str().ok()?.trim();
                let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
                if scheme.eq_ignore_ascii_case("bearer") {
                    let key = key.trim();
                    return (!key.is_empty()).then(|| Self::Key(key.into()));
                }
            }
        }
        cookie(headers, cookies.session()).map(|token| Self::Session(token.into()))
    }

    /// Whether it is an API key, which needs no proof that our page sent the request.
    pub(crate) fn is_key(&self) -> bool {
        matches!(self, Self::Key(_))
    }

    /// Whose it is, for a request that reads or one that may change something.
    pub(crate) async fn authenticate(
        &self,
        app: &App,
        purpose: For,
    ) -> Result<Principal, AuthenticateError> {
        match self {
            Self::Session(token) => {
                app.sessions
                    .authenticate_for(token.expose_secret(), purpose)
                    .await
            }
            Self::Key(text) => {
                app.keys
                    .authenticate_for(text.expose_secret(), purpose)
                    .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Option<(bool, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Credential::of(&headers, CookieStyle::Plain).map(|credential| match credential {
            Credential::Session(text) => (false, text.expose_secret().to_owned()),
            Credential::Key(text) => (true, text.expose_secret().to_owned()),
        })
    }

    #[test]
    fn a_key_beside_a_cookie_is_the_one_that_counts() {
        let cookie = ("cookie", "resync_session=s");
        assert_eq!(of(&[cookie]), Some((false, "s".to_owned())));
        assert_eq!(
            of(&[cookie, ("authorization", "Bearer k")]),
            Some((true, "k".to_owned()))
        );
        assert_eq!(
            of(&[("authorization", "bearer  k ")]),
            Some((true, "k".to_owned()))
        );
    }

    #[test]
    fn an_unreadable_key_never_falls_back_to_the_cookie() {
        let cookie = ("cookie", "resync_session=s");
        for header in ["Bearer", "Bearer ", "bearer\t"] {
            assert_eq!(of(&[cookie, ("authorization", header)]), None, "{header:?}");
        }
        assert_eq!(
            of(&[
                cookie,
                ("authorization", "Bearer a"),
                ("authorization", "Bearer b")
            ]),
            None
        );
    }

    #[test]
    fn the_credential_of_a_proxy_is_not_ours() {
        let basic = ("authorization", "Basic YTpi");
        assert_eq!(of(&[basic]), None);
        assert_eq!(
            of(&[basic, ("cookie", "resync_session=s")]),
            Some((false, "s".to_owned()))
        );
    }

    #[test]
    fn a_credential_in_the_log_is_not_readable() {
        let shown = [
            Credential::Session("canary".into()),
            Credential::Key("canary".into()),
        ];
        assert!(!format!("{shown:?}").contains("canary"));
    }
}
