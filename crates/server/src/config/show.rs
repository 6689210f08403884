//! `config show`: every key, its value and where it came from.

use figment::value::Value;
use serde::Serialize;

use super::Loaded;
use super::keys::{KEYS, Kind, environment_name};

/// One key, as `config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `section.key`.
    pub key: String,
    /// The value, or `(set)` for a secret; absent when it was not set.
    pub value: Option<String>,
    /// The file, variable or flag; `default` when it was not set.
    pub origin: String,
    /// Its name in the environment.
    pub environment: String,
}

/// Every key, in the order of the sections.
#[must_use]
pub fn rows(loaded: &Loaded) -> Vec<Row> {
    KEYS.iter()
        .map(|(key, kind)| {
            let value = loaded.layers.find_value(key).ok();
            let origin = loaded.layers.find_metadata(key).map(|metadata| {
                metadata
                    .source
                    .as_ref()
                    .map_or_else(|| metadata.name.to_string(), ToString::to_string)
            });
            Row {
                key: (*key).to_owned(),
                value: value
                    .filter(|value| !matches!(value, Value::Empty(..)))
                    .map(|value| match kind {
                        Kind::Secret | Kind::SecretList => "(set)".to_owned(),
                        Kind::Text | Kind::Number | Kind::Flag | Kind::List => text(&value),
                    }),
                origin: origin.unwrap_or_else(|| "default".to_owned()),
                environment: environment_name(key),
            }
        })
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_u128()
            .map_or_else(|| format!("{number:?}"), |number| number.to_string()),
        Value::Array(_, items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Char(..) | Value::Empty(..) | Value::Dict(..) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Loaded, Sources};
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let environment = [
            ("AUTH_SECRET_KEY", "canary-canary-canary-canary-canary"),
            ("RESYNC_TWS_PASSWORD", "canary-2"),
            ("RESYNC_AUTH_PREVIOUS_SECRET_KEYS", "canary-3,canary-4"),
            ("RESYNC_LOG_LEVEL", "debug"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let loaded = Loaded::from(&Sources {
            environment: environment.into(),
            ..Sources::default()
        })
        .unwrap();
        let rows = rows(&loaded);
        assert!(!format!("{rows:?} {:?}", loaded.config).contains("canary"));
        let of = |key: &str| rows.iter().find(|row| row.key == key).unwrap();
        assert_eq!(of("auth.secret_key").value.as_deref(), Some("(set)"));
        assert_eq!(of("log.level").value.as_deref(), Some("debug"));
        assert_eq!(
            of("log.level").origin,
            "environment variable RESYNC_LOG_LEVEL"
        );
        assert_eq!(of("server.listen").origin, "default");
        assert_eq!(of("server.listen").value.as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(of("tws.url").value, None);
    }
}
