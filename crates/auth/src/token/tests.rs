use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use proptest::prelude::*;
use resync_kernel::ManualClock;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "an example of thirty-two bytes or more";
const LIFETIME: Duration = Duration::from_hours(8);

struct World {
    clock: Arc<ManualClock>,
    keys: AuthKeys,
    minter: TokenMinter,
    verifier: TokenVerifier,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::default());
    let keys = AuthKeys::derive(&SecretString::from(SECRET)).unwrap();
    let config = TokenConfig {
        lifetime: LIFETIME,
        ..TokenConfig::default()
    };
    let minter = TokenMinter::new(&keys, config.clone(), Arc::clone(&clock) as _).unwrap();
    let verifier = TokenVerifier::new(&keys, &config, Arc::clone(&clock) as _).unwrap();
    World {
        clock,
        keys,
        minter,
        verifier,
    }
}

fn subject() -> TokenSubject {
    TokenSubject {
        user_id: UserId(Uuid::from_u128(1)),
        session_id: SessionId(Uuid::from_u128(2)),
        token_id: TokenId(Uuid::from_u128(3)),
        version: 7,
        role: Role::Operator,
    }
}

impl World {
    /// Signs whatever it is told, with our own key.
    fn forge(&self, header: &Value, claims: &Value) -> String {
        forge(header, claims, self.keys.jwt().expose(), Algorithm::HS256)
    }

    /// Signs claims as they are written.
    fn sign(&self, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", part(&self.header().to_string()), part(claims));
        let key = EncodingKey::from_secret(self.keys.jwt().expose());
        let signature = sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    }

    /// The header of a good token.
    fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "HS256", "kid": self.keys.key_id()})
    }

    fn good_claims(&self) -> Value {
        serde_json::to_value(self.minter.mint(&subject()).unwrap().claims).unwrap()
    }
}

fn forge(header: &Value, claims: &Value, key: &[u8], algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = sign(
        message.as_bytes(),
        &EncodingKey::from_secret(key),
        algorithm,
    )
    .unwrap();
    format!("{message}.{signature}")
}

/// P2-02: what is minted is what is read, and the lifetime is the configured one.
#[test]
fn claims_roundtrip_unchanged() {
    let world = world();
    let made = world.minter.mint(&subject()).unwrap();
    let read = world.verifier.verify(made.token.expose_secret()).unwrap();
    assert_eq!(read, made.claims);
    let now = world.clock.now();
    assert_eq!((read.iat, read.nbf), (now.timestamp(), now.timestamp()));
    assert_eq!(read.expires_at().unwrap(), now + LIFETIME);
    let same = TokenSubject {
        user_id: read.sub,
        session_id: read.sid,
        token_id: read.jti,
        version: read.ver,
        role: read.role,
    };
    assert_eq!(same, subject());
}

/// P2-02: no other file of the crate's sources names a claim of time.
#[test]
fn iat_and_exp_are_set_in_one_place() {
    let source = include_str!("../token.rs");
    assert_eq!(source.matches("            iat: ").count(), 1);
    assert_eq!(source.matches("            exp: ").count(), 1);
    for other in [
        include_str!("../service/login.rs"),
        include_str!("../service/session.rs"),
    ] {
        assert!(!other.contains("iat") && !other.contains("exp:"));
    }
}

/// P2-09: there is no way from an empty or a short secret to a verifier.
#[test]
fn verifier_rejects_empty_key() {
    for secret in ["", "short", "thirty-one bytes are not enough"] {
        let keys = AuthKeys::derive(&SecretString::from(secret));
        assert!(
            keys.is_err(),
            "a verifier takes `AuthKeys`, and these do not exist"
        );
    }
}

#[test]
fn an_empty_issuer_or_audience_or_no_lifetime_is_refused() {
    let world = world();
    let good = TokenConfig::default();
    for config in [
        TokenConfig {
            issuer: String::new(),
            ..good.clone()
        },
        TokenConfig {
            audience: String::new(),
            ..good.clone()
        },
        TokenConfig {
            lifetime: Duration::from_millis(999),
            ..good
        },
    ] {
        let made = TokenVerifier::new(&world.keys, &config, Arc::clone(&world.clock) as _);
        assert!(matches!(made, Err(TokenSetupError::Config)));
    }
}

/// P2-09: the forgery that all others are made from is good, so each refusal has the one reason that
/// its change gives.
#[test]
fn a_token_that_is_rebuilt_by_hand_is_good() {
    let world = world();
    assert!(
        world
            .verifier
            .verify(&world.forge(&world.header(), &world.good_claims()))
            .is_ok()
    );
}

