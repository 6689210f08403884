//! What holds a secret does not show it, to nobody who prints it.

use std::time::Duration;

use resync_auth::{AuthKeys, NewUser, Role, Username};
use resync_hwa::{Credentials, HwaConfig};
use resync_kernel::{ExposeSecret, SecretString};
use resync_server::config::{Loaded, Sources, rows};
use resync_server::wiring::DemoEngine;
use resync_tws::model::EngineName;
use resync_tws::ports::{EngineCredentials, EngineDefinition};

/// P2: no `Debug` and no `config show` prints a secret.
#[test]
fn no_debug_and_no_config_show_prints_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resync.toml");
    let toml = "[auth]\nsecret_key = \"canary of a key, in the file, of some length\"\n\
                [[tws.engine]]\nname = \"A\"\nurl = \"https://a/x\"\nusername = \"u\"\npassword = \"canary-a\"\n\
                [[tws.engine]]\nname = \"B\"\nurl = \"https://b/x\"\napi_key = \"canary-b\"\n";
    std::fs::write(&file, toml).unwrap();
    let environment = [
        ("RESYNC_AUTH_PREVIOUS_SECRET_KEYS", "canary-c,canary-d"),
        ("RESYNC_AUTH_ADMIN_PASSWORD", "canary-e"),
        ("RESYNC_OIDC_CLIENT_SECRET", "canary-f"),
        ("RESYNC_REDIS_URL", "redis://:canary-g@host/"),
        ("RESYNC_TWS_PASSWORD", "canary-h"),
        ("RESYNC_TWS_API_KEY", "canary-i"),
        ("RESYNC_TELEMETRY_METRICS_TOKEN", "canary-j-of-some-length"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loaded = Loaded::from(&Sources {
        file: Some(file),
        environment: environment.into(),
        ..Sources::default()
    })
    .unwrap();
    let secret = || SecretString::from("canary of a secret key, of some length");
    let name = || EngineName::parse("A").unwrap();
    let definition = EngineDefinition {
        name: name(),
        urls: vec!["https://a/x".to_owned()],
        credentials: EngineCredentials::ApiKey(secret()),
        ca_pem: None,
        insecure_tls: false,
        read_only: false,
        timeout: Duration::from_secs(1),
        verify: None,
    };
    let user = NewUser {
        username: Username::parse("ana").unwrap(),
        password: secret(),
        role: Role::Admin,
    };
    let demo = DemoEngine {
        name: "A".to_owned(),
        url: "https://a/x".to_owned(),
        username: "u".to_owned(),
        password: secret(),
    };
    let basic = Credentials::Basic {
        username: "u".to_owned(),
        password: secret(),
    };
    let shown = [
        ("the configuration", format!("{:?}", loaded.config)),
        ("the configuration and its layers", format!("{loaded:?}")),
        (
            "config show",
            serde_json::to_string(&rows(&loaded)).unwrap(),
        ),
        (
            "the serialised configuration",
            serde_json::to_string(&loaded.config).unwrap(),
        ),
        (
            "the keys",
            format!("{:?}", AuthKeys::derive(&secret()).unwrap()),
        ),
        ("an engine's definition", format!("{definition:?}")),
        (
            "an engine's client",
            format!("{:?}", HwaConfig::new(name(), "https://a/x", basic)),
        ),
        ("a new user", format!("{user:?}")),
        ("the demo's engine", format!("{demo:?}")),
    ];
    for (what, text) in &shown {
        assert!(!text.contains("canary"), "{what}: {text}");
        assert!(text.len() > 20, "{what} is not shown at all");
    }
    // The engines are there, so it is no empty page that holds no secret.
    assert!(shown[0].1.contains("https://b/x"));
    assert!(secret().expose_secret().contains("canary"));
}
