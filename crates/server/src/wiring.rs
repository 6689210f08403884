//! The only place where a port meets its adapter.
//!
//! Everything is built once, in order, before the listener takes a request, and ended in the
//! opposite order by [`Built::close`].

mod accounts;
mod audit_of_auth;
mod auth;
mod edge;
mod embedder;
mod engines;
mod keeping;
mod knowledge;
mod llm;
mod metrics;
mod oidc;
mod plan;
mod redis;
mod reranker;
mod schema;
mod sealer;
mod store;

pub use accounts::{Accounts, for_accounts};
pub(crate) use auth::setup_notice;
pub use keeping::{BackupError, Keeping, for_keeping};
pub use knowledge::{Knowledge, for_knowledge};
pub(crate) use schema::{migrate, missing_migrations, open_both};

use std::sync::Arc;
use std::time::Duration;

use resync_api::edge::Edge;
use resync_api::routes::router;
use resync_api::serve::Draining;
use resync_api::serve::tls::{LOOK_EVERY, Tls};
use resync_api::state::{App, Parts};
use resync_api::ws::{Sockets, Streams};
use resync_auth::UserService;
use resync_chat::{ChatConfig, ChatParts, ChatService, LivePlan};
use resync_kernel::{BoxError, Clock, IdGenerator, SecretString, SystemClock, SystemIds};
use resync_rag::{Glossary, KnowledgeConfig, KnowledgeParts, KnowledgeService};
use resync_tws::ports::AuditError;
use resync_tws::{AuditService, PlanService};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigError, RagConfig};
use llm::Llm;
use metrics::{Counts, Read};
use store::{Database, Followed, Stores};

/// How often the plans are looked at for runs that have ended.
const OBSERVE_EVERY: Duration = Duration::from_secs(30);
/// How often actions of replicas that ended are looked for.
const COMPLETE_EVERY: Duration = Duration::from_mins(1);
/// The greatest timeout of an engine that is added at run time, in seconds.
const MOST_TIMEOUT_SECONDS: u64 = 300;
/// How far the clocks of replicas may be apart.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A key is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something it needs did not work.
    #[error("{what}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
}

impl StartError {
    pub(crate) fn failed(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Failed {
            what: what.into(),
            source: source.into(),
        }
    }
}

/// A server that is ready to take requests.
pub struct Built {
    /// What the handlers share.
    pub app: App,
    /// The routes and the pages, with the edge around them.
    pub edge: Edge,
    /// TLS, when the configuration has it.
    pub tls: Option<Tls>,
    /// The users, for whoever makes some before the first request.
    pub users: Arc<UserService>,
    /// Cancel it to end the server.
    pub shutdown: CancellationToken,
    background: CancellationToken,
    tracker: TaskTracker,
    database: Database,
}

impl Built {
    /// Ends what runs beside the requests, waits for it as long as `grace`, and closes the store.
    pub async fn close(self, grace: Duration) {
        self.background.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!(tasks = self.tracker.len(), "some work did not end in time");
        }
        self.database.close().await;
    }
}

