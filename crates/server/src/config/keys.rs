//! Every key, once: its kind, and whether it is a secret.
//!
//! From this table come the names in the environment, the suggestions for an unknown key, and what
//! `config show` prints. A test compares it with the typed configuration.

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text as it stands.
    Text,
    /// Text that nobody may see.
    Secret,
    /// A whole number, 0 or more.
    Number,
    /// `true` or `false`.
    Flag,
    /// Texts with commas between them.
    List,
    /// The same, and nobody may see them.
    SecretList,
}

/// `section.key`, and its kind.
pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("server.listen", Kind::Text),
    ("server.public_url", Kind::Text),
    ("server.data_dir", Kind::Text),
    ("server.trusted_proxies", Kind::Number),
    ("server.proxy_addresses", Kind::List),
    ("server.allowed_origins", Kind::List),
    ("server.insecure_cookies", Kind::Flag),
    ("server.shutdown_seconds", Kind::Number),
    ("server.drain_seconds", Kind::Number),
    ("server.header_timeout_seconds", Kind::Number),
    ("server.body_timeout_seconds", Kind::Number),
    ("server.max_connections", Kind::Number),
    ("server.max_requests", Kind::Number),
    ("server.tls_cert", Kind::Text),
    ("server.tls_key", Kind::Text),
    ("server.tls_client_ca", Kind::Text),
    ("auth.secret_key", Kind::Secret),
    ("auth.previous_secret_keys", Kind::SecretList),
    ("auth.issuer", Kind::Text),
    ("auth.audience", Kind::Text),
    ("auth.session_minutes", Kind::Number),
    ("auth.idle_minutes", Kind::Number),
    ("auth.bcrypt_cost", Kind::Number),
    ("auth.hash_workers", Kind::Number),
    ("auth.hash_queue", Kind::Number),
    ("auth.lockout_attempts", Kind::Number),
    ("auth.lockout_account_attempts", Kind::Number),
    ("auth.lockout_address_attempts", Kind::Number),
    ("auth.lockout_seconds", Kind::Number),
    ("auth.breach_list", Kind::Text),
    ("auth.admin_username", Kind::Text),
    ("auth.admin_password", Kind::Secret),
    ("database.url", Kind::Secret),
    ("database.ca_file", Kind::Text),
    ("database.max_connections", Kind::Number),
    ("database.acquire_timeout_ms", Kind::Number),
    ("database.statement_timeout_ms", Kind::Number),
    ("oidc.issuer", Kind::Text),
    ("oidc.client_id", Kind::Text),
    ("oidc.client_secret", Kind::Secret),
    ("oidc.scopes", Kind::List),
    ("oidc.groups_claim", Kind::Text),
    ("oidc.admin_groups", Kind::List),
    ("oidc.operator_groups", Kind::List),
    ("oidc.viewer_groups", Kind::List),
    ("oidc.ca_file", Kind::Text),
    ("oidc.name", Kind::Text),
    ("redis.url", Kind::Secret),
    ("redis.ca_file", Kind::Text),
    ("redis.timeout_ms", Kind::Number),
    ("redis.prefix", Kind::Text),
    ("tws.url", Kind::Text),
    ("tws.username", Kind::Text),
    ("tws.password", Kind::Secret),
    ("tws.api_key", Kind::Secret),
    ("tws.name", Kind::Text),
    ("tws.timeout_seconds", Kind::Number),
    ("tws.verify_seconds", Kind::Number),
    ("tws.causes_file", Kind::Text),
    ("cache.job_status_fresh_seconds", Kind::Number),
    ("cache.job_status_stale_seconds", Kind::Number),
    ("cache.job_logs_fresh_seconds", Kind::Number),
    ("cache.job_logs_stale_seconds", Kind::Number),
    ("cache.graph_fresh_seconds", Kind::Number),
    ("cache.graph_stale_seconds", Kind::Number),
    ("cache.static_fresh_seconds", Kind::Number),
    ("cache.static_stale_seconds", Kind::Number),
    ("cache.default_fresh_seconds", Kind::Number),
    ("cache.default_stale_seconds", Kind::Number),
    ("cache.max_entries", Kind::Number),
    ("cache.max_bytes", Kind::Number),
    ("llm.url", Kind::Text),
    ("llm.api_key", Kind::Secret),
    ("llm.api_version", Kind::Text),
    ("llm.model", Kind::Text),
    ("llm.fallback_models", Kind::List),
    ("llm.timeout_seconds", Kind::Number),
    ("llm.idle_timeout_seconds", Kind::Number),
    ("llm.max_tokens", Kind::Number),
    ("llm.context_tokens", Kind::Number),
    ("llm.max_concurrent", Kind::Number),
    ("llm.prompt_price_cents", Kind::Number),
    ("llm.completion_price_cents", Kind::Number),
    ("rag.max_upload_bytes", Kind::Number),
    ("rag.chunk_chars", Kind::Number),
    ("rag.glossary", Kind::Text),
    ("rag.embedder", Kind::Text),
    ("rag.embedder_model", Kind::Text),
    ("rag.embedder_api_key", Kind::Secret),
    ("rag.embedder_dimensions", Kind::Number),
    ("rag.reranker_url", Kind::Text),
    ("rag.reranker_model", Kind::Text),
    ("rag.reranker_api_key", Kind::Secret),
    ("rag.poll_seconds", Kind::Number),
    ("ws.idle_timeout_seconds", Kind::Number),
    ("ws.max_message_bytes", Kind::Number),
    ("ws.send_timeout_seconds", Kind::Number),
    ("ws.max_connections_per_user", Kind::Number),
    ("ws.max_connections", Kind::Number),
    ("limits.login", Kind::Number),
    ("limits.chat", Kind::Number),
    ("limits.api", Kind::Number),
    ("limits.actions", Kind::Number),
    ("limits.uploads", Kind::Number),
    ("log.level", Kind::Text),
    ("log.format", Kind::Text),
    ("telemetry.metrics_token", Kind::Secret),
];

/// Keys of the design that this version does not act upon yet: refused, so that nobody relies on them.
pub(crate) const NOT_YET: &[&str] = &["tws.poll_seconds", "telemetry.otlp_endpoint"];

/// Names in the environment that stand for a key without the usual form.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    ("AUTH_SECRET_KEY", "auth.secret_key"),
    ("WS_IDLE_TIMEOUT_SECONDS", "ws.idle_timeout_seconds"),
];

/// Variables of the commands that ask a running server; they configure none.
pub(crate) const CLIENT_VARIABLES: [&str; 4] = [
    "RESYNC_URL",
    "RESYNC_API_KEY",
    "RESYNC_API_KEY_FILE",
    "RESYNC_CA_FILE",
];

/// The kind of a key.
pub(crate) fn kind(key: &str) -> Option<Kind> {
    KEYS.iter()
        .find(|(name, _)| *name == key)
        .map(|(_, kind)| *kind)
}

/// The key's name in the environment.
pub(crate) fn environment_name(key: &str) -> String {
    format!("RESYNC_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// The known key that looks most like this one.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|(name, _)| (strsim::jaro_winkler(name, key), *name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
