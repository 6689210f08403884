//! The engines, each with its client: those of the configuration, and what makes the others.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::SecretString;
use resync_tws::model::EngineName;
use resync_tws::ports::{ConnectError, EngineConnector, EngineCredentials, EngineDefinition};
use resync_tws::{ConfiguredEngine, Engine, Engines};

use super::{DemoEngine, StartError};
use crate::config::{ConfigError, EngineConfig, TwsConfig};

/// The most backup masters of one engine.
const MAX_BACKUPS: usize = 4;

/// Makes the clients of engines, of the configuration and added ones alike.
pub(super) struct HwaConnector;

impl EngineConnector for HwaConnector {
    fn connect(&self, definition: &EngineDefinition) -> Result<Engine, ConnectError> {
        let credentials = match &definition.credentials {
            EngineCredentials::Basic { username, password } => Credentials::Basic {
                username: username.clone(),
                password: password.clone(),
            },
            EngineCredentials::ApiKey(key) => Credentials::ApiKey(key.clone()),
        };
        let mut hwa = HwaConfig::new(definition.name.clone(), String::new(), credentials);
        hwa.base_urls.clone_from(&definition.urls);
        hwa.timeout = definition.timeout;
        hwa.insecure_tls = definition.insecure_tls;
        hwa.ca_pem = definition.ca_pem.clone().map(String::into_bytes);
        if definition.insecure_tls {
            tracing::warn!(engine.name = %definition.name, "accepts any certificate of this engine");
        }
        let client = HwaClient::new(hwa).map_err(|error| ConnectError(error.to_string()))?;
        Ok(Engine {
            read_only: definition.read_only,
            verify: definition.verify,
            ..Engine::of(definition.name.clone(), Arc::new(client))
        })
    }
}

/// The engines of the configuration, as far as an administrator is shown them.
pub(super) fn configured(
    config: &TwsConfig,
    demo: Option<&DemoEngine>,
) -> Result<Vec<ConfiguredEngine>, ConfigError> {
    let list = entries(config, demo)?;
    let shown = list.into_iter().map(|entry| {
        let timeout = entry.timeout_seconds.unwrap_or(config.timeout_seconds);
        Ok(ConfiguredEngine {
            name: EngineName::parse(&entry.name)
                .map_err(|error| ConfigError::new("tws.engine", error.to_string()))?,
            urls: addresses(&entry),
            username: entry.username,
            own_ca: entry.ca_file.is_some(),
            insecure_tls: entry.insecure_tls,
            read_only: entry.read_only,
            timeout_seconds: u32::try_from(timeout).unwrap_or(u32::MAX),
        })
    });
    shown.collect()
}

fn entries(
    config: &TwsConfig,
    demo: Option<&DemoEngine>,
) -> Result<Vec<EngineConfig>, ConfigError> {
    match demo.cloned() {
        Some(demo) => Ok(vec![EngineConfig {
            name: demo.name,
            url: demo.url,
            username: Some(demo.username),
            password: Some(demo.password),
            ..EngineConfig::default()
        }]),
        None => listed(config),
    }
}

/// The engines, in the configuration's order; the demo's alone when there is one.
pub(super) fn build(config: &TwsConfig, demo: Option<&DemoEngine>) -> Result<Engines, StartError> {
    let is_demo = demo.is_some();
    let list = entries(config, demo)?;
    let mut names = BTreeSet::new();
    let mut engines = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let key = |field: &str| format!("tws.engine[{index}].{field}");
        let name = EngineName::parse(&entry.name)
            .map_err(|error| ConfigError::new(key("name"), error.to_string()))?;
        if !names.insert(name.clone()) {
            return Err(ConfigError::new(
                key("name"),
                "is used twice; each engine needs a name of its own",
            )
            .into());
        }
        engines.push(engine(config, entry, name, is_demo, &key)?);
    }
    Engines::new(engines).map_err(|error| ConfigError::new("tws.engine", error.to_string()).into())
}

/// The list, or the single engine of the flat keys. Both at once is a mistake.
fn listed(config: &TwsConfig) -> Result<Vec<EngineConfig>, ConfigError> {
    let Some(url) = &config.url else {
        return Ok(config.engine.clone());
    };
    if !config.engine.is_empty() {
        return Err(ConfigError::new(
            "tws.url",
            "stands beside [[tws.engine]]; keep one of the two",
        ));
    }
    Ok(vec![EngineConfig {
        name: config.name.clone(),
        url: url.clone(),
        username: config.username.clone(),
        password: config.password.clone(),
        api_key: config.api_key.clone(),
        ..EngineConfig::default()
    }])
}

/// The master's address, then its backups'.
fn addresses(entry: &EngineConfig) -> Vec<String> {
    let master = std::iter::once(&entry.url);
    master.chain(&entry.backup_urls).cloned().collect()
}