/// P2-09, A6: `token_{none_alg,wrong_iss,wrong_aud,no_jti,expired,other_hs}` and their kin.
#[test]
fn forged_claims_are_refused_although_signed_with_our_key() {
    let world = world();
    let good = world.good_claims();
    let now = world.clock.now().timestamp();
    let mut forged = Vec::new();
    for claim in [
        "sub", "jti", "sid", "ver", "role", "iss", "aud", "iat", "nbf", "exp",
    ] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(claim);
        forged.push((format!("no {claim}"), claims));
        for wrong in [
            json!(null),
            json!(""),
            json!({}),
            json!([]),
            json!(true),
            json!(1.5),
        ] {
            let mut claims = good.clone();
            claims[claim] = wrong.clone();
            forged.push((format!("{claim} is {wrong}"), claims));
        }
    }
    for (claim, wrong) in [
        ("iss", json!("other")),
        ("iss", json!(["resync"])),
        ("aud", json!("other")),
        ("aud", json!(["resync"])),
        ("aud", json!(["resync", "other"])),
        ("role", json!("root")),
        ("role", json!("Admin")),
        ("ver", json!(-1)),
        ("ver", json!("7")),
        ("exp", json!((now + 3600).to_string())),
        ("exp", json!(now - 6)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 6)),
        ("nbf", json!((now - 1).to_string())),
        ("iat", json!(now + 6)),
        ("admin", json!(true)),
    ] {
        let mut claims = good.clone();
        claims[claim] = wrong.clone();
        forged.push((format!("{claim} is {wrong}"), claims));
    }
    assert!(forged.len() > 80);
    for (name, claims) in forged {
        let token = world.forge(&world.header(), &claims);
        assert_eq!(world.verifier.verify(&token), Err(TokenError), "{name}");
    }
}

impl World {
    /// Tokens whose header is a good one but for each of `changes`, signed with our key, are refused.
    fn refuses_headers_with(&self, changes: &[Value]) {
        let claims = self.good_claims();
        for change in changes {
            let mut header = self.header();
            for (name, value) in change.as_object().unwrap() {
                header[name] = value.clone();
            }
            assert_ne!(header, self.header());
            let token = self.forge(&header, &claims);
            assert_eq!(self.verifier.verify(&token), Err(TokenError), "{change}");
        }
    }
}

/// P2-09, A6: only HS256, and a header that carries nothing else.
#[test]
fn forged_headers_are_refused_although_signed_with_our_key() {
    let world = world();
    let (claims, kid) = (world.good_claims(), world.keys.key_id());
    let mut changes: Vec<_> = [
        "none", "None", "NONE", "nOnE", "hs256", "Hs256", "HS256 ", "", "HS384", "HS512", "RS256",
        "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "A256GCM", "dir",
    ]
    .map(|alg| json!({"alg": alg}))
    .into();
    changes.extend([
        json!({"alg": null}),
        json!({"alg": 1}),
        json!({"alg": ["HS256"]}),
    ]);
    changes.extend(["jwt", "at+jwt", "JWE", ""].map(|typ| json!({"typ": typ})));
    changes.extend([json!({"typ": null}), json!({"typ": ["JWT"]})]);
    world.refuses_headers_with(&changes);
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let header = json!({"typ": "JWT", "alg": algorithm, "kid": kid});
        let token = forge(&header, &claims, world.keys.jwt().expose(), algorithm);
        assert_eq!(world.verifier.verify(&token), Err(TokenError));
    }
    for header in [
        json!({"typ": "JWT", "alg": "HS256"}),
        json!({"typ": "JWT", "kid": kid}),
        json!({"alg": "HS256", "kid": kid}),
        json!({}),
        json!([]),
        json!(null),
        json!("HS256"),
    ] {
        let token = world.forge(&header, &claims);
        assert_eq!(world.verifier.verify(&token), Err(TokenError), "{header}");
    }
}

