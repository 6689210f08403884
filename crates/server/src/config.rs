//! Configuration: `resync.toml`, then the environment, then flags; typed, with the origin of each value.
//!
//! 1. `an_unknown_key_is_refused_with_a_suggestion`, in the file as in the environment (P2-07).
//! 2. `a_secret_is_never_shown`: not by `config show`, not in an error, not by `Debug`.
//! 3. Nothing here reads the environment or a file on its own: the caller hands in both (P1-05).

mod check;
mod keys;
mod load;
mod show;

use std::net::SocketAddr;
use std::path::PathBuf;

use resync_extract::WorkerCommand;
use resync_kernel::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub use load::{ConfigError, Loaded, Sources};
pub use show::{Row, rows};

/// The whole configuration. Every section has defaults, so an empty file is a valid one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The listener and what surrounds it.
    pub server: ServerConfig,
    /// Signing in.
    pub auth: AuthConfig,
    /// The store.
    pub database: DatabaseConfig,
    /// The company's identity provider.
    pub oidc: OidcConfig,
    /// What replicas share.
    pub redis: RedisConfig,
    /// The engines.
    pub tws: TwsConfig,
    /// How long what was read from an engine is kept.
    pub cache: CacheConfig,
    /// The language model.
    pub llm: LlmConfig,
    /// Documents.
    pub rag: RagConfig,
    /// WebSockets.
    pub ws: WsConfig,
    /// How often one may ask.
    pub limits: LimitsConfig,
    /// Logs.
    pub log: LogConfig,
    /// What is measured.
    pub telemetry: TelemetryConfig,
}

/// Section `server`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// How browsers reach it, when that differs from `listen`; its origin may send requests.
    pub public_url: Option<String>,
    /// Where the database and other state live.
    pub data_dir: PathBuf,
    /// How many proxies stand in front; that many hops of `X-Forwarded-For` are believed.
    pub trusted_proxies: usize,
    /// Addresses and networks that those proxies connect from; when empty, whoever connects is one.
    pub proxy_addresses: Vec<String>,
    /// Origins besides our own whose pages may send requests and read the answers.
    pub allowed_origins: Vec<String>,
    /// Cookies without `Secure` although the listener is not plain http on loopback.
    pub insecure_cookies: bool,
    /// Seconds for requests in flight once shutdown began.
    pub shutdown_seconds: u64,
    /// For so long after the signal requests are still answered while readiness fails, so that a proxy
    /// finds other replicas.
    pub drain_seconds: u64,
    /// Seconds for the head of a request.
    pub header_timeout_seconds: u64,
    /// Seconds for a request from head to answer.
    pub body_timeout_seconds: u64,
    /// Connections at once.
    pub max_connections: usize,
    /// Requests under way at once; one more is answered 503 at once.
    pub max_requests: usize,
    /// Certificate chain (PEM), the server's own first; with `tls_key` the listener speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Certificates (PEM) of whoever signs our clients'; when set, a client must show one of theirs.
    pub tls_client_ca: Option<PathBuf>,
}

impl ServerConfig {
    /// Where others reach it: `public_url`, else the listener's own address.
    #[must_use]
    pub fn own_url(&self) -> String {
        let scheme = if self.tls_cert.is_some() {
            "https"
        } else {
            "http"
        };
        let own = || format!("{scheme}://{}", self.listen);
        self.public_url.clone().unwrap_or_else(own)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            data_dir: PathBuf::from("./data"),
            trusted_proxies: 0,
            proxy_addresses: Vec::new(),
            allowed_origins: Vec::new(),
            insecure_cookies: false,
            shutdown_seconds: 25,
            drain_seconds: 0,
            header_timeout_seconds: 10,
            body_timeout_seconds: 30,
            max_connections: 10_000,
            max_requests: 1_000,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
        }
    }
}

