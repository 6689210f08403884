//! How the edge is set: origins, cookies, limits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use resync_api::edge::client_address::{Proxies, network};
use resync_api::edge::cookies::CookieStyle;
use resync_api::edge::limit::RateGate;
use resync_api::edge::origin::{Origins, origin_of};
use resync_api::metrics::Metrics;
use resync_api::serve::tls::{Tls, TlsFiles};
use resync_api::state::{EdgeSettings, WsSettings};
use resync_auth::RateLimits;
use resync_chat::PageLinks;
use resync_kernel::Clock;

use super::redis::Shared;
use super::{StartError, redis};
use crate::config::{Config, LimitsConfig, ServerConfig};

/// How often an open WebSocket's session is looked at again.
const SESSION_CHECK: Duration = Duration::from_secs(5);

pub(super) fn settings(config: &Config) -> EdgeSettings {
    let server = &config.server;
    // Plain names and no `Secure` only where nobody else can listen in, or where the operator says so.
    let tls = server.tls_cert.is_some();
    let plain = server.insecure_cookies
        || (server.listen.ip().is_loopback()
            && !tls
            && server
                .public_url
                .as_ref()
                .is_none_or(|url| url.starts_with("http://")));
    let port = server.listen.port();
    let scheme = if tls { "https" } else { "http" };
    let own = [
        format!("{scheme}://{}", server.listen),
        format!("{scheme}://localhost:{port}"),
        format!("{scheme}://127.0.0.1:{port}"),
    ];
    let origins = own
        .into_iter()
        .chain(server.public_url.clone())
        .chain(server.allowed_origins.iter().cloned());
    EdgeSettings {
        origins: Origins::new(origins),
        cors_origins: server
            .allowed_origins
            .iter()
            .map(|url| origin_of(url))
            .collect(),
        cookies: if plain {
            CookieStyle::Plain
        } else {
            CookieStyle::Secure
        },
        links: PageLinks::new(&server.own_url()),
        proxies: proxies(server),
        max_upload_bytes: config.rag.max_upload_bytes,
        handler_timeout: handler_timeout(config),
        max_requests: server.max_requests,
        // A browser ignores it over http, so a proxy with TLS may be told by `public_url`.
        hsts: tls
            || server
                .public_url
                .as_ref()
                .is_some_and(|url| url.starts_with("https://")),
        metrics_token: config.telemetry.metrics_token.clone(),
        ws: WsSettings {
            idle_timeout: Duration::from_secs(config.ws.idle_timeout_seconds),
            max_message_bytes: config.ws.max_message_bytes,
            send_timeout: Duration::from_secs(config.ws.send_timeout_seconds),
            max_connections_per_user: config.ws.max_connections_per_user,
            max_connections: config.ws.max_connections,
            session_check: SESSION_CHECK,
        },
    }
}

/// What a handler may take: with a model in one body, as much as its answer and what comes before.
fn handler_timeout(config: &Config) -> Duration {
    const AROUND: u64 = 30;
    let plain = config.server.body_timeout_seconds;
    let model = config
        .llm
        .url
        .as_ref()
        .map(|_| config.llm.timeout_seconds + AROUND);
    Duration::from_secs(plain.max(model.unwrap_or(0)))
}

/// The proxies in front. The configuration was checked, so none of their addresses is left out.
fn proxies(server: &ServerConfig) -> Proxies {
    let addresses: Vec<_> = server
        .proxy_addresses
        .iter()
        .filter_map(|text| network(text))
        .collect();
    if server.trusted_proxies > 0 && addresses.is_empty() && !server.listen.ip().is_loopback() {
        tracing::warn!(
            "server.trusted_proxies is set without server.proxy_addresses: whoever reaches this listener \
             past the proxy can claim any address"
        );
    }
    Proxies {
        hops: server.trusted_proxies,
        addresses,
    }
}

/// The limits, and who counts.
pub(super) fn limits(
    config: &LimitsConfig,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    shared: Option<&Shared>,
) -> RateGate {
    // The configuration allows no zero.
    let limit = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let limits = RateLimits {
        login: limit(config.login),
        chat: limit(config.chat),
        api: limit(config.api),
        actions: limit(config.actions),
        uploads: limit(config.uploads),
    };
    let limiter = redis::limiter(shared, limits, clock);
    RateGate::new(limiter, limits, metrics.clone())
}

/// TLS, when the configuration has it.
pub(super) fn tls(config: &Config) -> Result<Option<Tls>, StartError> {
    let server = &config.server;
    let (Some(cert), Some(key)) = (server.tls_cert.clone(), server.tls_key.clone()) else {
        return Ok(None);
    };
    let client_ca = server.tls_client_ca.clone();
    Tls::load(TlsFiles {
        cert,
        key,
        client_ca,
    })
    .map(Some)
    .map_err(|error| StartError::failed("server.tls_cert: TLS cannot be spoken", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_cookies_are_for_plain_http_on_loopback_only() {
        let style = |adjust: fn(&mut Config)| {
            let mut config = Config::default();
            adjust(&mut config);
            settings(&config).cookies
        };
        assert_eq!(
            style(|config| config.server.tls_cert = Some("cert.pem".into())),
            CookieStyle::Secure
        );
        assert_eq!(style(|_| {}), CookieStyle::Plain);
        assert_eq!(
            style(|config| config.server.listen = ([0, 0, 0, 0], 8080).into()),
            CookieStyle::Secure
        );
        assert_eq!(
            style(|config| config.server.public_url = Some("https://resync.example".to_owned())),
            CookieStyle::Secure
        );
        assert_eq!(
            style(|config| {
                config.server.listen = ([0, 0, 0, 0], 8080).into();
                config.server.insecure_cookies = true;
            }),
            CookieStyle::Plain
        );
    }
}
