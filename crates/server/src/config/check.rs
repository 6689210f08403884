//! What types cannot say of a configuration: ranges, and what must fit together.
//!
//! Every number has both ends, so that none makes a time overflow or a pool that no machine holds.

use std::ops::RangeInclusive;

use resync_api::edge::client_address::network;
use resync_kernel::{ExposeSecret, SecretString};

use super::load::ConfigError;
use super::{CacheConfig, Config, LlmConfig, ServerConfig};

const HOUR: u64 = 3600;
const YEAR: u64 = 365 * 24 * HOUR;
const MILLION: u64 = 1_000_000;
const GIB: u64 = 1 << 30;

/// The first mistake found.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    for (key, value, range) in numbers(config) {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            return Err(ConfigError::new(key, format!("must be {least} to {most}")));
        }
    }
    windows(&config.cache)?;
    tls(&config.server)?;
    config
        .telemetry
        .metrics_token
        .as_ref()
        .map_or(Ok(()), metrics_token)?;
    for origin in config
        .server
        .public_url
        .iter()
        .chain(&config.server.allowed_origins)
    {
        if !is_origin(origin) {
            return Err(ConfigError::new(
                "server.public_url, server.allowed_origins",
                "must look like https://host or https://host:port, with nothing before or after it",
            ));
        }
    }
    let proxies = &config.server.proxy_addresses;
    if proxies.iter().any(|text| network(text).is_none()) {
        return Err(ConfigError::new(
            "server.proxy_addresses",
            "must be addresses or networks, such as 10.0.0.9 or 10.0.0.0/24",
        ));
    }
    let engines = config.tws.engine.iter();
    let engines =
        engines.flat_map(|engine| std::iter::once(&engine.url).chain(&engine.backup_urls));
    if engines
        .chain(&config.tws.url)
        .any(|url| authority(url).contains('@'))
    {
        return Err(ConfigError::new(
            "tws.url, tws.engine.url, tws.engine.backup_urls",
            "must not carry credentials; use username and password",
        ));
    }
    llm(&config.llm)?;
    if config.database.url.is_some() && config.database.named().is_none() {
        return Err(ConfigError::new(
            "database.url",
            "must be sqlite://PATH or postgres://user:password@host:5432/database",
        ));
    }
    let prefix = &config.redis.prefix;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if prefix.is_empty() || prefix.len() > 40 || !prefix.chars().all(plain) {
        return Err(ConfigError::new(
            "redis.prefix",
            "must be 1 to 40 letters, digits, '-', '_', '.' or ':'",
        ));
    }
    Ok(())
}

