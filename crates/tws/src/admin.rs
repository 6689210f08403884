//! Engines that an administrator adds, changes, removes and tests, while the others go on.
//!
//! Invariants:
//! - Engines of the configuration are shown and never changed here.
//! - A secret goes in and never comes out: it is sealed before it is kept, and an answer says only which
//!   sort it is. A change without a secret leaves it as it was.
//! - A kept secret is sent to the addresses that it was given for: another address needs it anew.
//! - Each change leaves one row in the audit.
//! - What was cached of an engine goes when it is changed or removed.
//! - What other replicas change is taken over by [`EngineAdminService::load`]; an engine that they left as
//!   it was keeps its client, with its breaker and its connections.

mod exam;
mod model;
mod test;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{Clock, SecretString};
use tokio::sync::Mutex;
use tracing::instrument;

pub use exam::{Ability, Exam, ExamRow, Seen, examine};
pub use model::{
    AdminActor, ConfiguredEngine, EngineAdminError, EngineDraft, EngineEntry, EngineOrigin, Loaded,
    LoginKind,
};
pub use test::{TestFailure, TestReason, TestReport, TestStep};

use crate::audit::AuditService;
use crate::engines::Engines;
use crate::model::EngineName;
use crate::plan::{PlanScope, PlanService};
use crate::ports::{
    AuditAction, AuditOutcome, CredentialSealer, EngineConnector, EngineCredentials,
    EngineDefinition, EngineRepository, StoredEngine,
};

/// The longest address, in bytes.
const MAX_URL: usize = 500;
/// The most addresses of one engine.
const MAX_URLS: usize = 5;
/// The longest certificates, in bytes.
const MAX_CA: usize = 64 << 10;

/// What an [`EngineAdminService`] is built from.
pub struct EngineAdminParts {
    /// For the running engines and the cache of their plans.
    pub plan: PlanService,
    /// The engines of the configuration, which are not changed here.
    pub configured: Vec<ConfiguredEngine>,
    /// Keeps the others.
    pub repository: Arc<dyn EngineRepository>,
    /// Seals their secrets.
    pub sealer: Arc<dyn CredentialSealer>,
    /// Makes clients.
    pub connector: Arc<dyn EngineConnector>,
    /// Keeps who changed what.
    pub audit: AuditService,
    /// For records.
    pub clock: Arc<dyn Clock>,
}

/// Changes to the set of engines. Cheap to clone.
#[derive(Clone)]
pub struct EngineAdminService {
    parts: Arc<EngineAdminParts>,
    /// The kept engines that run, as they are kept. Held for one change at a time, so that the repository
    /// and the running set tell the same.
    kept: Arc<Mutex<BTreeMap<EngineName, StoredEngine>>>,
}

impl EngineAdminService {
    /// The service. It starts nothing; see [`EngineAdminService::load`].
    #[must_use]
    pub fn new(parts: EngineAdminParts) -> Self {
        Self {
            parts: Arc::new(parts),
            kept: Arc::default(),
        }
    }

    fn engines(&self) -> &Engines {
        self.parts.plan.engines()
    }

    fn is_configured(&self, name: &EngineName) -> bool {
        self.parts
            .configured
            .iter()
            .any(|engine| engine.name == *name)
    }

    /// Takes in the kept engines as they are now: at the start, and after another replica changed them.
    /// Those that changed get a new client, those that are gone are let go, and what an earlier key sealed
    /// is sealed anew. One that cannot be used is left out and named.
    ///
    /// # Errors
    /// [`EngineAdminError::Unavailable`]; the running set is as it was.
    ///
    /// Cancel safe: the next call does the rest.
    pub async fn load(&self) -> Result<Loaded, EngineAdminError> {
        let mut kept = self.kept.lock().await;
        let stored = self.parts.repository.list().await?;
        let mut loaded = Loaded::default();
        let mut before = kept.clone();
        for stored in stored {
            let name = stored.name.clone();
            if before.remove(&name).as_ref() == Some(&stored) {
                loaded.running += 1;
                continue;
            }
            match self.take_in(stored).await {
                Ok(stored) => {
                    loaded.running += 1;
                    // Of an engine that is new here nothing is cached.
                    if kept.insert(name.clone(), stored).is_some() {
                        self.forget_cached(&name).await;
                    }
                }
                Err(error) => {
                    loaded.broken.push((name.clone(), error.to_string()));
                    if kept.remove(&name).is_some() {
                        self.let_go(&name).await;
                    }
                }
            }
        }
        for name in before.keys() {
            kept.remove(name);
            self.let_go(name).await;
        }
        Ok(loaded)
    }