/// The engine that `resync demo` feeds.
#[derive(Debug, Clone)]
pub struct DemoEngine {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Its user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// Builds the server of a configuration; `demo` is an engine whose data are invented (I-03: only
/// the command `demo` gives one).
///
/// # Errors
/// [`StartError`] naming what is missing.
pub async fn build(config: &Config, demo: Option<DemoEngine>) -> Result<Built, StartError> {
    let keys = auth::keys(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds);
    let (tracker, shutdown, background) = (
        TaskTracker::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let stores = Stores::open(config).await?;

    let followed = stores.database.follow(&clock, &tracker, background.clone());
    let counts = Counts::new();
    let audit_log = counts.audit(stores.audit.clone());
    let audit = AuditService::new(audit_log.clone(), clock.clone(), ids.clone());
    complete_audit(config, &stores, &audit, &tracker, &background).await?;
    let shared = redis::share(config, &tracker, &background)?;
    let services = plan::services(plan::Parts {
        config,
        demo,
        keys: &keys,
        stores: &stores,
        audit: &audit,
        audit_log,
        clock: &clock,
        ids: &ids,
        tracker: &tracker,
        shared: shared.as_ref().map(|shared| shared.cache.clone()),
    })
    .await?;
    let knowledge = knowledge(&config.rag, &stores, &clock, &ids, &tracker).await?;
    loaded(&knowledge).await?;
    let (chat, llm) = chat(config, &services, &knowledge, &stores, (&clock, &ids))?;
    let hasher = auth::hasher(config, counts.hash_wait.clone())?;
    let mut ports = auth::ports(auth::Parts {
        config,
        stores: &stores,
        audit: &audit,
        hasher: &hasher,
        clock: clock.clone(),
        ids: ids.clone(),
        tracker: tracker.clone(),
        feed: followed.sessions.clone(),
    });
    redis::count_together(shared.as_ref(), config, &mut ports);
    let accounts = auth::accounts(config, &keys, &ports, &stores).await?;

    let (sockets, streams) = (Sockets::default(), Sockets::default());
    let metrics = metrics::metrics(Read {
        counts: &counts,
        hasher: &hasher,
        plan: &services.plan,
        sockets: (&sockets, &streams),
        redis: shared.as_ref().map(|shared| &shared.redis),
        llm: llm::readings(llm.as_ref(), &chat),
    });
    let tls = edge::tls(config)?;
    let app = App::new(Parts {
        logins: accounts.logins,
        sessions: accounts.sessions,
        keys: accounts.keys,
        users: accounts.users.clone(),
        setup: accounts.setup,
        oidc: accounts.oidc,
        csrf: accounts.csrf,
        plan: services.plan,
        actions: services.actions,
        answers: redis::answers(shared.as_ref(), &clock, longest_action(config)),
        history: services.history,
        attention: services.attention,
        engines: services.engines,
        audit,
        chat,
        knowledge,
        store: Arc::new(store::Probe(stores.database.clone())),
        redis: shared.as_ref().map(redis::Shared::probe),
        llm: llm.as_ref().map(Llm::probe),
        edge: edge::settings(config),
        limits: edge::limits(&config.limits, &clock, &metrics, shared.as_ref()),
        metrics,
        sockets,
        streams,
        kept_streams: Streams::default(),
        clock,
        ids,
        tracker: tracker.clone(),
        shutdown: shutdown.clone(),
        draining: Draining::default(),
    });
    beside(&app, tls.as_ref(), shared.as_ref(), followed, &background);
    let edge = router(&app, resync_web::router());
    Ok(Built {
        app,
        edge,
        tls,
        users: accounts.users,
        shutdown,
        background,
        tracker,
        database: stores.database,
    })
}

/// What is done unasked, until the end.
fn beside(
    app: &App,
    tls: Option<&Tls>,
    shared: Option<&redis::Shared>,
    followed: Followed,
    until: &CancellationToken,
) {
    let tracker = &app.tracker;
    let (plan, maintained) = (app.plan.clone(), until.clone());
    tracker.spawn(async move { plan.run_maintenance(maintained).await });
    // One replica's work is enough.
    let history = app.history.clone();
    let observe = move |end| {
        let history = history.clone();
        async move { history.run(OBSERVE_EVERY, end).await }
    };
    let leases = shared.map(|shared| Arc::clone(&shared.leases));
    let end = until.clone();
    tracker.spawn(redis::by_one(
        leases.clone(),
        "history",
        end.clone(),
        observe,
    ));
    let swept = app.clone();
    let sweep = move |end| auth::sweep_sessions(swept.clone(), end);
    tracker.spawn(redis::by_one(leases, "sessions", end, sweep));
    if let Some(changed) = followed.engines {
        let engines = app.engines.clone();
        tracker.spawn(plan::follow_engines(engines, changed, until.clone()));
    }
    let (knowledge, end) = (app.knowledge.clone(), until.clone());
    tracker.spawn(async move { knowledge.run(end).await });
    if let Some(mut changed) = followed.documents {
        let (knowledge, end) = (app.knowledge.clone(), until.clone());
        tracker.spawn(async move {
            while let Some(Ok(())) = end.run_until_cancelled(changed.changed()).await {
                knowledge.nudge();
            }
        });
    }
    if let Some(tls) = tls.cloned() {
        tracker.spawn(tls.watch(LOOK_EVERY, until.clone()));
    }
}

/// The answers to questions, and the language model that may word them.
fn chat(
    config: &Config,
    services: &plan::Services,
    knowledge: &KnowledgeService,
    stores: &Stores,
    (clock, ids): (&Arc<dyn Clock>, &Arc<dyn IdGenerator>),
) -> Result<(ChatService, Option<Llm>), StartError> {
    let llm = llm::llm(&config.llm)?;
    let plan = LivePlan::new(services.plan.clone()).with_history(services.history.clone());
    let chat = ChatService::new(ChatParts {
        plan: Arc::new(plan),
        knowledge: Arc::new(knowledge.clone()),
        conversations: stores.conversations.clone(),
        model: llm.as_ref().map(Llm::model),
        clock: clock.clone(),
        ids: ids.clone(),
        config: ChatConfig {
            wording: llm::wording(&config.llm),
            ..ChatConfig::default()
        },
    });
    Ok((chat, llm))
}

/// The documents, which are loaded before they are needed.
async fn knowledge(
    config: &RagConfig,
    stores: &Stores,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn IdGenerator>,
    tracker: &TaskTracker,
) -> Result<KnowledgeService, StartError> {
    Ok(KnowledgeService::new(KnowledgeParts {
        documents: stores.documents.clone(),
        vectors: stores.vectors.clone(),
        extractor: knowledge::extractor(config.reader.clone()),
        embedder: embedder::embedder(config).await?,
        nearest: stores.nearest.clone(),
        reranker: reranker::reranker(config)?,
        glossary: glossary(config).await?,
        clock: clock.clone(),
        ids: ids.clone(),
        tasks: tracker.clone(),
        config: KnowledgeConfig {
            max_upload_bytes: config.max_upload_bytes,
            chunk_chars: config.chunk_chars,
            poll: Duration::from_secs(config.poll_seconds),
            ..KnowledgeConfig::default()
        },
    }))
}

/// The words of the same meaning that ship with the program, and the site's own.
async fn glossary(config: &RagConfig) -> Result<Glossary, StartError> {
    let built_in = Glossary::built_in();
    if config.glossary.is_empty() {
        return Ok(built_in);
    }
    let failed = |error: BoxError| {
        let what = format!("the glossary {} cannot be used", config.glossary);
        StartError::failed(what, error)
    };
    let text = tokio::fs::read_to_string(&config.glossary).await;
    let text = text.map_err(|error| failed(error.into()))?;
    built_in.with(&text).map_err(|error| failed(error.into()))
}

async fn loaded(knowledge: &KnowledgeService) -> Result<(), StartError> {
    let loaded = knowledge.load().await;
    loaded.map_err(|error| StartError::failed("the documents cannot be loaded", error))
}

/// What `resync check` works with: the store and the engines, and nothing that runs beside.
pub(crate) struct ForCheck {
    pub(crate) plan: PlanService,
    database: Database,
}

impl ForCheck {
    pub(crate) async fn close(self) {
        self.database.close().await;
    }
}

/// Opens the store and makes the engines of a configuration, those that were added among them.
pub(crate) async fn for_check(config: &Config) -> Result<ForCheck, StartError> {
    let keys = auth::keys(config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let ids: Arc<dyn IdGenerator> = Arc::new(SystemIds);
    let stores = Stores::open(config).await?;
    let audit_log = stores.audit.clone();
    let audit = AuditService::new(audit_log.clone(), clock.clone(), ids.clone());
    let services = plan::services(plan::Parts {
        config,
        demo: None,
        keys: &keys,
        stores: &stores,
        audit: &audit,
        audit_log,
        clock: &clock,
        ids: &ids,
        tracker: &TaskTracker::new(),
        shared: None,
    })
    .await?;
    Ok(ForCheck {
        plan: services.plan,
        database: stores.database,
    })
}

/// Gives actions that were under way when the last run ended their outcome: unknown. Where other
/// replicas act on the same store, only what is older than any action can be is taken for one of those,
/// and looked for now and then.
async fn complete_audit(
    config: &Config,
    stores: &Stores,
    audit: &AuditService,
    tracker: &TaskTracker,
    until: &CancellationToken,
) -> Result<(), StartError> {
    let shared = stores.database.is_shared();
    let older_than = if shared {
        longest_action(config)
    } else {
        Duration::ZERO
    };
    complete(audit, older_than).await.map_err(|error| {
        StartError::failed(
            "the audit log cannot be completed after the last run",
            error,
        )
    })?;
    if shared {
        tracker.spawn(keep_complete(audit.clone(), older_than, until.clone()));
    }
    Ok(())
}

async fn complete(audit: &AuditService, older_than: Duration) -> Result<(), AuditError> {
    let unfinished = audit.reconcile_unfinished(older_than).await?;
    if unfinished > 0 {
        tracing::warn!(
            actions = unfinished,
            "actions ended without an outcome when their process did; audited as unknown"
        );
    }
    Ok(())
}

/// Completes the audit after replicas that ended, until the end.
async fn keep_complete(audit: AuditService, older_than: Duration, until: CancellationToken) {
    let mut tick = tokio::time::interval(COMPLETE_EVERY);
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            _ = tick.tick() => {
                if let Err(error) = complete(&audit, older_than).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the audit log could not be completed for now"
                    );
                }
            }
        }
    }
}

