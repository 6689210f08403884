//! Ports of `resync-tws` on PostgreSQL.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use resync_kernel::{IdGenerator, ManualClock, SystemIds, UserId};
use resync_postgres::PgDatabase;
use resync_postgres::tws::{
    PgAuditLog, PgEngineRepository, PgProposalStore, PgRunHistory, PgThresholdRepository,
};
use resync_tws::model::{Action, EngineName, JobId};
use resync_tws::ports::{
    AuditAction, AuditOutcome, ProposalId, ProposalStore, Redemption, StoredProposal,
};
use resync_tws::{AuditService, AuditVerdict};
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::server::{On, Own, run};

mod proposals {
    use super::*;

    resync_tws::proposal_store_contract!(On::pair(PgProposalStore::new));
}

mod audit {
    use super::*;

    resync_tws::audit_log_contract!(On::pair(PgAuditLog::new));
}

mod engines {
    use super::*;

    resync_tws::engine_repository_contract!(On::pair(PgEngineRepository::new));
}

mod history {
    use super::*;

    resync_tws::run_history_contract!(On::pair(PgRunHistory::new));
}

mod thresholds {
    use super::*;

    resync_tws::threshold_repository_contract!(On::pair(PgThresholdRepository::new));
}

fn audit_of(database: &PgDatabase) -> AuditService {
    let log = Arc::new(PgAuditLog::new(database.clone()));
    AuditService::new(log, Arc::new(ManualClock::default()), Arc::new(SystemIds))
}

async fn log_in(audit: &AuditService, name: &str) {
    let event = audit.event(name, AuditAction::Login, AuditOutcome::Succeeded);
    audit.record(event).await.unwrap();
}

const fn whole(rows: u64) -> AuditVerdict {
    AuditVerdict {
        valid: true,
        rows,
        first_broken: None,
    }
}

/// C3: of twenty that use a proposal at once, on two replicas, one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_on_two_replicas_one_uses_a_proposal() {
    let own = Own::migrated().await;
    let replicas = [own.open().await, own.open().await].map(PgProposalStore::new);
    let now: DateTime<Utc> = DateTime::UNIX_EPOCH;
    let proposal = StoredProposal {
        id: ProposalId(SystemIds.next()),
        user: UserId(Uuid::from_u128(7)),
        mac: "ab".to_owned(),
        engine: EngineName::parse("prod").unwrap(),
        target: JobId::parse("job-1").unwrap().into(),
        label: "JOB".to_owned(),
        run: None,
        action: Action::Hold,
        fingerprint: "cd".to_owned(),
        // What jsonb would refuse.
        reason: "because \0".to_owned(),
        ticket: None,
        expires_at: now + chrono::Duration::minutes(5),
        used: false,
    };
    replicas[0].insert(&proposal).await.unwrap();
    let mut racing = JoinSet::new();
    for number in 0..20 {
        let (store, id) = (replicas[number % 2].clone(), proposal.id);
        racing.spawn(async move { store.redeem(id, now).await.unwrap() });
    }
    let ended = racing.join_all().await;
    let redeemed = ended
        .iter()
        .filter(|one| **one == Redemption::Redeemed)
        .count();
    assert_eq!(redeemed, 1, "{ended:?}");
    assert!(
        ended
            .iter()
            .all(|one| matches!(one, Redemption::Redeemed | Redemption::AlreadyUsed))
    );
    let stored = replicas[1].find(proposal.id).await.unwrap().unwrap();
    assert_eq!((stored.used, stored.reason), (true, proposal.reason));
}

/// P3: two replicas that write at once make one chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_write_at_once_make_one_chain() {
    let own = Own::migrated().await;
    let replicas = [own.open().await, own.open().await];
    let mut writers = JoinSet::new();
    for number in 0..40 {
        let audit = audit_of(&replicas[number % 2]);
        writers.spawn(async move { log_in(&audit, &format!("user-{number}")).await });
    }
    writers.join_all().await;
    assert_eq!(audit_of(&replicas[0]).verify().await.unwrap(), whole(40));
}

/// P3: append-only.
#[tokio::test]
async fn no_statement_changes_or_removes_a_row_of_the_audit() {
    let own = Own::migrated().await;
    let database = own.open().await;
    let audit = audit_of(&database);
    log_in(&audit, "maria").await;
    log_in(&audit, "joana").await;
    for sql in [
        "UPDATE audit SET body = replace(body, 'maria', 'someone')",
        "UPDATE audit SET hash = 'x' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "SET session_replication_role = replica; DELETE FROM audit",
        "INSERT INTO audit SELECT 9, gen_random_uuid(), action, action_id, body, prev_hash, hash
         FROM audit WHERE seq = 2",
        "INSERT INTO audit SELECT seq, id, action, action_id, body, prev_hash, hash FROM audit
         WHERE seq = 2 ON CONFLICT (seq) DO UPDATE SET body = 'x'",
    ] {
        let mut elsewhere = own.elsewhere().await;
        let refused = sqlx::raw_sql(sql).execute(&mut elsewhere).await;
        let error = refused.expect_err(sql).to_string();
        assert!(error.contains("the audit"), "{sql}: {error}");
    }
    assert_eq!(audit.verify().await.unwrap(), whole(2));
}

/// P3: the chain shows what the triggers could not stop.
#[tokio::test]
async fn who_gets_around_the_triggers_is_shown_by_the_chain() {
    for sql in [
        "UPDATE audit SET body = replace(body, 'joana', 'someone') WHERE seq = 2",
        "UPDATE audit SET action = 'auth.logout' WHERE seq = 2",
        "UPDATE audit SET prev_hash = hash WHERE seq = 2",
        "UPDATE audit SET id = gen_random_uuid() WHERE seq = 2",
    ] {
        let own = Own::migrated().await;
        let database = own.open().await;
        let audit = audit_of(&database);
        for name in ["maria", "joana", "ana"] {
            log_in(&audit, name).await;
        }
        let mut elsewhere = own.elsewhere().await;
        run(
            &mut elsewhere,
            "ALTER TABLE audit DISABLE TRIGGER audit_no_change",
        )
        .await;
        run(&mut elsewhere, sql).await;
        let broken = AuditVerdict {
            valid: false,
            rows: 1,
            first_broken: Some(2),
        };
        assert_eq!(audit.verify().await.unwrap(), broken, "{sql}");
    }
}

/// F6: a commit that is answered is on the disk, also where the server's default says otherwise.
#[tokio::test]
async fn what_is_acknowledged_is_durable_whatever_the_server_says() {
    let own = Own::migrated().await;
    let mut elsewhere = own.elsewhere().await;
    let (name,): (String,) = sqlx::query_as("SELECT current_database()::text")
        .fetch_one(&mut elsewhere)
        .await
        .unwrap();
    for (set, expected) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let sql = format!("ALTER DATABASE {name} SET synchronous_commit = {set}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut elsewhere)
            .await
            .unwrap();
        let database = own.open().await;
        let (found,): (String,) = sqlx::query_as("SELECT current_setting('synchronous_commit')")
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert_eq!(found, expected);
        database.close().await;
    }
}
