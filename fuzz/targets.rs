//! What must hold for any bytes, one function a reader of untrusted text.
//!
//! The fuzzer calls them with bytes that it finds interesting, and the tests with bytes made from a
//! seed. A property that does not hold panics.

use std::sync::LazyLock;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use resync_api::edge::cookies::cookie as cookie_of;
use resync_auth::{ApiKeyService, AuthKeys, TokenConfig, TokenVerifier};
use resync_hwa::Oql;
use resync_kernel::{SecretString, SystemClock};
use resync_tws::redact_line;

/// What is taken for the session's cookie stands in the header as `name=value`, whole, and once.
pub(crate) fn cookie(data: &[u8]) {
    const NAME: &str = "resync_session";
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
    let Some(value) = cookie_of(&headers, NAME) else {
        return;
    };
    assert!(
        !value.contains(';'),
        "a cookie's value ends at the semicolon"
    );
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter(|pair| pair.trim() == format!("{NAME}={value}"))
        .count();
    assert_eq!(pairs, 1, "the cookie stands once");
}

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let secret = SecretString::from("a secret of the fuzzer, longer than 32 bytes");
    let keys = AuthKeys::derive(&secret).expect("the secret is long");
    TokenVerifier::new(
        &keys,
        &TokenConfig::default(),
        std::sync::Arc::new(SystemClock::new()),
    )
    .expect("the configuration is whole")
});

/// Nobody who does not know the key makes a token.
pub(crate) fn token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert!(VERIFIER.verify(&text).is_err(), "a forged token was taken");
}

/// What is taken for the text of an API key has its one form, and nothing that could change a query
/// or a log.
pub(crate) fn api_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if !ApiKeyService::is_well_formed(&text) {
        return;
    }
    let random = text.strip_prefix(ApiKeyService::PREFIX);
    let random = random.expect("the prefix of our keys");
    assert_eq!(random.len(), 43);
    assert!(
        random
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    );
}

/// A value of a user stays within its two quotes, whatever it is.
pub(crate) fn oql(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (left, right) = text.split_at(
        text.char_indices()
            .map(|(at, _)| at)
            .find(|at| *at * 2 >= text.len())
            .unwrap_or(0),
    );
    let parts = [
        Oql::is("name", left),
        Oql::like("folder", right),
        Oql::any_of("workstation", [left, right]),
    ];
    for part in parts.into_iter().flatten() {
        let written = part.to_string();
        let quotes = written.matches('\'').count();
        assert!(matches!(quotes, 2 | 4), "{written}");
        assert!(!written.chars().any(char::is_control), "{written:?}");
        // What is outside of the quotes is ours, whatever is within.
        let outside: String = written.split('\'').step_by(2).collect();
        let known = [
            "name = ",
            "folder LIKE ",
            "workstation = ",
            "workstation IN [,]",
        ];
        assert!(known.contains(&outside.as_str()), "{written}");
    }
}

/// A line without its secrets loses nothing else: what was masked once is not masked again, and a
/// planted password does not come out.
pub(crate) fn redaction(data: &[u8]) {
    const SECRET: &str = "Hunter2.canary-Xq9";
    let text = String::from_utf8_lossy(data);
    let Some(line) = text.lines().next() else {
        return;
    };
    let once = redact_line(line);
    let twice = redact_line(&once.text);
    assert_eq!(once.text, twice.text, "masking is done at once");
    assert_eq!(twice.secrets, 0);
    assert_eq!(once.secrets == 0, once.text == line);
    if line.contains(SECRET) {
        return;
    }
    let planted = redact_line(&format!("{line} password={SECRET}"));
    assert!(!planted.text.contains(SECRET), "{line:?}");
}
