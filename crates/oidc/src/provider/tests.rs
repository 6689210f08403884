//! The client before a provider that changes its keys, misbehaves, or is somebody else.

mod fake;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use resync_kernel::TestAuthority;
use resync_kernel::{ManualClock, error_chain};
use serde_json::json;
use tokio::time::Instant;

use self::fake::{DISCOVERY, Fake, KEYS, Reply, TOKEN};
use super::*;
use crate::http::{MAX_BODY, TIMEOUT};
use crate::token::tests::{Key, ecdsa, sign};

const SECRET: &str = "canary-secret";

fn config(fake: &Fake) -> OidcProviderConfig {
    OidcProviderConfig {
        issuer: fake.issuer.clone(),
        client_id: "resync".to_owned(),
        client_secret: SECRET.into(),
        redirect_uri: "https://resync.example/api/v1/auth/oidc/callback".to_owned(),
        scopes: vec!["openid".to_owned()],
        groups_claim: "groups".to_owned(),
        ca_pem: None,
    }
}

fn client_of(config: OidcProviderConfig) -> (OidcProvider, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let provider = OidcProvider::new(config, Arc::clone(&clock) as _).unwrap();
    (provider, clock)
}

/// From now on the provider signs with `key`, and says so at the address of its keys.
fn rotate_to(fake: &Fake, clock: &ManualClock, kid: &str) -> Key {
    let key = ecdsa(kid);
    fake.answers(KEYS, Reply::Json(json!({"keys": [key.public]})));
    signs(fake, clock, &key, kid);
    key
}

/// The next token is signed by `key` and names `kid`.
fn signs(fake: &Fake, clock: &ManualClock, key: &Key, kid: &str) {
    let now = clock.now().timestamp();
    let claims = json!({
        "iss": fake.issuer, "sub": "4711", "aud": "resync", "nonce": "nonce",
        "iat": now, "exp": now + 300, "preferred_username": "ana", "groups": ["ops"],
    });
    let token = sign(key, Some(kid), &claims);
    fake.answers(TOKEN, Reply::Json(json!({"id_token": token})));
}

async fn redeem(provider: &OidcProvider) -> Result<ExternalIdentity, RedeemError> {
    let (code, verifier) = ("canary-code".into(), "canary-verifier".into());
    provider.redeem(&code, &verifier, "nonce").await
}

async fn begin(provider: &OidcProvider) -> Result<String, ProviderError> {
    let request = SignInRequest {
        state: "state".to_owned(),
        nonce: "nonce".to_owned(),
        challenge: "challenge".to_owned(),
    };
    provider.authorize(&request).await
}

/// Keys that changed under way are fetched when a token names one that is not known.
#[tokio::test]
async fn rotated_keys_are_fetched_again_and_known_ones_are_not() {
    let fake = Fake::start().await;
    let (provider, clock) = client_of(config(&fake));
    rotate_to(&fake, &clock, "one");
    for _ in 0..3 {
        assert_eq!(redeem(&provider).await.unwrap().account.subject, "4711");
    }
    assert_eq!((fake.asked(KEYS), fake.asked(DISCOVERY)), (1, 1));

    // Fetched a moment ago, so that they are not fetched again yet; and then they are, once.
    let old = rotate_to(&fake, &clock, "two");
    let short = Duration::from_millis(1);
    clock.advance(KEYS_AGAIN.saturating_sub(short));
    assert!(matches!(
        redeem(&provider).await,
        Err(RedeemError::Invalid(_))
    ));
    assert_eq!(fake.asked(KEYS), 1);
    clock.advance(short);
    for _ in 0..3 {
        redeem(&provider).await.unwrap();
    }
    assert_eq!(fake.asked(KEYS), 2);

    // What the provider took out is believed no more.
    clock.advance(KEYS_AGAIN);
    rotate_to(&fake, &clock, "three");
    redeem(&provider).await.unwrap();
    signs(&fake, &clock, &old, "two");
    clock.advance(KEYS_AGAIN);
    assert!(matches!(
        redeem(&provider).await,
        Err(RedeemError::Invalid(_))
    ));
}

/// A flood of tokens with invented keys is one fetch in ten seconds, and shuts nobody out.
#[tokio::test]
async fn invented_keys_make_no_storm_of_fetches() {
    let fake = Fake::start().await;
    let (provider, clock) = client_of(config(&fake));
    let real = rotate_to(&fake, &clock, "real");
    redeem(&provider).await.unwrap();
    clock.advance(KEYS_AGAIN);
    let forger = ecdsa("forged");
    for round in 0..3 {
        let before = fake.asked(KEYS);
        for number in 0..10 {
            signs(&fake, &clock, &forger, &format!("forged-{round}-{number}"));
            let at_once = (0..5).map(|_| redeem(&provider));
            let answers = futures_util::future::join_all(at_once).await;
            let refused = |answer: &Result<_, _>| matches!(answer, Err(RedeemError::Invalid(_)));
            assert!(answers.iter().all(refused));
        }
        assert_eq!(fake.asked(KEYS), before + 1);
        signs(&fake, &clock, &real, "real");
        redeem(&provider).await.unwrap();
        clock.advance(KEYS_AGAIN);
    }
}

