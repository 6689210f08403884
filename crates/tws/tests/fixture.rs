//! A plan, its services and its stores, all in memory.

use std::sync::Arc;
use std::time::Duration;

use resync_kernel::{CountingIds, ManualClock, SecretString, UserId};
use resync_memory::tws::{InMemoryAuditLog, InMemoryProposalStore, ScriptedEngine};
use resync_tws::model::{Action, EngineName, Job, JobId, JobStatus, JobStream, StreamId};
use resync_tws::ports::{AuditLog, AuditOutcome, AuditRecord, ProposalStore};
use resync_tws::{
    ActionActor, ActionParts, ActionService, AuditService, CacheLimits, CachePolicy, ConfirmError,
    ConfirmRequest, ConfirmationKey, Confirmed, Engine, Engines, PlanParts, PlanService, Proposal,
    ProposeError, ProposeRequest, Reason,
};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) engine: Arc<ScriptedEngine>,
    pub(crate) other: Arc<ScriptedEngine>,
    pub(crate) plan: PlanService,
    pub(crate) actions: ActionService,
    pub(crate) audit: AuditService,
    pub(crate) log: Arc<InMemoryAuditLog>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tracker: TaskTracker,
}

pub(crate) fn id(text: &str) -> JobId {
    JobId::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> EngineName {
    EngineName::parse(text).unwrap()
}

/// A job that ran once and ended so.
pub(crate) fn ended(id: &str, status: JobStatus, code: i32) -> Job {
    let run = ScriptedEngine::plain_run(&format!("{id}-run-1"), status.clone(), Some(code));
    Job {
        runs: vec![run],
        ..ScriptedEngine::plain_job(id, status)
    }
}

pub(crate) fn waiting(id: &str) -> Job {
    ScriptedEngine::plain_job(id, JobStatus::Hold)
}

pub(crate) fn stream(id_: &str, status: JobStatus) -> JobStream {
    JobStream {
        id: StreamId::parse(id_).unwrap(),
        name: id_.to_owned(),
        folder: None,
        workstation: Some("WS".to_owned()),
        status,
        scheduled_at: None,
        deadline: None,
        priority: None,
        limit: None,
    }
}

pub(crate) fn engine(name_: &str, scripted: &Arc<ScriptedEngine>, read_only: bool) -> Engine {
    Engine {
        read_only,
        ..Engine::of(name(name_), scripted.clone())
    }
}

pub(crate) fn actor(user: u128, session: &str) -> ActionActor {
    ActionActor {
        user: UserId(Uuid::from_u128(user)),
        username: format!("user{user}"),
        session: session.to_owned(),
    }
}

/// Stores that a test may put in the place of those in memory.
#[derive(Default)]
pub(crate) struct Stores {
    pub(crate) audit: Option<Arc<dyn AuditLog>>,
    pub(crate) proposals: Option<Arc<dyn ProposalStore>>,
}

impl World {
    /// Two engines, `prod` with these jobs and the empty `test`, and the read-only `view`.
    pub(crate) fn new(jobs: Vec<Job>) -> Self {
        Self::with(jobs, Stores::default())
    }

    pub(crate) fn with(jobs: Vec<Job>, stores: Stores) -> Self {
        let scripted = Arc::new(ScriptedEngine::with_jobs(jobs));
        let other = Arc::new(ScriptedEngine::default());
        let engines = Engines::new(vec![
            engine("prod", &scripted, false),
            engine("test", &other, false),
            engine("view", &scripted, true),
        ])
        .unwrap();
        let (clock, tracker) = (Arc::new(ManualClock::default()), TaskTracker::new());
        let ids = Arc::new(CountingIds::default());
        let plan = PlanService::new(PlanParts {
            engines,
            clock: clock.clone(),
            tracker: tracker.clone(),
            policy: CachePolicy::default(),
            limits: CacheLimits {
                max_entries: 1_000,
                max_bytes: 1 << 24,
            },
        });
        let log = Arc::new(InMemoryAuditLog::default());
        let audit_log = stores.audit.unwrap_or_else(|| log.clone());
        let proposals = stores.proposals;
        let actions = ActionService::new(ActionParts {
            plan: plan.clone(),
            proposals: proposals.unwrap_or_else(|| Arc::new(InMemoryProposalStore::default())),
            audit: audit_log,
            key: ConfirmationKey::new([9; 32]),
            clock: clock.clone(),
            ids: ids.clone(),
            tracker: tracker.clone(),
            verify: Duration::from_secs(10),
        });
        let audit = AuditService::new(log.clone(), clock.clone(), ids);
        Self {
            engine: scripted,
            other,
            plan,
            actions,
            audit,
            log,
            clock,
            tracker,
        }
    }

    /// Proposes as user 1 in session `s1`.
    pub(crate) async fn propose(
        &self,
        job: &str,
        action: Action,
    ) -> Result<Proposal, ProposeError> {
        self.actions.propose(request(job, action)).await
    }

    pub(crate) async fn confirm(
        &self,
        job: &str,
        action: Action,
        token: &SecretString,
    ) -> Result<Confirmed, ConfirmError> {
        self.actions.confirm(confirmation(job, action, token)).await
    }

    /// Proposes and confirms.
    pub(crate) async fn act(&self, job: &str, action: Action) -> Result<Confirmed, ConfirmError> {
        let token = token(self.propose(job, action).await.unwrap());
        self.confirm(job, action, &token).await
    }

    /// The rows of the audit, oldest first.
    pub(crate) async fn rows(&self) -> Vec<AuditRecord> {
        let rows = self.log.after(0, 1_000).await.unwrap();
        rows.iter().map(|row| row.open().unwrap()).collect()
    }

    /// What the rows of the audit came to, oldest first.
    pub(crate) async fn outcomes(&self) -> Vec<AuditOutcome> {
        self.rows()
            .await
            .iter()
            .map(|row| row.event.outcome)
            .collect()
    }
}

/// The proposal of user 1 in session `s1`.
pub(crate) fn request(job: &str, action: Action) -> ProposeRequest {
    ProposeRequest {
        actor: actor(1, "s1"),
        engine: Some(name("prod")),
        target: id(job).into(),
        action,
        reason: Reason::parse("disk cleaned").unwrap(),
        ticket: None,
        request_id: Some("req-1".to_owned()),
        dry_run: false,
    }
}

/// The confirmation of user 1 in session `s1`.
pub(crate) fn confirmation(job: &str, action: Action, token: &SecretString) -> ConfirmRequest {
    ConfirmRequest {
        actor: actor(1, "s1"),
        engine: Some(name("prod")),
        target: id(job).into(),
        kind: action.kind(),
        token: token.clone(),
        request_id: Some("req-2".to_owned()),
    }
}

pub(crate) fn token(proposal: Proposal) -> SecretString {
    proposal.handle.unwrap().confirmation_token
}