fn engine(
    config: &TwsConfig,
    entry: &EngineConfig,
    name: EngineName,
    demo: bool,
    key: &dyn Fn(&str) -> String,
) -> Result<Engine, StartError> {
    if entry.backup_urls.len() > MAX_BACKUPS {
        return Err(ConfigError::new(key("backup_urls"), "holds more than 4 addresses").into());
    }
    let definition = EngineDefinition {
        name,
        urls: addresses(entry),
        credentials: credentials(entry, key)?,
        ca_pem: entry
            .ca_file
            .as_deref()
            .map(|file| authorities(file, key))
            .transpose()?,
        insecure_tls: entry.insecure_tls,
        read_only: entry.read_only,
        timeout: Duration::from_secs(entry.timeout_seconds.unwrap_or(config.timeout_seconds)),
        verify: None,
    };
    let engine = HwaConnector
        .connect(&definition)
        .map_err(|error| ConfigError::new(key("url"), error.0))?;
    Ok(Engine { demo, ..engine })
}

/// The certificates of a file. PEM is ASCII; what stands around it may be anything.
fn authorities(file: &Path, key: &dyn Fn(&str) -> String) -> Result<String, ConfigError> {
    let pem = std::fs::read(file).map_err(|error| {
        ConfigError::new(
            key("ca_file"),
            format!("{} cannot be read: {error}", file.display()),
        )
    })?;
    Ok(String::from_utf8_lossy(&pem).into_owned())
}

fn credentials(
    entry: &EngineConfig,
    key: &dyn Fn(&str) -> String,
) -> Result<EngineCredentials, ConfigError> {
    match (&entry.username, &entry.password, &entry.api_key) {
        (Some(username), Some(password), None) => Ok(EngineCredentials::Basic {
            username: username.clone(),
            password: password.clone(),
        }),
        (None, None, Some(api_key)) => Ok(EngineCredentials::ApiKey(SecretString::clone(api_key))),
        (None, None, None) => Err(ConfigError::new(
            key("username"),
            "is missing; set username and password, or api_key",
        )),
        (_, _, Some(_)) => Err(ConfigError::new(
            key("api_key"),
            "stands beside username or password; keep one way",
        )),
        (Some(_), None, None) => Err(ConfigError::new(
            key("password"),
            "is missing beside username",
        )),
        (None, Some(_), None) => Err(ConfigError::new(
            key("username"),
            "is missing beside password",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> EngineConfig {
        EngineConfig {
            name: name.to_owned(),
            url: "https://hwa.example:31116/twsd/api/v2".to_owned(),
            username: Some("resync".to_owned()),
            password: Some("secret".into()),
            ..EngineConfig::default()
        }
    }

    #[test]
    fn the_backups_of_an_engine_come_after_its_master() {
        let mut one = entry("PROD");
        one.backup_urls = vec!["https://backup.example:31116/twsd/api/v2".to_owned()];
        let urls = addresses(&one);
        assert!(urls[0].contains("hwa.example") && urls[1].contains("backup.example"));
        one.backup_urls = vec![String::new(); MAX_BACKUPS + 1];
        let config = TwsConfig {
            engine: vec![one],
            ..TwsConfig::default()
        };
        assert_eq!(
            complaint(&config),
            "tws.engine[0].backup_urls: holds more than 4 addresses"
        );
    }

    fn complaint(config: &TwsConfig) -> String {
        build(config, None).unwrap_err().to_string()
    }

    #[test]
    fn each_mistake_names_its_key_and_the_fix() {
        let mut nameless = entry("");
        nameless.name = "has blank".to_owned();
        let config = TwsConfig {
            engine: vec![nameless],
            ..TwsConfig::default()
        };
        assert!(
            complaint(&config).starts_with("tws.engine[0].name: "),
            "{}",
            complaint(&config)
        );
        let config = TwsConfig {
            engine: vec![entry("a"), entry("a")],
            ..TwsConfig::default()
        };
        assert!(complaint(&config).contains("tws.engine[1].name: is used twice"));
        let mut open = entry("a");
        open.password = None;
        let config = TwsConfig {
            engine: vec![open],
            ..TwsConfig::default()
        };
        assert_eq!(
            complaint(&config),
            "tws.engine[0].password: is missing beside username"
        );
        let mut wrong = entry("a");
        wrong.url = "not a url".to_owned();
        let config = TwsConfig {
            engine: vec![wrong],
            ..TwsConfig::default()
        };
        assert!(complaint(&config).starts_with("tws.engine[0].url: "));
    }

    /// I-03: without an engine there is none; nothing stands in for it.
    #[test]
    fn no_engine_configured_is_no_engine_and_never_the_simulator() {
        assert!(build(&TwsConfig::default(), None).unwrap().is_empty());
    }

    #[test]
    fn a_single_engine_stands_by_its_own_keys() {
        let config = TwsConfig {
            url: Some("https://hwa.example/twsd/api/v2".to_owned()),
            api_key: Some("key".into()),
            ..TwsConfig::default()
        };
        let engines = build(&config, None).unwrap();
        assert_eq!(engines.get(None).unwrap().name.as_str(), "default");
        assert!(!engines.get(None).unwrap().demo);
    }
}