/// A6: a `kid` is one of ours to the letter; it is no path, no query and no list.
#[test]
fn another_key_id_is_refused_although_signed_with_our_key() {
    let world = world();
    let kid = world.keys.key_id();
    let mut changes: Vec<_> = [
        "",
        " ",
        "0",
        "default",
        "current",
        "../../dev/null",
        "/etc/passwd",
        "file:///dev/null",
        "' OR '1'='1",
        "1; DROP TABLE users",
        "https://example.com/jwks.json",
        "%00",
        "\u{0}",
        "AAAAAAAAAAA",
        "${jndi:ldap://example.com/a}",
    ]
    .map(|odd| json!({"kid": odd}))
    .into();
    changes.extend([
        json!({"kid": format!("{kid} ")}),
        json!({"kid": format!(" {kid}")}),
        json!({"kid": format!("{kid}\0")}),
        json!({"kid": format!("{kid}=")}),
        json!({"kid": kid[..10]}),
        json!({"kid": kid.repeat(100)}),
    ]);
    for odd in [
        json!(null),
        json!(0),
        json!(true),
        json!([kid]),
        json!([]),
        json!({"kid": kid}),
    ] {
        changes.push(json!({"kid": odd}));
    }
    world.refuses_headers_with(&changes);
}

/// A6: nothing in a header is followed, fetched or believed.
#[test]
fn a_header_that_brings_a_key_along_is_refused_although_signed_with_our_key() {
    let world = world();
    let k = URL_SAFE_NO_PAD.encode(world.keys.jwt().expose());
    world.refuses_headers_with(&[
        json!({"jku": "https://example.com/keys"}),
        json!({"jwk": {"kty": "oct", "k": k, "alg": "HS256"}}),
        json!({"x5u": "https://example.com/cert"}),
        json!({"x5c": ["MIIB"]}),
        json!({"x5t": "AAAA"}),
        json!({"x5t#S256": "AAAA"}),
        json!({"cty": "JWT"}),
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"enc": "A256GCM"}),
        json!({"zip": "DEF"}),
        json!({"url": "https://example.com"}),
        json!({"nonce": "1"}),
        json!({"extra": true}),
    ]);
}

/// A session outlives a change of the secret; with the secret gone it is over.
#[test]
fn a_token_under_a_previous_secret_is_good_while_that_is_named() {
    let world = world();
    let token = world.minter.mint(&subject()).unwrap().token;
    let verifier = |secret: &str, previous: &[&str]| {
        let previous: Vec<_> = previous
            .iter()
            .map(|text| SecretString::from(*text))
            .collect();
        let keys = AuthKeys::derive_with_previous(&SecretString::from(secret), &previous).unwrap();
        let clock = Arc::clone(&world.clock) as _;
        TokenVerifier::new(&keys, &TokenConfig::default(), clock).unwrap()
    };
    let new = "another secret of thirty-two bytes!";
    let rotated = verifier(new, &[SECRET]);
    assert!(rotated.verify(token.expose_secret()).is_ok());
    let gone = verifier(new, &["a third secret of thirty-two bytes!"]);
    assert_eq!(gone.verify(token.expose_secret()), Err(TokenError));
    // The key of one secret under the name of the other is no way in.
    let other = AuthKeys::derive(&SecretString::from(new)).unwrap();
    for (kid, key) in [(other.key_id(), &world.keys), (world.keys.key_id(), &other)] {
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": kid});
        let forged = forge(
            &header,
            &world.good_claims(),
            key.jwt().expose(),
            Algorithm::HS256,
        );
        assert_eq!(rotated.verify(&forged), Err(TokenError));
    }
}

proptest! {
    /// A6: whatever is done to a good token, what comes out is the same token or none.
    #[test]
    fn a_changed_token_is_no_token(
        place in any::<prop::sample::Index>(),
        with in prop_oneof![
            "[A-Za-z0-9_.=+/-]{1,3}",
            "\\PC{0,4}",
            Just(".".to_owned()),
        ],
        taken in 0..4_usize,
    ) {
        let world = world();
        let good = world.forge(&world.header(), &world.good_claims());
        let from = place.index(good.len());
        let to = (from + taken).min(good.len());
        let changed = format!("{}{with}{}", &good[..from], &good[to..]);
        let verified = world.verifier.verify(&changed);
        prop_assert_eq!(verified.is_ok(), changed == good);
    }

    /// A text is read to its end or refused, never a panic.
    #[test]
    fn any_text_is_refused(text in "\\PC{0,300}|([A-Za-z0-9_-]{0,80}\\.){0,4}[A-Za-z0-9_-]{0,80}") {
        prop_assert_eq!(world().verifier.verify(&text), Err(TokenError));
    }
}

