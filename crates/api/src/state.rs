//! What the handlers work with: services that the server built, and how the edge is set.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_auth::{
    ApiKeyService, CsrfTokens, ExternalSignIn, LoginService, SessionService, SetupService,
    UserService,
};
use resync_chat::{ChatService, PageLinks};
use resync_kernel::{BoxError, Clock, IdGenerator, SecretString};
use resync_rag::KnowledgeService;
use resync_sync::AnswerStore;
use resync_tws::{
    ActionService, AttentionService, AuditService, EngineAdminService, HistoryService, PlanService,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::client_address::Proxies;
use crate::edge::cookies::CookieStyle;
use crate::edge::limit::RateGate;
use crate::edge::origin::Origins;
use crate::metrics::Metrics;
use crate::serve::Draining;
use crate::ws::{Sockets, Streams};

/// Everything a handler may use. Cheap to clone: all clones are the same one (P0-04).
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl App {
    /// The one that all handlers share.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether both are the same one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What an [`App`] is made of.
pub struct Parts {
    /// Signing in.
    pub logins: LoginService,
    /// Who asks.
    pub sessions: SessionService,
    /// Which machine asks.
    pub keys: ApiKeyService,
    /// The accounts.
    pub users: Arc<UserService>,
    /// The first administrator.
    pub setup: SetupService,
    /// Signing in at the company's identity provider, where there is one.
    pub oidc: Option<SingleSignOn>,
    /// The proof that our page sent a request.
    pub csrf: CsrfTokens,
    /// Reads of the plan.
    pub plan: PlanService,
    /// Writes to the plan.
    pub actions: ActionService,
    /// What was answered under an `Idempotency-Key`.
    pub answers: Arc<dyn AnswerStore>,
    /// Runs that were seen to have ended.
    pub history: HistoryService,
    /// What is late, stuck or runs too long.
    pub attention: AttentionService,
    /// Changes to the set of engines.
    pub engines: EngineAdminService,
    /// What was done.
    pub audit: AuditService,
    /// Questions in words.
    pub chat: ChatService,
    /// Documents.
    pub knowledge: KnowledgeService,
    /// Whether the store answers.
    pub store: Arc<dyn StoreProbe>,
    /// Whether Redis answers, where there is one.
    pub redis: Option<Arc<dyn SideProbe>>,
    /// Whether the language model answers, where there is one.
    pub llm: Option<Arc<dyn SideProbe>>,
    /// How the edge is set.
    pub edge: EdgeSettings,
    /// How often one may ask.
    pub limits: RateGate,
    /// What is counted.
    pub metrics: Metrics,
    /// Open WebSockets.
    pub sockets: Sockets,
    /// Answers that are streamed over HTTP, counted as sockets are.
    pub streams: Sockets,
    /// Answers that a client of a WebSocket may come back to.
    pub kept_streams: Streams,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids of requests.
    pub ids: Arc<dyn IdGenerator>,
    /// Work that outlives a request.
    pub tracker: TaskTracker,
    /// Cancelled when the process is to end.
    pub shutdown: CancellationToken,
    /// Begun some time before that, so that a proxy finds other replicas.
    pub draining: Draining,
}

/// The company's identity provider.
pub struct SingleSignOn {
    /// What people call it.
    pub name: String,
    /// Signing in there.
    pub sign_in: ExternalSignIn,
}

/// How the edge is set.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// The pages that may send requests.
    pub origins: Origins,
    /// The pages of other origins that may also read the answers.
    pub cors_origins: Vec<String>,
    /// How cookies are named and marked.
    pub cookies: CookieStyle,
    /// Addresses of our page, as others reach it.
    pub links: PageLinks,
    /// The proxies whose word on a client's address is believed.
    pub proxies: Proxies,
    /// Bytes of an uploaded document at most.
    pub max_upload_bytes: usize,
    /// The longest that a handler may take.
    pub handler_timeout: Duration,
    /// Requests under way at once.
    pub max_requests: usize,
    /// Whether browsers are to come back by https only.
    pub hsts: bool,
    /// Who may read `/metrics` from elsewhere.
    pub metrics_token: Option<SecretString>,
    /// How WebSockets are held.
    pub ws: WsSettings,
}

/// How WebSockets are held.
#[derive(Debug, Clone)]
pub struct WsSettings {
    /// Closed after this long without a message.
    pub idle_timeout: Duration,
    /// Bytes of one message at most.
    pub max_message_bytes: usize,
    /// How long sending one message may take.
    pub send_timeout: Duration,
    /// Sockets of one user at once.
    pub max_connections_per_user: usize,
    /// Sockets at once.
    pub max_connections: usize,
    /// How often an open socket's session is looked at again.
    pub session_check: Duration,
}

/// Whether the store answers.
#[async_trait]
pub trait StoreProbe: Send + Sync {
    /// Asks it something cheap.
    async fn ping(&self) -> Result<(), BoxError>;
}

/// Whether something answers that the server can do without.
pub trait SideProbe: Send + Sync {
    /// What was last seen of it; asks nobody.
    fn answers(&self) -> bool;
}
