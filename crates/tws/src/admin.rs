//! Engines that an administrator adds, changes, removes and tests, while the others go on.
//!
//! Invariants:
//! - Engines of the configuration are shown and never changed here.
//! - A secret goes in and never comes out: it is sealed before it is kept, and an answer says only which
//!   sort it is. A change without a secret leaves it as it was.
//! - A kept secret is sent to the addresses that it was given for: another address needs it anew.
//! - Each change leaves one row in the audit.
//! - What was cached of an engine goes when it is changed or removed.

mod exam;
mod test;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{Clock, SecretString, UserId};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::Mutex;
use tracing::instrument;

pub use exam::{Ability, Exam, ExamRow, Seen, examine};
pub use test::{TestFailure, TestReason, TestReport, TestStep};

use crate::audit::AuditService;
use crate::engines::Engines;
use crate::model::EngineName;
use crate::plan::{PlanScope, PlanService};
use crate::ports::{
    AuditAction, AuditError, AuditOutcome, ConnectError, CredentialSealer, EngineConnector,
    EngineCredentials, EngineDefinition, EngineRepository, EngineRepositoryError, SealError,
    StoredEngine,
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

/// An engine of the configuration, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredEngine {
    /// Its name.
    pub name: EngineName,
    /// Its addresses.
    pub urls: Vec<String>,
    /// The user; `None` for an API key.
    pub username: Option<String>,
    /// Whether certificates of its own are trusted.
    pub own_ca: bool,
    /// Accepts any certificate.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, in seconds.
    pub timeout_seconds: u32,
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminActor {
    /// Who.
    pub user: UserId,
    /// As people know them, for the audit.
    pub username: String,
    /// The request that it came with.
    pub request_id: Option<String>,
}

/// Where an engine comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineOrigin {
    /// The configuration: it cannot be changed here.
    Configuration,
    /// An administrator.
    Added,
}

/// How Resync shows an engine who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginKind {
    /// A user with a password.
    Basic,
    /// An API key.
    ApiKey,
}

/// An engine as an administrator sees it: everything but the secret.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks, not one state"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineEntry {
    /// Its name.
    pub name: EngineName,
    /// Where it comes from.
    pub origin: EngineOrigin,
    /// The addresses.
    pub urls: Vec<String>,
    /// How we show who we are.
    pub login: LoginKind,
    /// The user, when there is one.
    pub username: Option<String>,
    /// Whether certificates of its own are trusted.
    pub own_ca: bool,
    /// Accepts any certificate.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, in seconds.
    pub timeout_seconds: u32,
    /// How long an action waits for its effect, in seconds; as for all engines when `None`.
    pub verify_seconds: Option<u32>,
    /// Whether it is among the engines that are asked. One whose secret cannot be opened is not.
    pub running: bool,
}

/// An engine to add, or the whole new state of one to change.
#[derive(Debug, Clone)]
pub struct EngineDraft {
    /// The addresses of the master, then of its backups; 1 to 5.
    pub urls: Vec<String>,
    /// Who we are there; `None` leaves user and secret as they were, and is refused for a new one.
    pub credentials: Option<EngineCredentials>,
    /// Certificates in PEM form that alone are trusted.
    pub ca_pem: Option<String>,
    /// Accepts any certificate. For laboratories.
    pub insecure_tls: bool,
    /// No action is ever sent to it.
    pub read_only: bool,
    /// For one call, 1 to 300 s.
    pub timeout_seconds: u32,
    /// How long an action waits for its effect, 0 to 120 s.
    pub verify_seconds: Option<u32>,
}

/// Why a change was not made.
#[derive(Debug, Error)]
pub enum EngineAdminError {
    /// There is an engine of that name.
    #[error("there is an engine of that name")]
    NameTaken,
    /// There is no engine of that name.
    #[error("there is no engine of that name")]
    Unknown,
    /// It comes from the configuration, and is changed there.
    #[error("the engine comes from the configuration and is changed there")]
    Configured,
    /// A field cannot be used.
    #[error("{field} {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The secret could not be sealed, or the kept one not opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The repository failed; nothing was changed.
    #[error("the engines cannot be read or written")]
    Unavailable(#[source] EngineRepositoryError),
    /// The change was made and its row could not be written to the audit.
    #[error("the change was made, but could not be written to the audit")]
    NotAudited(#[source] AuditError),
}

impl From<EngineRepositoryError> for EngineAdminError {
    fn from(error: EngineRepositoryError) -> Self {
        match error {
            EngineRepositoryError::AlreadyExists => Self::NameTaken,
            EngineRepositoryError::Missing => Self::Unknown,
            other @ EngineRepositoryError::Unavailable(_) => Self::Unavailable(other),
        }
    }
}

impl From<ConnectError> for EngineAdminError {
    fn from(error: ConnectError) -> Self {
        Self::Invalid {
            field: "urls",
            problem: error.0,
        }
    }
}

/// What came of taking the kept engines in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// How many run.
    pub running: usize,
    /// Those that do not, with why.
    pub broken: Vec<(EngineName, String)>,
}

/// Changes to the set of engines. Cheap to clone.
#[derive(Clone)]
pub struct EngineAdminService {
    parts: Arc<EngineAdminParts>,
    /// One change at a time, so that the repository and the running set tell the same.
    change: Arc<Mutex<()>>,
}

impl EngineAdminService {
    /// The service. It starts nothing; see [`EngineAdminService::load`].
    #[must_use]
    pub fn new(parts: EngineAdminParts) -> Self {
        Self {
            parts: Arc::new(parts),
            change: Arc::default(),
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

    /// Takes in the kept engines, once at the start, and seals anew what an earlier key sealed. One that
    /// cannot be used is left out and named.
    ///
    /// # Errors
    /// [`EngineAdminError::Unavailable`].
    pub async fn load(&self) -> Result<Loaded, EngineAdminError> {
        let _one = self.change.lock().await;
        let mut loaded = Loaded::default();
        for stored in self.parts.repository.list().await? {
            let name = stored.name.clone();
            match self.take_in(stored).await {
                Ok(()) => loaded.running += 1,
                Err(error) => loaded.broken.push((name, error.to_string())),
            }
        }
        Ok(loaded)
    }

    async fn take_in(&self, stored: StoredEngine) -> Result<(), EngineAdminError> {
        if self.is_configured(&stored.name) {
            return Err(EngineAdminError::NameTaken);
        }
        let (definition, reseal) = self.definition_of(&stored)?;
        let engine = self.parts.connector.connect(&definition)?;
        if reseal {
            let secret = self
                .parts
                .sealer
                .seal(&stored.name, definition.credentials.secret())?;
            let resealed = StoredEngine { secret, ..stored };
            self.parts.repository.update(&resealed).await?;
        }
        self.engines().put(engine);
        Ok(())
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
        let _one = self.change.lock().await;
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
        self.forget_cached(&name);
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
        let _one = self.change.lock().await;
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
        self.forget_cached(name);
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
        let _one = self.change.lock().await;
        if self.is_configured(name) {
            return Err(EngineAdminError::Configured);
        }
        if !self.parts.repository.remove(name).await? {
            return Err(EngineAdminError::Unknown);
        }
        self.engines().remove(name);
        self.forget_cached(name);
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

    fn forget_cached(&self, name: &EngineName) {
        self.parts.plan.invalidate(&PlanScope {
            engine: Some(name.clone()),
            ..PlanScope::default()
        });
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