/// A6: another key, no signature, parts taken away, doubled or mixed.
#[test]
fn broken_tokens_are_refused() {
    let world = world();
    let good = world.forge(&world.header(), &world.good_claims());
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut admin = world.good_claims();
    admin["role"] = json!("admin");
    let admin = URL_SAFE_NO_PAD.encode(admin.to_string());
    let none = URL_SAFE_NO_PAD.encode(json!({"typ": "JWT", "alg": "none"}).to_string());
    let other =
        AuthKeys::derive(&SecretString::from("another secret of thirty-two bytes!")).unwrap();
    let of_other_purpose = world.keys.csrf().expose();
    let claims_json = world.good_claims();
    let mut forged = vec![
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "null".into(),
        header.into(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{admin}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{signature}=="),
        format!("{header} .{claims}.{signature}"),
        format!("{header}\r\n.{claims}.{signature}"),
        format!("{header}.{claims}.{}", with_alphabet(signature)),
        format!("{}.{claims}.{signature}", with_alphabet(header) + "+"),
        format!("{good}\0"),
        format!("\u{feff}{good}"),
        format!("\"{good}\""),
        good.replace('.', "\u{2024}"),
        good.replace('.', "%2E"),
        good.replace('.', ".."),
        format!("{good}\n"),
        format!(" {good}"),
        format!("Bearer {good}"),
        good.to_uppercase(),
        forge(
            &world.header(),
            &claims_json,
            other.jwt().expose(),
            Algorithm::HS256,
        ),
        forge(
            &world.header(),
            &claims_json,
            of_other_purpose,
            Algorithm::HS256,
        ),
        forge(&world.header(), &claims_json, b"", Algorithm::HS256),
        forge(
            &world.header(),
            &claims_json,
            SECRET.as_bytes(),
            Algorithm::HS256,
        ),
    ];
    // Each character of the signature counts, but for the spare bits of the last one, which base64
    // refuses when they are set.
    forged.extend((0..signature.len()).map(|place| {
        let mut letters = signature.as_bytes().to_vec();
        letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
        format!("{header}.{claims}.{}", String::from_utf8(letters).unwrap())
    }));
    for token in forged {
        assert_eq!(world.verifier.verify(&token), Err(TokenError), "{token}");
    }
}

/// The other base64 alphabet, with its padding.
fn with_alphabet(part: &str) -> String {
    format!("{}=", part.replace('-', "+").replace('_', "/"))
}

/// A claim that stands twice is refused, whichever value would win.
#[test]
fn a_claim_that_stands_twice_is_refused() {
    let world = world();
    let claims = world.good_claims().to_string();
    let twice = claims.replacen('{', "{\"role\":\"admin\",", 1);
    assert_eq!(world.verifier.verify(&world.sign(&twice)), Err(TokenError));
}

/// The time is our clock's: five seconds of grace, at either end, and no more.
#[test]
fn a_token_is_good_within_its_time_by_our_clock() {
    let world = world();
    let token = world.minter.mint(&subject()).unwrap().token;
    let verify = || world.verifier.verify(token.expose_secret()).is_ok();
    let start = world.clock.now();
    for (seconds, good) in [
        (-6, false),
        (-5, true),
        (0, true),
        (28_804, true),
        (28_805, false),
    ] {
        world
            .clock
            .set_wall(start + chrono::Duration::seconds(seconds));
        assert_eq!(verify(), good, "{seconds} s after it was signed");
    }
    world.clock.set_wall(start + chrono::Duration::days(400));
    assert!(!verify());
}

#[test]
fn a_long_text_is_refused_unread() {
    let world = world();
    // Spaces between claims change no claim, so only the length is wrong.
    let padded = |spaces: usize| {
        let claims = world.good_claims().to_string();
        world.sign(&claims.replacen('{', &format!("{{{}", " ".repeat(spaces)), 1))
    };
    let (fits, long) = (padded(2000), padded(3000));
    assert!(fits.len() <= TokenVerifier::MAX_BYTES && TokenVerifier::MAX_BYTES < long.len());
    assert!(world.verifier.verify(&fits).is_ok());
    assert_eq!(world.verifier.verify(&long), Err(TokenError));
    assert_eq!(
        world.verifier.verify(&"a".repeat(50_000_000)),
        Err(TokenError)
    );
    let token = world.minter.mint(&subject()).unwrap().token;
    assert!(
        token.expose_secret().len() < 700,
        "room for the cookie's name and attributes"
    );
}

#[test]
fn debug_of_a_minted_token_hides_it() {
    let made = world().minter.mint(&subject()).unwrap();
    assert!(!format!("{made:?}").contains("eyJ"));
}
