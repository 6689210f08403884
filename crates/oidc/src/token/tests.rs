//! Tokens signed by keys that are made here, each wrong in one way.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

pub(crate) struct Key {
    alg: Algorithm,
    private: EncodingKey,
    pub(crate) public: Value,
}

pub(crate) fn ecdsa(kid: &str) -> Key {
    let random = SystemRandom::new();
    let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Key {
        alg: Algorithm::ES256,
        private: EncodingKey::from_ec_der(pkcs8.as_ref()),
        public: json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": text(&point[1..33]), "y": text(&point[33..65]),
        }),
    }
}

fn eddsa(kid: &str) -> Key {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    Key {
        alg: Algorithm::EdDSA,
        private: EncodingKey::from_ed_der(pkcs8.as_ref()),
        public: json!({
            "kty": "OKP", "crv": "Ed25519", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        }),
    }
}

fn set(keys: &[&Key]) -> JwkSet {
    let keys: Vec<_> = keys.iter().map(|key| key.public.clone()).collect();
    serde_json::from_value(json!({"keys": keys})).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://idp.example", "sub": "4711", "aud": "resync", "nonce": "nonce",
        "iat": NOW - 5, "exp": NOW + 300, "preferred_username": "ana", "groups": ["ops", "all"],
    })
}

pub(crate) fn sign(key: &Key, kid: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(key.alg);
    header.kid = kid.map(str::to_owned);
    encode(&header, claims, &key.private).unwrap()
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://idp.example",
        client_id: "resync",
        nonce: "nonce",
        groups_claim: "groups",
        algorithms: &[Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
        now: DateTime::from_timestamp(NOW, 0).unwrap(),
    }
}

#[test]
fn a_token_of_each_kind_of_key_proves_who_it_is() {
    for key in [ecdsa("one"), eddsa("one")] {
        let token = sign(&key, Some("one"), &claims());
        let identity = check(&token, &set(&[&key]), &expected()).unwrap();
        assert_eq!(identity.account.issuer, "https://idp.example");
        assert_eq!(identity.account.subject, "4711");
        assert_eq!(identity.name.as_deref(), Some("ana"));
        assert_eq!(identity.groups, ["ops", "all"]);
    }
}

#[test]
fn each_claim_is_looked_at_alone() {
    let key = ecdsa("one");
    let keys = set(&[&key]);
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://idp.example/")),
        ("sub", json!("")),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", json!(["resync", "other"])),
        ("azp", json!("other")),
        ("exp", json!(NOW - 60)),
        ("nbf", json!(NOW + 61)),
        ("iat", json!(NOW + 61)),
        ("iat", json!(NOW - 15 * 60 - 61)),
        ("nonce", json!("another")),
    ] {
        let mut wrong = claims();
        wrong[claim] = value.clone();
        let refused = check(&sign(&key, Some("one"), &wrong), &keys, &expected());
        // An `azp` of somebody else makes the audience not ours.
        let named = if claim == "azp" { "aud" } else { claim };
        assert!(
            matches!(refused, Err(TokenError::Claim(found)) if found == named),
            "{claim}: {value}: {refused:?}"
        );
    }
    for right in [
        json!({"aud": ["resync", "other"], "azp": "resync"}),
        json!({"aud": ["resync"], "nbf": NOW + 60, "exp": NOW - 59}),
    ] {
        let mut claims = claims();
        for (name, value) in right.as_object().unwrap() {
            claims[name] = value.clone();
        }
        check(&sign(&key, Some("one"), &claims), &keys, &expected()).unwrap();
    }
}

#[test]
fn a_claim_that_is_missing_is_refused() {
    let key = ecdsa("one");
    for claim in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(claim);
        let token = sign(&key, Some("one"), &without);
        let refused = check(&token, &set(&[&key]), &expected());
        assert!(refused.is_err(), "{claim}");
    }
}

#[test]
fn only_a_key_of_the_provider_signs_and_only_as_it_may() {
    let (ours, other) = (ecdsa("one"), ecdsa("one"));
    let keys = set(&[&ours]);
    let refused = |token: &str| check(token, &keys, &expected()).unwrap_err();
    let forged = sign(&other, Some("one"), &claims());
    assert!(matches!(refused(&forged), TokenError::Signature(_)));
    let unknown = sign(&ours, Some("two"), &claims());
    assert!(matches!(refused(&unknown), TokenError::UnknownKey));
    let unnamed = sign(&ours, None, &claims());
    check(&unnamed, &keys, &expected()).unwrap();
    let twins = check(&unnamed, &set(&[&ours, &other]), &expected());
    assert!(matches!(twins, Err(TokenError::UnknownKey)));
    // Another kind of key under the same name.
    let edwards = sign(&eddsa("one"), Some("one"), &claims());
    assert!(matches!(refused(&edwards), TokenError::UnknownKey));
    // An algorithm that the provider does not say it uses.
    let narrow = Expected {
        algorithms: &[Algorithm::RS256],
        ..expected()
    };
    assert!(check(&unnamed, &keys, &narrow).is_err());
}

#[test]
fn neither_no_signature_nor_one_by_a_shared_secret_is_believed() {
    let key = ecdsa("one");
    let keys = set(&[&key]);
    let text = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let body = text(claims());
    for alg in ["none", "None", "HS256"] {
        let head = text(json!({"alg": alg, "kid": "one", "typ": "JWT"}));
        for signature in ["", "AAAA"] {
            let token = format!("{head}.{body}.{signature}");
            assert!(check(&token, &keys, &expected()).is_err(), "{alg}");
        }
    }
    // The public key, which everybody has, as the secret.
    let secret = EncodingKey::from_secret(key.public["x"].as_str().unwrap().as_bytes());
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".to_owned());
    let confused = encode(&header, &claims(), &secret).unwrap();
    assert!(check(&confused, &keys, &expected()).is_err());
}

#[test]
fn a_token_with_one_byte_changed_is_refused() {
    let key = ecdsa("one");
    let token = sign(&key, Some("one"), &claims());
    let keys = set(&[&key]);
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(check(&changed, &keys, &expected()).is_err(), "byte {at}");
    }
}

#[test]
fn groups_are_a_list_of_names_or_one_and_else_none() {
    assert_eq!(groups(Some(&json!(["a", 1, "b"]))), ["a", "b"]);
    assert_eq!(groups(Some(&json!("a"))), ["a"]);
    for none in [Some(json!(null)), Some(json!({"a": 1})), None] {
        assert!(groups(none.as_ref()).is_empty());
    }
}