    async fn let_go(&self, name: &EngineName) {
        self.engines().remove(name);
        self.forget_cached(name).await;
    }

    /// Makes the client of a kept engine and lets it run; returns the engine as it is kept now.
    async fn take_in(&self, stored: StoredEngine) -> Result<StoredEngine, EngineAdminError> {
        if self.is_configured(&stored.name) {
            return Err(EngineAdminError::NameTaken);
        }
        let (definition, reseal) = self.definition_of(&stored)?;
        let engine = self.parts.connector.connect(&definition)?;
        let stored = if reseal {
            let secret = self
                .parts
                .sealer
                .seal(&stored.name, definition.credentials.secret())?;
            let resealed = StoredEngine { secret, ..stored };
            self.parts.repository.update(&resealed).await?;
            resealed
        } else {
            stored
        };
        self.engines().put(engine);
        Ok(stored)
    }

    /// The definition with its secret opened, and whether that should be sealed anew.
    fn definition_of(
        &self,
        stored: &StoredEngine,
    ) -> Result<(EngineDefinition, bool), EngineAdminError> {
        let opened = self.parts.sealer.open(&stored.name, &stored.secret)?;
        let credentials = match &stored.username {
            Some(username) => EngineCredentials::Basic {
                username: username.clone(),
                password: opened.secret,
            },
            None => EngineCredentials::ApiKey(opened.secret),
        };
        let definition = EngineDefinition {
            name: stored.name.clone(),
            urls: stored.urls.clone(),
            credentials,
            ca_pem: stored.ca_pem.clone(),
            insecure_tls: stored.insecure_tls,
            read_only: stored.read_only,
            timeout: Duration::from_secs(stored.timeout_seconds.into()),
            verify: stored
                .verify_seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
        };
        Ok((definition, opened.reseal))
    }

    /// Every engine: those of the configuration in its order, then the others by name.
    ///
    /// # Errors
    /// [`EngineAdminError::Unavailable`].
    #[instrument(name = "engines.list", skip_all)]
    pub async fn list(&self) -> Result<Vec<EngineEntry>, EngineAdminError> {
        let stored = self.parts.repository.list().await?;
        let running: BTreeSet<EngineName> = self
            .engines()
            .list()
            .iter()
            .map(|engine| engine.name.clone())
            .collect();
        let configured = self.parts.configured.iter().map(|engine| EngineEntry {
            name: engine.name.clone(),
            origin: EngineOrigin::Configuration,
            urls: engine.urls.clone(),
            login: login_of(engine.username.as_deref()),
            username: engine.username.clone(),
            own_ca: engine.own_ca,
            insecure_tls: engine.insecure_tls,
            read_only: engine.read_only,
            timeout_seconds: engine.timeout_seconds,
            verify_seconds: None,
            running: running.contains(&engine.name),
        });
        let added = stored
            .iter()
            .map(|engine| entry_of(engine, running.contains(&engine.name)));
        Ok(configured.chain(added).collect())
    }

    /// Adds an engine, which is asked from now on.
    ///
    /// # Errors
    /// [`EngineAdminError`].
    #[instrument(name = "engines.add", skip_all, fields(engine.name = %name))]
    pub async fn add(
        &self,
        actor: &AdminActor,
        name: EngineName,
        draft: EngineDraft,
    ) -> Result<EngineEntry, EngineAdminError> {
        let mut kept = self.kept.lock().await;
        if self.is_configured(&name) {
            return Err(EngineAdminError::NameTaken);
        }
        let credentials = draft.credentials.clone().ok_or(EngineAdminError::Invalid {
            field: "credentials",
            problem: "are missing".to_owned(),
        })?;
        let stored = self.draft_to_stored(&name, &draft, &credentials)?;
        let definition = definition(&name, &draft, credentials);
        let engine = self.parts.connector.connect(&definition)?;
        self.parts.repository.insert(&stored).await?;
        self.engines().put(engine);
        kept.insert(name.clone(), stored.clone());
        self.forget_cached(&name).await;
        self.record(actor, AuditAction::EngineAdded, &name, &draft)
            .await?;
        Ok(entry_of(&stored, true))
    }