/// Many who sign in at once ask once, and a provider that is away is not asked by each of them.
#[tokio::test]
async fn discovery_is_asked_once_for_many_and_again_after_an_hour() {
    let fake = Fake::start().await;
    let (provider, clock) = client_of(config(&fake));
    let many = || futures_util::future::join_all((0..20).map(|_| begin(&provider)));
    assert!(many().await.iter().all(Result::is_ok));
    assert_eq!(fake.asked(DISCOVERY), 1);
    clock.advance(DISCOVERED);
    fake.answers(DISCOVERY, Reply::Status(503));
    assert!(many().await.iter().all(Result::is_err));
    assert_eq!(fake.asked(DISCOVERY), 2);
    clock.advance(TRY_AGAIN);
    assert!(begin(&provider).await.is_err());
    assert_eq!(fake.asked(DISCOVERY), 3);
}

/// ASVS 15.3.2: no redirect is followed, so that neither code nor secret goes where it points.
#[tokio::test]
async fn a_redirect_is_refused_wherever_it_is_answered() {
    let elsewhere = Fake::start().await;
    for path in [DISCOVERY, KEYS, TOKEN] {
        let fake = Fake::start().await;
        let (provider, clock) = client_of(config(&fake));
        rotate_to(&fake, &clock, "one");
        fake.answers(path, Reply::Redirect(format!("{}{path}", elsewhere.issuer)));
        let refused = redeem(&provider).await.unwrap_err();
        assert!(
            matches!(refused, RedeemError::Provider(_)),
            "{path}: {refused:?}"
        );
        assert!(error_chain(&refused).contains("307"), "{refused:?}");
    }
    assert_eq!(elsewhere.heard(), "");
}

/// An answer that never ends is read to the cap and no further, whoever's it is.
#[tokio::test]
async fn an_endless_answer_is_cut_off_at_the_cap() {
    for path in [DISCOVERY, KEYS, TOKEN] {
        let fake = Fake::start().await;
        let (provider, clock) = client_of(config(&fake));
        rotate_to(&fake, &clock, "one");
        fake.answers(path, Reply::Endless);
        let refused = redeem(&provider).await.unwrap_err();
        assert!(
            error_chain(&refused).contains("too large"),
            "{path}: {refused:?}"
        );
        // What lies in the buffers of two sockets was sent and never read.
        assert!(
            fake.taken() > MAX_BODY - 64 * 1024,
            "{path}: {}",
            fake.taken()
        );
    }
}

/// A provider that says nothing, and one that says a byte a second, hold nobody longer than the timeout.
#[tokio::test(start_paused = true)]
async fn a_silent_and_a_dripping_provider_are_left_at_the_timeout() {
    for reply in [Reply::Silence, Reply::Drip] {
        for path in [DISCOVERY, KEYS, TOKEN] {
            let fake = Fake::start().await;
            let (provider, clock) = client_of(config(&fake));
            rotate_to(&fake, &clock, "one");
            fake.answers(path, reply.clone());
            let begun = Instant::now();
            let refused = redeem(&provider).await.unwrap_err();
            assert!(
                matches!(refused, RedeemError::Provider(_)),
                "{path}: {refused:?}"
            );
            let took = begun.elapsed();
            assert!(
                took.abs_diff(TIMEOUT) <= Duration::from_millis(100),
                "{path}: {took:?}"
            );
        }
    }
}

/// The company's own authority alone is trusted when one is named, and only by its certificate.
#[tokio::test]
async fn a_provider_behind_an_authority_of_its_own_is_trusted_by_it_alone() {
    let (ours, other) = (TestAuthority::new(), TestAuthority::new());
    let fake = Fake::start_tls(&ours).await;
    let with = |ca_pem: Option<String>| {
        let config = OidcProviderConfig {
            ca_pem: ca_pem.map(String::into_bytes),
            ..config(&fake)
        };
        client_of(config)
    };
    let bundle = [other.pem(), ours.pem()].concat();
    for trusted in [ours.pem(), bundle] {
        let (provider, clock) = with(Some(trusted));
        rotate_to(&fake, &clock, "one");
        assert_eq!(
            redeem(&provider).await.unwrap().name.as_deref(),
            Some("ana")
        );
    }
    let asked = fake.heard().len();
    for untrusted in [None, Some(other.pem())] {
        let (provider, _) = with(untrusted);
        let refused = begin(&provider).await.unwrap_err();
        assert!(refused.source().is_some(), "{refused:?}");
    }
    assert_eq!(
        fake.heard().len(),
        asked,
        "nothing was asked of whom nobody vouches for"
    );
}

#[test]
fn a_file_without_a_certificate_is_no_authority() {
    for pem in ["", "no certificate\n"] {
        let made = OidcProvider::new(
            OidcProviderConfig {
                issuer: "https://idp.example".to_owned(),
                client_id: "resync".to_owned(),
                client_secret: SECRET.into(),
                redirect_uri: String::new(),
                scopes: Vec::new(),
                groups_claim: String::new(),
                ca_pem: Some(pem.into()),
            },
            Arc::new(ManualClock::default()),
        );
        assert!(matches!(made, Err(OidcConfigError::NoAuthority)), "{pem:?}");
    }
}

/// P2: what is secret goes to the token's address and into no error.
#[tokio::test]
async fn the_code_and_the_secret_are_in_no_error() {
    let fake = Fake::start().await;
    let (provider, clock) = client_of(config(&fake));
    rotate_to(&fake, &clock, "one");
    for reply in [
        Reply::Status(500),
        Reply::Status(400),
        Reply::Json(json!({"id_token": "canary-token.a.b"})),
        Reply::Json(json!({"other": "canary-answer"})),
    ] {
        fake.answers(TOKEN, reply);
        let error = redeem(&provider).await.unwrap_err();
        let said = format!("{error:?} {}", error_chain(&error));
        assert!(!said.contains("canary"), "{said}");
    }
    assert!(fake.heard().contains("canary-code"));
}