/// Section `auth`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// At least 32 bytes; `serve` refuses to start without it.
    #[serde(skip_serializing)]
    pub secret_key: Option<SecretString>,
    /// Keys used before `secret_key`: what they signed is still accepted, nothing new is signed.
    #[serde(skip_serializing)]
    pub previous_secret_keys: Vec<SecretString>,
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `aud`.
    pub audience: String,
    /// Minutes until a session ends.
    pub session_minutes: u32,
    /// Minutes without a request until a session ends.
    pub idle_minutes: u32,
    /// The cost of bcrypt, 4 to 15.
    pub bcrypt_cost: u32,
    /// Threads that hash; 0 is one a core.
    pub hash_workers: usize,
    /// Hashes that may wait.
    pub hash_queue: usize,
    /// Failures until an account is locked for one address.
    pub lockout_attempts: u32,
    /// Failures until an account is locked for every address.
    pub lockout_account_attempts: u32,
    /// Failures until an address is locked for every account.
    pub lockout_address_attempts: u32,
    /// Seconds that failures count.
    pub lockout_seconds: u64,
    /// A file of passwords that nobody may choose, one a line.
    pub breach_list: Option<PathBuf>,
    /// Name of the administrator that the first start makes.
    pub admin_username: Option<String>,
    /// That administrator's password; used at the first start only.
    #[serde(skip_serializing)]
    pub admin_password: Option<SecretString>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            secret_key: None,
            previous_secret_keys: Vec::new(),
            issuer: "resync".to_owned(),
            audience: "resync".to_owned(),
            session_minutes: 480,
            idle_minutes: 60,
            bcrypt_cost: 12,
            hash_workers: 0,
            hash_queue: 64,
            lockout_attempts: 5,
            lockout_account_attempts: 20,
            lockout_address_attempts: 30,
            lockout_seconds: 900,
            breach_list: None,
            admin_username: None,
            admin_password: None,
        }
    }
}

/// Section `database`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite://PATH`, or `postgres://user:password@host:5432/database`; absent is `resync.db` in
    /// `server.data_dir`. A secret, since it may carry a password.
    #[serde(skip_serializing)]
    pub url: Option<SecretString>,
    /// A file of certificates (PEM) that alone are trusted to sign PostgreSQL's; those of the system when
    /// absent. With it the certificate is checked and must name the host.
    pub ca_file: Option<PathBuf>,
    /// The most connections to PostgreSQL.
    pub max_connections: u32,
    /// The longest wait for one of them, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// The longest that PostgreSQL may work on one statement, in milliseconds.
    pub statement_timeout_ms: u64,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            max_connections: 10,
            acquire_timeout_ms: 2000,
            statement_timeout_ms: 5000,
        }
    }
}

impl DatabaseConfig {
    /// What `url` names; `None` without one, and for one that the check of the configuration refuses.
    pub(crate) fn named(&self) -> Option<DatabaseUrl<'_>> {
        DatabaseUrl::of(self.url.as_ref()?.expose_secret())
    }

    /// Whether it names a server of PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.named(), Some(DatabaseUrl::Postgres(_)))
    }
}

/// What `database.url` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseUrl<'a> {
    /// A file.
    Sqlite(&'a str),
    /// A server, with the password.
    Postgres(&'a str),
}

impl<'a> DatabaseUrl<'a> {
    /// Reads it by its scheme; `None` for any other.
    pub(crate) fn of(url: &'a str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Some(Self::Sqlite(path));
        }
        let postgres = ["postgres://", "postgresql://"];
        postgres
            .iter()
            .any(|scheme| url.starts_with(scheme))
            .then_some(Self::Postgres(url))
    }
}

/// Section `oidc`: signing in at the company's identity provider, with `issuer`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The provider's issuer, as it writes it: `https://…`, or `http://` on loopback.
    pub issuer: Option<String>,
    /// Our name at the provider.
    pub client_id: Option<String>,
    /// Our secret there.
    #[serde(skip_serializing)]
    pub client_secret: Option<SecretString>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
    /// The claim of the ID token that lists a person's groups.
    pub groups_claim: String,
    /// Groups whose members are administrators.
    pub admin_groups: Vec<String>,
    /// Groups whose members are operators.
    pub operator_groups: Vec<String>,
    /// Groups whose members are viewers.
    pub viewer_groups: Vec<String>,
    /// A file of certificates (PEM) that alone are trusted; those of the system when absent.
    pub ca_file: Option<PathBuf>,
    /// What people call it; stands on the button.
    pub name: String,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret: None,
            scopes: ["openid", "profile", "email", "groups"]
                .map(str::to_owned)
                .into(),
            groups_claim: "groups".to_owned(),
            admin_groups: Vec::new(),
            operator_groups: Vec::new(),
            viewer_groups: Vec::new(),
            ca_file: None,
            name: "Single sign-on".to_owned(),
        }
    }
}