    /// Changes an engine that was added. Calls that are under way go on with the old one.
    ///
    /// # Errors
    /// [`EngineAdminError`].
    #[instrument(name = "engines.change", skip_all, fields(engine.name = %name))]
    pub async fn change(
        &self,
        actor: &AdminActor,
        name: &EngineName,
        draft: EngineDraft,
    ) -> Result<EngineEntry, EngineAdminError> {
        let mut kept = self.kept.lock().await;
        if self.is_configured(name) {
            return Err(EngineAdminError::Configured);
        }
        let before = self.parts.repository.find(name).await?;
        let before = before.ok_or(EngineAdminError::Unknown)?;
        let credentials = match &draft.credentials {
            Some(credentials) => credentials.clone(),
            // A kept secret goes to the addresses that it was kept for and to no other.
            None if before.urls != draft.urls => return Err(needs_credentials()),
            None => self.definition_of(&before)?.0.credentials,
        };
        let stored = self.draft_to_stored(name, &draft, &credentials)?;
        let definition = definition(name, &draft, credentials);
        let engine = self.parts.connector.connect(&definition)?;
        self.parts.repository.update(&stored).await?;
        self.engines().put(engine);
        kept.insert(name.clone(), stored.clone());
        self.forget_cached(name).await;
        self.record(actor, AuditAction::EngineChanged, name, &draft)
            .await?;
        Ok(entry_of(&stored, true))
    }

    /// Removes an engine that was added, with what is cached of it.
    ///
    /// # Errors
    /// [`EngineAdminError`].
    #[instrument(name = "engines.remove", skip_all, fields(engine.name = %name))]
    pub async fn remove(
        &self,
        actor: &AdminActor,
        name: &EngineName,
    ) -> Result<(), EngineAdminError> {
        let mut kept = self.kept.lock().await;
        if self.is_configured(name) {
            return Err(EngineAdminError::Configured);
        }
        if !self.parts.repository.remove(name).await? {
            return Err(EngineAdminError::Unknown);
        }
        kept.remove(name);
        self.let_go(name).await;
        self.append(actor, AuditAction::EngineRemoved, name, None)
            .await
    }

    /// Tries a definition: who the engine is, one row of its jobs, what its release knows. `draft` without
    /// credentials takes those that are kept under `name`. Nothing is changed.
    ///
    /// # Errors
    /// [`EngineAdminError`] when it cannot even be tried; what the engine says is in the report.
    #[instrument(name = "engines.test", skip_all, fields(engine.name = %name))]
    pub async fn test(
        &self,
        name: &EngineName,
        draft: EngineDraft,
    ) -> Result<TestReport, EngineAdminError> {
        check(&draft)?;
        let credentials = if let Some(credentials) = &draft.credentials {
            credentials.clone()
        } else {
            let stored = self.parts.repository.find(name).await?;
            let stored = stored.ok_or(EngineAdminError::Unknown)?;
            if stored.urls != draft.urls {
                return Err(needs_credentials());
            }
            self.definition_of(&stored)?.0.credentials
        };
        let definition = definition(name, &draft, credentials);
        let engine = self.parts.connector.connect(&definition)?;
        Ok(test::run(&engine, &*self.parts.clock).await)
    }

    /// Tries an engine that runs, of the configuration or added.
    ///
    /// # Errors
    /// [`EngineAdminError::Unknown`].
    pub async fn test_running(&self, name: &EngineName) -> Result<TestReport, EngineAdminError> {
        let engine = self.engines().get(Some(name));
        let engine = engine.map_err(|_| EngineAdminError::Unknown)?;
        Ok(test::run(&engine, &*self.parts.clock).await)
    }

    fn draft_to_stored(
        &self,
        name: &EngineName,
        draft: &EngineDraft,
        credentials: &EngineCredentials,
    ) -> Result<StoredEngine, EngineAdminError> {
        check(draft)?;
        let now = self.parts.clock.now();
        let whole = chrono::DateTime::from_timestamp_millis(now.timestamp_millis());
        Ok(StoredEngine {
            name: name.clone(),
            urls: draft.urls.clone(),
            username: credentials.username().map(str::to_owned),
            secret: self.parts.sealer.seal(name, credentials.secret())?,
            ca_pem: draft.ca_pem.clone(),
            insecure_tls: draft.insecure_tls,
            read_only: draft.read_only,
            timeout_seconds: draft.timeout_seconds,
            verify_seconds: draft.verify_seconds,
            changed_at: whole.unwrap_or(now),
        })
    }