/// The longest that an action can be under way: its call and the look that follows, each within the
/// timeout of the slowest engine that may be added, and the wait for its effect.
fn longest_action(config: &Config) -> Duration {
    let slowest = config.tws.engine.iter().filter_map(|e| e.timeout_seconds);
    let slowest = slowest.chain([config.tws.timeout_seconds, MOST_TIMEOUT_SECONDS]);
    let slowest = slowest.max().unwrap_or(MOST_TIMEOUT_SECONDS);
    CLOCKS_DIFFER + Duration::from_secs(2 * slowest + config.tws.verify_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn complaint(adjust: fn(&mut Config)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.data_dir = folder.path().to_path_buf();
        config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
        config.auth.bcrypt_cost = 4;
        adjust(&mut config);
        match build(&config, None).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    /// P1-05
    #[tokio::test]
    async fn production_without_secret_fails_boot() {
        let missing = complaint(|config| config.auth.secret_key = None).await;
        assert!(
            missing.starts_with("auth.secret_key: is missing; make one with"),
            "{missing}"
        );
        let short = complaint(|config| config.auth.secret_key = Some("short".into())).await;
        assert!(
            short.starts_with("auth.secret_key: ") && short.contains("32"),
            "{short}"
        );
    }

    #[tokio::test]
    async fn each_part_that_cannot_start_names_its_key() {
        let weak = complaint(|config| {
            config.auth.admin_username = Some("ana".to_owned());
            config.auth.admin_password = Some("short".into());
        })
        .await;
        assert!(weak.starts_with("auth.admin_password: "), "{weak}");
        let nowhere =
            complaint(|config| config.database.url = Some("sqlite:///no/such/folder/x.db".into()))
                .await;
        assert!(
            nowhere.starts_with("database.url: /no/such/folder/x.db"),
            "{nowhere}"
        );
        assert_eq!(complaint(|_| {}).await, "");
    }
}