/// Section `redis`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://[user:password@]host[:port][/db]`, or `rediss://…`; absent counts in this process.
    #[serde(skip_serializing)]
    pub url: Option<SecretString>,
    /// A file of certificates (PEM) that alone are trusted, with `rediss://`; those of the system when
    /// absent.
    pub ca_file: Option<PathBuf>,
    /// Milliseconds for one call.
    pub timeout_ms: u64,
    /// What every key begins with: installations that share a Redis need different ones.
    pub prefix: String,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            timeout_ms: 100,
            prefix: "resync".to_owned(),
        }
    }
}

/// Section `tws`: engines as a list, or a single one by its fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwsConfig {
    /// The engines, in order; the first is asked when a request names none.
    pub engine: Vec<EngineConfig>,
    /// The single engine's URL.
    pub url: Option<String>,
    /// The single engine's user.
    pub username: Option<String>,
    /// The single engine's password.
    #[serde(skip_serializing)]
    pub password: Option<SecretString>,
    /// The single engine's API key, instead of user and password.
    #[serde(skip_serializing)]
    pub api_key: Option<SecretString>,
    /// The single engine's name.
    pub name: String,
    /// Seconds for one call to an engine.
    pub timeout_seconds: u64,
    /// Seconds to wait for an action to show.
    pub verify_seconds: u64,
    /// A TOML file of causes of failures beside those that ship.
    pub causes_file: Option<PathBuf>,
}

impl Default for TwsConfig {
    fn default() -> Self {
        Self {
            engine: Vec::new(),
            url: None,
            username: None,
            password: None,
            api_key: None,
            name: "default".to_owned(),
            timeout_seconds: 15,
            verify_seconds: 10,
            causes_file: None,
        }
    }
}

/// One entry of `[[tws.engine]]`.
#[derive(Default, Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Its name, unique: 1 to 40 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// `https://host:31116/twsd/api/v2`.
    pub url: String,
    /// The same of the backup masters, tried in turn when the master cannot be reached; at most 4.
    #[serde(default)]
    pub backup_urls: Vec<String>,
    /// User, with `password`.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, with `username`.
    #[serde(skip_serializing)]
    #[serde(default)]
    pub password: Option<SecretString>,
    /// API key, instead of user and password.
    #[serde(skip_serializing)]
    #[serde(default)]
    pub api_key: Option<SecretString>,
    /// A file of certificates (PEM) that alone are trusted; those of the system when absent.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Accepts any certificate; for laboratories.
    #[serde(default)]
    pub insecure_tls: bool,
    /// Actions are refused.
    #[serde(default)]
    pub read_only: bool,
    /// Seconds for one call; absent is `tws.timeout_seconds`.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
}

/// Section `cache`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Seconds that a job's status counts as fresh.
    pub job_status_fresh_seconds: u64,
    /// Seconds that it may be shown, marked as stale.
    pub job_status_stale_seconds: u64,
    /// The same for logs.
    pub job_logs_fresh_seconds: u64,
    /// The same for logs.
    pub job_logs_stale_seconds: u64,
    /// The same for dependency graphs.
    pub graph_fresh_seconds: u64,
    /// The same for dependency graphs.
    pub graph_stale_seconds: u64,
    /// The same for what hardly changes.
    pub static_fresh_seconds: u64,
    /// The same for what hardly changes.
    pub static_stale_seconds: u64,
    /// The same for everything else.
    pub default_fresh_seconds: u64,
    /// The same for everything else.
    pub default_stale_seconds: u64,
    /// Entries at most.
    pub max_entries: usize,
    /// Bytes at most.
    pub max_bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            job_status_fresh_seconds: 10,
            job_status_stale_seconds: 30,
            job_logs_fresh_seconds: 30,
            job_logs_stale_seconds: 60,
            graph_fresh_seconds: 300,
            graph_stale_seconds: 600,
            static_fresh_seconds: 3600,
            static_stale_seconds: 7200,
            default_fresh_seconds: 60,
            default_stale_seconds: 120,
            max_entries: 100_000,
            max_bytes: 128 * 1024 * 1024,
        }
    }
}

