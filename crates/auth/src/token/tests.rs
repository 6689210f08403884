use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
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

/// P2-09, A6: only HS256, and a header that carries nothing else.
#[test]
fn forged_headers_are_refused_although_signed_with_our_key() {
    let world = world();
    let claims = world.good_claims();
    let key = world.keys.jwt().expose();
    let kid = world.keys.key_id();
    let other_hs = [Algorithm::HS384, Algorithm::HS512].map(|algorithm| {
        forge(
            &json!({"typ": "JWT", "alg": algorithm, "kid": kid}),
            &claims,
            key,
            algorithm,
        )
    });
    let mut forged = Vec::from(other_hs);
    let mut with = |change: Value| {
        let mut header = world.header();
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        forged.push(world.forge(&header, &claims));
    };
    for alg in [
        "none", "None", "NONE", "nOnE", "hs256", "Hs256", "HS256 ", "", "HS384", "HS512", "RS256",
        "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "A256GCM", "dir",
    ] {
        with(json!({"alg": alg}));
    }
    for alg in [
        json!(null),
        json!(1),
        json!(["HS256"]),
        json!({"name": "HS256"}),
    ] {
        with(json!({"alg": alg}));
    }
    for odd in [
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
    ] {
        with(json!({"kid": odd}));
    }
    for odd in [
        format!("{kid} "),
        format!(" {kid}"),
        format!("{kid}\0"),
        kid.to_lowercase() + "x",
        kid[..10].to_owned(),
        kid.repeat(100),
    ] {
        with(json!({"kid": odd}));
    }
    for odd in [
        json!(null),
        json!(0),
        json!(true),
        json!([kid]),
        json!([]),
        json!({}),
        json!({"kid": kid}),
    ] {
        with(json!({"kid": odd}));
    }
    for typ in [
        json!(null),
        json!("jwt"),
        json!("at+jwt"),
        json!("JWE"),
        json!(""),
        json!(["JWT"]),
    ] {
        with(json!({"typ": typ}));
    }
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(key), "alg": "HS256"});
    for (name, value) in [
        ("jku", json!("https://example.com/keys")),
        ("jwk", jwk),
        ("x5u", json!("https://example.com/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("cty", json!("JWT")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("enc", json!("A256GCM")),
        ("zip", json!("DEF")),
        ("url", json!("https://example.com")),
        ("nonce", json!("1")),
        ("extra", json!(true)),
    ] {
        with(json!({name: value}));
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
        forged.push(world.forge(&header, &claims));
    }
    assert!(forged.len() > 75, "{}", forged.len());
    for token in forged {
        assert_eq!(world.verifier.verify(&token), Err(TokenError), "{token}");
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