    async fn forget_cached(&self, name: &EngineName) {
        let scope = PlanScope {
            engine: Some(name.clone()),
            ..PlanScope::default()
        };
        self.parts.plan.invalidate(&scope).await;
    }

    async fn record(
        &self,
        actor: &AdminActor,
        action: AuditAction,
        name: &EngineName,
        draft: &EngineDraft,
    ) -> Result<(), EngineAdminError> {
        let secret = if draft.credentials.is_some() {
            "new credentials"
        } else {
            "credentials unchanged"
        };
        let detail = format!(
            "{}; read-only {}; any certificate {}; {secret}",
            draft.urls.join(" "),
            draft.read_only,
            draft.insecure_tls,
        );
        self.append(actor, action, name, Some(detail)).await
    }

    async fn append(
        &self,
        actor: &AdminActor,
        action: AuditAction,
        name: &EngineName,
        detail: Option<String>,
    ) -> Result<(), EngineAdminError> {
        let mut event = self
            .parts
            .audit
            .event(&*actor.username, action, AuditOutcome::Succeeded);
        event.user_id = Some(actor.user);
        event.target = Some(name.to_string());
        event.engine = Some(name.clone());
        event.detail = detail;
        event.request_id.clone_from(&actor.request_id);
        let written = self.parts.audit.record(event).await;
        written.map(drop).map_err(EngineAdminError::NotAudited)
    }
}

fn needs_credentials() -> EngineAdminError {
    EngineAdminError::Invalid {
        field: "credentials",
        problem: "are needed with another address".to_owned(),
    }
}

fn login_of(username: Option<&str>) -> LoginKind {
    match username {
        Some(_) => LoginKind::Basic,
        None => LoginKind::ApiKey,
    }
}

fn entry_of(engine: &StoredEngine, running: bool) -> EngineEntry {
    EngineEntry {
        name: engine.name.clone(),
        origin: EngineOrigin::Added,
        urls: engine.urls.clone(),
        login: login_of(engine.username.as_deref()),
        username: engine.username.clone(),
        own_ca: engine.ca_pem.is_some(),
        insecure_tls: engine.insecure_tls,
        read_only: engine.read_only,
        timeout_seconds: engine.timeout_seconds,
        verify_seconds: engine.verify_seconds,
        running,
    }
}

fn definition(
    name: &EngineName,
    draft: &EngineDraft,
    credentials: EngineCredentials,
) -> EngineDefinition {
    EngineDefinition {
        name: name.clone(),
        urls: draft.urls.clone(),
        credentials,
        ca_pem: draft.ca_pem.clone(),
        insecure_tls: draft.insecure_tls,
        read_only: draft.read_only,
        timeout: Duration::from_secs(draft.timeout_seconds.into()),
        verify: draft
            .verify_seconds
            .map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// What can be told without a client: the connector looks at addresses and certificates closer.
fn check(draft: &EngineDraft) -> Result<(), EngineAdminError> {
    let invalid = |field, problem: &str| EngineAdminError::Invalid {
        field,
        problem: problem.to_owned(),
    };
    if !(1..=MAX_URLS).contains(&draft.urls.len()) {
        return Err(invalid("urls", "must be 1 to 5 addresses"));
    }
    if draft.urls.iter().any(|url| url.len() > MAX_URL) {
        return Err(invalid("urls", "have at most 500 characters each"));
    }
    if draft.ca_pem.as_ref().is_some_and(|pem| pem.len() > MAX_CA) {
        return Err(invalid("ca_pem", "has at most 64 KiB"));
    }
    if !(1..=300).contains(&draft.timeout_seconds) {
        return Err(invalid("timeout_seconds", "must be 1 to 300"));
    }
    if draft.verify_seconds.is_some_and(|seconds| seconds > 120) {
        return Err(invalid("verify_seconds", "must be 0 to 120"));
    }
    let empty = |secret: &SecretString| {
        use resync_kernel::ExposeSecret as _;
        secret.expose_secret().is_empty()
    };
    match &draft.credentials {
        Some(EngineCredentials::Basic { username, .. })
            if username.is_empty() || username.len() > 200 =>
        {
            Err(invalid("username", "must be 1 to 200 characters"))
        }
        Some(credentials) if empty(credentials.secret()) => {
            Err(invalid("credentials", "hold an empty secret"))
        }
        _ => Ok(()),
    }
}