/// Section `rag`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RagConfig {
    /// Bytes of one document at most.
    pub max_upload_bytes: usize,
    /// Characters that a chunk aims at.
    pub chunk_chars: usize,
    /// How the process is started in which files are read. No key: a command that is this program sets
    /// it; without, Markdown and text alone are read.
    #[serde(skip)]
    pub reader: Option<WorkerCommand>,
    /// A file of words of the same meaning, beside those that ship with the program; empty for none.
    pub glossary: String,
    /// `bundled`, `bundled-light`, `none`, or the base address of an OpenAI-compatible server.
    pub embedder: String,
    /// The model's name at that server.
    pub embedder_model: Option<String>,
    /// The key to that server.
    #[serde(skip_serializing)]
    pub embedder_api_key: Option<SecretString>,
    /// Numbers in a vector of that server's; 0 asks it at the start.
    pub embedder_dimensions: u32,
    /// The base address of a server with `/rerank`, which puts the best hits into a better order.
    pub reranker_url: Option<String>,
    /// The model's name at that server.
    pub reranker_model: Option<String>,
    /// The key to that server.
    #[serde(skip_serializing)]
    pub reranker_api_key: Option<SecretString>,
    /// Seconds after which it is asked what other processes did to the documents; at least 1.
    pub poll_seconds: u64,
}

impl Default for RagConfig {
    fn default() -> Self {
        Self {
            max_upload_bytes: 25 * 1024 * 1024,
            chunk_chars: 1200,
            reader: None,
            glossary: String::new(),
            embedder: "bundled".to_owned(),
            embedder_model: None,
            embedder_api_key: None,
            embedder_dimensions: 0,
            reranker_url: None,
            reranker_model: None,
            reranker_api_key: None,
            poll_seconds: 1,
        }
    }
}

/// Section `llm`: a server with the interface `/v1/chat/completions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmConfig {
    /// The server's base address, such as `https://llm.example/v1`; without one every answer is made by
    /// rules. `{model}` in it stands for the model's name.
    pub url: Option<String>,
    /// The key to that server.
    #[serde(skip_serializing)]
    pub api_key: Option<SecretString>,
    /// The version of the interface that an Azure deployment wants; with it the key travels in the
    /// header `api-key`.
    pub api_version: Option<String>,
    /// The model's name at that server.
    pub model: Option<String>,
    /// Models that are asked when it fails, in order; at most 2.
    pub fallback_models: Vec<String>,
    /// Seconds that a model may take for one answer in all.
    pub timeout_seconds: u64,
    /// Seconds without a piece of the answer until it is given up; the first may take twice as long.
    pub idle_timeout_seconds: u64,
    /// Tokens of one answer at most.
    pub max_tokens: u32,
    /// Tokens that the model reads and writes at most.
    pub context_tokens: u32,
    /// Calls of the model at once; four times as many may wait.
    pub max_concurrent: u32,
    /// The price of a million tokens read, in hundredths of whatever money it is; 0 counts none.
    pub prompt_price_cents: u64,
    /// The same of tokens written.
    pub completion_price_cents: u64,
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            api_version: None,
            model: None,
            fallback_models: Vec::new(),
            timeout_seconds: 60,
            idle_timeout_seconds: 15,
            max_tokens: 2048,
            context_tokens: 8192,
            max_concurrent: 4,
            prompt_price_cents: 0,
            completion_price_cents: 0,
        }
    }
}

/// Section `ws`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WsConfig {
    /// Seconds without a message until a socket is closed; at least 1.
    pub idle_timeout_seconds: u64,
    /// Bytes of one message at most.
    pub max_message_bytes: usize,
    /// Seconds that sending one message may take.
    pub send_timeout_seconds: u64,
    /// Sockets of one user at once.
    pub max_connections_per_user: usize,
    /// Sockets at once.
    pub max_connections: usize,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            idle_timeout_seconds: 300,
            max_message_bytes: 65_536,
            send_timeout_seconds: 5,
            max_connections_per_user: 20,
            max_connections: 10_000,
        }
    }
}

/// Section `limits`: requests a minute and principal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Attempts to sign in, by address.
    pub login: u32,
    /// Questions, over HTTP and WebSockets together.
    pub chat: u32,
    /// Everything that is in no other class.
    pub api: u32,
    /// Proposals and confirmations of actions.
    pub actions: u32,
    /// Uploads of documents.
    pub uploads: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            login: 10,
            chat: 30,
            api: 600,
            actions: 20,
            uploads: 20,
        }
    }
}

/// Section `telemetry`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The bearer token for `/metrics`, at least 16 bytes; without it only loopback may read them.
    #[serde(skip_serializing)]
    pub metrics_token: Option<SecretString>,
}

/// Section `log`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or directives such as `info,resync_hwa=debug`.
    pub level: String,
    /// How lines look; absent is `text` on a terminal, else `json`.
    pub format: Option<LogFormat>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: None,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
