//! Layers into one configuration; a mistake is one line that names the key and the fix.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::error::Kind as FigmentKind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Value;
use figment::{Figment, Profile};
use thiserror::Error;

use super::Config;
use super::check::check;
use super::keys::{
    ALIASES, CLIENT_VARIABLES, KEYS, Kind, NOT_YET, environment_name, kind, nearest,
};

/// Where values come from. The caller reads the world; this module does not.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file that was asked for; it must be there.
    pub file: Option<PathBuf>,
    /// The file that is read when it is there and none was asked for.
    pub default_file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// `section.key` and value, from flags.
    pub flags: Vec<(String, String)>,
}

/// A mistake in the configuration, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// The key, with the file or variable it came from.
    pub place: String,
    /// What is wrong and how to mend it. Never the value.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

/// A configuration and the layers it came from. `Debug` does not show the layers: they hold the values
/// of secrets as they were read.
pub struct Loaded {
    /// The values.
    pub config: Config,
    pub(super) layers: Figment,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// Reads and checks.
    ///
    /// # Errors
    /// [`ConfigError`] for the first mistake found.
    pub fn from(sources: &Sources) -> Result<Self, ConfigError> {
        let mut layers = Figment::new().merge(Named::defaults());
        if let Some(file) = file_of(sources)? {
            let text = std::fs::read_to_string(&file).map_err(|error| {
                ConfigError::new(
                    file.display().to_string(),
                    format!("cannot be read: {error}"),
                )
            })?;
            check_file(&text, &file)?;
            layers = layers.merge(Toml::file_exact(&file));
        }
        for (key, (variable, value)) in from_environment(&sources.environment)? {
            let place = format!("{key} (environment variable {variable})");
            layers = layers.merge(Named::one(
                &key,
                typed(&key, &value, &place)?,
                format!("environment variable {variable}"),
            ));
        }
        for (key, value) in &sources.flags {
            let place = format!("{key} (flag)");
            known(key, &place)?;
            layers = layers.merge(Named::one(
                key,
                typed(key, value, &place)?,
                "flag".to_owned(),
            ));
        }
        let config: Config = layers.extract().map_err(of_figment)?;
        check(&config)?;
        Ok(Self { config, layers })
    }
}

/// A layer that knows where it came from.
struct Named<T>(Serialized<T>, String);

impl Named<Config> {
    fn defaults() -> Self {
        Self(
            Serialized::defaults(Config::default()),
            "default".to_owned(),
        )
    }
}

impl Named<Value> {
    fn one(key: &str, value: Value, origin: String) -> Self {
        Self(Serialized::default(key, value), origin)
    }
}

impl<T: serde::Serialize> figment::Provider for Named<T> {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(self.1.clone())
    }

    fn data(&self) -> figment::error::Result<figment::value::Map<Profile, figment::value::Dict>> {
        self.0.data()
    }
}

fn file_of(sources: &Sources) -> Result<Option<PathBuf>, ConfigError> {
    match (&sources.file, &sources.default_file) {
        (Some(file), _) if !file.exists() => Err(ConfigError::new(
            file.display().to_string(),
            "there is no such file; mend --config",
        )),
        (Some(file), _) => Ok(Some(file.clone())),
        (None, Some(file)) if file.exists() => Ok(Some(file.clone())),
        _ => Ok(None),
    }
}

/// Keys of the file that we do not know, before serde says it less kindly.
fn check_file(text: &str, file: &Path) -> Result<(), ConfigError> {
    let place = |key: &str| format!("{key} ({})", file.display());
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| {
            text.get(..span.start).unwrap_or("").lines().count().max(1)
        });
        ConfigError::new(
            file.display().to_string(),
            format!("not TOML near line {line}: {}", error.message()),
        )
    })?;
    for (section, values) in &table {
        let Some(values) = values.as_table() else {
            return Err(ConfigError::new(
                place(section),
                "put it under a section, such as [server]",
            ));
        };
        for key in values.keys() {
            let key = format!("{section}.{key}");
            if key != "tws.engine" {
                known(&key, &place(&key))?;
            }
        }
    }
    Ok(())
}

fn known(key: &str, place: &str) -> Result<(), ConfigError> {
    if kind(key).is_some() {
        return Ok(());
    }
    if NOT_YET.contains(&key) {
        return Err(ConfigError::new(
            place,
            "this version does not support that key yet; remove it",
        ));
    }
    Err(ConfigError::new(
        place,
        nearest(key).map_or_else(
            || "unknown key; `resync config show` lists them all".to_owned(),
            |near| format!("unknown key; did you mean {near}?"),
        ),
    ))
}

