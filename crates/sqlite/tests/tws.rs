use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use resync_kernel::{CountingIds, ManualClock, UserId};
use resync_sqlite::tws::{
    SqliteAuditLog, SqliteEngineRepository, SqliteProposalStore, SqliteRunHistory,
    SqliteThresholdRepository,
};
use resync_sqlite::{SqliteDatabase, SqliteError};
use resync_tws::model::{Action, EngineName, JobId};
use resync_tws::ports::{
    AuditAction, AuditOutcome, ProposalId, ProposalStore, Redemption, StoredProposal,
};
use resync_tws::{AuditService, AuditVerdict};
use tempfile::TempDir;
use uuid::Uuid;

async fn open(folder: &Path) -> SqliteDatabase {
    SqliteDatabase::open(folder.join("resync.db"))
        .await
        .unwrap()
}

async fn run(database: &SqliteDatabase, sql: &'static str) -> Result<(), SqliteError> {
    let write = database.write(move |tx| {
        Box::pin(async move {
            sqlx::query(sql).execute(tx).await?;
            Ok::<_, SqliteError>(())
        })
    });
    write.await
}

fn audit_of(database: &SqliteDatabase) -> AuditService {
    let log = Arc::new(SqliteAuditLog::new(database.clone()));
    let clock = Arc::new(ManualClock::default());
    AuditService::new(log, clock, Arc::new(CountingIds::default()))
}

async fn log_in(audit: &AuditService, name: &str) {
    let event = audit.event(name, AuditAction::Login, AuditOutcome::Succeeded);
    audit.record(event).await.unwrap();
}

mod proposals {
    use super::*;

    async fn fresh() -> (Arc<SqliteProposalStore>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        (Arc::new(SqliteProposalStore::new(database)), folder)
    }

    resync_tws::proposal_store_contract!(fresh());
}

mod audit {
    use super::*;

    async fn fresh() -> (Arc<SqliteAuditLog>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        (Arc::new(SqliteAuditLog::new(database)), folder)
    }

    resync_tws::audit_log_contract!(fresh());
}

/// C3: what was used is used after a restart.
#[tokio::test]
async fn a_used_proposal_stays_used_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let id = ProposalId(Uuid::from_u128(1));
    let now: DateTime<Utc> = DateTime::UNIX_EPOCH;
    let proposal = StoredProposal {
        id,
        user: UserId(Uuid::from_u128(7)),
        mac: "ab".to_owned(),
        engine: EngineName::parse("prod").unwrap(),
        target: JobId::parse("job-1").unwrap().into(),
        label: "JOB".to_owned(),
        run: None,
        action: Action::Hold,
        fingerprint: "cd".to_owned(),
        reason: "because".to_owned(),
        ticket: None,
        expires_at: now + chrono::Duration::minutes(5),
        used: false,
    };
    let database = open(folder.path()).await;
    let store = SqliteProposalStore::new(database.clone());
    store.insert(&proposal).await.unwrap();
    assert_eq!(store.redeem(id, now).await.unwrap(), Redemption::Redeemed);
    database.close().await;

    let store = SqliteProposalStore::new(open(folder.path()).await);
    assert_eq!(
        store.redeem(id, now).await.unwrap(),
        Redemption::AlreadyUsed
    );
}

#[tokio::test]
async fn no_statement_changes_or_removes_a_row_of_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let audit = audit_of(&database);
    log_in(&audit, "maria").await;
    log_in(&audit, "joana").await;
    for sql in [
        "UPDATE audit SET body = replace(body, 'maria', 'someone')",
        "UPDATE audit SET hash = 'x' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT 1, x'00', action, action_id, body, prev_hash, hash
         FROM audit WHERE seq = 2",
        "INSERT INTO audit SELECT 9, x'00', action, action_id, body, prev_hash, hash
         FROM audit WHERE seq = 2",
    ] {
        assert!(run(&database, sql).await.is_err(), "{sql}");
    }
    let verdict = audit.verify().await.unwrap();
    let whole = AuditVerdict {
        valid: true,
        rows: 2,
        first_broken: None,
    };
    assert_eq!(verdict, whole);
}

#[tokio::test]
async fn who_gets_around_the_triggers_is_shown_by_the_chain() {
    for sql in [
        "UPDATE audit SET body = replace(body, 'joana', 'someone') WHERE seq = 2",
        "UPDATE audit SET action = 'auth.logout' WHERE seq = 2",
        "UPDATE audit SET action = 'nonsense' WHERE seq = 2",
        "UPDATE audit SET prev_hash = hash WHERE seq = 2",
        "UPDATE audit SET id = x'00000000000000000000000000000099' WHERE seq = 2",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        let audit = audit_of(&database);
        for name in ["maria", "joana", "ana"] {
            log_in(&audit, name).await;
        }
        run(&database, "DROP TRIGGER audit_no_update")
            .await
            .unwrap();
        run(&database, sql).await.unwrap();
        let verdict = audit.verify().await.unwrap();
        let broken = AuditVerdict {
            valid: false,
            rows: 1,
            first_broken: Some(2),
        };
        assert_eq!(verdict, broken, "{sql}");
    }
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let audit = audit_of(&database);
    for name in ["maria", "joana", "ana"] {
        log_in(&audit, name).await;
    }
    run(&database, "DROP TRIGGER audit_no_delete")
        .await
        .unwrap();
    run(&database, "DELETE FROM audit WHERE seq = 2")
        .await
        .unwrap();
    assert_eq!(audit.verify().await.unwrap().first_broken, Some(3));
}

#[tokio::test]
async fn the_chain_goes_on_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    log_in(&audit_of(&database), "maria").await;
    database.close().await;
    let database = open(folder.path()).await;
    let ids = Arc::new(CountingIds::default());
    let first = resync_kernel::IdGenerator::next(&*ids);
    let audit = AuditService::new(
        Arc::new(SqliteAuditLog::new(database)),
        Arc::new(ManualClock::default()),
        ids,
    );
    assert_eq!(
        first.get_version_num(),
        7,
        "the second process does not reuse the first id"
    );
    log_in(&audit, "joana").await;
    let whole = AuditVerdict {
        valid: true,
        rows: 2,
        first_broken: None,
    };
    assert_eq!(audit.verify().await.unwrap(), whole);
    let page = audit.list(None, 1).await.unwrap();
    assert_eq!(page.items[0].event.actor, "joana");
    assert_eq!(page.next_before, Some(2));
}

mod engines {
    use super::*;

    async fn fresh() -> (Arc<SqliteEngineRepository>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        (Arc::new(SqliteEngineRepository::new(database)), folder)
    }

    resync_tws::engine_repository_contract!(fresh());
}

mod history {
    use super::*;

    async fn fresh() -> (Arc<SqliteRunHistory>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        (Arc::new(SqliteRunHistory::new(database)), folder)
    }

    resync_tws::run_history_contract!(fresh());
}

mod thresholds {
    use super::*;

    async fn fresh() -> (Arc<SqliteThresholdRepository>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        (Arc::new(SqliteThresholdRepository::new(database)), folder)
    }

    resync_tws::threshold_repository_contract!(fresh());
}