type Number = (&'static str, u64, RangeInclusive<u64>);

fn count(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

/// Every number and its range; a new one is one more line.
fn numbers(config: &Config) -> Vec<Number> {
    macro_rules! numbers {
        ($($section:ident.$key:ident: $range:expr;)*) => {
            vec![$((
                concat!(stringify!($section), ".", stringify!($key)),
                count(config.$section.$key),
                $range,
            )),*]
        };
    }
    numbers! {
        server.trusted_proxies: 0..=16;
        server.shutdown_seconds: 0..=HOUR;
        server.drain_seconds: 0..=HOUR;
        server.header_timeout_seconds: 1..=HOUR;
        server.body_timeout_seconds: 1..=HOUR;
        server.max_connections: 1..=MILLION;
        server.max_requests: 1..=MILLION;
        database.max_connections: 2..=1000;
        database.acquire_timeout_ms: 1..=2000;
        database.statement_timeout_ms: 1..=5000;
        auth.session_minutes: 1..=YEAR / 60;
        auth.idle_minutes: 1..=YEAR / 60;
        auth.bcrypt_cost: 4..=15;
        auth.hash_workers: 0..=256;
        auth.hash_queue: 1..=65_536;
        auth.lockout_attempts: 1..=MILLION;
        auth.lockout_account_attempts: 1..=MILLION;
        auth.lockout_address_attempts: 1..=MILLION;
        auth.lockout_seconds: 1..=YEAR;
        redis.timeout_ms: 1..=10_000;
        tws.timeout_seconds: 1..=HOUR;
        tws.verify_seconds: 0..=HOUR;
        cache.max_entries: 1..=100 * MILLION;
        cache.max_bytes: 1..=1024 * GIB;
        llm.timeout_seconds: 1..=600;
        llm.idle_timeout_seconds: 1..=300;
        llm.max_tokens: 64..=MILLION;
        llm.context_tokens: 2048..=10 * MILLION;
        llm.max_concurrent: 1..=1000;
        llm.prompt_price_cents: 0..=MILLION * MILLION;
        llm.completion_price_cents: 0..=MILLION * MILLION;
        rag.max_upload_bytes: 1..=GIB;
        rag.chunk_chars: 1..=100_000;
        rag.embedder_dimensions: 0..=4000;
        rag.poll_seconds: 1..=60;
        // One that never idles out is a leak.
        ws.idle_timeout_seconds: 1..=YEAR;
        ws.max_message_bytes: 1..=16 << 20;
        ws.send_timeout_seconds: 1..=HOUR;
        ws.max_connections_per_user: 1..=MILLION;
        ws.max_connections: 1..=MILLION;
        limits.login: 1..=MILLION;
        limits.chat: 1..=MILLION;
        limits.api: 1..=MILLION;
        limits.actions: 1..=MILLION;
        limits.uploads: 1..=MILLION;
    }
}

/// A model and its server belong together.
fn llm(llm: &LlmConfig) -> Result<(), ConfigError> {
    let wrong = |key, problem| Err(ConfigError::new(key, problem));
    let set = llm.api_key.is_some() || llm.api_version.is_some() || llm.model.is_some();
    if llm.url.is_none() && (set || !llm.fallback_models.is_empty()) {
        return wrong("llm.url", "is missing; without it no model is asked");
    }
    if llm.url.is_some() && llm.model.is_none() {
        return wrong("llm.model", "is missing; the server at llm.url needs it");
    }
    if llm.fallback_models.len() > 2 {
        return wrong("llm.fallback_models", "must be 2 at most");
    }
    if llm
        .url
        .as_deref()
        .is_some_and(|url| authority(url).contains('@'))
    {
        return wrong("llm.url", "must not carry credentials; use llm.api_key");
    }
    // What is left is for the evidence.
    if llm.context_tokens / 2 < llm.max_tokens {
        return wrong(
            "llm.max_tokens",
            "must be half of llm.context_tokens at most",
        );
    }
    Ok(())
}

/// A listener speaks TLS with both files or not at all, and asks for certificates only then.
fn tls(server: &ServerConfig) -> Result<(), ConfigError> {
    let missing = match (&server.tls_cert, &server.tls_key) {
        (Some(_), None) => Some("server.tls_key"),
        (None, Some(_)) => Some("server.tls_cert"),
        (None, None) if server.tls_client_ca.is_some() => Some("server.tls_cert"),
        _ => None,
    };
    missing.map_or(Ok(()), |key| {
        Err(ConfigError::new(
            key,
            "is missing; TLS takes server.tls_cert and server.tls_key together",
        ))
    })
}

/// A short token is found by trying.
fn metrics_token(token: &SecretString) -> Result<(), ConfigError> {
    if token.expose_secret().len() < 16 {
        return Err(ConfigError::new(
            "telemetry.metrics_token",
            "must be at least 16 bytes; make one with `openssl rand -hex 32`",
        ));
    }
    Ok(())
}

fn windows(cache: &CacheConfig) -> Result<(), ConfigError> {
    let windows = [
        (
            "job_status",
            cache.job_status_fresh_seconds,
            cache.job_status_stale_seconds,
        ),
        (
            "job_logs",
            cache.job_logs_fresh_seconds,
            cache.job_logs_stale_seconds,
        ),
        (
            "graph",
            cache.graph_fresh_seconds,
            cache.graph_stale_seconds,
        ),
        (
            "static",
            cache.static_fresh_seconds,
            cache.static_stale_seconds,
        ),
        (
            "default",
            cache.default_fresh_seconds,
            cache.default_stale_seconds,
        ),
    ];
    for (category, fresh, stale) in windows {
        if !(fresh..=YEAR).contains(&stale) {
            return Err(ConfigError::new(
                format!("cache.{category}_stale_seconds"),
                format!("must be from cache.{category}_fresh_seconds to {YEAR}"),
            ));
        }
    }
    Ok(())
}

/// What stands between the scheme and the path.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

fn is_origin(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let host = authority(url);
    matches!(scheme, "http" | "https")
        && matches!(rest.strip_prefix(host), Some("" | "/"))
        && !host.is_empty()
        && !host.contains(|c: char| c == '@' || c == '*' || c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::super::{EngineConfig, Loaded, Sources};
    use super::*;

    fn environment(name: &str, value: &str) -> Result<Loaded, ConfigError> {
        Loaded::from(&Sources {
            environment: [(name.to_owned(), value.to_owned())].into(),
            ..Sources::default()
        })
    }

    /// P1-07: a timeout of 0 is refused.
    #[test]
    fn values_outside_their_range_are_refused() {
        let most = u64::MAX.to_string();
        for (name, value) in [
            ("WS_IDLE_TIMEOUT_SECONDS", "0"),
            ("WS_IDLE_TIMEOUT_SECONDS", &most),
            ("RESYNC_SERVER_HEADER_TIMEOUT_SECONDS", "0"),
            ("RESYNC_SERVER_MAX_CONNECTIONS", &most),
            ("RESYNC_AUTH_BCRYPT_COST", "31"),
            ("RESYNC_AUTH_HASH_WORKERS", "100000"),
            ("RESYNC_CACHE_GRAPH_STALE_SECONDS", "1"),
            ("RESYNC_CACHE_GRAPH_STALE_SECONDS", &most),
            ("RESYNC_DATABASE_URL", "mysql://x"),
            ("RESYNC_LIMITS_LOGIN", "0"),
            ("RESYNC_SERVER_PROXY_ADDRESSES", "10.0.0.9,proxy.example"),
            ("RESYNC_SERVER_MAX_REQUESTS", "0"),
            ("RESYNC_TELEMETRY_METRICS_TOKEN", "short"),
        ] {
            assert!(environment(name, value).is_err(), "{name}={value}");
        }
        check(&Config::default()).unwrap();
    }

    #[test]
    fn a_model_without_its_server_is_refused_and_so_is_the_reverse() {
        let key = SecretString::from("canary".to_owned());
        let server = || LlmConfig {
            url: Some("https://llm.example/v1".to_owned()),
            model: Some("m".to_owned()),
            ..LlmConfig::default()
        };
        for (llm, place) in [
            (
                LlmConfig {
                    url: None,
                    ..server()
                },
                "llm.url",
            ),
            (
                LlmConfig {
                    api_key: Some(key),
                    ..LlmConfig::default()
                },
                "llm.url",
            ),
            (
                LlmConfig {
                    model: None,
                    ..server()
                },
                "llm.model",
            ),
            (
                LlmConfig {
                    fallback_models: vec!["m".to_owned(); 3],
                    ..server()
                },
                "llm.fallback_models",
            ),
            (
                LlmConfig {
                    url: Some("https://u:canary@h/v1".to_owned()),
                    ..server()
                },
                "llm.url",
            ),
            (
                LlmConfig {
                    max_tokens: 5000,
                    ..server()
                },
                "llm.max_tokens",
            ),
        ] {
            let config = Config {
                llm,
                ..Config::default()
            };
            let error = check(&config).unwrap_err();
            assert_eq!(error.place, place);
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        let config = Config {
            llm: server(),
            ..Config::default()
        };
        check(&config).unwrap();
    }

    #[test]
    fn half_a_pair_of_tls_files_is_refused() {
        for (name, missing) in [
            ("RESYNC_SERVER_TLS_CERT", "server.tls_key"),
            ("RESYNC_SERVER_TLS_KEY", "server.tls_cert"),
            ("RESYNC_SERVER_TLS_CLIENT_CA", "server.tls_cert"),
        ] {
            assert_eq!(environment(name, "x.pem").unwrap_err().place, missing);
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for right in [
            "https://resync.example",
            "http://10.0.0.1:8080/",
            "http://[::1]:80",
        ] {
            assert!(
                environment("RESYNC_SERVER_PUBLIC_URL", right).is_ok(),
                "{right}"
            );
        }
        for wrong in [
            "resync.example",
            "*",
            "https://*.example",
            "https://",
            "ftp://x",
            "https://x/resync",
            "https://u:pw@x",
        ] {
            let error = environment("RESYNC_SERVER_ALLOWED_ORIGINS", wrong).unwrap_err();
            assert!(!error.to_string().contains("u:pw"), "{error}");
        }
    }

    /// `config show` prints URLs, so none may hold a secret.
    #[test]
    fn a_url_with_credentials_is_refused_and_not_repeated() {
        let single = environment("RESYNC_TWS_URL", "https://u:canary@host/x").unwrap_err();
        assert!(!single.to_string().contains("canary"), "{single}");
        let mut config = Config::default();
        config.tws.engine.push(EngineConfig {
            name: "prod".to_owned(),
            url: "https://u:canary@host/x".to_owned(),
            username: None,
            password: None,
            ..EngineConfig::default()
        });
        assert!(!check(&config).unwrap_err().to_string().contains("canary"));
    }
}