/// Key to variable and value. `<NAME>_FILE` names a file that holds the value.
fn from_environment(
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, (String, String)>, ConfigError> {
    let names: BTreeMap<String, &str> = KEYS
        .iter()
        .map(|(key, _)| (environment_name(key), *key))
        .chain(ALIASES.iter().map(|(name, key)| ((*name).to_owned(), *key)))
        .collect();
    let mut found = BTreeMap::new();
    for (variable, value) in environment {
        let file_of = variable
            .strip_suffix("_FILE")
            .and_then(|name| names.get(name));
        if let Some(key) = names.get(variable.as_str()) {
            found.insert((*key).to_owned(), (variable.clone(), value.clone()));
        } else if let Some(key) = file_of {
            let text = std::fs::read_to_string(value).map_err(|error| {
                ConfigError::new(
                    format!("{key} (environment variable {variable})"),
                    format!("the file cannot be read: {error}"),
                )
            })?;
            found
                .entry((*key).to_owned())
                .or_insert((variable.clone(), text.trim_end().to_owned()));
        } else if let Some(rest) = variable.strip_prefix("RESYNC_") {
            // What the tests of this project hand to each other, and what tells a client where its server
            // is, is no configuration.
            if !rest.starts_with("TEST_") && !CLIENT_VARIABLES.contains(&variable.as_str()) {
                let key = rest.to_ascii_lowercase().replacen('_', ".", 1);
                known(&key, &format!("{key} (environment variable {variable})"))?;
            }
        }
    }
    Ok(found)
}

/// A text of the environment as the value its key takes, so that a password of digits stays a text.
fn typed(key: &str, text: &str, place: &str) -> Result<Value, ConfigError> {
    match kind(key) {
        Some(Kind::Number) => text
            .trim()
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| ConfigError::new(place, "must be a whole number, 0 or more")),
        Some(Kind::Flag) => match text.trim() {
            "true" | "1" | "yes" => Ok(Value::from(true)),
            "false" | "0" | "no" => Ok(Value::from(false)),
            _ => Err(ConfigError::new(place, "must be true or false")),
        },
        Some(Kind::List | Kind::SecretList) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect::<Vec<_>>()
            .into()),
        Some(Kind::Text | Kind::Secret) | None => Ok(Value::from(text)),
    }
}

