//! The two cookies of a session: the token, which no script can read, and the CSRF token, which one must.

use std::time::Duration;

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use resync_kernel::{ExposeSecret, SecretString};

/// How the cookies are named and marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieStyle {
    /// `__Host-` names with `Secure`: every listener but the next.
    Secure,
    /// Plain names: a plain http listener on loopback, or when the configuration says so.
    Plain,
}

impl CookieStyle {
    /// The name of the cookie with the session's token.
    #[must_use]
    pub fn session(self) -> &'static str {
        match self {
            Self::Secure => "__Host-resync_session",
            Self::Plain => "resync_session",
        }
    }

    /// The name of the cookie with the CSRF token.
    #[must_use]
    pub fn csrf(self) -> &'static str {
        match self {
            Self::Secure => "__Host-resync_csrf",
            Self::Plain => "resync_csrf",
        }
    }

    /// The name of the cookie with a sign-in under way at the identity provider.
    #[must_use]
    pub fn begun(self) -> &'static str {
        match self {
            Self::Secure => "__Host-resync_signin",
            Self::Plain => "resync_signin",
        }
    }

    fn secure(self) -> &'static str {
        match self {
            Self::Secure => "; Secure",
            Self::Plain => "",
        }
    }

    /// Sets both cookies for as long as the session lasts.
    pub(crate) fn set(
        self,
        headers: &mut HeaderMap,
        token: &SecretString,
        csrf: &SecretString,
        lasts: Duration,
    ) {
        let seconds = lasts.as_secs();
        let secure = self.secure();
        append(
            headers,
            format!(
                "{}={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
                self.session(),
                token.expose_secret()
            ),
        );
        append(
            headers,
            format!(
                "{}={}; Path=/; Max-Age={seconds}; SameSite=Lax{secure}",
                self.csrf(),
                csrf.expose_secret()
            ),
        );
    }

    /// Sets the cookie of a sign-in under way. `Lax`, since the provider sends the browser back here.
    pub(crate) fn begin(self, headers: &mut HeaderMap, sealed: &SecretString, lasts: Duration) {
        self.put_begun(headers, sealed.expose_secret(), lasts.as_secs());
    }

    /// Makes the browser forget the sign-in under way.
    pub(crate) fn end_begun(self, headers: &mut HeaderMap) {
        self.put_begun(headers, "", 0);
    }

    fn put_begun(self, headers: &mut HeaderMap, value: &str, seconds: u64) {
        let (name, secure) = (self.begun(), self.secure());
        append(
            headers,
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"),
        );
    }

    /// Makes the browser forget both.
    pub(crate) fn clear(self, headers: &mut HeaderMap) {
        let secure = self.secure();
        for (name, http_only) in [(self.session(), "; HttpOnly"), (self.csrf(), "")] {
            append(
                headers,
                format!("{name}=; Path=/; Max-Age=0{http_only}; SameSite=Lax{secure}"),
            );
        }
    }
}

fn append(headers: &mut HeaderMap, text: String) {
    // Tokens are base64url with dots, so the text always is a header value.
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        headers.append(SET_COOKIE, value);
    }
}

/// The value of a cookie. A name that stands twice is refused: one of the two is not ours.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(style: CookieStyle) -> Vec<String> {
        let mut headers = HeaderMap::new();
        style.set(
            &mut headers,
            &"a.b.c".into(),
            &"csrf".into(),
            Duration::from_mins(1),
        );
        headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    /// P1-09
    #[test]
    fn cookie_attributes_exact() {
        assert_eq!(
            set(CookieStyle::Plain),
            [
                "resync_session=a.b.c; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
                "resync_csrf=csrf; Path=/; Max-Age=60; SameSite=Lax",
            ]
        );
        assert_eq!(
            set(CookieStyle::Secure),
            [
                "__Host-resync_session=a.b.c; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
                "__Host-resync_csrf=csrf; Path=/; Max-Age=60; SameSite=Lax; Secure",
            ]
        );
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_only_when_it_stands_once() {
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::from_static("a=1; xresync_session=no; resync_session=yes"),
        );
        assert_eq!(cookie(&headers, "resync_session"), Some("yes"));
        assert_eq!(cookie(&headers, "resync"), None);
        headers.append(COOKIE, HeaderValue::from_static("resync_session=tossed"));
        assert_eq!(cookie(&headers, "resync_session"), None);
    }

    #[test]
    fn a_cookie_in_the_log_is_not_readable() {
        let mut headers = HeaderMap::new();
        CookieStyle::Plain.set(
            &mut headers,
            &"canary".into(),
            &"canary".into(),
            Duration::from_secs(1),
        );
        assert!(!format!("{headers:?}").contains("canary"));
    }
}
