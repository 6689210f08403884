//! How the edge is set: origins, cookies, limits.

use std::time::Duration;

use resync_api::edge::cookies::CookieStyle;
use resync_api::edge::origin::Origins;
use resync_api::state::{EdgeSettings, WsSettings};

use crate::config::Config;

/// How often an open WebSocket's session is looked at again.
const SESSION_CHECK: Duration = Duration::from_secs(5);

pub(super) fn settings(config: &Config) -> EdgeSettings {
    let server = &config.server;
    // Plain names and no `Secure` only where nobody else can listen in, or where the operator says so.
    let plain = server.insecure_cookies
        || (server.listen.ip().is_loopback()
            && server
                .public_url
                .as_ref()
                .is_none_or(|url| url.starts_with("http://")));
    let port = server.listen.port();
    let own = [
        format!("http://{}", server.listen),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
    ];
    let origins = own
        .into_iter()
        .chain(server.public_url.clone())
        .chain(server.allowed_origins.iter().cloned());
    EdgeSettings {
        origins: Origins::new(origins),
        cookies: if plain {
            CookieStyle::Plain
        } else {
            CookieStyle::Secure
        },
        trusted_proxies: server.trusted_proxies,
        max_upload_bytes: config.rag.max_upload_bytes,
        handler_timeout: Duration::from_secs(server.body_timeout_seconds),
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