/// Figment's error in our words, without the value that it quotes.
fn of_figment(error: figment::Error) -> ConfigError {
    let key = error.path.join(".");
    let origin = error.metadata.as_ref().map(|metadata| {
        metadata
            .source
            .as_ref()
            .map_or_else(|| metadata.name.to_string(), ToString::to_string)
    });
    let place = match origin {
        Some(origin) => format!("{key} ({origin})"),
        None => key,
    };
    let problem = match error.kind {
        FigmentKind::InvalidType(_, expected) | FigmentKind::InvalidValue(_, expected) => {
            format!("must be {expected}")
        }
        FigmentKind::MissingField(field) => format!("{field} is missing; add it"),
        FigmentKind::UnknownField(_, expected) => {
            format!("unknown key; known here: {}", expected.join(", "))
        }
        FigmentKind::UnknownVariant(_, expected) => {
            format!("must be one of {}", expected.join(", "))
        }
        _ => "not acceptable; see `resync config show` for the form".to_owned(),
    };
    ConfigError::new(place, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use resync_kernel::ExposeSecret;

    fn environment(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        let environment = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Loaded::from(&Sources {
            environment,
            ..Sources::default()
        })
    }

    fn file(text: &str) -> Result<Loaded, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resync.toml");
        std::fs::write(&path, text).unwrap();
        Loaded::from(&Sources {
            file: Some(path),
            ..Sources::default()
        })
    }

    #[test]
    fn every_key_of_the_table_is_a_field_and_takes_its_kind() {
        for (key, kind) in KEYS {
            let value = match (*key, kind) {
                ("server.listen", _) => "127.0.0.1:9",
                ("log.format", _) => "json",
                ("database.url", _) => "sqlite://x.db",
                ("redis.prefix", _) => "resync-test",
                ("auth.bcrypt_cost", _) => "10",
                ("server.proxy_addresses", _) => "10.0.0.9,10.1.0.0/16",
                ("server.public_url" | "server.allowed_origins" | "tws.url", _) => {
                    "https://x.example"
                }
                (key, Kind::Number) if key.contains("_stale_") => "90000",
                ("llm.max_tokens", _) => "64",
                ("llm.context_tokens", _) => "4096",
                (_, Kind::Number) => "5",
                (_, Kind::Flag) => "true",
                (_, Kind::Text | Kind::Secret | Kind::List | Kind::SecretList) => {
                    "text of thirty-two bytes or more"
                }
            };
            // A listener speaks TLS with both of these or not at all.
            let tls = [
                ("RESYNC_SERVER_TLS_CERT", "c"),
                ("RESYNC_SERVER_TLS_KEY", "k"),
            ];
            // A model and its server belong together.
            let llm = [
                ("RESYNC_LLM_URL", "https://llm.example/v1"),
                ("RESYNC_LLM_MODEL", "m"),
            ];
            let pairs: &[_] = if key.starts_with("server.tls_") {
                &tls
            } else if key.starts_with("llm.") {
                &llm
            } else {
                &[]
            };
            let loaded = environment(&[pairs, &[(&environment_name(key), value)]].concat());
            assert!(loaded.is_ok(), "{key}: {loaded:?}");
        }
    }

    /// P2-07
    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let error = environment(&[("RESYNC_SERVER_LISTN", "x")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "server.listn (environment variable RESYNC_SERVER_LISTN): unknown key; did you mean server.listen?"
        );
        let error = file("[auth]\nbcrypt_costs = 12\n").unwrap_err();
        assert!(
            error.problem.ends_with("did you mean auth.bcrypt_cost?"),
            "{error}"
        );
    }

    /// P2-07
    #[test]
    fn unknown_env_key_fails() {
        assert!(environment(&[("RESYNC_NONSENSE_KEY", "x")]).is_err());
        assert!(environment(&[("RESYNC_TEST_POSTGRES_URL", "x")]).is_ok());
        assert!(environment(&[("PATH", "x")]).is_ok());
    }

    #[test]
    fn a_key_of_a_later_version_is_refused_and_not_ignored() {
        let error = file("[telemetry]\notlp_endpoint = \"http://x\"\n").unwrap_err();
        assert!(
            error.problem.contains("does not support that key yet"),
            "{error}"
        );
    }

    #[test]
    fn the_environment_beats_the_file_and_a_flag_beats_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resync.toml");
        std::fs::write(
            &path,
            "[auth]\nissuer = \"file\"\naudience = \"file\"\nbcrypt_cost = 11\n",
        )
        .unwrap();
        let sources = Sources {
            file: Some(path),
            environment: [
                ("RESYNC_AUTH_ISSUER", "environment"),
                ("RESYNC_AUTH_AUDIENCE", "environment"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            flags: vec![("auth.audience".to_owned(), "flag".to_owned())],
            ..Sources::default()
        };
        let config = Loaded::from(&sources).unwrap().config;
        assert_eq!(config.auth.issuer, "environment");
        assert_eq!(config.auth.audience, "flag");
        assert_eq!(config.auth.bcrypt_cost, 11);
    }

    /// P1-05
    #[test]
    fn secret_resolved_after_env_set() {
        let none = environment(&[]).unwrap().config;
        assert!(none.auth.secret_key.is_none());
        let some = environment(&[("AUTH_SECRET_KEY", "0123456789")])
            .unwrap()
            .config;
        assert_eq!(some.auth.secret_key.unwrap().expose_secret(), "0123456789");
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "from-a-file\n").unwrap();
        let config = environment(&[("RESYNC_TWS_PASSWORD_FILE", path.to_str().unwrap())])
            .unwrap()
            .config;
        assert_eq!(config.tws.password.unwrap().expose_secret(), "from-a-file");
    }

    #[test]
    fn a_wrong_value_is_not_repeated() {
        let error = environment(&[("RESYNC_AUTH_BCRYPT_COST", "hunter2")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "auth.bcrypt_cost (environment variable RESYNC_AUTH_BCRYPT_COST): must be a whole number, 0 or more"
        );
        let error = file("[auth]\nsecret_key = 12345678\n").unwrap_err();
        assert!(!error.to_string().contains("12345678"), "{error}");
        assert!(error.to_string().contains("auth.secret_key"), "{error}");
    }

    #[test]
    fn engines_are_a_list() {
        let config = file(
            "[[tws.engine]]\nname = \"prod\"\nurl = \"https://a/twsd/api/v2\"\nread_only = true\n\
             [[tws.engine]]\nname = \"test\"\nurl = \"https://b/twsd/api/v2\"\n",
        )
        .unwrap()
        .config;
        assert_eq!(config.tws.engine.len(), 2);
        assert!(config.tws.engine[0].read_only && !config.tws.engine[1].read_only);
        let error =
            file("[[tws.engine]]\nname = \"prod\"\nurl = \"x\"\nusr = \"y\"\n").unwrap_err();
        assert!(error.problem.contains("username"), "{error}");
    }

    #[test]
    fn a_missing_or_broken_file_is_named() {
        let missing = Sources {
            file: Some("/no/such.toml".into()),
            ..Sources::default()
        };
        assert!(
            Loaded::from(&missing)
                .unwrap_err()
                .to_string()
                .contains("/no/such.toml")
        );
        assert!(
            file("[server\n")
                .unwrap_err()
                .problem
                .starts_with("not TOML near line 1")
        );
    }
}
