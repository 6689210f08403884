//! Engines that are added, changed and removed while the others go on.

use std::sync::{Arc, Mutex};

use resync_kernel::{CountingIds, ExposeSecret, SecretString, UserId};
use resync_memory::tws::{InMemoryEngineRepository, ScriptedEngine};
use resync_tws::model::JobStatus;
use resync_tws::ports::{
    AuditAction, ConnectError, CredentialSealer, EngineConnector, EngineCredentials,
    EngineDefinition, EngineRepository, GatewayError, OpenedSecret, SealError, SealedSecret,
};
use resync_tws::{
    AdminActor, AuditService, CacheStatus, ConfiguredEngine, Engine, EngineAdminError,
    EngineAdminParts, EngineAdminService, EngineDraft, EngineOrigin, TestReason, TestStep,
};
use uuid::Uuid;

use crate::fixture::{World, name, waiting};

/// Seals by naming the key and the engine; nothing for production.
struct Sealer {
    key: &'static str,
    before: Option<&'static str>,
}

impl CredentialSealer for Sealer {
    fn seal(
        &self,
        engine: &resync_tws::model::EngineName,
        secret: &SecretString,
    ) -> Result<SealedSecret, SealError> {
        let turned: String = secret.expose_secret().chars().rev().collect();
        Ok(SealedSecret(format!("{}|{engine}|{turned}", self.key)))
    }

    fn open(
        &self,
        engine: &resync_tws::model::EngineName,
        sealed: &SealedSecret,
    ) -> Result<OpenedSecret, SealError> {
        let parts: Vec<&str> = sealed.0.splitn(3, '|').collect();
        let [key, of, turned] = parts[..] else {
            return Err(SealError::Unopenable);
        };
        if of != engine.as_str() || key != self.key && Some(key) != self.before {
            return Err(SealError::Unopenable);
        }
        let secret: String = turned.chars().rev().collect();
        Ok(OpenedSecret {
            secret: secret.into(),
            reseal: key != self.key,
        })
    }
}

/// Gives every definition the same scripted engine, and keeps the secrets that it was given.
struct Connector {
    engine: Arc<ScriptedEngine>,
    secrets: Mutex<Vec<String>>,
}

impl EngineConnector for Connector {
    fn connect(&self, definition: &EngineDefinition) -> Result<Engine, ConnectError> {
        if definition
            .urls
            .iter()
            .any(|url| !url.starts_with("https://"))
        {
            return Err(ConnectError("an address must begin with https".to_owned()));
        }
        let secret = definition.credentials.secret().expose_secret().to_owned();
        self.secrets.lock().unwrap().push(secret);
        Ok(Engine {
            read_only: definition.read_only,
            verify: definition.verify,
            ..Engine::of(definition.name.clone(), self.engine.clone())
        })
    }
}

struct Office {
    world: World,
    admin: EngineAdminService,
    repository: Arc<InMemoryEngineRepository>,
    connector: Arc<Connector>,
}

fn office(repository: Arc<InMemoryEngineRepository>, sealer: Sealer) -> Office {
    let world = World::new(vec![waiting("a")]);
    let engine = Arc::new(ScriptedEngine::with_jobs(vec![ScriptedEngine::plain_job(
        "b",
        JobStatus::Exec,
    )]));
    engine.set_version("10.2");
    let connector = Arc::new(Connector {
        engine,
        secrets: Mutex::default(),
    });
    let ids = Arc::new(CountingIds::default());
    let admin = EngineAdminService::new(EngineAdminParts {
        plan: world.plan.clone(),
        configured: vec![ConfiguredEngine {
            name: name("prod"),
            urls: vec!["https://prod.example/twsd/api/v2".to_owned()],
            username: Some("resync".to_owned()),
            own_ca: false,
            insecure_tls: false,
            read_only: false,
            timeout_seconds: 15,
        }],
        repository: repository.clone(),
        sealer: Arc::new(sealer),
        connector: connector.clone(),
        audit: AuditService::new(world.log.clone(), world.clock.clone(), ids),
        clock: world.clock.clone(),
    });
    Office {
        world,
        admin,
        repository,
        connector,
    }
}

fn fresh() -> Office {
    let sealer = Sealer {
        key: "k1",
        before: None,
    };
    office(Arc::default(), sealer)
}

fn actor() -> AdminActor {
    AdminActor {
        user: UserId(Uuid::from_u128(1)),
        username: "ana".to_owned(),
        request_id: None,
    }
}

fn draft(password: Option<&str>) -> EngineDraft {
    EngineDraft {
        urls: vec!["https://new.example/twsd/api/v2".to_owned()],
        credentials: password.map(|password| EngineCredentials::Basic {
            username: "resync".to_owned(),
            password: password.to_owned().into(),
        }),
        ca_pem: None,
        insecure_tls: false,
        read_only: false,
        timeout_seconds: 15,
        verify_seconds: None,
    }
}

#[tokio::test]
async fn an_added_engine_answers_at_once_and_a_removed_one_is_gone_with_its_cache() {
    let office = fresh();
    let (plan, new) = (&office.world.plan, name("new"));
    assert!(plan.summary(Some(&new)).await.is_err());
    let entry = office
        .admin
        .add(&actor(), new.clone(), draft(Some("geheim")))
        .await;
    assert_eq!(entry.unwrap().origin, EngineOrigin::Added);
    assert_eq!(plan.summary(Some(&new)).await.unwrap().value.total, 1);
    assert_eq!(office.admin.list().await.unwrap().len(), 2);
    office.admin.remove(&actor(), &new).await.unwrap();
    assert!(plan.summary(Some(&new)).await.is_err());
    office
        .admin
        .add(&actor(), new.clone(), draft(Some("geheim")))
        .await
        .unwrap();
    let live = plan.summary(Some(&new)).await.unwrap();
    assert_eq!(live.meta.cache, CacheStatus::Miss);
    let actions: Vec<AuditAction> = office
        .world
        .rows()
        .await
        .iter()
        .map(|row| row.event.action)
        .collect();
    assert_eq!(
        actions,
        [
            AuditAction::EngineAdded,
            AuditAction::EngineRemoved,
            AuditAction::EngineAdded
        ]
    );
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out_and_stays_when_it_is_not_given() {
    let office = fresh();
    let new = name("new");
    let entry = office
        .admin
        .add(&actor(), new.clone(), draft(Some("geheim-7")))
        .await
        .unwrap();
    let mut read_only = draft(None);
    read_only.read_only = true;
    let changed = office
        .admin
        .change(&actor(), &new, read_only)
        .await
        .unwrap();
    assert!(changed.read_only);
    assert_eq!(
        *office.connector.secrets.lock().unwrap(),
        ["geheim-7", "geheim-7"]
    );
    let told = [
        serde_json::to_string(&entry).unwrap(),
        serde_json::to_string(&office.admin.list().await.unwrap()).unwrap(),
        format!("{:?}", office.repository.list().await.unwrap()),
        format!("{:?}", office.world.rows().await),
        format!("{:?}", draft(Some("geheim-7"))),
    ];
    for text in told {
        assert!(
            !text.contains("geheim-7") && !text.contains("7-miehegk"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_engine_of_the_configuration_is_shown_and_not_changed() {
    let office = fresh();
    let prod = name("prod");
    let entry = &office.admin.list().await.unwrap()[0];
    assert_eq!(
        (entry.origin, entry.running),
        (EngineOrigin::Configuration, true)
    );
    let changed = office.admin.change(&actor(), &prod, draft(None)).await;
    assert!(matches!(changed, Err(EngineAdminError::Configured)));
    let removed = office.admin.remove(&actor(), &prod).await;
    assert!(matches!(removed, Err(EngineAdminError::Configured)));
    let taken = office.admin.add(&actor(), prod, draft(Some("x"))).await;
    assert!(matches!(taken, Err(EngineAdminError::NameTaken)));
    assert!(office.world.rows().await.is_empty());
}

#[tokio::test]
async fn a_wrong_draft_names_its_field_and_changes_nothing() {
    let office = fresh();
    let wrong = |change: fn(&mut EngineDraft)| {
        let mut draft = draft(Some("x"));
        change(&mut draft);
        draft
    };
    for (draft, expected) in [
        (draft(None), "credentials"),
        (wrong(|draft| draft.urls.clear()), "urls"),
        (
            wrong(|draft| draft.urls = vec!["http://x".to_owned()]),
            "urls",
        ),
        (wrong(|draft| draft.timeout_seconds = 0), "timeout_seconds"),
        (
            wrong(|draft| draft.verify_seconds = Some(121)),
            "verify_seconds",
        ),
    ] {
        match office.admin.add(&actor(), name("new"), draft).await {
            Err(EngineAdminError::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(office.repository.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_test_tells_version_and_time_or_the_reason() {
    let office = fresh();
    let new = name("new");
    let good = office.admin.test(&new, draft(Some("x"))).await.unwrap();
    assert_eq!(
        (good.ok, good.version.as_deref(), good.jobs),
        (true, Some("10.2"), Some(1))
    );
    office
        .connector
        .engine
        .fail_reads(Some(GatewayError::CredentialsRefused));
    let bad = office.admin.test(&new, draft(Some("x"))).await.unwrap();
    let failure = bad.failure.unwrap();
    assert_eq!(
        (failure.step, failure.reason),
        (TestStep::Info, TestReason::CredentialsRefused)
    );
    assert!(office.world.plan.summary(Some(&new)).await.is_err());
    assert!(office.world.rows().await.is_empty());
}

#[tokio::test]
async fn a_kept_secret_is_not_sent_to_another_address() {
    let office = fresh();
    let new = name("new");
    office
        .admin
        .add(&actor(), new.clone(), draft(Some("x")))
        .await
        .unwrap();
    let mut elsewhere = draft(None);
    elsewhere.urls = vec!["https://evil.example/twsd/api/v2".to_owned()];
    let tried = office.admin.test(&new, elsewhere.clone()).await;
    assert!(matches!(
        tried,
        Err(EngineAdminError::Invalid {
            field: "credentials",
            ..
        })
    ));
    let changed = office.admin.change(&actor(), &new, elsewhere).await;
    assert!(matches!(
        changed,
        Err(EngineAdminError::Invalid {
            field: "credentials",
            ..
        })
    ));
}

#[tokio::test]
async fn a_start_takes_the_kept_engines_in_and_seals_anew_what_an_earlier_key_sealed() {
    let before = fresh();
    before
        .admin
        .add(&actor(), name("new"), draft(Some("x")))
        .await
        .unwrap();
    let rotated = Sealer {
        key: "k2",
        before: Some("k1"),
    };
    let after = office(before.repository.clone(), rotated);
    let loaded = after.admin.load().await.unwrap();
    assert_eq!((loaded.running, loaded.broken.len()), (1, 0));
    assert!(after.world.plan.summary(Some(&name("new"))).await.is_ok());
    let kept = after.repository.list().await.unwrap();
    assert!(kept[0].secret.0.starts_with("k2|"));
    let lost = office(
        before.repository.clone(),
        Sealer {
            key: "k3",
            before: None,
        },
    );
    let loaded = lost.admin.load().await.unwrap();
    assert_eq!((loaded.running, loaded.broken.len()), (0, 1));
    let entries = lost.admin.list().await.unwrap();
    assert!(!entries[1].running);
}

/// Two replicas on one repository: what one changes, the other takes over, and nothing else of it.
#[tokio::test]
async fn what_another_replica_adds_changes_and_removes_is_taken_over() {
    let one = fresh();
    let same_key = || Sealer {
        key: "k1",
        before: None,
    };
    let other = office(one.repository.clone(), same_key());
    for new in ["first", "second"] {
        let added = one.admin.add(&actor(), name(new), draft(Some("x"))).await;
        added.unwrap();
    }
    assert!(
        other
            .world
            .plan
            .summary(Some(&name("first")))
            .await
            .is_err()
    );
    let loaded = other.admin.load().await.unwrap();
    assert_eq!((loaded.running, loaded.broken.len()), (2, 0));
    assert!(other.world.plan.summary(Some(&name("first"))).await.is_ok());
    assert_eq!(other.connector.secrets.lock().unwrap().len(), 2);

    let mut slower = draft(Some("y"));
    slower.timeout_seconds += 1;
    one.admin
        .change(&actor(), &name("second"), slower)
        .await
        .unwrap();
    other.admin.load().await.unwrap();
    let secrets = other.connector.secrets.lock().unwrap().clone();
    assert_eq!(
        secrets,
        ["x", "x", "y"],
        "only the changed one has a new client"
    );

    one.admin.remove(&actor(), &name("first")).await.unwrap();
    let loaded = other.admin.load().await.unwrap();
    assert_eq!(loaded.running, 1);
    assert!(
        other
            .world
            .plan
            .summary(Some(&name("first")))
            .await
            .is_err()
    );
    assert!(
        other
            .world
            .plan
            .summary(Some(&name("second")))
            .await
            .is_ok()
    );
}
